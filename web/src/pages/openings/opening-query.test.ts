// @vitest-environment jsdom
import { expect, test } from "vitest";
import { pace } from "./opening-query.ts";

test("the room reads slowly until a minute before the hour, then every two seconds until five after it", () => {
  const hour = Date.parse("2026-11-30T14:00:00.000Z");
  const minutes = (count: number) => pace(hour, hour - count * 60_000);
  expect([60, 10, 1, 0, -5, -6, -60].map(minutes)).toEqual([300_000, 30_000, 2000, 2000, 2000, 30_000, 300_000]);
});
