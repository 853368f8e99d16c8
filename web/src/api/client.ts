/** How a question reaches the gateway: same origin, cookie, CSRF token, Idempotency-Key, and every failure a `Problem`. */
import { serverClock } from "../time/clock.ts";
import { networkProblem, Problem, problemFrom } from "./problem.ts";

let csrfToken = "";
let onSignedOut: () => void = () => undefined;

/** Given by the session answer; goes with whatever changes something. */
export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** Called when an answer says that the session, or RdvPermis' token, is gone. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

export interface Ask {
  query?: Record<string, string | string[] | undefined>;
  body?: unknown;
  /** One per human act, the same for its repeats. */
  idempotencyKey?: string;
  signal?: AbortSignal;
  /** The session question itself: a 401 is an answer. */
  quiet?: boolean;
}

function address(path: string, query: Ask["query"]): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(query ?? {})) {
    for (const one of Array.isArray(value) ? value : [value]) {
      if (one !== undefined && one !== "") params.append(name, one);
    }
  }
  const text = params.toString();
  return text ? `${path}?${text}` : path;
}

async function exchange(method: string, path: string, ask: Ask): Promise<Response> {
  const headers = new Headers({ Accept: "application/json" });
  if (method !== "GET") headers.set("X-CSRF-Token", csrfToken);
  if (ask.body !== undefined) headers.set("Content-Type", "application/json");
  if (ask.idempotencyKey) headers.set("Idempotency-Key", ask.idempotencyKey);
  try {
    return await fetch(address(path, ask.query), {
      method,
      headers,
      credentials: "same-origin",
      ...(ask.body === undefined ? {} : { body: JSON.stringify(ask.body) }),
      ...(ask.signal ? { signal: ask.signal } : {}),
    });
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw networkProblem();
  }
}

/**
 * Asks and parses. An answer's `serverTime` teaches the clock.
 *
 * @throws Problem for every refusal and for a lost answer (`code` "NETWORK").
 */
export async function send<T>(method: string, path: string, ask: Ask = {}): Promise<T> {
  const sent = performance.now();
  const response = await exchange(method, path, ask);
  if (!response.ok) {
    const problem = await problemFrom(response);
    if (!ask.quiet && (problem.code === "UNAUTHENTICATED" || problem.code === "RECONNECT_NEEDED")) onSignedOut();
    throw problem;
  }
  if (response.status === 204) return undefined as T;
  const body: unknown = await response.json().catch(() => {
    throw new Problem(response.status, { code: "UNEXPECTED" });
  });
  learnTime(body, sent);
  return body as T;
}

function learnTime(body: unknown, sent: number): void {
  if (typeof body !== "object" || body === null || !("serverTime" in body)) return;
  const server = Date.parse(String(body.serverTime));
  if (Number.isFinite(server)) serverClock.roundTrip(server, sent, performance.now());
}
