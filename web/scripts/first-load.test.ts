import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { patternOf, routesOf } from "./first-load.ts";

const source = readFileSync(new URL("../src/routes.tsx", import.meta.url), "utf8");

describe("first load", () => {
  it("finds the page of every address in routes.tsx", () => {
    const routes = routesOf(source);
    expect(routes).toHaveLength(source.match(/createRoute\(\{/g)?.length ?? 0);
    expect(routes).toContainEqual({ address: "/candidats/$id", page: "src/pages/candidates/CandidatePage.tsx" });
    expect(() => routesOf("const routes = [];")).toThrow("has not the shape");
  });

  it.each([
    ["/", "/", true],
    ["/", "/creneaux", false],
    ["/candidats/$id", "/candidats/c-1", true],
    ["/candidats/$id", "/candidats", false],
    ["/candidats/$id", "/candidats/c-1/more", false],
    ["/panier", "/panier/", true],
  ])("%s takes %s: %s", (address, path, taken) => {
    expect(new RegExp(patternOf(address)).test(path)).toBe(taken);
  });
});
