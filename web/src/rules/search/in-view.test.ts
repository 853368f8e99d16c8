import { describe, expect, test } from "vitest";
import { makeSlot } from "../../../tests/mock/world.ts";
import type { PolledDay } from "../../api/contract/types.ts";
import { agesInView, callsInView, ofMonthsInView } from "./in-view.ts";

const at = (minute: number) => `2026-11-30T13:${String(minute).padStart(2, "0")}:00Z`;
const day = (date: string, minute: number | undefined, over: Partial<PolledDay> = {}): PolledDay => ({
  date,
  polls: 3,
  seenAt: minute === undefined ? null : at(minute),
  unseen: minute === undefined,
  ...over,
});
const slot = (index: number, date: string, minute: number) => makeSlot(index, date, 480, { seenAt: at(minute) });

const days = [day("2026-12-07", 40), day("2026-12-08", 39), day("2026-12-12", 15), day("2026-12-14", undefined)];
const slots = [slot(0, "2026-12-07", 40), slot(1, "2026-12-08", 41), slot(2, "2026-12-14", 10)];
const week = { from: "2026-12-07", to: "2026-12-13" };

describe("how old what is shown is [R-09]", () => {
  test("an empty day's age is its own, and not the slots'", () => {
    expect(agesInView(week, slots, days)).toEqual({ slots: at(40), empty: at(15), unseen: false });
  });

  test("what is outside the days in view ages nothing", () => {
    expect(agesInView({ from: "2026-12-07", to: "2026-12-07" }, slots, days)).toEqual({
      slots: at(40),
      empty: undefined,
      unseen: false,
    });
  });

  test("a slot that is gone was read before the others, and counts no more", () => {
    const gone = { ...slot(3, "2026-12-07", 2), status: "withdrawn" as const };
    expect(agesInView(week, [...slots, gone], days).slots).toBe(at(40));
  });

  test("where no slot stands the empty days have the word, and what was never read is said", () => {
    expect(agesInView(week, [], days)).toEqual({ slots: undefined, empty: at(15), unseen: false });
    expect(agesInView({ from: "2026-12-07", to: "2026-12-20" }, [], days).unseen).toBe(true);
  });
});

test("reading again costs the calls of the days in view, and nothing is said before it is known [R-27]", () => {
  expect(callsInView(week, days)).toBe(9);
  expect(callsInView({ from: "2026-12-08", to: "2026-12-08" }, days)).toBe(3);
  expect(callsInView(week, [])).toBeUndefined();
});

test("a week over a month's end is of both months [R-10]", () => {
  const months = ["2026-11", "2026-12", "2027-01"].map((month) => ({ month }));
  expect(ofMonthsInView({ from: "2026-11-30", to: "2026-12-04" }, months).map(({ month }) => month)).toEqual([
    "2026-11",
    "2026-12",
  ]);
  expect(ofMonthsInView(week, months)).toEqual([{ month: "2026-12" }]);
});
