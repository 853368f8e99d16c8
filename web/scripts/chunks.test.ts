import { expect, it } from "vitest";
import { importedBy } from "./chunks.ts";

it("takes a module with all of ours that it imports, through circles, and nothing of others", () => {
  const graph: Record<string, string[]> = {
    "/src/a.ts": ["/src/b.ts", "/node_modules/barrel/index.mjs"],
    "/src/b.ts": ["/src/a.ts", "/src/c.ts"],
    "/src/c.ts": [],
    "/node_modules/barrel/index.mjs": ["/src/never.ts"],
  };
  const context = { getModuleInfo: (id: string) => ({ importedIds: graph[id] ?? [] }) };
  expect([...importedBy("/src/a.ts", context)].toSorted()).toEqual(["/src/a.ts", "/src/b.ts", "/src/c.ts"]);
});
