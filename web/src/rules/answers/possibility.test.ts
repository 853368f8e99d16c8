import { describe, expect, test } from "vitest";
import { makeCandidate, makeLine, makeMandate, makeSlot } from "../../../tests/mock/world.ts";
import type { Basket, Booking, LineState, Mandate, Restriction } from "../../api/contract/types.ts";
import { possibilities } from "./possibility.ts";

const exam = makeSlot(0, "2026-12-09", 512);
const martin = { id: "k-1", displayName: "Martin Léa" };
const penalty: Restriction = {
  id: "r-1",
  category: "B",
  reason: "absence",
  detail: "",
  since: null,
  until: "2027-01-10T23:00:00Z",
  fromRdvpermis: true,
  waived: false,
  waiverProposed: false,
  waiverProposedByMe: false,
};

function basketWith(...states: LineState[]): Basket {
  const lines = states.map((state, index) => makeLine(`l-${index}`, exam, { state, candidate: martin }));
  return {
    groups: [{ id: "g-1", createdAt: null, expiresAt: null, lines }],
    limits: { group: 4, basket: 12, holdTtlSeconds: 900 },
    serverTime: "2026-11-30T13:00:00Z",
  };
}

function verdicts({
  mandates = [makeMandate("k-1")],
  restrictions = [],
  bookings = [],
  basket = basketWith(),
}: {
  mandates?: Mandate[];
  restrictions?: Restriction[];
  bookings?: Booking[];
  basket?: Basket;
} = {}) {
  return possibilities({
    candidate: makeCandidate("k-1", "Martin", "Léa", mandates),
    standing: { candidateId: "k-1", restrictions, nextPossibleAt: {} },
    bookings,
    basket,
  });
}

describe("whether a candidate may be booked, as far as it is known of the candidate [R-21] [R-29]", () => {
  test("an active mandate, and nothing else, makes it possible", () => {
    expect(verdicts()).toEqual([{ category: "B", verdict: "possible", reasons: [] }]);
    expect(verdicts({ basket: basketWith("refused", "expired", "released") })[0]?.verdict).toBe("possible");
    expect(verdicts({ restrictions: [{ ...penalty, waived: true }] })[0]?.verdict).toBe("possible");
  });

  test.each<[string, Mandate["state"], string | null, string, RegExp]>([
    ["a NEPH that RdvPermis does not know", "refused", "CANDIDAT_INCONNU", "unmandated", /^Candidat introuvable/],
    ["a pending mandate", "pending", null, "awaited", /^Le mandat est demandé/],
    ["a revoked mandate", "revoked", null, "unmandated", /^Le mandat est rendu/],
    ["an ended mandate", "expired", null, "unmandated", /^Le mandat a expiré/],
    ["a mandate of another school", "superseded", null, "unmandated", /une autre école/],
  ])("%s does not", (_case, state, rdvpermisCode, verdict, reason) => {
    const [found] = verdicts({ mandates: [makeMandate("k-1", { state, rdvpermisCode })] });
    expect(found?.verdict).toBe(verdict);
    expect(found?.reasons).toEqual([expect.stringMatching(reason)]);
  });

  test("of several mandates of a licence the one in force counts, else the one that is asked for", () => {
    const ended = makeMandate("k-1", { id: "m-2", state: "revoked" });
    expect(verdicts({ mandates: [ended, makeMandate("k-1")] })[0]?.verdict).toBe("possible");
    expect(verdicts({ mandates: [ended, makeMandate("k-1", { state: "pending" })] })[0]?.verdict).toBe("awaited");
  });

  test("a booked person is not, whatever the mandate", () => {
    const booked = makeLine("b-1", exam, { state: "booked", candidate: martin });
    const [found] = verdicts({ bookings: [booked], mandates: [makeMandate("k-1", { state: "revoked" })] });
    expect(found?.verdict).toBe("booked");
    expect(found?.reasons).toEqual([
      expect.stringMatching(/^Examen déjà réservé : mer\. 9 déc\. 08:32, Rungis\.$/),
      expect.stringMatching(/^Le mandat est rendu/),
    ]);
  });

  test.each<[LineState, RegExp]>([
    ["held", /^Déjà sur une ligne du panier/],
    ["asking", /^En cours de confirmation/],
    ["confirming", /^En cours de confirmation/],
  ])("nor one who stands in the basket (%s)", (state, reason) => {
    const [found] = verdicts({ basket: basketWith(state) });
    expect(found?.verdict).toBe("held");
    expect(found?.reasons).toEqual([expect.stringMatching(reason)]);
  });

  test("a penalty bars, and one licence says nothing of another", () => {
    const found = verdicts({
      restrictions: [penalty],
      mandates: [makeMandate("k-1"), makeMandate("k-1", { category: "A" })],
    });
    expect(found.map(({ category, verdict }) => [category, verdict])).toEqual([
      ["A", "possible"],
      ["B", "restricted"],
    ]);
  });

  test("without any mandate there is no licence to speak of", () => {
    expect(verdicts({ mandates: [] })).toEqual([]);
  });
});
