import { describe, expect, test } from "vitest";
import { ServerClock } from "./clock.ts";

function clockAt(start: { mono: number; device: number }) {
  const now = { ...start };
  const clock = new ServerClock(
    () => now.mono,
    () => now.device,
  );
  return { now, clock };
}

describe("the server's clock [R-15]", () => {
  test("before any answer, the device's clock is all there is", () => {
    const { clock } = clockAt({ mono: 0, device: 5000 });
    expect(clock.now()).toBe(5000);
    expect(clock.synced).toBe(false);
  });

  test("a wrong device clock does not matter once a server has answered", () => {
    const { clock, now } = clockAt({ mono: 1000, device: 9_999_999 });
    clock.roundTrip(50_000, 900, 1000);
    now.mono = 3000;
    expect(clock.now()).toBe(52_050);
  });

  test("the tightest round trips win", () => {
    const { clock, now } = clockAt({ mono: 0, device: 0 });
    clock.roundTrip(10_000, 0, 2000);
    clock.roundTrip(12_500, 2480, 2500);
    now.mono = 2500;
    expect(Math.abs(clock.now() - 12_510)).toBeLessThanOrEqual(10);
  });

  test("a tick is a lower bound: the server is never behind what it sent", () => {
    const { clock, now } = clockAt({ mono: 0, device: 0 });
    clock.tick(10_000);
    now.mono = 10_000;
    clock.tick(20_400);
    expect(clock.now()).toBe(20_400);
  });

  test("after the device slept, the newest sample starts over", () => {
    const { clock, now } = clockAt({ mono: 0, device: 0 });
    clock.roundTrip(10_000, 0, 100);
    now.mono = 1000;
    clock.roundTrip(3_600_000, 950, 1000);
    expect(Math.abs(clock.now() - 3_600_025)).toBeLessThanOrEqual(25);
  });

  test("the device's error is in milliseconds", () => {
    const { clock } = clockAt({ mono: 0, device: 100_000 });
    clock.roundTrip(10_000, 0, 0);
    expect(clock.deviceError()).toBe(90_000);
  });
});
