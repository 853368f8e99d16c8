import { describe, expect, test } from "vitest";
import type { Verdict } from "../../api/contract/types.ts";
import { refusalText } from "./refusals.ts";

function verdict(rule: string): Verdict {
  return { rule, allowed: false, facts: {}, source: "RdvPermis charter 3.2", opensAt: null, remedy: "" };
}

describe("refusals in words", () => {
  test("the sentences of rules come before those of codes, all of them", () => {
    const text = refusalText({
      code: "RULE_REFUSED",
      verdicts: [verdict("R-PAST"), { ...verdict("R-GROUP"), allowed: true }, verdict("R-MANDATE")],
    });
    expect(text).toBe(
      "Ce créneau a commencé ou est passé. Plus rien ne peut y changer. Pas de mandat actif. Demandez-le au candidat.",
    );
  });

  test("RdvPermis' own word chooses the finer sentence", () => {
    expect(
      refusalText({ code: "RDVPERMIS_CHANGE_IMPOSSIBLE", rdvpermisCode: "NOMBRE_DE_REMPLACEMENTS_AUTORISES_ATTEINT" }),
    ).toBe("Changement impossible : plus de remplacement ce mois-ci. Autre choix : annuler.");
  });

  test("who asks too often learns that, and when to go on", () => {
    expect(refusalText({ code: "OVERLOADED" })).toBe(
      "Trop de demandes à la fois. Attendez un instant, puis recommencez.",
    );
    expect(refusalText({ code: "OVERLOADED", retryAt: "2026-12-09T09:30:00Z" })).toMatch(
      /^Trop de demandes à la fois\. Réessayez à \d\d:30, rien n'est perdu\.$/,
    );
  });

  test("an unknown outcome asks not to repeat the request [R-16]", () => {
    expect(refusalText({ code: "UNKNOWN_OUTCOME" })).toMatch(/^En cours de confirmation.*Ne refaites pas la demande/);
  });

  test("what nobody foresaw has a reference, never a bare code as its sentence", () => {
    expect(refusalText({ code: "INTERNAL", errorId: "e-42" })).toBe("Refus inattendu, déjà signalé. Référence e-42.");
    expect(refusalText({ code: "RDVPERMIS_UNEXPECTED", rdvpermisCode: "PARAMETRE_INVALIDE" })).not.toMatch(
      /[A-Z]_[A-Z]/,
    );
  });
});
