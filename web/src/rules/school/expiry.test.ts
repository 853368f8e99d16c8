import { describe, expect, test } from "vitest";
import { expiryOf } from "./expiry.ts";

describe("last days", () => {
  test.each([
    [null, "unknown"],
    ["2026-11-24", "ended"],
    ["2026-11-25", "soon"],
    ["2027-01-24", "soon"],
    ["2027-01-25", "later"],
  ])("%s is %s on 25 November", (day, ending) => {
    expect(expiryOf(day, "2026-11-25")).toBe(ending);
  });
});
