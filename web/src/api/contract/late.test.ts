import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { anyLate, LATE_AFTER, watchedForLateness, whenLate } from "./late.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

test("an answer is late within two seconds, and no longer when it came [N-07]", async () => {
  const seen: boolean[] = [];
  const stop = whenLate(() => seen.push(anyLate()));
  const first = Promise.withResolvers<string>();
  const second = Promise.withResolvers<string>();
  const answers = [watchedForLateness(first.promise), watchedForLateness(second.promise)];
  await vi.advanceTimersByTimeAsync(LATE_AFTER - 1);
  expect(anyLate()).toBe(false);
  await vi.advanceTimersByTimeAsync(2000 - LATE_AFTER);
  expect(anyLate()).toBe(true);
  first.resolve("here");
  await answers[0];
  expect(anyLate(), "one is still awaited").toBe(true);
  second.reject(new Error("broken"));
  await expect(answers[1]).rejects.toThrow("broken");
  expect(anyLate()).toBe(false);
  expect(seen).toEqual([true, true, true, false]);
  stop();
});

test("an answer in time is never late", async () => {
  await expect(watchedForLateness(Promise.resolve(7))).resolves.toBe(7);
  await vi.advanceTimersByTimeAsync(LATE_AFTER);
  expect(anyLate()).toBe(false);
});
