import { describe, expect, test } from "vitest";
import { recurrenceText, weekly } from "./recurrence.ts";

describe("recurrence", () => {
  test("each week on the start's own weekday, the last day included", () => {
    expect(weekly("2026-12-07T09:00", "")).toBe("FREQ=WEEKLY;BYDAY=MO");
    expect(weekly("2026-12-06T09:00", "2026-12-27")).toBe("FREQ=WEEKLY;BYDAY=SU;UNTIL=20261228T000000Z");
  });

  test("in words; what is more than weekly only recurs", () => {
    expect(recurrenceText(weekly("2026-12-06T09:00", "2026-12-27"))).toBe("chaque dimanche, jusqu'au 27 décembre 2026");
    expect(recurrenceText("FREQ=MONTHLY;BYMONTHDAY=1")).toBe("revient");
    expect(recurrenceText("FREQ=WEEKLY;INTERVAL=2;BYDAY=MO")).toBe("revient");
    expect(recurrenceText(null)).toBe("");
  });
});
