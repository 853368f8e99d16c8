/** Days and exam hours as plain text, "2026-12-09" and "2026-12-09T08:32": arithmetic without zones, sentences or language. */

export const PARIS = "Europe/Paris";

/** The day of an exam hour, "2026-12-09". */
export function dayOf(local: string): string {
  return local.slice(0, 10);
}

/** Minutes since midnight of an exam hour. */
export function minuteOfDay(local: string): number {
  return Number(local.slice(11, 13)) * 60 + Number(local.slice(14, 16));
}

/** "08:32" */
export function hour(local: string): string {
  return local.slice(11, 16);
}

/** Whether it is a day of the calendar, "2028-02-29"; of this millennium, so that the days around it are written alike. */
export function isDay(text: string): boolean {
  if (!/^2\d{3}-\d{2}-\d{2}$/.test(text)) return false;
  const date = new Date(`${text}T00:00Z`);
  // Some engines read 30 February as 2 March.
  return Number.isFinite(date.getTime()) && date.toISOString().startsWith(text);
}

/** "2026-12-09" + 3 → "2026-12-12". */
export function addDays(day: string, days: number): string {
  const date = new Date(`${day}T00:00Z`);
  date.setUTCDate(date.getUTCDate() + days);
  return date.toISOString().slice(0, 10);
}

/** "2026-12" - 11 → "2026-01". */
export function addMonths(month: string, months: number): string {
  const date = new Date(`${month.slice(0, 7)}-15T00:00Z`);
  date.setUTCMonth(date.getUTCMonth() + months);
  return date.toISOString().slice(0, 7);
}

/** Monday of the week of "2026-12-09". */
export function mondayOf(day: string): string {
  const weekday = new Date(`${day}T00:00Z`).getUTCDay();
  return addDays(day, -((weekday + 6) % 7));
}

/** Today's date in Paris at `now` (ms). */
export function todayInParis(now: number): string {
  return dayIn(now, PARIS);
}

/** The date on a zone's clock at `now` (ms). */
export function dayIn(now: number, timeZone: string): string {
  return new Intl.DateTimeFormat("sv-SE", { timeZone }).format(new Date(now));
}

/** The instant at which a day begins in Paris, ISO. */
export function parisMidnight(day: string): string {
  return instantIn(`${day}T00:00`, PARIS);
}

/** The last second of a day on a zone's clock, as RFC 5545 writes an instant: "20261220T225959Z" of "2026-12-20" in Paris. */
export function untilOf(day: string, timeZone: string): string {
  const end = new Date(Date.parse(instantIn(`${addDays(day, 1)}T00:00`, timeZone)) - 1000);
  return `${end.toISOString().slice(0, 19).replace(/[-:]/g, "")}Z`;
}

/** The day on a zone's clock of an UNTIL, an instant or a day by itself; undefined for what is neither. */
export function dayOfUntil(until: string, timeZone: string): string | undefined {
  const [, day, , clock] = /^(\d{8})(T(\d{6})Z?)?$/.exec(until) ?? [];
  if (day === undefined) return undefined;
  const written = day.replace(/(....)(..)(..)/, "$1-$2-$3");
  if (clock === undefined) return isDay(written) ? written : undefined;
  const at = Date.parse(`${written}T${clock.replace(/(..)(..)(..)/, "$1:$2:$3")}Z`);
  return Number.isFinite(at) ? dayIn(at, timeZone) : undefined;
}

/** The instant of a wall clock "2026-12-09T08:32" in a zone, ISO; an hour that a change of clock skips moves on with it. */
export function instantIn(local: string, timeZone: string): string {
  const wanted = Date.parse(`${local.slice(0, 16)}:00Z`);
  // The offset at the guess, then once more at the better guess: enough for any change of clock.
  const first = wanted - offsetAt(wanted, timeZone);
  return new Date(wanted - offsetAt(first, timeZone)).toISOString();
}

/** Milliseconds that a zone's clock is ahead of UTC at an instant. */
function offsetAt(instant: number, timeZone: string): number {
  const shown = new Intl.DateTimeFormat("sv-SE", {
    timeZone,
    dateStyle: "short",
    timeStyle: "medium",
  }).format(new Date(instant));
  return Date.parse(`${shown.replace(" ", "T")}Z`) - Math.floor(instant / 1000) * 1000;
}
