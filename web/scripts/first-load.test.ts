import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { ordered, patternOf, routesOf } from "./first-load.ts";

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

  it("asks for the styles first, then for code, and keeps the script before them, which would wait for them", () => {
    const built = `<head>
    <title>ResaPermis</title>
    <script type="module" src="/assets/index.js"></script>
    <link rel="stylesheet" crossorigin href="/assets/index.css" nonce="__CSP_NONCE__">
  </head>`;
    const page = ordered(built, "<script>early $& $'</script>");
    const places = ['as="style" crossorigin href="/assets/index.css"', "index.js", "early $& $'", 'rel="stylesheet"'];
    expect(places.map((one) => page.split(one).length)).toEqual([2, 2, 2, 2]);
    expect(places.map((one) => page.indexOf(one)).toSorted((a, b) => a - b)).toEqual(
      places.map((one) => page.indexOf(one)),
    );
    expect(() => ordered("<head></head>", "")).toThrow("has not the shape");
  });
});
