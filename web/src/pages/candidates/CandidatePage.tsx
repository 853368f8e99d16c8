/** One candidate: what we hold, the mandates and what can be asked. */

import { t } from "@lingui/core/macro";
import { Button, NativeSelect } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useEffect, useRef, useState } from "react";
import { bookingsOfQuery } from "../../api/bookings.ts";
import { candidateQuery, refreshMandate, requestMandate, revokeMandate } from "../../api/candidates.ts";
import { keys } from "../../api/contract/cache.ts";
import type { Candidate, Mandate } from "../../api/contract/types.ts";
import { useSession } from "../../api/session.ts";
import { ActionButton } from "../../components/ActionButton.tsx";
import { Age } from "../../components/Age.tsx";
import { Availability } from "../../components/availability/Availability.tsx";
import { ConfirmDialog } from "../../components/ConfirmDialog.tsx";
import { Loaded } from "../../components/Loading.tsx";
import { Notice, ProblemNotice, ReasonDetails } from "../../components/Notice.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { MandateStatus } from "../../components/StatusMark.tsx";
import { useAct } from "../../live/act.ts";
import { isDrafted } from "../../live/draft.ts";
import { refusalText } from "../../rules/answers/refusals.ts";
import { CATEGORIES } from "../../rules/departments.ts";
import { fullName } from "../../rules/names.ts";
import { examSentence, instantShort } from "../../time/format.ts";
import { CorrectionForm, correctionOf } from "./CorrectionForm.tsx";
import { fieldInDoubt } from "./correctable.ts";
import type { Identity } from "./IdentityInputs.tsx";
import { StandingCard } from "./StandingCard.tsx";

const route = getRouteApi("/candidats/$id");

export function CandidatePage() {
  const { id } = route.useParams();
  const query = useQuery(candidateQuery(id));
  return (
    <div className="rp-stack">
      <p>
        <Link to="/candidats">{t`Candidats`}</Link>
      </p>
      <PageTitle>{query.data ? fullName(query.data) : t`Candidat`}</PageTitle>
      <Loaded query={query} rows={4}>
        {(candidate) => <Sheet key={candidate.id} candidate={candidate} />}
      </Loaded>
    </div>
  );
}

function Sheet({ candidate }: { candidate: Candidate }) {
  const { fiche } = route.useSearch();
  const navigate = route.useNavigate();
  const session = useSession();
  const [correcting, setCorrecting] = useState<keyof Identity | "first" | undefined>(
    fiche === "corriger" || isDrafted(session.user.id, correctionOf(candidate.id)) ? "first" : undefined,
  );
  const [closed, setClosed] = useState(false);
  const done = () => {
    setCorrecting(undefined);
    setClosed(true);
    if (fiche) void navigate({ search: {}, replace: true });
  };
  return (
    <>
      <section className="rp-card" aria-label={t`Identité`}>
        <h2>{t`Identité`}</h2>
        {correcting ? (
          <CorrectionForm
            key={correcting}
            candidate={candidate}
            focus={correcting === "first" ? undefined : correcting}
            onDone={done}
          />
        ) : (
          <Known candidate={candidate} focused={closed} onCorrect={() => setCorrecting("first")} />
        )}
      </section>
      <section className="rp-card" aria-label={t`Mandats`}>
        <h2>{t`Mandats`}</h2>
        {candidate.mandates.length === 0 ? (
          <Notice level="info">
            <p>{t`Sans mandat actif, rien ne se réserve pour ce candidat. Demandez-le : il l'accepte chez RdvPermis.`}</p>
          </Notice>
        ) : (
          <ul className="rp-plain-list">
            {candidate.mandates.map((mandate) => (
              <MandateRow key={mandate.id} mandate={mandate} candidate={candidate} onCorrect={setCorrecting} />
            ))}
          </ul>
        )}
        <AskMandate candidate={candidate} />
      </section>
      <StandingCard candidate={candidate} />
      <section className="rp-card" aria-label={t`Indisponibilités`}>
        <h2>{t`Indisponibilités`}</h2>
        <Availability subject={{ kind: "candidate", id: candidate.id }} name={fullName(candidate)} />
      </section>
    </>
  );
}

/** What is written down; correcting it is one press away. */
function Known({
  candidate,
  focused,
  onCorrect,
}: {
  candidate: Candidate;
  /** The form was just left: the focus goes back to what opened it. */
  focused: boolean;
  onCorrect: () => void;
}) {
  const opener = useRef<HTMLButtonElement>(null);
  useEffect(() => {
    if (focused) opener.current?.focus();
  }, [focused]);
  return (
    <>
      <dl className="rp-facts">
        <dt>{t`Nom de naissance`}</dt>
        <dd>{candidate.lastName}</dd>
        <dt>{t`Prénom`}</dt>
        <dd>{candidate.firstName}</dd>
        <dt>{t`NEPH`}</dt>
        <dd>
          {candidate.neph}
          {candidate.nephUnusual ? (
            <span className="rp-hint-warning"> {t`forme inhabituelle : vérifiez chaque chiffre`}</span>
          ) : null}
        </dd>
        <dt>{t`Adresse électronique`}</dt>
        <dd>{candidate.email || <span className="rp-muted">{t`aucune`}</span>}</dd>
      </dl>
      <div>
        <Button ref={opener} variant="subtle" onClick={onCorrect}>
          {t`Corriger la fiche…`}
        </Button>
      </div>
    </>
  );
}

function MandateRow({
  mandate,
  candidate,
  onCorrect,
}: {
  mandate: Mandate;
  candidate: Candidate;
  onCorrect: (field: keyof Identity) => void;
}) {
  const client = useQueryClient();
  const [ending, setEnding] = useState(false);
  const revoke = useAct((id: string, key: string) => revokeMandate(id, key), {
    onSuccess: () => setEnding(false),
    onSettled: () =>
      Promise.all([keys.candidates, keys.basket].map((queryKey) => client.invalidateQueries({ queryKey }))),
  });
  const poll = useAct(() => refreshMandate(mandate.id), {
    onSettled: () => client.invalidateQueries({ queryKey: keys.candidates }),
  });
  const name = fullName(candidate);
  return (
    <li className="rp-stack rp-stack--tight">
      <div className="rp-row">
        <strong>{t`Permis ${mandate.category}`}</strong>
        <MandateStatus state={mandate.state} />
        <span className="rp-small rp-muted">
          {mandate.since ? t`depuis ${instantShort(mandate.since)}` : null}
          {mandate.expiresAt ? `, ${t`jusqu'au ${instantShort(mandate.expiresAt)}`}` : null}
          {mandate.seenAt ? (
            <>
              {", "}
              <Age seenAt={mandate.seenAt} />
            </>
          ) : null}
        </span>
        {mandate.state === "active" || mandate.state === "pending" ? (
          <Button
            variant="subtle"
            color="danger"
            aria-label={t`Rendre le mandat ${mandate.category} de ${name}`}
            onClick={() => {
              revoke.reset();
              setEnding(true);
            }}
          >
            {t`Rendre le mandat…`}
          </Button>
        ) : null}
      </div>
      {mandate.state === "pending" ? (
        <p className="rp-muted rp-row">
          {t`RdvPermis a écrit au candidat. Son accord s'affichera ici dès qu'il l'aura donné.`}
          <Button
            variant="subtle"
            size="compact-sm"
            aria-disabled={poll.isPending || undefined}
            onClick={() => poll.isPending || poll.mutate()}
          >
            {poll.isPending ? t`Lecture…` : t`Regarder maintenant (coûte un appel)`}
          </Button>
        </p>
      ) : null}
      {poll.error ? <ProblemNotice error={poll.error} /> : null}
      {mandate.rdvpermisCode ? (
        <Refused code={mandate.rdvpermisCode} settled={isSettled(mandate, candidate)} onCorrect={onCorrect} />
      ) : null}
      <ConfirmDialog
        opened={ending}
        title={t`Rendre ce mandat ?`}
        confirm={t`Rendre le mandat`}
        busy={revoke.isPending}
        error={revoke.error}
        onConfirm={() => revoke.mutate(mandate.id)}
        onClose={() => setEnding(false)}
      >
        <p>
          <strong>{name}</strong>, {t`permis ${mandate.category}`}
        </p>
        <p>{t`Vous ne pourrez plus réserver pour ce candidat ; ses créneaux retenus sont rendus. Il en est prévenu.`}</p>
        {mandate.state === "active" ? <StaysBooked candidateId={candidate.id} category={mandate.category} /> : null}
      </ConfirmDialog>
    </li>
  );
}

/** Giving a mandate back cancels nothing: which exam stays, and what can still be done with it. */
function StaysBooked({ candidateId, category }: { candidateId: string; category: string }) {
  const query = useQuery(bookingsOfQuery(candidateId));
  if (query.isPending) return <p className="rp-muted">{t`Lecture des examens réservés…`}</p>;
  if (!query.data) {
    return (
      <Notice level="warning">
        <p>
          {t`Ses examens réservés n'ont pas pu être lus. Rendre le mandat n'en annule aucun.`}{" "}
          <Link to="/reservations">{t`Voir les réservations`}</Link>
        </p>
      </Notice>
    );
  }
  const exams = query.data.items.filter(({ slot }) => slot.category === category);
  if (exams.length === 0) return <p>{t`Aucun examen n'est réservé pour ce permis.`}</p>;
  return (
    <Notice level="warning">
      {exams.map(({ id, slot }) => (
        <p key={id}>
          <strong>{t`Un examen reste réservé : ${examSentence(slot.startsAt)}, ${slot.centre.name}.`}</strong>
        </p>
      ))}
      <p>
        {t`Rendre le mandat ne l'annule pas. Vous pourrez encore l'annuler ou le donner à un autre candidat, mais plus le permuter.`}{" "}
        <Link to="/reservations">{t`Voir les réservations`}</Link>
      </p>
    </Notice>
  );
}

/** Asked for again since: what was refused then says nothing of what is written now. */
function isSettled(refused: Mandate, { mandates }: Candidate): boolean {
  const open = ["draft", "pending", "active"];
  return mandates.some((one) => one.category === refused.category && open.includes(one.state));
}

function Refused({
  code,
  settled,
  onCorrect,
}: {
  code: string;
  settled: boolean;
  onCorrect: (field: keyof Identity) => void;
}) {
  const reason = { code: "RDVPERMIS_UNEXPECTED", rdvpermisCode: code };
  const field = settled ? undefined : fieldInDoubt(code);
  return (
    <div>
      <p>{refusalText(reason)}</p>
      {field ? (
        <Button variant="subtle" onClick={() => onCorrect(field)}>
          {t`Vérifier la saisie…`}
        </Button>
      ) : null}
      <ReasonDetails reason={reason} />
    </div>
  );
}

function AskMandate({ candidate }: { candidate: Candidate }) {
  const client = useQueryClient();
  const living = new Set(
    candidate.mandates
      .filter((mandate) => mandate.state === "active" || mandate.state === "pending")
      .map((mandate) => mandate.category),
  );
  const open = CATEGORIES.filter((category) => !living.has(category));
  const draft = candidate.mandates.find((mandate) => mandate.state === "draft" || mandate.state === "refused");
  const [wanted, setWanted] = useState<string | undefined>(draft?.category);
  const category = wanted !== undefined && !living.has(wanted) ? wanted : (open[0] ?? "B");
  const ask = useAct((body: { candidateId: string; category: string }, key: string) => requestMandate(body, key), {
    onSettled: () => client.invalidateQueries({ queryKey: keys.candidates }),
  });
  if (open.length === 0) return null;
  return (
    <div className="rp-stack rp-stack--tight">
      <div className="rp-row rp-ask">
        <NativeSelect
          label={t`Permis`}
          value={category}
          onChange={(event) => setWanted(event.currentTarget.value)}
          data={[...open]}
        />
        <ActionButton main busy={ask.isPending} onAct={() => ask.mutate({ candidateId: candidate.id, category })}>
          {t`Demander le mandat`}
        </ActionButton>
      </div>
      {ask.error ? <ProblemNotice error={ask.error} /> : null}
    </div>
  );
}
