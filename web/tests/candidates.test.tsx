/** A candidate whom RdvPermis does not know as written: shown at the field, and corrected there. */
import { screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Mandate } from "../src/api/contract/types.ts";
import { failsWith } from "./fails-with.ts";
import { makeCandidate, makeMandate, makeWorld, type World } from "./mock/world.ts";
import { type Drawn, draw } from "./school.tsx";

vi.mock("../src/live/trusted-event.ts", () => ({ isTrusted: () => true, ignoreKeyRepeat: () => undefined }));

let drawn: Drawn | undefined;
afterEach(() => {
  drawn?.server.close();
  drawn = undefined;
});

/** A school with one candidate, whom no rule refuses; only their mandate's state varies. */
function schoolOf(mandates: Mandate[]): World {
  const world = makeWorld();
  world.standings = [];
  world.candidates = [makeCandidate("k-9", "Martim", "Léa", mandates)];
  return world;
}

function refused(rdvpermisCode: string): World {
  return schoolOf([makeMandate("k-9", { state: "refused", expiresAt: null, since: null, rdvpermisCode })]);
}

const REFUSALS = ["CANDIDAT_INCONNU", "EMAIL_MANQUANT", "EMAIL_DEJA_ATTRIBUE"];

describe("whether a candidate may be booked", () => {
  test.each([
    ["refused", refused("CANDIDAT_INCONNU")],
    ["pending", schoolOf([makeMandate("k-9", { state: "pending", expiresAt: null })])],
    ["none", schoolOf([])],
  ])(
    "fault tried-1: with no active mandate (%s) the page does not claim that a booking is possible",
    async (_state, world) => {
      drawn = await draw("/candidats/k-9", "Martim Léa", world);
      const card = await screen.findByRole("region", { name: "Réservation possible ?" });
      // The answer has come once the skeleton is gone.
      await vi.waitFor(() => expect(card.querySelector("[aria-busy=true]")).toBeNull());
      await failsWith(/expected 'Réservation possible \?rien ne l.*' not to match/, () =>
        expect(card.textContent).not.toMatch(/rien ne l'empêche/),
      );
    },
  );

  test("with an active mandate and no penalty a booking is possible", async () => {
    drawn = await draw("/candidats/k-9", "Martim Léa", schoolOf([makeMandate("k-9")]));
    const card = await screen.findByRole("region", { name: "Réservation possible ?" });
    expect(await within(card).findByText("rien ne l'empêche")).toBeTruthy();
  });
});

describe("a refused name, NEPH or address", () => {
  test.each(REFUSALS)("fault tried-1: %s leads to its correction, with what is written in it", async (code) => {
    drawn = await draw("/candidats/k-9", "Martim Léa", refused(code));
    const user = userEvent.setup();
    await screen.findByText(new RegExp(code));
    await failsWith(/Unable to find .*role.*button.*Corriger/, async () => {
      await user.click(screen.getByRole("button", { name: /^Corriger/ }));
      const values = [/Nom de naissance/, /Prénom/, /NEPH/, /Adresse électronique/].map(
        (name) => screen.getByRole<HTMLInputElement>("textbox", { name }).value,
      );
      expect(values).toEqual(["Martim", "Léa", "020694100123", "léa@example.test"]);
    });
  });

  test("fault tried-1: just registered, its refused mandate leads to the correction, not to a dead form", async () => {
    drawn = await draw("/candidats", "Candidats", schoolOf([]));
    drawn.server.use(
      http.post("*/api/v1/mandates", () =>
        HttpResponse.json({ code: "RDVPERMIS_CANDIDATE_UNKNOWN", status: 409 }, { status: 409 }),
      ),
    );
    const user = userEvent.setup();
    await user.click(screen.getByRole("button", { name: "Nouveau candidat" }));
    await user.type(screen.getByRole("textbox", { name: /Nom de naissance/ }), "Dialo");
    await user.type(screen.getByRole("textbox", { name: /Prénom/ }), "Awa");
    await user.type(screen.getByRole("textbox", { name: /NEPH/ }), "020694100124");
    await user.click(screen.getByRole("button", { name: "Inscrire et demander le mandat" }));
    expect(await screen.findByText(/Le candidat est inscrit ; son mandat ne l'est pas\./)).toBeTruthy();
    const way =
      screen.queryByRole("button", { name: /^Corriger/ }) ?? screen.queryByRole("link", { name: /^Corriger/ });
    await failsWith(/expected null to be truthy/, () => expect(way).toBeTruthy());
  });
});

describe("a search for a frequent name", () => {
  test("fault tried-7: that stops before the last shows that it does, and the rest when asked", async () => {
    const world = makeWorld();
    world.candidates = Array.from({ length: 20 }, (_, index) => makeCandidate(`k-${index}`, "Martin", `Léa ${index}`));
    drawn = await draw("/candidats", "Candidats", world);
    drawn.server.use(
      http.post("*/api/v1/candidates/search", () =>
        HttpResponse.json({ items: world.candidates, nextCursor: "more", serverTime: new Date().toISOString() }),
      ),
    );
    const user = userEvent.setup();
    await user.type(screen.getByRole("searchbox", { name: "Chercher un candidat" }), "Martin");
    expect(await screen.findByRole("link", { name: "Martin Léa 19" })).toBeTruthy();
    const more = screen.queryByRole("button", { name: "Afficher la suite" });
    await failsWith(/expected null to be truthy/, () => expect(more).toBeTruthy());
  });
});
