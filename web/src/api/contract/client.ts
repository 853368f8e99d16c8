/** How a request reaches the gateway: same origin, cookie, CSRF token, Idempotency-Key, and every failure a `Problem`. */
import createClient from "openapi-fetch";
import { serverClock } from "../../time/clock.ts";
import { expectSession, takeEarly } from "./early.ts";
import { watchedForLateness } from "./late.ts";
import { actHeader } from "./presence.ts";
import { networkProblem, Problem } from "./problem.ts";
import type { paths } from "./schema.d.ts";
import { traceHeader } from "./trace.ts";
import type { Session } from "./types.ts";

/** Whose page this is, and the token that goes with whatever changes something. */
let signedIn: { readonly userId: string; readonly schoolId: string; readonly csrfToken: string } | undefined;
let onSignedOut: () => void = () => undefined;
let onSignedInAgain: () => void = () => undefined;

/**
 * Takes the session that the browser's cookie opens now. False when it is another person's or school's than this page's: then the
 * page stays as it is and signed out, and nothing pressed here is sent in the other's name.
 */
export function adopt(session: Session): boolean {
  const before = signedIn;
  const schoolId = session.school?.id ?? "";
  if (before && (before.userId !== session.user.id || before.schoolId !== schoolId)) {
    onSignedOut();
    return false;
  }
  signedIn = { userId: session.user.id, schoolId, csrfToken: session.csrfToken };
  expectSession(session.school !== null); // what a school's pages begin with is nothing for others
  if (before && before.csrfToken !== session.csrfToken) onSignedInAgain();
  return true;
}

/** The page is left: the next session may be anybody's. */
export function forgetSession(): void {
  signedIn = undefined;
  expectSession(false);
}

/** Called when the session was replaced by a new one of the same person, in this tab or another. */
export function whenSignedInAgain(listener: () => void): void {
  onSignedInAgain = listener;
}

/** Called when an answer shows that the session, or RdvPermis' token, is gone. */
export function whenSignedOut(listener: () => void): void {
  onSignedOut = listener;
}

/** The session was found gone. */
export function lost(): void {
  onSignedOut();
}

export const rest = createClient<paths>({
  baseUrl: globalThis.location.origin,
  credentials: "same-origin",
  // Looked up at each request: tests replace it later.
  fetch: (request) => takeEarly(request)?.catch(() => send(request)) ?? send(request),
});

function send(request: Request): Promise<Response> {
  for (const [name, value] of Object.entries({ ...actHeader(), ...traceHeader() })) request.headers.set(name, value);
  return globalThis.fetch(request);
}

/** Header of what changes something of ours. */
export function ours(): { "X-CSRF-Token": string } {
  return { "X-CSRF-Token": signedIn?.csrfToken ?? "" };
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
 * Sends a request and returns its answer's body. An answer's `serverTime` sets the clock. An act that is refused because another tab
 * signed in since is sent once more as it was, under its own key, with the new session's token.
 *
 * @param question makes the request; asked anew for a repeat, since the token is read then.
 * @param quiet the request for the session itself: there a 401 is an answer, not the end of a session.
 * @throws Problem for every refusal, and for a lost answer (`code` "NETWORK").
 */
export async function ask<T>(question: () => Promise<Answer<T>>, quiet = false): Promise<T> {
  let { answer, sent } = await sendOnce(question);
  if (problemOf(answer)?.code === "CSRF" && (await renewed())) ({ answer, sent } = await sendOnce(question));
  const problem = problemOf(answer);
  if (problem) {
    if (!quiet && (problem.code === "UNAUTHENTICATED" || problem.code === "RECONNECT_NEEDED")) onSignedOut();
    throw problem;
  }
  learnTime(answer.data, sent);
  return answer.data as T;
}

async function sendOnce<T>(question: () => Promise<Answer<T>>): Promise<{ answer: Answer<T>; sent: number }> {
  const sent = performance.now();
  try {
    return { answer: await watchedForLateness(question()), sent };
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    // TypeError: no network. SyntaxError: a body cut on its way, or not ours.
    if (error instanceof TypeError || error instanceof SyntaxError) throw networkProblem();
    throw error;
  }
}

function problemOf(answer: Answer<unknown>): Problem | undefined {
  return answer.response.ok ? undefined : new Problem(answer.response.status, bodyOf(answer.error));
}

let renewing: Promise<boolean> | undefined;

/** Reads the session anew, once for all acts that wait for it; false where it is none of this page's. */
export function renewed(): Promise<boolean> {
  renewing ??= sendOnce(() => rest.GET("/auth/session"))
    .then(({ answer }) => answer.data !== undefined && adopt(answer.data))
    .finally(() => {
      renewing = undefined;
    });
  return renewing;
}

function bodyOf(error: unknown): Partial<Problem> {
  return typeof error === "object" && error !== null ? error : {};
}

function learnTime(body: unknown, sent: number): void {
  if (typeof body !== "object" || body === null || !("serverTime" in body)) return;
  const server = Date.parse(String(body.serverTime));
  if (Number.isFinite(server)) serverClock.roundTrip(server, sent, performance.now());
}
