/**
 * One live stream a browser: the tab that holds the Web Lock follows it and repeats each event to the others (over HTTP/1.1 a
 * browser opens six connections to a host, so a stream a tab would hang the seventh). When the leader closes, the lock passes on.
 */
import type { QueryClient } from "@tanstack/react-query";
import { keys } from "../api/contract/cache.ts";
import { sessionQuery } from "../api/session.ts";
import { serverClock } from "../time/clock.ts";
import { announce } from "./announce.ts";
import { type FeedEvent, follow } from "./sse.ts";
import { store, useStore } from "./store.ts";
import { touched } from "./touched.ts";

const STREAM = "/api/v1/notifications/stream";
const NAME = "resapermis-feed";
/** Between tabs: one has opened with a session, perhaps a new one, or extended it; one was signed out by hand, and so is the browser. */
const SIGNED_IN = "signed-in";
const LEFT = "left";
/** Without a tick for this long, what is shown may be old (rule 7). */
export const STALE_AFTER = 25_000;

export interface Pulse {
  /** performance.now() of the last tick, or of the start. */
  readonly at: number;
  /** Server's time of it, ms; undefined before the first. */
  readonly server: number | undefined;
}

const pulse = store<Pulse>({ at: 0, server: undefined });
/** The session, or RdvPermis' token behind it, is gone: the page is blanked, sign-in is asked. */
export const signedOut = store(false);

export function usePulse(): Pulse {
  return useStore(pulse);
}

function handle(event: FeedEvent, client: QueryClient): void {
  switch (event.event) {
    case "tick": {
      const server = Date.parse(String((JSON.parse(event.data) as { serverTime?: string }).serverTime));
      if (Number.isFinite(server)) serverClock.tick(server);
      pulse.set({ at: performance.now(), server: Number.isFinite(server) ? server : undefined });
      return;
    }
    case "resync":
      client.invalidateQueries({ predicate: (query) => query.queryKey[0] !== keys.session[0] });
      return;
    case "signed-out":
      signedOut.set(true);
      return;
    case SIGNED_IN:
      client.refetchQueries({ queryKey: keys.session });
      return;
    case LEFT:
      sessionStorage.clear();
      window.location.assign("/");
      return;
    default:
      if (event.event === "notification") announce(textOf(event.data));
      for (const queryKey of touched(event)) client.invalidateQueries({ queryKey });
  }
}

/** The sentence of a notice, in the page's language, for the polite region; empty when it has none. */
function textOf(data: string): string {
  const { text } = JSON.parse(data) as { text?: Record<string, string> };
  return text?.[document.documentElement.lang] ?? "";
}

/** One for as long as the page lives: closed and opened anew, it would miss what another tab does in between. */
let tabs: BroadcastChannel | undefined;
let listener: (event: FeedEvent) => void = () => undefined;

function channel(): BroadcastChannel {
  if (!tabs) {
    tabs = new BroadcastChannel(NAME);
    tabs.onmessage = ({ data }: MessageEvent<FeedEvent>) => listener(data);
  }
  return tabs;
}

function tellTabs(event: FeedEvent): void {
  channel().postMessage(event);
}

/** What other tabs do goes to `react` from now on; the answer stops. */
function hearTabs(react: (event: FeedEvent) => void): () => void {
  channel();
  listener = react;
  return () => {
    if (listener === react) listener = () => undefined;
  };
}

/** Reads the session anew, here and in the other tabs: what a person did in one keeps it for all. */
export async function extendSession(client: QueryClient): Promise<void> {
  await client.refetchQueries({ queryKey: keys.session });
  tellTabs({ event: SIGNED_IN, data: "" });
}

/** Forgets what this browser's tabs keep, once signed out by hand. */
export function leaveEverywhere(): void {
  sessionStorage.clear();
  tellTabs({ event: LEFT, data: "" });
}

/** Hears what this browser's other tabs do, without a stream of its own: one of them may sign in again. The answer stops. */
export function followTabs(client: QueryClient): () => void {
  return hearTabs((event) => {
    if (event.event === SIGNED_IN) {
      client.fetchQuery(sessionQuery).then(
        (found) => found && signedOut.set(false),
        () => undefined,
      );
    } else if (event.event === LEFT) handle(event, client);
  });
}

/** Starts following; the answer stops. */
export function startFeed(client: QueryClient): () => void {
  const leaving = new AbortController();
  const deaf = hearTabs((event) => handle(event, client));
  tellTabs({ event: SIGNED_IN, data: "" });
  pulse.set({ at: performance.now(), server: undefined });
  const lead = () =>
    follow(STREAM, leaving.signal, (event) => {
      tellTabs(event);
      handle(event, client);
    });
  const done = "locks" in navigator ? navigator.locks.request(NAME, { signal: leaving.signal }, lead) : lead();
  done.catch((error: unknown) => {
    if (!leaving.signal.aborted) throw error;
  });
  return () => {
    leaving.abort();
    deaf();
  };
}
