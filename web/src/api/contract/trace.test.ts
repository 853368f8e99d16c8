import { afterEach, expect, test, vi } from "vitest";
import { ask, ours, rest } from "./client.ts";

afterEach(() => vi.unstubAllGlobals());

test("each request begins a trace of its own, and asks for nothing to be recorded [P-03]", async () => {
  const sent: (string | null)[] = [];
  vi.stubGlobal("fetch", async (request: Request) => {
    sent.push(request.headers.get("traceparent"));
    return Response.json({});
  });
  await ask(() => rest.GET("/auth/session"));
  await ask(() => rest.POST("/auth/logout", { params: { header: ours() } }));
  const parts = sent.map((one) => /^00-([0-9a-f]{32})-([0-9a-f]{16})-00$/.exec(one ?? ""));
  expect(parts.every((one) => one && !/^0+$/.test(one[1] ?? "") && !/^0+$/.test(one[2] ?? ""))).toBe(true);
  expect(new Set(parts.map((one) => one?.[1])).size).toBe(2);
});
