import type { Group } from "../../api/types.ts";

/** Candidates already standing on a living line of any group. */
export function namedIn(groups: readonly Group[]): string[] {
  const living = ["asking", "held", "confirming"];
  return groups
    .flatMap((group) => group.lines)
    .flatMap((line) => (line.candidate && living.includes(line.state) ? [line.candidate.id] : []));
}
