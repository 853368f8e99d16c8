/**
 * Answers that were asked for while this code was on its way: the first script of index.html (scripts/first-load.ts) starts the
 * requests that a page begins with. Each is used once, by the first request that asks the same; an old one never.
 */
declare global {
  var resapermisEarly: { readonly since: number; readonly answers: Map<string, Promise<Response>> } | undefined;
}

/** How long an early answer may stand for a fresh one, ms. */
export const EARLY_LASTS = 15_000;
const HINT = "resapermis.signed-in";

/** The answer on its way for this request, if there is one; whoever takes it sends the request itself when it was lost. */
export function takeEarly(request: Request, now = performance.now()): Promise<Response> | undefined {
  const early = globalThis.resapermisEarly;
  if (!early || request.method !== "GET") return undefined;
  const { pathname, search } = new URL(request.url);
  const answer = early.answers.get(pathname + search);
  early.answers.delete(pathname + search);
  return now - early.since < EARLY_LASTS ? answer : undefined;
}

/** Whether the next page on this device should begin with what is for signed-in people only. Says nothing of who. */
export function expectSession(expected: boolean): void {
  if (expected) localStorage.setItem(HINT, "1");
  else localStorage.removeItem(HINT);
}
