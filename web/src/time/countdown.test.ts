import { describe, expect, test } from "vitest";
import { markPassed, parts, secondsLeft } from "./countdown.ts";

describe("countdown [R-15]", () => {
  test("zero means over, a started second still counts", () => {
    expect(secondsLeft(1000, 1)).toBe(1);
    expect(secondsLeft(1000, 1000)).toBe(0);
    expect(secondsLeft(1000, 5000)).toBe(0);
  });

  test.each([
    [301, 300, 300],
    [300, 299, undefined],
    [121, 120, 120],
    [61, 60, 60],
    [21, 20, 20],
    [20, 19, undefined],
    [400, 15, 20],
    [1, 0, undefined],
  ])("from %i s to %i s, %s is announced", (before, left, mark) => {
    expect(markPassed(before, left)).toBe(mark);
  });

  test("every limit announces each mark once, however the seconds fall", () => {
    const announced: number[] = [];
    let before = 900;
    for (let left = 899; left >= 0; left -= 1) {
      const mark = markPassed(before, left);
      if (mark) announced.push(mark);
      before = left;
    }
    expect(announced).toEqual([300, 120, 60, 20]);
  });

  test("parts add up", () => {
    expect(parts(93_784)).toEqual({ days: 1, hours: 2, minutes: 3, seconds: 4 });
  });
});
