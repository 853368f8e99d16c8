import { describe, expect, test } from "vitest";
import { makeSlot } from "../../../../tests/mock/world.ts";
import { afterKey, nearest } from "./grid-keys.ts";
import { accessibleName, slotLabel } from "./slot-label.ts";
import { mergeStable } from "./stable-list.ts";
import { daysOfView, inOrder, weekRows, withinHours } from "./week.ts";

const slots = [
  makeSlot(0, "2026-12-07", 480),
  makeSlot(1, "2026-12-07", 480),
  makeSlot(2, "2026-12-08", 480),
  makeSlot(3, "2026-12-09", 512),
];

describe("the calendar", () => {
  test("a column a day, weekends only where something stands", () => {
    expect(daysOfView(slots, "2026-12-09", false)).toHaveLength(5);
    expect(daysOfView([...slots, makeSlot(9, "2026-12-12", 480)], "2026-12-09", false)).toHaveLength(6);
    expect(daysOfView(slots, "2026-12-09", true)).toEqual(["2026-12-09"]);
  });

  test("slots of one hour share rows, one a cell, none lost", () => {
    const rows = weekRows(slots, daysOfView(slots, "2026-12-07", false));
    expect(rows.map((row) => [row.hour, row.first, row.cells.filter(Boolean).length])).toEqual([
      ["08:00", true, 2],
      ["08:00", false, 1],
      ["08:32", true, 1],
    ]);
  });

  test("keys lead over empty cells and stop at the edges [E-06]", () => {
    const rows = weekRows(slots, daysOfView(slots, "2026-12-07", false));
    expect(afterKey(rows, { row: 0, column: 0 }, "ArrowRight", false)).toEqual({ row: 0, column: 1 });
    expect(afterKey(rows, { row: 0, column: 1 }, "ArrowRight", false)).toEqual({ row: 0, column: 1 });
    expect(afterKey(rows, { row: 0, column: 0 }, "End", true)).toEqual({ row: 2, column: 2 });
    expect(afterKey(rows, { row: 0, column: 0 }, "x", false)).toBeUndefined();
    expect(nearest(rows, { row: 99, column: 4 })).toEqual({ row: 2, column: 2 });
    expect(nearest([], { row: 3, column: 1 })).toEqual({ row: 0, column: 0 });
  });

  test("nothing moves under the click: the new waits, the gone stays, the known changes in place", () => {
    const known = new Map(slots.slice(0, 2).map((slot) => [slot.id, slot]));
    const { shown, fresh } = mergeStable(known, [
      { ...makeSlot(1, "2026-12-07", 480), status: "taken", allowed: false },
      makeSlot(8, "2026-12-07", 500),
    ]);
    expect(shown.map((slot) => [slot.id, slot.status])).toEqual([
      ["slot-0", "withdrawn"],
      ["slot-1", "taken"],
    ]);
    expect(fresh).toBe(1);
  });

  test("order is by hour, then by centre", () => {
    expect(inOrder([...slots].reverse()).map((slot) => slot.id)).toEqual(["slot-1", "slot-0", "slot-2", "slot-3"]);
  });

  test("the time of day includes its first hour and not its last", () => {
    expect(withinHours(makeSlot(0, "2026-12-07", 480), 8, 9)).toBe(true);
    expect(withinHours(makeSlot(0, "2026-12-07", 540), 8, 9)).toBe(false);
  });

  test("a cell's full name has day, hour, place and state", () => {
    const slot = makeSlot(0, "2026-12-09", 512);
    expect(accessibleName(slot, slotLabel(slot, { chosen: false, asked: false }))).toBe(
      "mercredi 9 décembre, 8 heures 32, Rungis, choisir, ouvert",
    );
    expect(accessibleName(slot, slotLabel(slot, { chosen: true, asked: false }))).toMatch(/choisi$/);
    expect(slotLabel(slot, { chosen: true, asked: true })).toMatchObject({ tone: "waiting", choosable: false });
  });
});
