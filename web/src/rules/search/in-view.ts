/** What is said of the days that the reader has before them: how old they are, what reading them again costs, which months they are of. Pure. */
import type { PolledDay, Slot } from "../../api/contract/types.ts";
import { dayOf } from "../../time/calendar.ts";

/** Days, "2026-12-07", both included. */
export interface DaysInView {
  readonly from: string;
  readonly to: string;
}

/** Where all that was read is shown. */
export const EVERY_DAY: DaysInView = { from: "0001-01-01", to: "9999-12-31" };

export interface Ages {
  /** The oldest reading of a slot that is shown. */
  readonly slots: string | undefined;
  /** The oldest reading of a day or centre that showed none, where it is older. */
  readonly empty: string | undefined;
  /** Some day or centre was never read. */
  readonly unseen: boolean;
}

function isIn({ from, to }: DaysInView, day: string): boolean {
  return from <= day && day <= to;
}

function oldest(moments: readonly (string | null | undefined)[]): string | undefined {
  return moments.filter((moment): moment is string => Boolean(moment)).sort((a, b) => Date.parse(a) - Date.parse(b))[0];
}

/** The age of slots is theirs: an empty day is read more rarely, and has its own. A slot that is gone was not read with the others. */
export function agesInView(view: DaysInView, slots: readonly Slot[], days: readonly PolledDay[]): Ages {
  const read = days.filter(({ date }) => isIn(view, date));
  const shown = slots.filter(({ startsAt, status }) => isIn(view, dayOf(startsAt)) && status !== "withdrawn");
  const ofSlots = oldest(shown.map(({ seenAt }) => seenAt));
  const ofAll = oldest(read.map(({ seenAt }) => seenAt));
  const older = ofAll !== undefined && (ofSlots === undefined || Date.parse(ofAll) < Date.parse(ofSlots));
  return { slots: ofSlots, empty: older ? ofAll : undefined, unseen: read.some(({ unseen }) => unseen) };
}

/** Calls that reading these days again spends; undefined while it is not known. */
export function callsInView(view: DaysInView, days: readonly PolledDay[]): number | undefined {
  const read = days.filter(({ date }) => isIn(view, date));
  return read.length === 0 ? undefined : read.reduce((sum, { polls }) => sum + polls, 0);
}

/** Of things that count by the month ("2026-12"), those of the months in view. */
export function ofMonthsInView<T extends { readonly month: string }>(view: DaysInView, items: readonly T[]): T[] {
  return items.filter(({ month }) => view.from.slice(0, 7) <= month && month <= view.to.slice(0, 7));
}
