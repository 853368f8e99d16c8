/**
 * What a person does keeps the session alive, and nothing else: clicks, keys and submitted forms, trusted ones; a held key is one
 * press. The next request says so (`X-Resapermis-Act: 1`); where none goes out, `report` asks for one, a minute after the last at most.
 */

/** Between two reports, ms: the gateway writes a session's last act down once a minute. */
export const REPORT_EVERY = 60_000;

let pending = false;
let reportedAt = Number.NEGATIVE_INFINITY;

/** Header of a request that may keep the session alive: "1" once for what a person did since the last. */
export function actHeader(): { "X-Resapermis-Act"?: "1" } {
  if (!pending) return {};
  pending = false;
  reportedAt = performance.now();
  return { "X-Resapermis-Act": "1" };
}

/** A person acted: the next request says so. */
export function acted(): void {
  pending = true;
}

const EVENTS = ["pointerdown", "keydown", "submit"] as const;

/** Follows what a person does; the answer stops. */
export function watchActs(report: () => void, trusted: (event: Event) => boolean = (event) => event.isTrusted) {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const due = () => {
    timer = undefined;
    if (pending) report();
  };
  const note = (event: Event) => {
    if (!trusted(event) || (event instanceof KeyboardEvent && event.repeat)) return;
    acted();
    timer ??= setTimeout(due, Math.max(0, reportedAt + REPORT_EVERY - performance.now()));
  };
  for (const name of EVENTS) window.addEventListener(name, note, { capture: true, passive: true });
  return () => {
    clearTimeout(timer);
    for (const name of EVENTS) window.removeEventListener(name, note, { capture: true });
  };
}
