import type { Threshold } from "../../api/contract/types.ts";

/** What may be taken now: the lowest of the month's limit, today's pace and RdvPermis' own figure (R-10: the lower one blocks). */
export function effectiveLimit(threshold: Threshold): number {
  return Math.min(threshold.limit, threshold.pacedLimit, threshold.rdvpermisLimit ?? Number.POSITIVE_INFINITY);
}

/** No trainer is counted, here or at RdvPermis: there is no threshold yet that could be reached. */
export function nobodyCounted({ limit, fte }: Pick<Threshold, "limit" | "fte">): boolean {
  return limit === 0 && fte === 0;
}
