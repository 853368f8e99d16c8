/** Status is icon + word + shape, never colour alone (web.md §6). */
import { t } from "@lingui/core/macro";
import { IconCheck, IconClock, IconHourglass, IconLock, IconX } from "@tabler/icons-react";
import type { ReactNode } from "react";
import type { LineState, MandateState } from "../api/contract/types.ts";

/** `chosen`: picked on this page, nothing asked yet. */
export type Tone = "booked" | "chosen" | "held" | "waiting" | "refused" | "closed";

const ICONS = {
  booked: IconCheck,
  chosen: IconCheck,
  held: IconClock,
  waiting: IconHourglass,
  refused: IconX,
  closed: IconLock,
};

export function StatusMark({ tone, children }: { tone: Tone; children: ReactNode }) {
  const Icon = ICONS[tone];
  return (
    <span className={`rp-status rp-status--${tone}`}>
      <Icon size={16} stroke={2.25} aria-hidden />
      {children}
    </span>
  );
}

export function lineTone(state: LineState): Tone {
  if (state === "booked" || state === "done") return "booked";
  if (state === "held") return "held";
  if (state === "asking" || state === "confirming") return "waiting";
  if (state === "refused" || state === "rejected") return "refused";
  return "closed";
}

/** One word per state, the same everywhere. */
export function lineWord(state: LineState): string {
  switch (state) {
    case "asking":
      return t`Demandé`;
    case "held":
      return t`Retenu`;
    case "refused":
      return t`Refusé`;
    case "expired":
      return t`Expiré`;
    case "released":
      return t`Rendu`;
    case "withdrawn":
      return t`Retiré par RdvPermis`;
    case "confirming":
      return t`En confirmation`;
    case "rejected":
      return t`Rejeté`;
    case "booked":
      return t`Réservé`;
    case "cancelled":
      return t`Annulé`;
    case "replaced":
      return t`Remplacé`;
    case "swapped":
      return t`Permuté`;
    case "done":
      return t`Passé`;
  }
}

export function LineStatus({ state }: { state: LineState }) {
  return <StatusMark tone={lineTone(state)}>{lineWord(state)}</StatusMark>;
}

export function mandateWord(state: MandateState): string {
  switch (state) {
    case "draft":
      return t`À demander`;
    case "pending":
      return t`Attend l'accord du candidat`;
    case "active":
      return t`Actif`;
    case "refused":
      return t`Refusé`;
    case "cancelled":
      return t`Abandonné`;
    case "revoked":
      return t`Révoqué`;
    case "expired":
      return t`Expiré`;
    case "superseded":
      return t`Remplacé par un plus récent`;
  }
}

export function MandateStatus({ state }: { state: MandateState }) {
  const tone: Tone =
    state === "active"
      ? "booked"
      : state === "pending" || state === "draft"
        ? "waiting"
        : state === "refused"
          ? "refused"
          : "closed";
  return <StatusMark tone={tone}>{mandateWord(state)}</StatusMark>;
}
