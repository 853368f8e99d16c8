/** How a slot appears in a cell or a row: one word, and the full sentence for those who do not see the table. */
import { plural, t } from "@lingui/core/macro";
import type { Slot } from "../../../api/contract/types.ts";
import type { Tone } from "../../../components/StatusMark.tsx";
import { opensAt } from "../../../rules/answers/verdicts.ts";
import { distanceText } from "../../../rules/search/distance.ts";
import { dayOf, hour } from "../../../time/calendar.ts";
import { dayLong, parisMoment, parisShort } from "../../../time/format.ts";

export interface SlotLabel {
  readonly tone: Tone;
  readonly word: string;
  /** The word in full, where the cell shortens it. */
  readonly full?: string;
  readonly choosable: boolean;
}

export function slotLabel(slot: Slot, marks: { chosen: boolean; asked: boolean }): SlotLabel {
  if (marks.asked) return { tone: "waiting", word: t`demandé`, choosable: false };
  if (marks.chosen) return { tone: "chosen", word: t`choisi`, choosable: true };
  switch (slot.status) {
    case "taken":
      return { tone: "closed", word: t`pris`, choosable: false };
    case "ours":
      return { tone: "booked", word: t`à vous`, choosable: false };
    case "withdrawn":
      return { tone: "closed", word: t`retiré`, choosable: false };
  }
  if (slot.allowed) return { tone: "held", word: t`choisir`, choosable: true };
  const opening = slot.opensAt ?? opensAt(slot.verdicts);
  if (!opening) return { tone: "closed", word: t`fermé`, choosable: false };
  return {
    tone: "closed",
    word: t`ouvre ${parisShort(opening)}`,
    full: t`ouvre ${parisMoment(opening)}`,
    choosable: false,
  };
}

/**
 * "mercredi 9 décembre, 8 heures 32, Rungis, choisir, ouvert": what is seen stands in it word for word, so that people who speak to
 * their computer can say it (2.5.3).
 */
export function accessibleName(slot: Slot, face: SlotLabel): string {
  const day = dayLong(dayOf(slot.startsAt));
  const [hours = 0, minutes = 0] = hour(slot.startsAt).split(":").map(Number);
  const time =
    minutes === 0
      ? plural(hours, { one: "# heure", other: "# heures" })
      : plural(hours, { one: `# heure ${minutes}`, other: `# heures ${minutes}` });
  const word = face.full ?? face.word;
  const far = distanceText(slot);
  const name = [day, time, ...(far ? [far] : []), slot.centre.name, word].join(", ");
  return face.choosable && face.tone !== "chosen" ? `${name}, ${t`ouvert`}` : name;
}
