import { expect, test } from "vitest";
import { traceHeader } from "./trace.ts";

test("each request begins a trace of its own, and asks for nothing to be recorded [P-03]", () => {
  const sent = Array.from({ length: 100 }, () =>
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-00$/.exec(traceHeader().traceparent),
  );
  expect(sent.every((one) => one && !/^0+$/.test(one[1] ?? "") && !/^0+$/.test(one[2] ?? ""))).toBe(true);
  expect(new Set(sent.map((one) => one?.[1])).size).toBe(100);
});
