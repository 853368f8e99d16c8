import { describe, expect, test } from "vitest";
import type { Verdict } from "../../api/contract/types.ts";
import { opensAt, telling, verdictText } from "./verdicts.ts";

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
  });

  test.each([
    [{ fte: "unknown", limit: "0" }, "declare_trainers", "Seuil inconnu : déclarez vos heures."],
    [
      { fte: "unknown", rdvpermisLimit: "0", month: "2026-12", taken: "0", limit: "0" },
      "declare_trainers",
      "Seuil inconnu : déclarez vos heures.",
    ],
    [{ fte: "0", limit: "0" }, "declare_trainers", "Seuil nul : aucun formateur n'est compté, déclarez vos heures."],
    [
      { fte: "3", rdvpermisLimit: "0", month: "2026-12", taken: "0", limit: "0" },
      "choose_another_month",
      "RdvPermis fixe ce seuil à 0 : vérifiez les formateurs déclarés chez RdvPermis.",
    ],
  ])("a threshold of nobody is never one that was reached (%o)", (facts, remedy, sentence) => {
    expect(verdictText(verdict("R-THRESHOLD", facts as Record<string, string>, undefined, remedy))).toBe(sentence);
  });

  test("where the threshold refuses, nothing is said of the pace that is a share of it [R-10]", () => {
    const [threshold, pace, past] = [verdict("R-THRESHOLD"), verdict("R-API-PACE"), verdict("R-PAST")];
    expect(telling([threshold, pace, past])).toEqual([threshold, past]);
    expect(telling([pace, past])).toEqual([pace, past]);
  });

  test("a category mismatch names both [R-29]", () => {
    expect(verdictText(verdict("R-CATEGORY", { slot: "B", mandate: "A" }))).toBe(
      "Créneau pour le permis B, mandat pour A.",
    );
  });

  test("a rule without a sentence of ours is still shown", () => {
    expect(verdictText(verdict("R-NEW"))).toBe("Une règle ne le permet pas.");
  });

  test("a slot opens when the last of its closed rules does, and never if one has no moment", () => {
    const early = verdict("R-TERRITORY", {}, "2026-12-02T14:00:00Z");
    const late = verdict("R-API-PACE", {}, "2026-12-05T23:00:00Z");
    expect(opensAt([late, early])).toBe("2026-12-05T23:00:00Z");
    expect(opensAt([late, verdict("R-PAST")])).toBeUndefined();
    expect(opensAt([])).toBeUndefined();
  });
});
