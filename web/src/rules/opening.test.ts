import { describe, expect, test } from "vitest";
import { makeSlot } from "../../tests/mock/world.ts";
import type { Parameter, Slot } from "../api/types.ts";
import { pace } from "../pages/openings/opening-query.ts";
import { comingOpenings, nextPublication, openingOf, readOpening } from "./opening.ts";
import { centresOf, living, propose, type Row, type Wish } from "./proposal.ts";

const at = "2026-11-30T14:00:00.000Z";
const now = Date.parse("2026-11-30T13:00:00Z");
const closed: Partial<Slot> = { allowed: false, opensAt: at };
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

describe("an opening", () => {
  test("its address says department, licence and moment, and reads back; anything odd is none", () => {
    const opening = openingOf("94", "B", at);
    expect(opening.id).toBe("94-B-20261130T1400Z");
    expect(readOpening(opening.id)).toEqual(opening);
    for (const odd of ["", "94-B", "00-B-20261130T1400Z", "94-Z-20261130T1400Z", "94-B-20261330T1400Z"]) {
      expect(readOpening(odd), odd).toBeUndefined();
    }
  });

  test.fails("fault tried-8: a day that no calendar has is no opening's", () => {
    expect(readOpening("94-B-20260230T1400Z")).toBeUndefined();
  });

  test("the coming ones are what only time keeps closed, by moment, the next first", () => {
    const later = "2026-12-02T14:00:00.000Z";
    const slots = [
      slot(0, 480, { ...closed, opensAt: later }),
      slot(1, 480, closed),
      slot(2, 512, closed),
      slot(3, 512, { ...closed, status: "taken" }),
      slot(4, 512),
      slot(5, 512, { allowed: false, opensAt: null }),
      slot(6, 512, { ...closed, opensAt: "2026-11-30T12:00:00Z" }),
    ];
    expect(comingOpenings(slots, now, "94").map(({ id, count }) => [id, count])).toEqual([
      ["94-B-20261130T1400Z", 2],
      ["94-B-20261202T1400Z", 1],
    ]);
  });
});

describe("the next publication", () => {
  const parameter = (name: string, value: string, over: Partial<Parameter> = {}): Parameter => ({
    name,
    value,
    department: null,
    category: null,
    validFrom: null,
    state: "in_force",
    ...over,
  });
  const hour = parameter("publication_minutes", "900");
  const at = (parameters: Parameter[], now: string, department = "94") =>
    nextPublication(parameters, department, "B", Date.parse(now))?.at;

  test("is today at the hour, tomorrow once it has passed, in the department's own clock", () => {
    expect(at([hour], "2026-11-30T13:00:00Z")).toBe("2026-11-30T14:00:00.000Z");
    expect(at([hour], "2026-11-30T14:00:00Z")).toBe("2026-12-01T14:00:00.000Z");
    expect(at([hour], "2026-07-01T12:00:00Z")).toBe("2026-07-01T13:00:00.000Z");
    expect(at([hour], "2026-11-30T13:00:00Z", "974")).toBe("2026-12-01T11:00:00.000Z");
  });

  test("keeps the hour over a change of clock", () => {
    expect(at([hour], "2026-10-24T14:00:00Z")).toBe("2026-10-25T14:00:00.000Z");
    expect(at([hour], "2027-03-27T15:00:00Z")).toBe("2027-03-28T13:00:00.000Z");
  });

  test("waits for its weekday; a narrower value wins; what is only announced does not count", () => {
    const monday = parameter("publication_weekday", "1", { department: "94" });
    expect(at([hour, monday], "2026-11-24T10:00:00Z")).toBe("2026-11-30T14:00:00.000Z");
    const tuesday = parameter("publication_weekday", "2", { department: "94", category: "B" });
    expect(at([hour, monday, tuesday], "2026-11-24T10:00:00Z")).toBe("2026-11-24T14:00:00.000Z");
    expect(at([parameter("publication_minutes", "900", { state: "to_come" })], "2026-11-24T10:00:00Z")).toBeUndefined();
  });
});

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

  test("keeps pupils together where exams follow each other at one centre", () => {
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

  test("rows keep their place: what is taken stays and is said, another is appended for its wish", () => {
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

  test("the room reads slowly until a minute before the hour, then every two seconds until five after it", () => {
    const hour = Date.parse(at);
    const minutes = (count: number) => pace(hour, hour - count * 60_000);
    expect([60, 10, 1, 0, -5, -6, -60].map(minutes)).toEqual([300_000, 30_000, 2000, 2000, 2000, 30_000, 300_000]);
  });

  test("equal facts give the equal proposal, whatever the order of what is seen", () => {
    const slots = [slot(0, 480), slot(1, 480), slot(2, 512), slot(3, 512)];
    const wishes = [wish("k-1"), wish("k-2"), wish("k-3")];
    expect(propose([], wishes, [...slots].reverse(), 4)).toEqual(propose([], wishes, slots, 4));
  });
});
