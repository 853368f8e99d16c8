/** The trace that a request begins (W3C Trace Context): the gateway, and whatever it asks, goes on with it. */

function hex(bytes: number): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) => byte.toString(16).padStart(2, "0")).join(
    "",
  );
}

/** Header of a request: a trace of its own. The page records nothing and leaves it to the gateway whether others do (flag 00). */
export function traceHeader(): { traceparent: string } {
  return { traceparent: `00-${hex(16)}-${hex(8)}-00` };
}
