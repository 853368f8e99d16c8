/** What became of a booking that was just cancelled, given to another candidate or swapped: it stands where the booking stood. */
import { t } from "@lingui/core/macro";
import { Link } from "@tanstack/react-router";
import type { Booking } from "../../api/contract/types.ts";
import { useFocusOnResult } from "../../components/lines/settled.ts";
import { Notice } from "../../components/Notice.tsx";
import { unknownOutcome } from "../../rules/answers/refusals.ts";
import { examSentence } from "../../time/format.ts";

export interface Change {
  readonly kind: "cancel" | "replace" | "swap";
  /** As it stood when it was asked for. */
  readonly before: Booking;
  /** As RdvPermis answered: the booking cancelled, the new one, or both that were swapped. */
  readonly after: readonly Booking[];
}

/** RdvPermis has done it; until then it is only asked for. */
function isDone({ kind, after }: Change): boolean {
  const state = kind === "cancel" ? "cancelled" : "booked";
  return after.every((one) => !one.changing && one.state === state);
}

/** What happened, and who is told. Pure. */
export function changeTexts(change: Change): string[] {
  if (!isDone(change)) return [unknownOutcome()];
  const { kind, before, after } = change;
  const when = examSentence(before.slot.startsAt);
  const who = before.candidate?.displayName ?? t`candidat inconnu`;
  switch (kind) {
    case "cancel":
      return [t`La réservation de ${who}, le ${when}, est annulée. RdvPermis prévient le candidat.`];
    case "replace": {
      const next = after[0]?.candidate?.displayName ?? t`candidat inconnu`;
      return [t`${next} passe l'examen du ${when} à la place de ${who}.`, t`RdvPermis prévient les deux candidats.`];
    }
    case "swap":
      return [
        ...after.map((one) => {
          const person = one.candidate?.displayName ?? t`candidat inconnu`;
          const moment = examSentence(one.slot.startsAt);
          return t`${person} passe désormais l'examen le ${moment}.`;
        }),
        t`RdvPermis prévient les deux candidats.`,
      ];
  }
}

export function ChangedRow({ change }: { change: Change }) {
  const box = useFocusOnResult<HTMLDivElement>(change);
  return (
    <li className="rp-booking__changed">
      <Notice level={isDone(change) ? "success" : "info"} focusRef={box}>
        {changeTexts(change).map((text) => (
          <p key={text}>{text}</p>
        ))}
        {change.kind === "cancel" && isDone(change) ? (
          <p>
            <Link
              to="/reservations"
              search={{ onglet: "passees" }}
            >{t`Voir les réservations passées et annulées`}</Link>
          </p>
        ) : null}
      </Notice>
    </li>
  );
}

/** A change, and when the list in which it was asked for had been read, ms of epoch. */
export type Told = Change & { readonly listReadAt: number };

/**
 * What is still to be said. A change that is only asked for is said until a later reading of the list shows that its booking no longer
 * waits for RdvPermis: then the booking itself tells, or is gone. Pure.
 */
export function stillSaid(changes: readonly Told[], items: readonly Booking[], readAt: number): Told[] {
  const waits = (id: string) => items.some((one) => one.id === id && one.changing);
  return changes.filter((one) => isDone(one) || one.listReadAt === readAt || waits(one.before.id));
}

/** The bookings with what just became of them, each at the hour of its exam. Pure. */
export function withChanges(items: readonly Booking[], changes: readonly Change[]): (Booking | Change)[] {
  const rows: (Booking | Change)[] = [...items];
  for (const change of changes) {
    const at = change.before.slot.startsAt;
    const place = rows.findIndex((row) => ("before" in row ? row.before : row).slot.startsAt >= at);
    rows.splice(place === -1 ? rows.length : place, 0, change);
  }
  return rows;
}
