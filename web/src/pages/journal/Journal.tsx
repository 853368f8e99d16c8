/** The journal: who did what, when, and the proof, recomputed here and not believed. */

import { t } from "@lingui/core/macro";
import { Button, NativeSelect } from "@mantine/core";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useState } from "react";
import type { AuditRecord } from "../../api/contract/types.ts";
import { auditQuery, checkpointQuery } from "../../api/journal.ts";
import { useAnySession } from "../../api/session.ts";
import { parseCheckpoint, toHex } from "../../audit/merkle.ts";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { instantExact } from "../../time/format.ts";
import { ACTIONS, actionText, SECURITY_ACTIONS } from "./actions.ts";
import { detailText } from "./details.ts";
import { ProofDialog } from "./ProofDialog.tsx";

const route = getRouteApi("/journal");

export function Journal() {
  const { objet, acte, journal } = route.useSearch();
  const navigate = route.useNavigate();
  const { roles, school } = useAnySession();
  const watches = roles.includes("security_officer") || roles.includes("auditor");
  const security = watches && (journal === "securite" || school === null);
  const query = useInfiniteQuery(
    auditQuery({
      ...(objet ? { objectId: objet } : {}),
      ...(acte ? { action: acte } : {}),
      ...(security ? { security } : {}),
    }),
  );
  const checkpoint = useQuery(checkpointQuery);
  const [proving, setProving] = useState<AuditRecord>();
  const note = checkpoint.data ? parseCheckpoint(checkpoint.data.note) : undefined;
  return (
    <div className="rp-stack">
      <PageTitle>{t`Journal`}</PageTitle>
      <p className="rp-muted">
        {school
          ? t`Tout ce que fait votre école est inscrit dans un journal que personne ne peut réécrire. Votre navigateur vérifie lui-même chaque preuve.`
          : t`Tout ce qui touche à la sécurité de la plateforme est inscrit dans un journal que personne ne peut réécrire. Votre navigateur vérifie lui-même chaque preuve.`}
      </p>
      {note ? (
        <section className="rp-card" aria-label={t`Dernière signature du journal`}>
          <h2>{t`Dernière signature du journal`}</h2>
          <dl className="rp-facts">
            <dt>{t`Enregistrements`}</dt>
            <dd>{note.size}</dd>
            <dt>{t`Somme de contrôle`}</dt>
            <dd className="rp-mono">{toHex(note.root)}</dd>
          </dl>
        </section>
      ) : null}
      {watches && school ? (
        <NativeSelect
          className="rp-narrow"
          label={t`Journal affiché`}
          value={security ? "securite" : ""}
          onChange={(event) => {
            const wanted = event.currentTarget.value;
            void navigate({ search: wanted === "securite" ? { journal: wanted } : {}, replace: true });
          }}
          data={[
            { value: "", label: t`de l'école` },
            { value: "securite", label: t`de la sécurité` },
          ]}
        />
      ) : null}
      <NativeSelect
        data-search
        className="rp-narrow"
        label={t`Actions`}
        value={acte ?? ""}
        onChange={(event) => {
          const wanted = event.currentTarget.value;
          void navigate({
            search: ({ acte: _before, ...rest }) => (wanted ? { ...rest, acte: wanted } : rest),
            replace: true,
          });
        }}
        data={[
          { value: "", label: t`tous` },
          ...(security ? SECURITY_ACTIONS : ACTIONS).map((action) => ({ value: action, label: actionText(action) })),
        ]}
      />
      {objet ? (
        <p>
          {t`Le journal d'une seule réservation.`} <Link to="/journal">{t`Voir tout le journal`}</Link>
        </p>
      ) : null}
      <Loaded query={query} rows={8}>
        {(data) => {
          const records = data.pages.flatMap((page) => page.items);
          if (records.length === 0) {
            return (
              <Empty title={t`Journal vide`}>
                {school
                  ? t`La première action de votre école, connexion comprise, s'inscrira ici.`
                  : t`La première action de ce genre s'inscrira ici.`}
              </Empty>
            );
          }
          return (
            <>
              <div className="rp-table-box">
                <table className="rp-table rp-table--days">
                  <thead>
                    <tr>
                      <th scope="col">{t`Quand`}</th>
                      <th scope="col">{t`Action`}</th>
                      <th scope="col">{t`Par`}</th>
                      <th scope="col">{t`Résultat`}</th>
                      <th scope="col">{t`Preuve`}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {records.map((record) => (
                      <Row key={record.id} record={record} security={security} onProve={() => setProving(record)} />
                    ))}
                  </tbody>
                </table>
              </div>
              {query.hasNextPage ? (
                <div>
                  <Button
                    variant="default"
                    aria-disabled={query.isFetchingNextPage || undefined}
                    onClick={() => void query.fetchNextPage({ cancelRefetch: false })}
                  >
                    {t`Afficher la suite`}
                  </Button>
                </div>
              ) : null}
            </>
          );
        }}
      </Loaded>
      <ProofDialog record={proving} security={security} onClose={() => setProving(undefined)} />
    </div>
  );
}

/** People are known by their account; only the reader is "you". */
function actorText(record: AuditRecord, reader: string): string {
  if (record.actor.kind === "system") return t`ResaPermis (${record.actor.id})`;
  if (record.actor.kind === "rdvpermis") return t`RdvPermis`;
  if (record.actor.id === reader) return t`vous`;
  return t`quelqu'un de l'école (…${record.actor.id.slice(-4)})`;
}

function Row({ record, security, onProve }: { record: AuditRecord; security: boolean; onProve: () => void }) {
  const session = useAnySession();
  const text = actionText(record.action);
  const detail = detailText(record, security);
  return (
    <tr>
      <td data-label={t`Quand`} className="rp-small">
        {record.occurredAt ? <time dateTime={record.occurredAt}>{instantExact(record.occurredAt)}</time> : null}
      </td>
      <th scope="row" data-label={t`Action`}>
        {text}
        {detail ? <span className="rp-small rp-muted"> {detail}</span> : null}
      </th>
      <td data-label={t`Par`}>{actorText(record, session.user.id)}</td>
      <td data-label={t`Résultat`}>{outcomeText(record.outcome)}</td>
      <td data-label={t`Preuve`}>
        {record.leafIndex === null || record.leafIndex === undefined ? (
          <span className="rp-small rp-muted">{t`après la prochaine signature du journal`}</span>
        ) : (
          <Button variant="default" size="compact-sm" onClick={onProve} aria-label={t`Vérifier la preuve : ${text}`}>
            {t`Vérifier`}
          </Button>
        )}
      </td>
    </tr>
  );
}

function outcomeText(outcome: string): string {
  switch (outcome) {
    case "done":
      return t`fait`;
    case "refused":
      return t`refusé`;
    case "failed":
      return t`échoué`;
    case "unknown":
      return t`pas encore connu`;
    default:
      return outcome;
  }
}
