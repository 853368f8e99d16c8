import { describe, expect, test } from "vitest";
import { isNarrowed, questionOf, readFilters, resolveFilters, searchOf } from "./filters.ts";

describe("filters in the address", () => {
  test("anything odd is ignored", () => {
    expect(readFilters({ departement: "94", categorie: "Z", du: "demain", suite: "9", nom: "Martin" })).toEqual({
      departement: "94",
    });
  });

  const misdated = ["2026-13-45", "2026-00-10", "2026-02-30"].flatMap((day) =>
    (["du", "au", "avant"] as const).map((part) => [part, day] as const),
  );

  test.each(misdated)("%s=%s is no day of a search: that part is ignored, the rest kept", (part, day) => {
    expect(readFilters({ departement: "91", [part]: day, km: "30" })).toEqual({ departement: "91", km: "30" });
  });

  test.each(["9999-12-31", "0000-01-01"])("a day around which no window fits, %s, is no crash", (du) => {
    const filters = resolveFilters(readFilters({ departement: "91", du }), "94", 0);
    expect(filters.department).toBe("91");
    for (const day of [filters.from, filters.to]) expect(day).toMatch(/^\d{4}-\d{2}-\d{2}$/);
  });

  test.each([
    ["de", "99"],
    ["de", "24"],
    ["a", "0"],
    ["a", "25"],
  ] as const)("%s=%s is no hour: that part is ignored, the rest kept", (part, hour) => {
    expect(readFilters({ departement: "91", [part]: hour, km: "30" })).toEqual({ departement: "91", km: "30" });
  });

  test("an end of the day before its beginning is ignored", () => {
    expect(resolveFilters(readFilters({ de: "12", a: "8" }), "94", 0)).toMatchObject({ fromHour: 12, toHour: 24 });
  });

  test("of centres what the contract takes is kept, fifty at most", () => {
    expect(readFilters({ centres: "c-1,<b>,,c-2" })).toEqual({ centres: "c-1,c-2" });
    const many = Array.from({ length: 60 }, (_, index) => `c-${index}`).join(",");
    expect(resolveFilters(readFilters({ centres: many }), "94", 0).centres).toHaveLength(50);
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
