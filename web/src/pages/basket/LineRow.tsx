/** One line of the basket: its state in place, its candidate, and what can be done. */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import * as basketApi from "../../api/basket.ts";
import { keys } from "../../api/contract/cache.ts";
import type { CandidateName, Line } from "../../api/contract/types.ts";
import { ConfirmDialog } from "../../components/ConfirmDialog.tsx";
import { CandidateLink } from "../../components/candidates/CandidateLink.tsx";
import { CandidatePicker } from "../../components/candidates/CandidatePicker.tsx";
import { NearestLink } from "../../components/lines/NearestLink.tsx";
import { ProblemNotice, ReasonDetails } from "../../components/Notice.tsx";
import { LineStatus } from "../../components/StatusMark.tsx";
import { useAct } from "../../live/act.ts";
import { useOnline } from "../../live/online.ts";
import { toast } from "../../live/toast.ts";
import { lineRefusalText, unknownOutcome } from "../../rules/answers/refusals.ts";
import { serverClock } from "../../time/clock.ts";
import { clockTime, duration, examSentence, examShort } from "../../time/format.ts";
import { useSecondsSince } from "../../time/since.ts";
import { Conflicts } from "./Conflicts.tsx";
import { LineResources } from "./LineResources.tsx";

export function LineRow({ line, named }: { line: Line; named: readonly string[] }) {
  const client = useQueryClient();
  const online = useOnline();
  const [giving, setGiving] = useState(false);
  const refresh = () => client.invalidateQueries({ queryKey: keys.basket });
  const name = useAct(
    (candidate: CandidateName | null, key: string) => basketApi.nameCandidate(line.id, candidate?.id ?? null, key),
    {
      subject: line.id,
      onSettled: refresh,
      onSuccess: (_answer, candidate) =>
        toast(candidate ? t`${candidate.displayName} est sur cette ligne.` : t`Le nom est retiré.`),
    },
  );
  const release = useAct((id: string, key: string) => basketApi.release(id, key), {
    subject: line.id,
    onSuccess: () => setGiving(false),
    onSettled: () => Promise.all([refresh(), client.invalidateQueries({ queryKey: keys.slots })]),
  });
  const when = examShort(line.slot.startsAt);
  const shown = (name.isPending ? name.variables : line.candidate) ?? null;
  return (
    <li className="rp-line">
      <span className="rp-line__status">
        <LineStatus state={line.state} />
      </span>
      <span className="rp-line__slot">
        <strong>{when}</strong> {line.slot.centre.name}
        <span className="rp-small rp-muted"> {t`permis ${line.slot.category}`}</span>
      </span>
      <span className="rp-line__who">
        {line.state === "held" ? (
          <CandidatePicker
            label={t`Candidat, ${when}, ${line.slot.centre.name}`}
            hiddenLabel
            category={line.slot.category}
            value={shown}
            exclude={named.filter((id) => id !== line.candidate?.id)}
            readOnly={name.isPending || !online}
            onChange={(candidate) => name.mutate(candidate)}
          />
        ) : (
          line.candidate && <CandidateLink candidate={line.candidate} />
        )}
        {name.isPending ? <span className="rp-small rp-muted">{t`Demande envoyée…`}</span> : null}
      </span>
      <span className="rp-line__acts">
        {line.state === "held" ? (
          <Button
            variant="subtle"
            color="danger"
            aria-label={t`Rendre ${when}, ${line.slot.centre.name}`}
            onClick={() => {
              release.reset();
              setGiving(true);
            }}
          >
            {t`Rendre`}
          </Button>
        ) : null}
        {["refused", "rejected", "expired", "withdrawn"].includes(line.state) ? <NearestLink slot={line.slot} /> : null}
      </span>
      <div className="rp-line__more">
        {line.state === "held" ? <LineResources line={line} when={`${when}, ${line.slot.centre.name}`} /> : null}
        <Conflicts line={line} />
        <Waiting line={line} />
        {line.reason ? (
          <>
            <span>{lineRefusalText(line.state, line.reason)}</span>
            <ReasonDetails reason={line.reason} />
          </>
        ) : line.state === "expired" ? (
          <span>{t`Panier expiré à ${clockTime(line.since ?? serverClock.now())}, créneau rendu. Votre choix de candidat est gardé.`}</span>
        ) : null}
        {name.error ? <ProblemNotice error={name.error} /> : null}
      </div>
      <ConfirmDialog
        opened={giving}
        title={t`Rendre ce créneau ?`}
        confirm={t`Rendre le créneau`}
        busy={release.isPending}
        error={release.error}
        onConfirm={() => release.mutate(line.id)}
        onClose={() => setGiving(false)}
      >
        <p>
          {examSentence(line.slot.startsAt)}, {line.slot.centre.name}
          {line.candidate ? `, ${line.candidate.displayName}` : ""}
        </p>
        <p>{t`Les autres écoles peuvent le prendre aussitôt. Vous ne pourrez peut-être pas le retrouver.`}</p>
      </ConfirmDialog>
    </li>
  );
}

/** Unknown is a state: since when, what we do, and no button (rule 3). */
function Waiting({ line }: { line: Line }) {
  const seconds = useSecondsSince(line.since);
  if (line.state !== "asking" && line.state !== "confirming") return null;
  const since = duration(seconds);
  return (
    <span>
      {unknownOutcome()} <span className="rp-muted">{t`Depuis ${since}.`}</span>
    </span>
  );
}
