/** Requests whose answer is late: from when one was sent until its body is read, or until it is given up. */

/** After so long, ms, a person is told: within two seconds of the press, with time to draw it. */
export const LATE_AFTER = 1500;

let late = 0;
const listeners = new Set<() => void>();

function count(step: 1 | -1): void {
  late += step;
  for (const listener of listeners) listener();
}

/** Whether an answer is late now. */
export function anyLate(): boolean {
  return late > 0;
}

/** Called when `anyLate` may have changed; the answer stops. */
export function whenLate(listener: () => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

/** The request's own answer; it counts among the late ones once it is, and no longer when it came or failed. */
export async function watchedForLateness<T>(request: Promise<T>): Promise<T> {
  let isLate = false;
  const timer = setTimeout(() => {
    isLate = true;
    count(1);
  }, LATE_AFTER);
  try {
    return await request;
  } finally {
    clearTimeout(timer);
    if (isLate) count(-1);
  }
}
