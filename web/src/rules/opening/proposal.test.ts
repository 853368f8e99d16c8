import { describe, expect, test } from "vitest";
import { makeSlot } from "../../../tests/mock/world.ts";
import type { Slot } from "../../api/contract/types.ts";
import { centresOf, living, propose, type Row, type Wish } from "./proposal.ts";

const closed: Partial<Slot> = { allowed: false, opensAt: "2026-11-30T14:00:00.000Z" };
const wish = (candidateId: string, over: Partial<Wish> = {}): Wish => ({
  candidateId,
  centres: [],
  fromHour: 0,
  toHour: 24,
  ...over,
});
/** Index 0, 3, 6… is Rungis, 1 Créteil, 2 Maisons-Alfort. */
const slot = (index: number, minute: number, over: Partial<Slot> = {}) => makeSlot(index, "2026-12-09", minute, over);
const shown = (rows: readonly Row[]) => rows.map((row) => [row.candidateId, row.slot.id, living(row)]);

describe("the proposal [R-19]", () => {
  test("is empty while nothing is open, and fills in the order of the wishes", () => {
    const wishes = [wish("k-1", { centres: ["c-rungis"] }), wish("k-2")];
    expect(propose([], wishes, [slot(0, 480, closed)], 4)).toEqual([]);
    const rows = propose([], wishes, [slot(1, 480), slot(0, 512)], 4);
    expect(shown(rows)).toEqual([
      ["k-1", "slot-0", true],
      ["k-2", "slot-1", true],
    ]);
  });

  test("gives a group of pupils consecutive slots where one centre has them", () => {
    const rows = propose(
      [],
      [wish("k-1", { fromHour: 9 }), wish("k-2")],
      [slot(0, 540), slot(3, 572), slot(1, 480)],
      4,
    );
    expect(shown(rows)).toEqual([
      ["k-1", "slot-0", true],
      ["k-2", "slot-3", true],
    ]);
  });

  test("rows keep their place: what is taken stays and is marked, another is appended for its wish", () => {
    const wishes = [wish("k-1"), wish("k-2")];
    const before = propose([], wishes, [slot(0, 480), slot(1, 512)], 4);
    const after = propose(before, wishes, [slot(1, 512), slot(2, 540), slot(4, 470)], 4);
    expect(shown(after)).toEqual([
      ["k-1", "slot-0", false],
      ["k-2", "slot-1", true],
      ["k-1", "slot-4", true],
    ]);
  });

  test("never more living rows than one action may have", () => {
    const wishes = ["a", "b", "c", "d", "e"].map((id) => wish(id));
    const slots = Array.from({ length: 9 }, (_, index) => slot(index, 480 + index * 32));
    expect(propose([], wishes, slots, 4)).toHaveLength(4);
  });

  test("a wish outside its hours or centres stays without a row; a wish taken away takes its row along", () => {
    const strict = wish("k-1", { centres: ["c-rungis"], fromHour: 8, toHour: 9 });
    expect(propose([], [strict], [slot(0, 540), slot(1, 480)], 4)).toEqual([]);
    const rows = propose([], [wish("k-1")], [slot(0, 480)], 4);
    expect(propose(rows, [], [slot(0, 480)], 4)).toEqual([]);
  });

  test("only the centres that wishes name are read, unless one takes any", () => {
    expect(centresOf([wish("a", { centres: ["c-2", "c-1"] }), wish("b", { centres: ["c-1"] })])).toEqual([
      "c-1",
      "c-2",
    ]);
    expect(centresOf([wish("a", { centres: ["c-2"] }), wish("b")])).toEqual([]);
    expect(centresOf([])).toEqual([]);
  });

  test("equal facts give the equal proposal, whatever the order of what is seen", () => {
    const slots = [slot(0, 480), slot(1, 480), slot(2, 512), slot(3, 512)];
    const wishes = [wish("k-1"), wish("k-2"), wish("k-3")];
    expect(propose([], wishes, [...slots].reverse(), 4)).toEqual(propose([], wishes, slots, 4));
  });
});
