import { describe, expect, test } from "vitest";
import type { Hours, Parameter } from "../api/types.ts";
import { firsts, spanText } from "../components/availability/spans.ts";
import { replacedBy } from "../pages/thresholds/Parameters.tsx";
import { endingOf } from "./ending.ts";
import { countedMonths, fteOf, missingMonths } from "./fte.ts";
import { parameterValue } from "./parameters.ts";
import { recurrenceText, weekly } from "./recurrence.ts";

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

describe("last days", () => {
  test.each([
    [null, "unknown"],
    ["2026-11-24", "ended"],
    ["2026-11-25", "soon"],
    ["2027-01-24", "soon"],
    ["2027-01-25", "later"],
  ])("%s is %s on 25 November", (day, ending) => {
    expect(endingOf(day, "2026-11-25")).toBe(ending);
  });
});

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

  test("occurrences share one row, whole days say no hours", () => {
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
});

describe("parameters of the rules [R-24]", () => {
  const parameter = (over: Partial<Parameter>): Parameter => ({
    name: "threshold_rate",
    value: "4.5",
    department: null,
    category: null,
    validFrom: null,
    state: "in_force",
    ...over,
  });

  test("a value has its unit", () => {
    const shown = (name: string, value: string) => parameterValue({ name, value }).replace(/[\u00a0\u202f]/g, " ");
    expect(shown("threshold_rate", "4.5")).toBe("4,5");
    expect(shown("hold_ttl_seconds", "900")).toBe("15 minutes");
    expect(shown("territory_hours", "48")).toBe("48 heures");
    expect(shown("publication_minutes", "900")).toBe("15:00");
    expect(shown("warn_percent", "80")).toBe("80 %");
    expect(shown("group", "4")).toBe("4");
  });

  test("a coming value takes the place of the nearest one in force", () => {
    const everywhere = parameter({});
    const here = parameter({ department: "94" });
    expect(replacedBy(parameter({ department: "94", category: "B" }), [everywhere, here])).toBe(here);
    expect(replacedBy(parameter({ department: "75" }), [everywhere, here])).toBe(everywhere);
    expect(replacedBy(parameter({ name: "basket" }), [everywhere])).toBeUndefined();
  });
});
