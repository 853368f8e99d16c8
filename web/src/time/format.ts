/**
 * Dates and hours for people. Two kinds of time never mix:
 * - an exam hour is local to its centre, "2026-12-09T08:32", and is shown as it stands, never converted;
 * - an instant is UTC; what concerns publication is shown in Paris' time with its place, the rest in the reader's own zone.
 */
import { i18n } from "@lingui/core";
import { plural, t } from "@lingui/core/macro";
import { dayOf, hour, PARIS } from "./calendar.ts";
import { parts } from "./countdown.ts";

function locale(): string {
  return i18n.locale === "en" ? "en-GB" : "fr-FR";
}

const formats = new Map<string, Intl.DateTimeFormat>();

function format(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = `${locale()}${JSON.stringify(options)}`;
  const known = formats.get(key);
  if (known) return known;
  const made = new Intl.DateTimeFormat(locale(), options);
  formats.set(key, made);
  return made;
}

/** "2026-12-09T08:32[:00…]" as a Date whose UTC fields are the centre's wall clock. */
function wall(local: string): Date {
  return new Date(`${local.slice(0, 16)}:00Z`);
}

/** "8 h 32" in a sentence, "8:32" in English. */
function spokenHour(hours: number, minutes: number): string {
  if (i18n.locale === "en") return `${hours}:${String(minutes).padStart(2, "0")}`;
  return minutes === 0 ? `${hours} h` : `${hours} h ${String(minutes).padStart(2, "0")}`;
}

/** Sentence: "mercredi 9 décembre 2026 à 8 h 32". */
export function examSentence(local: string): string {
  const date = wall(local);
  const day = format({ timeZone: "UTC", weekday: "long", day: "numeric", month: "long", year: "numeric" }).format(date);
  const at = spokenHour(date.getUTCHours(), date.getUTCMinutes());
  return t`${day} à ${at}`;
}

/** Table: "mer. 9 déc. 08:32". */
export function examShort(local: string): string {
  return `${dayShort(dayOf(local))} ${hour(local)}`;
}

/** "mer. 9 déc." of "2026-12-09". */
export function dayShort(day: string): string {
  return format({ timeZone: "UTC", weekday: "short", day: "numeric", month: "short" }).format(
    new Date(`${day}T00:00Z`),
  );
}

/** "mercredi 9 décembre" of "2026-12-09". */
export function dayLong(day: string): string {
  return format({ timeZone: "UTC", weekday: "long", day: "numeric", month: "long" }).format(new Date(`${day}T00:00Z`));
}

/** "lun." of "2026-12-07". */
export function weekdayShort(day: string): string {
  return format({ timeZone: "UTC", weekday: "short" }).format(new Date(`${day}T00:00Z`));
}

/** "lundi" of "2026-12-07". */
export function weekdayLong(day: string): string {
  return format({ timeZone: "UTC", weekday: "long" }).format(new Date(`${day}T00:00Z`));
}

/** "9 décembre 2026" of "2026-12-09". */
export function dayDate(day: string): string {
  return format({ timeZone: "UTC", day: "numeric", month: "long", year: "numeric" }).format(new Date(`${day}T00:00Z`));
}

/** "9 décembre 2026", the day of an instant in Paris. */
export function dayFull(instant: string | number): string {
  return format({ timeZone: PARIS, day: "numeric", month: "long", year: "numeric" }).format(new Date(instant));
}

/** "décembre 2026" of "2026-12". */
export function monthLong(month: string): string {
  return format({ timeZone: "UTC", month: "long", year: "numeric" }).format(new Date(`${month.slice(0, 7)}-01T00:00Z`));
}

/** "de décembre 2026", "d'octobre 2026", for "le seuil de…". */
export function ofMonth(month: string): string {
  const name = monthLong(month);
  return /^[aeiouâàéèêîô]/i.test(name) ? t`d'${name}` : t`de ${name}`;
}

/** An instant in the reader's zone: "15:17". */
export function clockTime(instant: string | number): string {
  return format({ hour: "2-digit", minute: "2-digit" }).format(new Date(instant));
}

/** An instant in the reader's zone: "15:02:10". */
export function clockSeconds(instant: string | number): string {
  return format({ hour: "2-digit", minute: "2-digit", second: "2-digit" }).format(new Date(instant));
}

/** An instant in the reader's zone for tables: "mer. 9 déc. 08:32". */
export function instantShort(instant: string | number): string {
  const date = new Date(instant);
  const day = format({ weekday: "short", day: "numeric", month: "short" }).format(date);
  return `${day} ${clockTime(instant)}`;
}

/** An instant in the reader's zone to the millisecond, for the journal: "lun. 30 nov. 2026, 15:02:10,123". */
export function instantExact(instant: string): string {
  const date = new Date(instant);
  const day = format({ weekday: "short", day: "numeric", month: "short", year: "numeric" }).format(date);
  const time = format({ hour: "2-digit", minute: "2-digit", second: "2-digit", fractionalSecondDigits: 3 }).format(
    date,
  );
  return `${day}, ${time}`;
}

/** A publication moment, with its place: "mer. 2 déc., 15:00 (heure de Paris)". */
export function parisMoment(instant: string | number): string {
  const date = new Date(instant);
  const day = format({ timeZone: PARIS, weekday: "short", day: "numeric", month: "short" }).format(date);
  const time = format({ timeZone: PARIS, hour: "2-digit", minute: "2-digit" }).format(date);
  return t`${day}, ${time} (heure de Paris)`;
}

/** The same without its place, for cells whose full name has it: "mer. 2 déc. 15:00". */
export function parisShort(instant: string | number): string {
  const date = new Date(instant);
  const day = format({ timeZone: PARIS, weekday: "short", day: "numeric", month: "short" }).format(date);
  return `${day} ${format({ timeZone: PARIS, hour: "2-digit", minute: "2-digit" }).format(date)}`;
}

/** The day of an instant in Paris: "mercredi 2 décembre". */
export function parisDay(instant: string | number): string {
  return format({ timeZone: PARIS, weekday: "long", day: "numeric", month: "long" }).format(new Date(instant));
}

/** "12 min 04 s", "1 j 3 h": two units at most. Minutes are "min", never "m" (people read metres). */
export function duration(seconds: number): string {
  const { days, hours, minutes, seconds: rest } = parts(seconds);
  const two = (value: number) => String(value).padStart(2, "0");
  if (days > 0) return hours > 0 ? t`${days} j ${hours} h` : t`${days} j`;
  if (hours > 0) return t`${hours} h ${two(minutes)} min`;
  if (minutes > 0) return t`${minutes} min ${two(rest)} s`;
  return t`${rest} s`;
}

/** The same in full words: "5 minutes", "20 secondes". */
export function spokenDuration(seconds: number): string {
  if (seconds >= 60) {
    const minutes = Math.round(seconds / 60);
    return plural(minutes, { one: "# minute", other: "# minutes" });
  }
  return plural(seconds, { one: "# seconde", other: "# secondes" });
}
