/** Unavailabilities as a list shows them: which rows there are, and from when to when in words. */
import type { Unavailability } from "../../api/contract/types.ts";
import { addDays, dayOf, hour } from "../../time/calendar.ts";
import { dayShort } from "../../time/format.ts";

/** One row an unavailability: its first occurrence of the window, and how many there are. */
export function firsts(items: readonly Unavailability[]): { one: Unavailability; times: number }[] {
  const groups = Map.groupBy(items, (one) => one.id);
  return [...groups.values()]
    .map((group) => [...group].sort((a, b) => a.startsAt.localeCompare(b.startsAt)))
    .flatMap((group) => (group[0] ? [{ one: group[0], times: group.length }] : []))
    .sort((a, b) => a.one.startsAt.localeCompare(b.one.startsAt));
}

/** "lun. 30 nov. 09:00 – 12:00", "ven. 4 déc." for a whole day, "ven. 4 déc. – dim. 6 déc." for several. */
export function spanText({ startsAt, endsAt }: Pick<Unavailability, "startsAt" | "endsAt">): string {
  const whole = hour(startsAt) === "00:00" && hour(endsAt) === "00:00";
  const last = whole ? addDays(dayOf(endsAt), -1) : dayOf(endsAt);
  const first = dayOf(startsAt);
  if (whole) return first === last ? dayShort(first) : `${dayShort(first)} – ${dayShort(last)}`;
  const end = first === last ? hour(endsAt) : `${dayShort(last)} ${hour(endsAt)}`;
  return `${dayShort(first)} ${hour(startsAt)} – ${end}`;
}
