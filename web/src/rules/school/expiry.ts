/** How near a last day is: an authorisation is warned about before it lapses. Days are plain, "2026-12-09". */
export type Expiry = "unknown" | "ended" | "soon" | "later";

/** Two months: the time that a renewal takes. */
const SOON_DAYS = 60;

export function expiryOf(lastDay: string | null, today: string): Expiry {
  if (!lastDay) return "unknown";
  if (lastDay < today) return "ended";
  return daysBetween(today, lastDay) <= SOON_DAYS ? "soon" : "later";
}

export function daysBetween(from: string, to: string): number {
  return Math.round((Date.parse(to) - Date.parse(from)) / 86_400_000);
}
