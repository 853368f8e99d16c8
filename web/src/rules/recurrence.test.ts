import { describe, expect, test } from "vitest";
import { dayIn, dayOfUntil, instantIn } from "../time/calendar.ts";
import { PLACES } from "./places.ts";
import { recurrenceText, weekly } from "./recurrence.ts";

const PARIS = "Europe/Paris";
/** Every zone of France that this product knows. */
const ZONES = [...new Set(PLACES.map(([, , zone]) => zone))];

function untilIn(rule: string): number {
  const [, year, month, day, hour, minute, second] = /UNTIL=(....)(..)(..)T(..)(..)(..)Z$/.exec(rule) ?? [];
  return Date.parse(`${year}-${month}-${day}T${hour}:${minute}:${second}Z`);
}

describe("recurrence", () => {
  test("each week on the start's own weekday, the last day included", () => {
    expect(weekly("2026-12-07T09:00", "", PARIS)).toBe("FREQ=WEEKLY;BYDAY=MO");
    expect(weekly("2026-12-06T09:00", "2026-12-27", PARIS)).toBe("FREQ=WEEKLY;BYDAY=SU;UNTIL=20261227T225959Z");
  });

  // Also where a clock changes on the day or the next one, and where the year does.
  describe.each(ZONES)("in %s", (zone) => {
    test.each([
      "2026-12-20",
      "2026-12-31",
      "2027-03-13",
      "2027-03-14",
      "2027-03-28",
      "2027-10-31",
      "2027-11-07",
      "2028-02-29",
    ])("until %s: whatever begins on that day, nothing of the next", (day) => {
      const end = untilIn(weekly("2026-12-07T09:00", day, zone));
      expect(end).toBeGreaterThanOrEqual(Date.parse(instantIn(`${day}T23:59`, zone)));
      expect(dayIn(end, zone)).toBe(day);
      expect(dayIn(end + 1000, zone) > day).toBe(true);
    });
  });

  test("in words; what is more than weekly only recurs", () => {
    for (const zone of ZONES) {
      expect(recurrenceText(weekly("2026-12-06T09:00", "2026-12-27", zone), zone)).toBe(
        "chaque dimanche, jusqu'au 27 décembre 2026",
      );
    }
    expect(recurrenceText("FREQ=WEEKLY;BYDAY=SU;UNTIL=20261227", PARIS)).toBe(
      "chaque dimanche, jusqu'au 27 décembre 2026",
    );
    expect(recurrenceText("FREQ=MONTHLY;BYMONTHDAY=1", PARIS)).toBe("revient");
    expect(recurrenceText("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO", PARIS)).toBe("revient");
    expect(recurrenceText(null, PARIS)).toBe("");
  });

  test.each(["", "demain", "20261345", "20261345T000000Z"])("UNTIL=%s is no day", (until) => {
    expect(dayOfUntil(until, PARIS)).toBeUndefined();
  });
});
