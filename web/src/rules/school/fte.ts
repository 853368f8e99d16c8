/**
 * The full-time figure as it is computed on the night of the 24th: hours of three months, accompanied driving × 1.2, over three
 * times 151.67 h. Here only to show at once what a declaration will change; scheduling-rules computes what counts.
 */
import type { Hours, HoursKind } from "../../api/contract/types.ts";
import { addMonths } from "../../time/calendar.ts";

const FULL_TIME_HUNDREDTHS = 15_167;
const MONTHS = 3;
const WEIGHT_TENTHS: Record<HoursKind, number> = { practical: 10, accompanied: 12, theory: 10 };

/** The three full months before the one in which it is computed, oldest first: "2026-11" counts August to October. */
export function countedMonths(computedIn: string): string[] {
  return [-3, -2, -1].map((back) => addMonths(computedIn, back));
}

/** Months of these for which nothing is declared yet: until there is none, RdvPermis' own number counts. */
export function missingMonths(hours: readonly Hours[], months: readonly string[]): string[] {
  const declared = new Set(hours.map((one) => one.month));
  return months.filter((month) => !declared.has(month));
}

/** Full-time trainers that the hours of some months make, down to the hundredth; whole numbers until then. */
export function fteOf(hours: readonly Hours[], months: readonly string[]): number {
  const wanted = new Set(months);
  const tenths = hours
    .filter((one) => wanted.has(one.month))
    .reduce((total, one) => total + Math.round(one.hours * 100) * WEIGHT_TENTHS[one.kind], 0);
  return Math.floor((tenths * 10) / (FULL_TIME_HUNDREDTHS * MONTHS)) / 100;
}
