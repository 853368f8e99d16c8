/** Robots may not book (charter): only a trusted event (a person's own) counts, and a held key is one press (rule 4). */
import type { KeyboardEvent, MouseEvent } from "react";

export function isTrusted(event: MouseEvent | KeyboardEvent): boolean {
  return event.nativeEvent.isTrusted;
}

/** For keydown of buttons: swallow repeats of Enter and Space before they become clicks. */
export function ignoreKeyRepeat(event: KeyboardEvent): void {
  if (event.repeat && (event.key === "Enter" || event.key === " ")) event.preventDefault();
}
