import { describe, expect, test } from "vitest";
import type { Verdict } from "../../api/contract/types.ts";
import { opensAt, verdictText } from "./verdicts.ts";

const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, " ");

function verdict(rule: string, facts: Record<string, string> = {}, opens?: string, remedy = ""): Verdict {
  return { rule, allowed: false, facts, source: "RdvPermis charter 3.2", opensAt: opens ?? null, remedy };
}

describe("verdicts in words", () => {
  test("territory names the department and the moment [R-09]", () => {
    expect(plain(verdictText(verdict("R-TERRITORY", { slotDepartment: "91" }, "2026-12-02T14:00:00Z")))).toBe(
      "Réservé aux écoles du département (Essonne) jusqu'au mer. 2 déc., 15:00 (heure de Paris).",
    );
  });

  test("the threshold has its figures [R-10]", () => {
    expect(plain(verdictText(verdict("R-THRESHOLD", { month: "2026-12", taken: "13", limit: "13" })))).toBe(
      "Seuil de décembre 2026 atteint : 13 sur 13.",
    );
    expect(verdictText(verdict("R-THRESHOLD", { fte: "unknown", limit: "0" }, undefined, "declare_trainers"))).toBe(
      "Seuil inconnu : déclarez vos formateurs chez RdvPermis.",
    );
  });

  test("a category mismatch names both [R-29]", () => {
    expect(verdictText(verdict("R-CATEGORY", { slot: "B", mandate: "A" }))).toBe(
      "Créneau pour le permis B, mandat pour A.",
    );
  });

  test("a rule without a sentence of ours is still shown", () => {
    expect(verdictText(verdict("R-NEW"))).toBe("Une règle le refuse (R-NEW).");
  });

  test("a slot opens when the last of its closed rules does, and never if one has no moment", () => {
    const early = verdict("R-TERRITORY", {}, "2026-12-02T14:00:00Z");
    const late = verdict("R-API-PACE", {}, "2026-12-05T23:00:00Z");
    expect(opensAt([late, early])).toBe("2026-12-05T23:00:00Z");
    expect(opensAt([late, verdict("R-PAST")])).toBeUndefined();
    expect(opensAt([])).toBeUndefined();
  });
});
