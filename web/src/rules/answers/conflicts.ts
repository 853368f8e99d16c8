/** The rules that refuse to validate a held line: the rules about people, vehicle and licence. Those about taking a slot were answered
 * when it was taken, and would now find our own line. */
import type { Need } from "../../api/contract/types.ts";

const OF_PEOPLE = new Set([
  "R-AVAILABLE",
  "R-LICENSED",
  "R-CATEGORY",
  "R-MANDATE",
  "R-PENALTY",
  "R-RDVPERMIS",
  "R-PAST",
  "R-NOTICE",
]);

export function conflictsOf(needs: readonly Need[], lineId: string): Need[] {
  return needs.filter((need) => OF_PEOPLE.has(need.rule) && need.facts.id !== lineId);
}
