import { describe, expect, test } from "vitest";
import type { Need, Verdict } from "../api/types.ts";
import { conflictsOf } from "./conflicts.ts";
import { isNarrowed, questionOf, readFilters, resolveFilters, searchOf } from "./filters.ts";
import { inRuns } from "./inarow.ts";
import { nephLooksOdd, normaliseNeph } from "./neph.ts";
import { refusalText } from "./refusals.ts";
import { needText, remedyText } from "./remedies.ts";
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

  test("the threshold says its figures [R-10]", () => {
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

  test("a rule we have no sentence for is still told", () => {
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

describe("refusals in words", () => {
  test("rules speak before codes, all of them", () => {
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

  test("an unknown outcome tells not to ask again [R-16]", () => {
    expect(refusalText({ code: "UNKNOWN_OUTCOME" })).toMatch(/^En cours de confirmation.*Ne refaites pas la demande/);
  });

  test("what nobody foresaw has a reference, never a bare code as its sentence", () => {
    expect(refusalText({ code: "INTERNAL", errorId: "e-42" })).toBe("Refus inattendu, déjà signalé. Référence e-42.");
  });
});

describe("slots in a row", () => {
  const slot = (id: string, centre: string, start: string, end: string) => ({
    id,
    centre: { id: centre },
    startsAt: `2026-12-09T${start}`,
    endsAt: `2026-12-09T${end}`,
  });
  const morning = [
    slot("a", "rungis", "08:00", "08:32"),
    slot("b", "rungis", "08:32", "09:04"),
    slot("c", "rungis", "09:36", "10:08"),
    slot("d", "créteil", "08:32", "09:04"),
  ];

  test("two that touch make two in a row, at one centre", () => {
    expect([...inRuns(morning, 2)].sort()).toEqual(["a", "b"]);
  });

  test("three are not found where only two touch", () => {
    expect(inRuns(morning, 3).size).toBe(0);
  });

  test("two inspectors at one hour may each stand in the run", () => {
    const twice = [...morning, slot("b2", "rungis", "08:32", "09:04"), slot("e", "rungis", "09:04", "09:36")];
    expect([...inRuns(twice, 4)].sort()).toEqual(["a", "b", "b2", "c", "e"]);
  });

  test("one wanted is no filter", () => {
    expect(inRuns(morning, 1).size).toBe(4);
  });
});

describe("the NEPH [R-01]", () => {
  test("spaces go, leading zeros stay", () => {
    expect(normaliseNeph(" 02 06 94 100123 ")).toBe("020694100123");
  });

  test("an odd shape is only odd", () => {
    expect(nephLooksOdd("020694100123")).toBe(false);
    expect(nephLooksOdd("02069410012345")).toBe(false);
    expect(nephLooksOdd("12 34")).toBe(true);
    expect(nephLooksOdd("")).toBe(false);
  });
});

describe("filters in the address", () => {
  test("anything odd is ignored", () => {
    expect(readFilters({ departement: "94", categorie: "Z", du: "demain", suite: "9", nom: "Martin" })).toEqual({
      departement: "94",
    });
  });

  const misdated = ["2026-13-45", "2026-00-10", "2026-02-30"].flatMap((day) =>
    (["du", "au", "avant"] as const).map((part) => [part, day] as const),
  );

  test.fails.each(misdated)(
    "fault tried-8: %s=%s is no day of a search: that part is ignored, the rest kept",
    (part, day) => {
      const kept = readFilters({ departement: "91", [part]: day, km: "30" });
      expect(kept).toEqual({ departement: "91", km: "30" });
    },
  );

  test.fails("fault tried-8: a day after which no window fits is no crash", () => {
    const filters = resolveFilters(readFilters({ departement: "91", du: "9999-12-31" }), "94", 0);
    expect(filters.department).toBe("91");
    for (const day of [filters.from, filters.to]) expect(day).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  });

  test.fails.each([
    ["de", "99"],
    ["de", "24"],
    ["a", "0"],
    ["a", "25"],
  ])("fault tried-8: %s=%s is no hour: that part is ignored, the rest kept", (part, hour) => {
    expect(readFilters({ departement: "91", [part]: hour, km: "30" })).toEqual({ departement: "91", km: "30" });
  });

  test.each(["2026-12-09", "2028-02-29", "2026-01-01"])("%s is a day", (day) => {
    expect(readFilters({ du: day, au: day, avant: day })).toEqual({ du: day, au: day, avant: day });
  });

  test("what is left open is filled, and the window never exceeds the contract's", () => {
    const filters = resolveFilters({ du: "2026-12-01", au: "2027-12-01" }, "94", 0);
    expect(filters.to).toBe("2027-01-25");
    expect(filters.department).toBe("94");
    expect(filters.category).toBe("B");
  });
});

describe("the filters of a search", () => {
  const now = Date.parse("2026-12-01T10:00:00Z");

  test("stand in the address, and what is odd is ignored", () => {
    const odd = readFilters({ km: "7", jours: "1,9", ouverts: "peut-être", avant: "demain", epreuve: "code" });
    expect(odd).toEqual({});
    const kept = readFilters({ km: "30", jours: "1,3", ouverts: "oui", avant: "2026-12-09", epreuve: "plateau" });
    const filters = resolveFilters(kept, "94", now);
    expect(filters).toMatchObject({
      withinKm: 30,
      weekdays: [1, 3],
      openNow: true,
      opensBefore: "2026-12-09",
      kind: "PLATEAU",
    });
    expect(isNarrowed(kept)).toBe(true);
    expect(isNarrowed({ departement: "94", du: "2026-12-01" })).toBe(false);
  });

  test("a saved search is the same search without its days [R-20]", () => {
    const address = readFilters({
      departement: "91",
      categorie: "A",
      du: "2026-12-09",
      centres: "c-1,c-2",
      de: "8",
      a: "12",
      suite: "2",
      km: "50",
      jours: "2,4",
      ouverts: "oui",
      epreuve: "circulation",
    });
    const { du: _du, ...rest } = address;
    expect(searchOf(questionOf(resolveFilters(address, "94", now)))).toEqual(rest);
  });
});

describe("what stands against a held line", () => {
  const need = (rule: string, facts: Record<string, string> = {}): Need => ({
    rule,
    source: "",
    facts,
    remedy: null,
    opensAt: null,
    detail: null,
    action: null,
  });

  test("rules about people speak; those about taking the slot were answered, and one's own line is no conflict [R-17]", () => {
    const needs = [need("R-PUBLISHED"), need("R-BASKET"), need("R-AVAILABLE", { id: "l-1" }), need("R-AVAILABLE")];
    expect(conflictsOf(needs, "l-1")).toEqual([needs[3]]);
  });

  test("who is not free is named", () => {
    const text = (facts: Record<string, string>) => needText(need("R-AVAILABLE", facts));
    expect(text({ whose: "trainer,vehicle", what: "unavailable" })).toBe(
      "Pas libre à cette heure : l'accompagnateur, le véhicule.",
    );
    expect(text({ whose: "candidate", what: "booking", travelMinutes: "25" })).toMatch(/trajet de 25 min compris/);
    expect(text({})).toBe("Une personne ou un véhicule n'est pas libre à cette heure.");
  });

  test("a rule or a remedy that this page does not know speaks through the gateway", () => {
    const odd = { ...need("R-NEW"), detail: "Une règle nouvelle.", remedy: "dance", action: "Dansez." };
    expect(needText(odd)).toBe("Une règle nouvelle.");
    expect(remedyText(odd)).toBe("Dansez.");
    expect(remedyText({ ...odd, action: null })).toBeUndefined();
  });
});
