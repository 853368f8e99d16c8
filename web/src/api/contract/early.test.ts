import { afterEach, describe, expect, it } from "vitest";
import { EARLY_LASTS, takeEarly } from "./early.ts";

const answer = Promise.resolve(new Response("{}"));
const get = (path: string, method = "GET") => new Request(`https://resapermis.example${path}`, { method });

function early(...paths: string[]): void {
  globalThis.resapermisEarly = { since: 1000, answers: new Map(paths.map((path) => [path, answer])) };
}

describe("takeEarly", () => {
  afterEach(() => {
    globalThis.resapermisEarly = undefined;
  });

  it("gives an answer once, to the request that is the same", () => {
    early("/api/v1/notifications?limit=1");
    expect(takeEarly(get("/api/v1/notifications"), 1001)).toBeUndefined();
    expect(takeEarly(get("/api/v1/notifications?limit=1", "HEAD"), 1001)).toBeUndefined();
    expect(takeEarly(get("/api/v1/notifications?limit=1"), 1001)).toBe(answer);
    expect(takeEarly(get("/api/v1/notifications?limit=1"), 1001)).toBeUndefined();
  });

  it("gives no answer that is old", () => {
    early("/auth/session");
    expect(takeEarly(get("/auth/session"), 1000 + EARLY_LASTS)).toBeUndefined();
    expect(takeEarly(get("/auth/session"), 1001)).toBeUndefined();
  });

  it("has none where no script began", () => {
    expect(takeEarly(get("/auth/session"))).toBeUndefined();
  });
});
