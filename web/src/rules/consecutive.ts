/** Consecutive slots ("à la suite: n"): exams that follow each other at one centre, for pupils who travel as a group. */

interface Timed {
  readonly id: string;
  readonly centre: { readonly id: string };
  readonly startsAt: string;
  readonly endsAt: string;
}

/** Less than this many minutes may lie between one exam's end and the next one's start, as the search itself counts. */
const TOLERANCE = 15;

/** Minutes since the epoch of a local "2026-12-09T08:32"; only differences matter. */
function minute(local: string): number {
  return Date.parse(`${local.slice(0, 16)}:00Z`) / 60_000;
}

/** Whether `next` may be taken right after `first`; both at one centre. */
export function follows(first: Timed, next: Timed): boolean {
  const gap = minute(next.startsAt) - minute(first.endsAt);
  return gap >= 0 && gap < TOLERANCE;
}

/**
 * Ids of the slots that belong to some run of at least `wanted` slots. Two inspectors at the same hour count once per hour: each of
 * their slots may stand at that place of the run.
 */
export function inRuns(slots: readonly Timed[], wanted: number): Set<string> {
  if (wanted <= 1) return new Set(slots.map((slot) => slot.id));
  const kept = new Set<string>();
  for (const atCentre of Map.groupBy(slots, (slot) => slot.centre.id).values()) {
    const sorted = [...atCentre].sort((a, b) => minute(a.startsAt) - minute(b.startsAt));
    const behind = chain(sorted, (earlier, later) => follows(earlier, later));
    const ahead = chain([...sorted].reverse(), (later, earlier) => follows(earlier, later));
    for (const slot of sorted) {
      if ((behind.get(slot.id) ?? 1) + (ahead.get(slot.id) ?? 1) - 1 >= wanted) kept.add(slot.id);
    }
  }
  return kept;
}

/** For each slot, the longest chain that ends at it, walking in the given order. */
function chain(ordered: readonly Timed[], linked: (previous: Timed, current: Timed) => boolean): Map<string, number> {
  const length = new Map<string, number>();
  const window: Timed[] = [];
  for (const slot of ordered) {
    let best = 1;
    for (const previous of window) {
      if (linked(previous, slot)) best = Math.max(best, (length.get(previous.id) ?? 1) + 1);
    }
    length.set(slot.id, best);
    window.push(slot);
    // A link spans one exam and the tolerance: what started more than three hours away cannot link any more.
    while (window[0] && Math.abs(minute(window[0].startsAt) - minute(slot.startsAt)) > 180) window.shift();
  }
  return length;
}
