/** What is left of a limit, in whole seconds, and which of its announced marks was just passed. */

/** Seconds left at which a screen reader announces it; digits in between are silent (web.md §5). */
export const SPOKEN_MARKS = [300, 120, 60, 20] as const;

/** Whole seconds from `now` to `until` (both ms), rounded up so that "0" means it is over; never negative. */
export function secondsLeft(until: number, now: number): number {
  return Math.max(0, Math.ceil((until - now) / 1000));
}

/** The mark that lies in [left, before): the lowest if several were jumped over (a tab that slept), none otherwise. */
export function markPassed(before: number, left: number): number | undefined {
  if (left <= 0) return undefined;
  return [...SPOKEN_MARKS].reverse().find((mark) => left <= mark && mark < before);
}

export interface Parts {
  readonly days: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
}

export function parts(seconds: number): Parts {
  return {
    days: Math.floor(seconds / 86_400),
    hours: Math.floor((seconds % 86_400) / 3600),
    minutes: Math.floor((seconds % 3600) / 60),
    seconds: seconds % 60,
  };
}
