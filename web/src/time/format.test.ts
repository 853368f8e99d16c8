import { expect, test } from "vitest";
import { addDays, mondayOf } from "./calendar.ts";
import { duration, examSentence, examShort, instantExact, ofMonth, parisMoment, spokenDuration } from "./format.ts";

const plain = (text: string) => text.replace(/[\u00a0\u202f]/g, " ");

test("an exam's hour is the centre's, whatever the reader's zone", () => {
  expect(plain(examSentence("2026-12-09T08:32"))).toBe("mercredi 9 décembre 2026 à 8 h 32");
  expect(plain(examShort("2026-12-09T08:32"))).toBe("mer. 9 déc. 08:32");
  expect(plain(examSentence("2026-12-09T15:00"))).toBe("mercredi 9 décembre 2026 à 15 h");
});

test("a publication's hour names its place", () => {
  expect(plain(parisMoment("2026-12-02T14:00:00Z"))).toBe("mer. 2 déc., 15:00 (heure de Paris)");
});

test("minutes are never written as metres", () => {
  expect(duration(724)).toBe("12 min 04 s");
  expect(duration(97_200)).toBe("1 j 3 h");
  expect(duration(79)).toBe("1 min 19 s");
  expect(duration(9)).toBe("9 s");
});

test("what is left has no empty part, and one of a thing is one", () => {
  expect(duration(86_400)).toBe("1 j");
  expect(spokenDuration(60)).toBe("1 minute");
  expect(spokenDuration(120)).toBe("2 minutes");
  expect(spokenDuration(1)).toBe("1 seconde");
});

test("an instant of the journal is the reader's, not UTC's", () => {
  const shown = plain(instantExact("2026-11-30T12:46:39.123Z"));
  const hour = String(new Date("2026-11-30T12:46:39.123Z").getHours()).padStart(2, "0");
  expect(shown).toBe(`lun. 30 nov. 2026, ${hour}:46:39,123`);
});

test("a month is joined as it is spoken", () => {
  expect(["2026-12", "2026-10", "2026-08", "2026-04"].map((month) => plain(ofMonth(month)))).toEqual([
    "de décembre 2026",
    "d'octobre 2026",
    "d'août 2026",
    "d'avril 2026",
  ]);
});

test("days add up over a change of hour and a month's end", () => {
  expect(addDays("2026-10-24", 2)).toBe("2026-10-26");
  expect(addDays("2026-11-30", 1)).toBe("2026-12-01");
  expect(mondayOf("2026-12-09")).toBe("2026-12-07");
  expect(mondayOf("2026-12-13")).toBe("2026-12-07");
});
