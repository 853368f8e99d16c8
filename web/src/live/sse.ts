/**
 * Follows a stream of server-sent events with fetch instead of EventSource, because we choose the back-off (1–30 s with jitter),
 * must tell a 401 from a cut, and keep `Last-Event-ID` over our own reconnections.
 */
export interface FeedEvent {
  readonly event: string;
  readonly data: string;
  readonly id?: string;
}

/** Text in any slices → whole events (WHATWG HTML §9.2.6, without `retry`: ours is below). */
export class SseParser {
  #rest = "";
  #event = "";
  #data: string[] = [];
  #id: string | undefined;

  push(text: string): FeedEvent[] {
    const events: FeedEvent[] = [];
    const lines = (this.#rest + text).split(/\r\n|\n|\r(?!$)/);
    this.#rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line !== "") {
        this.#field(line);
        continue;
      }
      if (this.#data.length > 0) {
        events.push({
          event: this.#event || "message",
          data: this.#data.join("\n"),
          ...(this.#id === undefined ? {} : { id: this.#id }),
        });
      }
      this.#event = "";
      this.#data = [];
    }
    return events;
  }

  #field(line: string): void {
    const colon = line.indexOf(":");
    if (colon === 0) return;
    const name = colon < 0 ? line : line.slice(0, colon);
    const value = colon < 0 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (name === "event") this.#event = value;
    else if (name === "data") this.#data.push(value);
    else if (name === "id") this.#id = value;
  }
}

const FIRST_WAIT = 1000;
const LONGEST_WAIT = 30_000;

/** Milliseconds before attempt `n` (from 0): doubling, capped, spread over its upper half so that a crowd does not return at once. */
export function backOff(n: number, random: () => number = Math.random): number {
  const full = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** n);
  return full / 2 + (full / 2) * random();
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, ms);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Follows `url` until aborted or signed out (an event "signed-out" is then handed over). */
export async function follow(url: string, signal: AbortSignal, hand: (event: FeedEvent) => void): Promise<void> {
  let lastId: string | undefined;
  let failures = 0;
  while (!signal.aborted) {
    try {
      const response = await fetch(url, {
        headers: { Accept: "text/event-stream", ...(lastId === undefined ? {} : { "Last-Event-ID": lastId }) },
        credentials: "same-origin",
        cache: "no-store",
        signal,
      });
      if (response.status === 401) {
        hand({ event: "signed-out", data: "" });
        return;
      }
      if (response.ok && response.body) {
        for await (const event of events(response.body)) {
          failures = 0;
          lastId = event.id ?? lastId;
          hand(event);
        }
      }
    } catch (error) {
      // A cut is expected: TypeError from fetch or the reader, AbortError when we leave.
      if (!(error instanceof TypeError || error instanceof DOMException)) throw error;
    }
    await pause(backOff(failures), signal);
    failures += 1;
  }
}

async function* events(body: ReadableStream<Uint8Array>): AsyncGenerator<FeedEvent> {
  const reader = body.pipeThrough(new TextDecoderStream() as ReadableWritablePair<string, Uint8Array>).getReader();
  const parser = new SseParser();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield* parser.push(value);
    }
  } finally {
    reader.cancel().catch(() => undefined);
  }
}
