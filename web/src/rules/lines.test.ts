import { describe, expect, test } from "vitest";
import { makeLine, makeSlot } from "../../tests/mock/world.ts";
import type { Basket, Group, LineState } from "../api/contract/types.ts";
import { inBasket, withBasket, withGroup } from "./lines.ts";

const slots = [0, 1, 2].map((index) => makeSlot(index, "2026-12-09", 480 + index * 32));

function group(id: string, ...states: LineState[]): Group {
  const lines = states.map((state, index) => makeLine(`${id}/${index}`, makeSlot(index, "2026-12-09", 480), { state }));
  return { id, createdAt: "2026-11-30T13:02:31Z", expiresAt: null, lines };
}

const basket = (...groups: Group[]): Basket => ({
  groups,
  limits: { group: 4, basket: 12, holdTtlSeconds: 900 },
  serverTime: "2026-11-30T13:02:31Z",
});

describe("slots as the basket has them [R-16]", () => {
  test("one that RdvPermis granted is ours, one that is asked for is not yet, one that it refused stays as it is", () => {
    const { ours, asked } = inBasket(basket(group("g", "held", "asking", "refused")));
    expect([[...ours], [...asked]]).toEqual([["slot-0"], ["slot-1"]]);
    expect(withBasket(slots, ours).map(({ status, allowed }) => [status, allowed])).toEqual([
      ["ours", false],
      ["free", true],
      ["free", true],
    ]);
  });

  test("the answer to a hold is in the basket once, and first; one without a living line is not", () => {
    const before = basket(group("old", "held"), group("new", "asking"));
    expect(withGroup(before, group("new", "held")).groups.map(({ id }) => id)).toEqual(["new", "old"]);
    expect(withGroup(before, group("lost", "refused"))).toBe(before);
  });
});
