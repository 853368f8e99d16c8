/**
 * An error keeps all that was typed. Writing down and asking the mandate are one act for the secretary and two requests: each shows
 * its own result, and a candidate whom RdvPermis does not know as written can be corrected.
 */

import { t } from "@lingui/core/macro";
import { Button, NativeSelect } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { createCandidate, requestMandate } from "../../api/candidates.ts";
import { keys } from "../../api/contract/cache.ts";
import { ProblemNotice } from "../../components/Notice.tsx";
import { useAct } from "../../live/act.ts";
import { useDraft } from "../../live/draft.ts";
import { toast } from "../../live/toast.ts";
import { CATEGORIES } from "../../rules/departments.ts";
import { fullName } from "../../rules/names.ts";
import { normaliseNeph } from "../../rules/neph.ts";
import { correctable } from "./correctable.ts";
import { type Identity, IdentityInputs, isWhole } from "./IdentityInputs.tsx";
import { IdentityProblem } from "./IdentityProblem.tsx";

interface Fields extends Identity {
  category: string;
  gearbox: "manual" | "automatic";
}

/** The form's name among drafts. */
export const NEW_CANDIDATE = "candidate";

const BLANK: Fields = { lastName: "", firstName: "", neph: "", email: "", category: "B", gearbox: "manual" };

export function NewCandidateForm({ onDone }: { onDone: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [fields, setFields, forget] = useDraft(NEW_CANDIDATE, BLANK);
  const [asked, setAsked] = useState(false);
  const refresh = () => client.invalidateQueries({ queryKey: keys.candidates });
  const ask = useAct((body: Parameters<typeof requestMandate>[0], key: string) => requestMandate(body, key), {
    onSettled: refresh,
  });
  const create = useAct(
    (body: Fields, key: string) =>
      createCandidate(
        {
          lastName: body.lastName.trim(),
          firstName: body.firstName.trim(),
          neph: normaliseNeph(body.neph),
          ...(body.email.trim() ? { email: body.email.trim() } : {}),
        },
        key,
      ),
    {
      onSuccess: (candidate, { category, gearbox }) => {
        forget();
        ask.mutate(
          { candidateId: candidate.id, category, gearbox },
          {
            onSuccess: () => {
              toast(t`La fiche de ${fullName(candidate)} est créée et son mandat demandé.`);
              onDone();
              void navigate({ to: "/candidats/$id", params: { id: candidate.id }, search: {} });
            },
          },
        );
      },
      onSettled: refresh,
    },
  );
  const busy = create.isPending || ask.isPending;
  const set = (next: Partial<Fields>) => setFields({ ...fields, ...next });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    if (busy || create.data || !isWhole(fields)) return;
    create.mutate(fields);
  };
  return (
    <form className="rp-card" onSubmit={submit} noValidate>
      <h2>{t`Nouveau candidat`}</h2>
      <div className="rp-form">
        <IdentityInputs fields={fields} onChange={set} asked={asked} error={create.error} focus="lastName" />
        <NativeSelect
          label={t`Permis`}
          value={fields.category}
          onChange={(event) => set({ category: event.currentTarget.value })}
          data={[...CATEGORIES]}
        />
        <NativeSelect
          label={t`Boîte de vitesses`}
          value={fields.gearbox}
          onChange={(event) => set({ gearbox: event.currentTarget.value === "automatic" ? "automatic" : "manual" })}
          data={[
            { value: "manual", label: t`manuelle` },
            { value: "automatic", label: t`automatique` },
          ]}
        />
      </div>
      <IdentityProblem error={create.error} />
      {create.data && ask.error ? (
        <ProblemNotice error={ask.error}>
          <p>
            {t`Le candidat est inscrit ; son mandat ne l'est pas.`}{" "}
            {correctable(ask.error) ? (
              <Link to="/candidats/$id" params={{ id: create.data.id }} search={{ fiche: "corriger" }}>
                {t`Corriger la fiche`}
              </Link>
            ) : (
              <Link to="/candidats/$id" params={{ id: create.data.id }}>
                {t`Voir sa fiche`}
              </Link>
            )}
          </p>
        </ProblemNotice>
      ) : null}
      <div className="rp-row rp-row--end">
        <Button
          variant="default"
          onClick={() => {
            forget();
            onDone();
          }}
        >
          {create.data ? t`Fermer` : t`Abandonner`}
        </Button>
        {create.data && ask.error ? null : (
          <Button type="submit" aria-disabled={busy || undefined} data-disabled={busy || undefined}>
            {busy ? t`Demande envoyée…` : t`Inscrire et demander le mandat`}
          </Button>
        )}
      </div>
    </form>
  );
}
