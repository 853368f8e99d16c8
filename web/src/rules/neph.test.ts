import { describe, expect, test } from "vitest";
import { nephLooksOdd, normaliseNeph } from "./neph.ts";

describe("the NEPH [R-01]", () => {
  test("spaces go, leading zeros stay", () => {
    expect(normaliseNeph(" 02 06 94 100123 ")).toBe("020694100123");
  });

  test("an odd shape is only odd", () => {
    expect(nephLooksOdd("020694100123")).toBe(false);
    expect(nephLooksOdd("02069410012345")).toBe(false);
    expect(nephLooksOdd("12 34")).toBe(true);
    expect(nephLooksOdd("")).toBe(false);
  });
});
