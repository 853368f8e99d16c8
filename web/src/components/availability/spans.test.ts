import { expect, test } from "vitest";
import { firsts, spanText } from "./spans.ts";

test("occurrences share one row, whole days have no hours", () => {
  const one = {
    id: "u",
    subject: { kind: "school" as const, id: null },
    startsAt: "2026-12-14T09:00",
    endsAt: "2026-12-14T12:00",
    timeZone: "Europe/Paris",
    rrule: null,
    imported: false,
  };
  const rows = firsts([one, { ...one, startsAt: "2026-12-07T09:00", endsAt: "2026-12-07T12:00" }]);
  expect(rows.map((row) => [row.one.startsAt, row.times])).toEqual([["2026-12-07T09:00", 2]]);
  expect(spanText(one)).toBe("lun. 14 déc. 09:00 – 12:00");
  expect(spanText({ startsAt: "2026-12-14T00:00", endsAt: "2026-12-15T00:00" })).toBe("lun. 14 déc.");
  expect(spanText({ startsAt: "2026-12-14T00:00", endsAt: "2026-12-17T00:00" })).toBe("lun. 14 déc. – mer. 16 déc.");
});
