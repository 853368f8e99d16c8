import { describe, expect, test, vi } from "vitest";
import { backOff, type FeedEvent, follow, SseParser } from "./sse.ts";
import { touched } from "./touched.ts";

describe("the live stream [N-04]", () => {
  test("events come whole from any slices", () => {
    const text =
      'event: tick\ndata: {"serverTime":"x"}\n\n: hello\r\nid: 7\r\nevent: notification\r\ndata: a\r\ndata: b\r\n\r\n';
    for (let cut = 0; cut <= text.length; cut += 1) {
      const parser = new SseParser();
      const events = [...parser.push(text.slice(0, cut)), ...parser.push(text.slice(cut))];
      expect(events, `cut at ${cut}`).toEqual([
        { event: "tick", data: '{"serverTime":"x"}' },
        { event: "notification", data: "a\nb", id: "7" },
      ]);
    }
  });

  test("the back-off doubles from one second to thirty, spread over its upper half", () => {
    expect(backOff(0, () => 1)).toBe(1000);
    expect(backOff(0, () => 0)).toBe(500);
    expect(backOff(20, () => 1)).toBe(30_000);
    expect(backOff(20, () => 0)).toBe(15_000);
  });

  test("a cut stream is taken up again with Last-Event-ID; a 401 ends it", async () => {
    vi.useFakeTimers();
    const asked: (string | null)[] = [];
    vi.stubGlobal("fetch", async (_url: string, init: RequestInit) => {
      asked.push(new Headers(init.headers).get("Last-Event-ID"));
      if (asked.length === 1) return new Response("id: 41\nevent: notification\ndata: {}\n\n");
      if (asked.length === 2) throw new TypeError("network");
      return new Response("", { status: 401 });
    });
    const received: FeedEvent[] = [];
    const done = follow("/stream", new AbortController().signal, (event) => received.push(event));
    await vi.runAllTimersAsync();
    await done;
    expect(asked).toEqual([null, "41", "41"]);
    expect(received.map((event) => event.event)).toEqual(["notification", "signed-out"]);
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });

  test.each([
    ["change", '{"topic":"basket"}', ["notices", "basket", "slots", "thresholds"]],
    ["change", '{"topic":"booking"}', ["notices", "basket", "slots", "thresholds", "bookings", "audit", "standings"]],
    ["notification", '{"kind":"result.found"}', ["notices", "bookings", "audit", "standings"]],
    ["notification", '{"kind":"rule.changed"}', ["notices", "slots", "thresholds", "parameters"]],
    ["notification", '{"kind":"search.matched"}', ["notices", "slots", "thresholds", "searches"]],
    ["notification", '{"kind":"authorisation.ending"}', ["notices", "school"]],
    ["notification", '{"id":"n","kind":"mandate.active"}', ["notices", "candidates"]],
    ["surprise", "{}", ["notices"]],
  ])("%s %s makes old what it touches", (event, data, keys) => {
    expect(touched({ event, data }).map((key) => key[0])).toEqual(keys);
  });
});
