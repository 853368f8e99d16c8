import { describe, expect, test } from "vitest";
import { makeSlot } from "../../../tests/mock/world.ts";
import type { Parameter, Slot } from "../../api/contract/types.ts";
import { comingOpenings, nextOpenings, nextPublication, openingOf, readOpening } from "./opening.ts";

const at = "2026-11-30T14:00:00.000Z";
const now = Date.parse("2026-11-30T13:00:00Z");
const closed: Partial<Slot> = { allowed: false, opensAt: at };
/** Index 0, 3, 6… is Rungis, 1 Créteil, 2 Maisons-Alfort. */
const slot = (index: number, minute: number, over: Partial<Slot> = {}) => makeSlot(index, "2026-12-09", minute, over);

describe("an opening", () => {
  test("its address has department, licence and moment, and reads back; anything odd is none", () => {
    const opening = openingOf("94", "B", at);
    expect(opening.id).toBe("94-B-20261130T1400Z");
    expect(readOpening(opening.id)).toEqual(opening);
    for (const odd of ["", "94-B", "00-B-20261130T1400Z", "94-Z-20261130T1400Z", "94-B-20261330T1400Z"]) {
      expect(readOpening(odd), odd).toBeUndefined();
    }
  });

  test.each(["94-B-20260230T1400Z", "94-B-20260302T2400Z"])(
    "%s: a moment that no calendar has is no opening's",
    (id) => {
      expect(readOpening(id)).toBeUndefined();
    },
  );

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

  test("what comes next stands in its order, and a publication once", () => {
    const [first, second] = ["2026-12-01T14:00:00.000Z", "2026-12-03T14:00:00.000Z"].map((at) => ({
      ...openingOf("94", "B", at),
      count: 2,
      centres: [],
    }));
    if (!first || !second) throw new Error("no openings");
    const publication = openingOf("94", "B", "2026-11-30T14:00:00Z");
    const ids = (...found: { id: string }[]) => found.map(({ id }) => id);
    expect(ids(...nextOpenings([first, second], publication, 3))).toEqual(ids(publication, first, second));
    expect(ids(...nextOpenings([first, second], openingOf("94", "B", first.at), 3))).toEqual(ids(first, second));
    expect(ids(...nextOpenings([first, second], undefined, 1))).toEqual(ids(first));
  });

  test("an opening at Saint-Pierre has an address that leads to it", () => {
    const opening = openingOf("975", "B", "2026-12-02T18:00:00Z");
    expect(opening.id).toBe("975-B-20261202T1800Z");
    expect(readOpening(opening.id)).toEqual(opening);
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

  test("three in the afternoon at Saint-Pierre is 18:00 UTC in winter", () => {
    const parameter = { name: "publication_minutes", value: String(15 * 60), department: null, category: null };
    const rules = [{ ...parameter, validFrom: null, state: "in_force" as const }];
    const next = nextPublication(rules, "975", "B", Date.parse("2026-12-02T12:00:00Z"))?.at;
    expect(next).toBe("2026-12-02T18:00:00.000Z");
  });
});
