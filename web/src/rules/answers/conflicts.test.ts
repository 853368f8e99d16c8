import { describe, expect, test } from "vitest";
import type { Need } from "../../api/contract/types.ts";
import { conflictsOf } from "./conflicts.ts";
import { needText, remedyText } from "./remedies.ts";

describe("the conflicts of a held line", () => {
  const need = (rule: string, facts: Record<string, string> = {}): Need => ({
    rule,
    source: "",
    facts,
    remedy: null,
    opensAt: null,
    detail: null,
    action: null,
  });

  test("rules about people count; those about taking the slot were answered, and one's own line is no conflict [R-17]", () => {
    const needs = [need("R-PUBLISHED"), need("R-BASKET"), need("R-AVAILABLE", { id: "l-1" }), need("R-AVAILABLE")];
    expect(conflictsOf(needs, "l-1")).toEqual([needs[3]]);
  });

  test("who is not free is named", () => {
    const text = (facts: Record<string, string>) => needText(need("R-AVAILABLE", facts));
    expect(text({ whose: "trainer,vehicle", what: "unavailable" })).toBe(
      "Pas libre à cette heure : le formateur, le véhicule.",
    );
    expect(text({ whose: "candidate", what: "booking", travelMinutes: "25" })).toMatch(/trajet de 25 min compris/);
    expect(text({})).toBe("Une personne ou un véhicule n'est pas libre à cette heure.");
  });

  test("a rule or a remedy that this page does not know has the gateway's sentence", () => {
    const odd = { ...need("R-NEW"), detail: "Une règle nouvelle.", remedy: "dance", action: "Dansez." };
    expect(needText(odd)).toBe("Une règle nouvelle.");
    expect(remedyText(odd)).toBe("Dansez.");
    expect(remedyText({ ...odd, action: null })).toBeUndefined();
  });
});
