import { describe, expect, test } from "vitest";
import { inRuns } from "./consecutive.ts";

describe("consecutive slots", () => {
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

  test("two that touch are consecutive, at one centre", () => {
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
