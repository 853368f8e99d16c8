import { describe, expect, test } from "vitest";
import type { Hours } from "../../api/contract/types.ts";
import { countedMonths, fteOf, missingMonths } from "./fte.ts";

describe("the full-time figure [D-17]", () => {
  const hours = (month: string, kind: Hours["kind"], figure: number): Hours => ({
    trainerId: "t-1",
    month,
    category: "B",
    kind,
    hours: figure,
  });

  test("the night of November's 24th counts August to October", () => {
    expect(countedMonths("2026-11")).toEqual(["2026-08", "2026-09", "2026-10"]);
    expect(countedMonths("2026-01")).toEqual(["2025-10", "2025-11", "2025-12"]);
  });

  test("three months of 151.67 h make one; accompanied driving counts 1.2; it rounds down", () => {
    const months = countedMonths("2026-11");
    const full = months.map((month) => hours(month, "practical", 151.67));
    expect(fteOf(full, months)).toBe(1);
    expect(fteOf([hours("2026-10", "accompanied", 379.18)], months)).toBe(1);
    expect(fteOf([hours("2026-10", "accompanied", 379.17)], months)).toBe(0.99);
    expect(fteOf([hours("2026-07", "practical", 900)], months)).toBe(0);
    expect(missingMonths([hours("2026-09", "practical", 0)], months)).toEqual(["2026-08", "2026-10"]);
  });
});
