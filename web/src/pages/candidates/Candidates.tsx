/** The school's candidates: find one by name or NEPH (asked by POST), or write a new one down. */

import { t } from "@lingui/core/macro";
import { Button, TextInput } from "@mantine/core";
import { IconSearch, IconUserPlus } from "@tabler/icons-react";
import { useInfiniteQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useDeferredValue, useState } from "react";
import { candidateSearchQuery, candidatesQuery } from "../../api/candidates.ts";
import type { Candidate } from "../../api/contract/types.ts";
import { useSession } from "../../api/session.ts";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { MandateStatus } from "../../components/StatusMark.tsx";
import { isDrafted } from "../../live/draft.ts";
import { fullName } from "../../rules/names.ts";
import { NEW_CANDIDATE, NewCandidateForm } from "./NewCandidateForm.tsx";

interface Pages {
  hasNextPage: boolean;
  isFetchingNextPage: boolean;
  fetchNextPage: (options: { cancelRefetch: boolean }) => unknown;
}

export function Candidates() {
  const { user } = useSession();
  const [adding, setAdding] = useState(() => isDrafted(user.id, NEW_CANDIDATE));
  const [typed, setTyped] = useState("");
  const wanted = useDeferredValue(typed.trim());
  const searching = wanted.length >= 2;
  const all = useInfiniteQuery(candidatesQuery);
  const found = useInfiniteQuery(candidateSearchQuery(wanted));
  return (
    <div className="rp-stack">
      <PageTitle
        aside={
          <Button
            variant={adding ? "default" : "filled"}
            aria-expanded={adding}
            leftSection={<IconUserPlus size={18} aria-hidden />}
            onClick={() => setAdding(!adding)}
          >
            {adding ? t`Fermer le formulaire` : t`Nouveau candidat`}
          </Button>
        }
      >
        {t`Candidats`}
      </PageTitle>
      {adding ? <NewCandidateForm onDone={() => setAdding(false)} /> : null}
      <TextInput
        data-search
        type="search"
        label={t`Chercher un candidat`}
        description={t`Nom entier, ou NEPH`}
        leftSection={<IconSearch size={18} aria-hidden />}
        value={typed}
        onChange={(event) => setTyped(event.currentTarget.value)}
        autoComplete="off"
      />
      {searching ? (
        <Loaded query={found} rows={3}>
          {(data) => {
            const people = data.pages.flatMap((page) => page.items);
            if (people.length === 0) return <Nobody onAdd={() => setAdding(true)} />;
            return (
              <>
                <People people={people} />
                <More query={found}>{t`D'autres portent ce nom.`}</More>
              </>
            );
          }}
        </Loaded>
      ) : (
        <Loaded query={all} rows={6}>
          {(data) => {
            const people = data.pages.flatMap((page) => page.items);
            if (people.length === 0) return <NoneYet onAdd={() => setAdding(true)} />;
            return (
              <>
                <People people={people} />
                <More query={all} />
              </>
            );
          }}
        </Loaded>
      )}
    </div>
  );
}

function More({ query, children }: { query: Pages; children?: ReactNode }) {
  if (!query.hasNextPage) return null;
  return (
    <div className="rp-row">
      {children ? <span className="rp-muted">{children}</span> : null}
      <Button
        variant="default"
        aria-disabled={query.isFetchingNextPage || undefined}
        onClick={() => query.isFetchingNextPage || void query.fetchNextPage({ cancelRefetch: false })}
      >
        {t`Afficher la suite`}
      </Button>
    </div>
  );
}

function Nobody({ onAdd }: { onAdd: () => void }) {
  return (
    <Empty
      title={t`Aucun candidat ne correspond`}
      action={
        <Button variant="default" onClick={onAdd}>
          {t`Nouveau candidat`}
        </Button>
      }
    >
      {t`La recherche compare le nom entier ou le NEPH exact. Vérifiez l'orthographe.`}
    </Empty>
  );
}

function NoneYet({ onAdd }: { onAdd: () => void }) {
  return (
    <Empty title={t`Pas encore de candidat`} action={<Button onClick={onAdd}>{t`Nouveau candidat`}</Button>}>
      {t`Inscrivez un candidat et demandez son mandat : il l'accepte chez RdvPermis, puis vous réservez pour lui.`}
    </Empty>
  );
}

function People({ people }: { people: readonly Candidate[] }) {
  return (
    <div className="rp-table-box">
      <table className="rp-table rp-table--days">
        <thead>
          <tr>
            <th scope="col">{t`Nom`}</th>
            <th scope="col">{t`NEPH`}</th>
            <th scope="col">{t`Mandats`}</th>
          </tr>
        </thead>
        <tbody>
          {people.map((candidate) => (
            <tr key={candidate.id}>
              <th scope="row">
                <Link to="/candidats/$id" params={{ id: candidate.id }}>
                  {fullName(candidate)}
                </Link>
              </th>
              <td data-label={t`NEPH`}>{candidate.neph}</td>
              <td data-label={t`Mandats`}>
                <span className="rp-row">
                  {candidate.mandates.length === 0 ? <span className="rp-muted">{t`aucun`}</span> : null}
                  {candidate.mandates.map((mandate) => (
                    <span key={mandate.id} className="rp-row">
                      {mandate.category} <MandateStatus state={mandate.state} />
                    </span>
                  ))}
                </span>
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
