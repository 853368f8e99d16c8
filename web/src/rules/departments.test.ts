import { describe, expect, test } from "vitest";
import { departmentName, zoneOf } from "./departments.ts";

/** Departments and collectivities with a clock of their own, and their country in the time zone database (ISO 3166-1). */
const COUNTRIES = {
  "971": "GP",
  "972": "MQ",
  "973": "GF",
  "974": "RE",
  "975": "PM",
  "976": "YT",
  "977": "BL",
  "978": "MF",
  "986": "WF",
  "987": "PF",
  "988": "NC",
} as const;

/** The zone that the database gives a country; French Polynesia has three, its capital's is the one that counts. */
function zonesOf(country: string): readonly string[] {
  // In ECMA-402 since 2025; TypeScript 5.9 does not know it yet.
  const locale = new Intl.Locale(`fr-${country}`) as Intl.Locale & { getTimeZones(): string[] };
  const zones = locale.getTimeZones();
  return country === "PF" ? zones.filter((zone) => zone === "Pacific/Tahiti") : zones;
}

/** What a clock of the zone shows in winter, in summer and on both sides of midnight. */
function shown(timeZone: string): string[] {
  const clock = new Intl.DateTimeFormat("sv-SE", { timeZone, dateStyle: "short", timeStyle: "medium" });
  return ["2026-01-15T02:00Z", "2026-07-15T02:00Z", "2026-07-15T22:00Z"].map((at) => clock.format(new Date(at)));
}

function sameClock(department: string, country: string): void {
  expect(zonesOf(country)).toHaveLength(1);
  expect(shown(zoneOf(department)), zoneOf(department)).toEqual(zonesOf(country).flatMap(shown));
}

describe("the clock of a department", () => {
  test.each(Object.entries(COUNTRIES))("%s has the time zone database's clock of %s", sameClock);

  test.each(["01", "2A", "2B", "75", "95"])("%s has the clock of Paris", (department) => {
    sameClock(department, "FR");
  });

  test("Saint-Pierre-et-Miquelon has a name", () => {
    expect(departmentName("975")).toBe("Saint-Pierre-et-Miquelon");
  });
});
