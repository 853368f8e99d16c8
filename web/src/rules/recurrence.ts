/** The simple recurrence that the page offers, as RFC 5545 RRULE, and any RRULE in words. */
import { t } from "@lingui/core/macro";
import { addDays, dayOfUntil, untilOf } from "../time/calendar.ts";
import { dayDate, weekdayLong } from "../time/format.ts";

const DAYS = ["MO", "TU", "WE", "TH", "FR", "SA", "SU"] as const;

/** Each week on the weekday of `start` ("2026-12-09T08:00"), until a day of `timeZone`, included; without one, on and on. */
export function weekly(start: string, until: string, timeZone: string): string {
  const weekday = (new Date(`${start.slice(0, 10)}T00:00Z`).getUTCDay() + 6) % 7;
  const end = until ? `;UNTIL=${untilOf(until, timeZone)}` : "";
  return `FREQ=WEEKLY;BYDAY=${DAYS[weekday]}${end}`;
}

/** "chaque lundi, jusqu'au 9 décembre 2026"; of anything but a weekly rule only that it recurs. */
export function recurrenceText(rrule: string | null, timeZone: string): string {
  if (!rrule) return "";
  const parts = new Map(rrule.split(";").map((part) => part.split("=", 2) as [string, string]));
  const day = DAYS.indexOf((parts.get("BYDAY") ?? "") as (typeof DAYS)[number]);
  if (parts.get("FREQ") !== "WEEKLY" || day < 0 || parts.has("INTERVAL")) return t`revient`;
  const name = weekdayLong(addDays("2026-12-07", day));
  const last = dayOfUntil(parts.get("UNTIL") ?? "", timeZone);
  if (last === undefined) return t`chaque ${name}`;
  return t`chaque ${name}, jusqu'au ${dayDate(last)}`;
}
