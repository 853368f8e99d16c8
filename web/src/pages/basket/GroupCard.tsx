import { plural, t } from "@lingui/core/macro";
import { useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import * as basketApi from "../../api/basket.ts";
import { keys } from "../../api/contract/cache.ts";
import type { Group, GroupOutcome } from "../../api/contract/types.ts";
import { ActionButton } from "../../components/ActionButton.tsx";
import { ConfirmDialog } from "../../components/ConfirmDialog.tsx";
import { Countdown, useSecondsLeft } from "../../components/Countdown.tsx";
import { CandidateLink } from "../../components/candidates/CandidateLink.tsx";
import { Notice, ProblemNotice } from "../../components/Notice.tsx";
import { useAct } from "../../live/act.ts";
import { summary } from "../../rules/lines.ts";
import { clockSeconds, clockTime, examSentence } from "../../time/format.ts";
import { Conflicts } from "./Conflicts.tsx";
import { LineRow } from "./LineRow.tsx";

/** Why the group cannot be validated now; undefined when it can. */
export function blockedBecause(group: Group): string | undefined {
  const held = group.lines.filter((line) => line.state === "held");
  const unnamed = held.filter((line) => !line.candidate).length;
  const waiting = group.lines.filter((line) => line.state === "asking" || line.state === "confirming").length;
  if (held.length === 0) return t`Rien à valider dans cette demande.`;
  if (unnamed > 0) {
    return plural(unnamed, {
      one: "# ligne sans candidat : nommez-le, ou rendez le créneau.",
      other: "# lignes sans candidat : nommez-les, ou rendez les créneaux.",
    });
  }
  if (waiting > 0) {
    return plural(waiting, {
      one: "# ligne attend encore la réponse de RdvPermis.",
      other: "# lignes attendent encore la réponse de RdvPermis.",
    });
  }
  return undefined;
}

/** A demand is validated whole: the number stands on the button only when it is what will be booked. */
function validateWord(lines: number, blocked: boolean): string {
  return blocked ? t`Valider` : plural(lines, { one: "Valider # réservation", other: "Valider # réservations" });
}

export function GroupCard({
  group,
  named,
  main,
  onValidated,
}: {
  group: Group;
  named: readonly string[];
  main: boolean;
  onValidated: (outcome: GroupOutcome) => void;
}) {
  const client = useQueryClient();
  const [review, setReview] = useState(false);
  const held = group.lines.filter((line) => line.state === "held");
  const blocked = blockedBecause(group);
  const validate = useAct((groupId: string, key: string) => basketApi.validate(groupId, key), {
    onSuccess: (outcome) => {
      setReview(false);
      onValidated(outcome);
    },
    onSettled: () =>
      Promise.all(
        [keys.basket, keys.bookings, keys.slots, keys.thresholds].map((queryKey) =>
          client.invalidateQueries({ queryKey }),
        ),
      ),
  });
  // By its hour, which stays the same in every tab and whatever comes before or after it.
  const title = group.createdAt ? t`Demande de ${clockSeconds(group.createdAt)}` : t`Demande`;
  return (
    <section className="rp-card" aria-label={title}>
      <div className="rp-row rp-row--between">
        <h2>{title}</h2>
        {group.expiresAt && held.length > 0 ? (
          <span>
            <Countdown until={group.expiresAt} /> <span className="rp-small rp-muted">{t`(délai de RdvPermis)`}</span>
          </span>
        ) : null}
      </div>
      {group.expiresAt && held.length > 0 ? <Ending until={group.expiresAt} /> : null}
      {validate.error && !review ? <ProblemNotice error={validate.error} /> : null}
      <p className="rp-muted">{summary(group.lines)}</p>
      <ul className="rp-lines">
        {group.lines.map((line) => (
          <LineRow key={line.id} line={line} named={named} />
        ))}
      </ul>
      {held.length > 0 ? (
        <div className="rp-row rp-row--end">
          <ActionButton
            main={main}
            busy={validate.isPending}
            blocked={blocked}
            onAct={() => {
              validate.reset();
              setReview(true);
            }}
          >
            {validateWord(held.length, blocked !== undefined)}
          </ActionButton>
        </div>
      ) : null}
      <ConfirmDialog
        opened={review}
        title={t`Vérifiez avant de valider`}
        keep={t`Revenir`}
        confirm={validateWord(held.length, blocked !== undefined)}
        blocked={blocked}
        tone="brand"
        busy={validate.isPending}
        error={validate.error}
        onConfirm={() => validate.mutate(group.id)}
        onClose={() => setReview(false)}
      >
        <ul className="rp-plain-list">
          {held.map((line) => (
            <li key={line.id} className="rp-stack rp-stack--tight">
              <span>
                <strong>
                  <CandidateLink candidate={line.candidate} />
                </strong>
                <br />
                {examSentence(line.slot.startsAt)}, {line.slot.centre.name}, {t`permis ${line.slot.category}`}
              </span>
              <Conflicts line={line} />
            </li>
          ))}
        </ul>
        <p>{t`RdvPermis réserve à leur nom et les prévient. Une annulation à 6 jours ou moins de l'examen les prive de réservation pendant 30 jours.`}</p>
      </ConfirmDialog>
    </section>
  );
}

/** Five minutes before the end, in words, where it matters. */
function Ending({ until }: { until: string }) {
  const left = useSecondsLeft(until);
  const at = clockTime(until);
  if (left > 300) return null;
  return (
    <Notice level="warning">
      <p>
        {left > 0
          ? t`Votre panier expire à ${at}. Validez ou rendez les créneaux.`
          : t`Panier expiré à ${at}, créneaux rendus. Vos choix de candidats sont gardés.`}
      </p>
    </Notice>
  );
}
