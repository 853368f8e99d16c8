/** How a request reaches the gateway: same origin, cookie, CSRF token, Idempotency-Key, and every failure a `Problem`. */
import createClient from "openapi-fetch";
import { serverClock } from "../../time/clock.ts";
import { networkProblem, Problem } from "./problem.ts";
import type { paths } from "./schema.d.ts";

let csrfToken = "";
let onSignedOut: () => void = () => undefined;

/** Given by the session answer; goes with whatever changes something. */
export function setCsrfToken(token: string): void {
  csrfToken = token;
}

/** Called when an answer shows that the session, or RdvPermis' token, is gone. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

export const rest = createClient<paths>({
  baseUrl: globalThis.location.origin,
  credentials: "same-origin",
  // Looked up at each request: tests replace it later.
  fetch: (request) => globalThis.fetch(request),
});

/** Header of what changes something of ours. */
export function ours(): { "X-CSRF-Token": string } {
  return { "X-CSRF-Token": csrfToken };
}

/** Headers of what asks RdvPermis: one key per human act, the same for its repeats. */
export function act(idempotencyKey: string): { "X-CSRF-Token": string; "Idempotency-Key": string } {
  return { ...ours(), "Idempotency-Key": idempotencyKey };
}

interface Answer<T> {
  data?: T;
  error?: unknown;
  response: Response;
}

/**
 * Sends a request and returns its answer's body. An answer's `serverTime` sets the clock.
 *
 * @param quiet the request for the session itself: there a 401 is an answer, not the end of a session.
 * @throws Problem for every refusal, and for a lost answer (`code` "NETWORK").
 */
export async function ask<T>(question: () => Promise<Answer<T>>, quiet = false): Promise<T> {
  const sent = performance.now();
  let answer: Answer<T>;
  try {
    answer = await question();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    // TypeError: no network. SyntaxError: a body cut on its way, or not ours.
    if (error instanceof TypeError || error instanceof SyntaxError) throw networkProblem();
    throw error;
  }
  if (!answer.response.ok) {
    const problem = new Problem(answer.response.status, bodyOf(answer.error));
    if (!quiet && (problem.code === "UNAUTHENTICATED" || problem.code === "RECONNECT_NEEDED")) onSignedOut();
    throw problem;
  }
  learnTime(answer.data, sent);
  return answer.data as T;
}

function bodyOf(error: unknown): Partial<Problem> {
  return typeof error === "object" && error !== null ? error : {};
}

function learnTime(body: unknown, sent: number): void {
  if (typeof body !== "object" || body === null || !("serverTime" in body)) return;
  const server = Date.parse(String(body.serverTime));
  if (Number.isFinite(server)) serverClock.roundTrip(server, sent, performance.now());
}
