/** A candidate whom RdvPermis does not know as written: shown at the field, and corrected there. */
import { cleanup, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { afterEach, describe, expect, test, vi } from "vitest";
import type { Mandate } from "../src/api/contract/types.ts";
import { makeCandidate, makeMandate, makeWorld, type World } from "./mock/world.ts";
import { type Drawn, draw } from "./school.tsx";

let drawn: Drawn | undefined;
afterEach(() => {
  drawn?.server.close();
  drawn = undefined;
  sessionStorage.clear();
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
  ])("with no active mandate (%s) the page does not claim that a booking is possible", async (_state, world) => {
    drawn = await draw("/candidats/k-9", "Léa Martim", world);
    const card = await screen.findByRole("region", { name: "Réservation possible ?" });
    // The answer has come once the skeleton is gone.
    await vi.waitFor(() => expect(card.querySelector("[aria-busy=true]")).toBeNull());
    expect(card.textContent).not.toMatch(/oui/);
    expect(card.textContent).toMatch(/pas encore/);
  });

  test("with an active mandate and no penalty a booking is possible, as far as the page looked", async () => {
    drawn = await draw("/candidats/k-9", "Léa Martim", schoolOf([makeMandate("k-9")]));
    const card = await screen.findByRole("region", { name: "Réservation possible ?" });
    expect(await within(card).findByText("oui, selon le créneau")).toBeTruthy();
    expect(card.textContent).toMatch(/Vérifié ici : mandat, pénalités, réservations et panier/);
  });

  test("who is booked is not offered again, and nothing is said where the bookings cannot be read [R-29]", async () => {
    const world = schoolOf([makeMandate("k-9")]);
    const [booking] = world.bookings.upcoming;
    if (!booking) throw new Error("nothing booked");
    booking.candidate = { id: "k-9", displayName: "Léa Martim" };
    drawn = await draw("/candidats/k-9", "Léa Martim", world);
    const card = await screen.findByRole("region", { name: "Réservation possible ?" });
    expect(await within(card).findByText("déjà réservé")).toBeTruthy();
    expect(card.textContent).toMatch(/Examen déjà réservé : .*Rungis|Examen déjà réservé : .*(Créteil|Maisons-Alfort)/);
    drawn.server.close();
    cleanup();
    drawn = await draw("/candidats", "Candidats", world);
    drawn.server.use(http.get("*/api/v1/bookings", () => HttpResponse.json({ code: "FORBIDDEN" }, { status: 403 })));
    const user = userEvent.setup();
    await user.click(await screen.findByRole("link", { name: /Léa Martim/ }));
    const unread = await screen.findByRole("region", { name: "Réservation possible ?" });
    expect(await within(unread).findByText(/Votre rôle ne le permet pas/)).toBeTruthy();
    expect(unread.textContent).not.toMatch(/oui|Vérifié/);
  });
});

describe("giving a mandate back", () => {
  test("names the exam that stays booked, and what can still be done with it [R-05]", async () => {
    const world = schoolOf([makeMandate("k-9")]);
    const [booking] = world.bookings.upcoming;
    if (!booking) throw new Error("nothing booked");
    booking.candidate = { id: "k-9", displayName: "Léa Martim" };
    drawn = await draw("/candidats/k-9", "Léa Martim", world);
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /^Rendre le mandat/ }));
    const dialog = await screen.findByRole("dialog");
    expect(await within(dialog).findByText(/^Un examen reste réservé : /)).toBeTruthy();
    expect(dialog.textContent).toMatch(/Rendre le mandat ne l'annule pas/);
  });

  test("says so where none is booked", async () => {
    drawn = await draw("/candidats/k-9", "Léa Martim", schoolOf([makeMandate("k-9")]));
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /^Rendre le mandat/ }));
    const dialog = await screen.findByRole("dialog");
    expect(await within(dialog).findByText("Aucun examen n'est réservé pour ce permis.")).toBeTruthy();
  });
});

/** The four values of the form that is open. */
function written(): string[] {
  return [/Nom de naissance/, /Prénom/, /NEPH/, /Adresse électronique/].map(
    (name) => screen.getByRole<HTMLInputElement>("textbox", { name }).value,
  );
}

describe("a refused name, NEPH or address", () => {
  test.each(REFUSALS)("%s leads to its correction, with what is written in it", async (code) => {
    drawn = await draw("/candidats/k-9", "Léa Martim", refused(code));
    const user = userEvent.setup();
    await screen.findByText(new RegExp(code));
    await user.click(screen.getByRole("button", { name: /^Corriger/ }));
    expect(written()).toEqual(["Martim", "Léa", "020694100123", "léa@example.test"]);
  });

  test.each([
    ["CANDIDAT_INCONNU", /Nom de naissance/],
    ["EMAIL_DEJA_ATTRIBUE", /Adresse électronique/],
  ])("beside %s the correction begins at the field in doubt", async (code, field) => {
    drawn = await draw("/candidats/k-9", "Léa Martim", refused(code));
    const user = userEvent.setup();
    await screen.findByText(new RegExp(code));
    await user.click(screen.getByRole("button", { name: "Vérifier la saisie…" }));
    expect(document.activeElement).toBe(screen.getByRole("textbox", { name: field }));
  });

  const before = makeMandate("k-9", { state: "refused", rdvpermisCode: "CANDIDAT_INCONNU" });
  test.each([
    ["that no correction settles", refused("CANDIDAT_SANS_DEMANDE_ACTIVE"), /CANDIDAT_SANS_DEMANDE_ACTIVE/],
    [
      "asked for again since",
      schoolOf([makeMandate("k-9", { id: "m-2", state: "pending" }), before]),
      /CANDIDAT_INCONNU/,
    ],
  ])("a refusal %s offers no correction beside it", async (_which, world, code) => {
    drawn = await draw("/candidats/k-9", "Léa Martim", world);
    await screen.findByText(code);
    expect(screen.queryByRole("button", { name: "Vérifier la saisie…" })).toBeNull();
  });

  test("just registered, its refused mandate leads to the correction, not to a dead form", async () => {
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
    await user.click(screen.getByRole("link", { name: /^Corriger/ }));
    await screen.findByRole("heading", { level: 1, name: "Awa Dialo" });
    expect(written()).toEqual(["Dialo", "Awa", "020694100124", ""]);
  });

  test("a NEPH that the school has already leads to whose it is", async () => {
    drawn = await draw("/candidats", "Candidats", schoolOf([]));
    drawn.server.use(
      http.post("*/api/v1/candidates", () =>
        HttpResponse.json(
          { code: "NEPH_KNOWN", status: 409, objectId: "k-9", violations: [{ field: "neph", description: "known" }] },
          { status: 409 },
        ),
      ),
    );
    const user = userEvent.setup();
    await user.click(screen.getByRole("button", { name: "Nouveau candidat" }));
    await user.type(screen.getByRole("textbox", { name: /Nom de naissance/ }), "Diallo");
    await user.type(screen.getByRole("textbox", { name: /Prénom/ }), "Awa");
    await user.type(screen.getByRole("textbox", { name: /NEPH/ }), "020694100123");
    await user.click(screen.getByRole("button", { name: "Inscrire et demander le mandat" }));
    expect(await screen.findByText("Un autre candidat de votre école a ce NEPH.")).toBeTruthy();
    await user.click(screen.getByRole("link", { name: "Voir la fiche qui a ce NEPH" }));
    expect(await screen.findByRole("heading", { level: 1, name: "Léa Martim" })).toBeTruthy();
  });
});

describe("a correction", () => {
  async function corrected(world: World) {
    drawn = await draw("/candidats/k-9", "Léa Martim", world);
    const bodies: unknown[] = [];
    drawn.server.events.on("request:start", async ({ request }) => {
      if (request.method === "PATCH") bodies.push(await request.clone().json());
    });
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /^Corriger/ }));
    return { user, bodies };
  }
  const set = async (user: ReturnType<typeof userEvent.setup>, field: RegExp, value: string) => {
    await user.clear(screen.getByRole("textbox", { name: field }));
    if (value) await user.type(screen.getByRole("textbox", { name: field }), value);
  };

  test("sends what was changed alone, over the version that was read, and shows it", async () => {
    const { user, bodies } = await corrected(refused("CANDIDAT_INCONNU"));
    await set(user, /Nom de naissance/, " Martin ");
    await set(user, /Adresse électronique/, "");
    await user.click(screen.getByRole("button", { name: "Enregistrer" }));
    expect(await screen.findByRole("heading", { level: 1, name: "Léa Martin" })).toBeTruthy();
    expect(bodies).toEqual([{ lastName: "Martin", email: null, version: 1 }]);
    expect(screen.queryByRole("textbox", { name: /Nom de naissance/ })).toBeNull();
  });

  test("that changes nothing sends nothing", async () => {
    const { user, bodies } = await corrected(refused("CANDIDAT_INCONNU"));
    await user.click(screen.getByRole("button", { name: "Enregistrer" }));
    expect(screen.queryByRole("button", { name: "Enregistrer" })).toBeNull();
    expect(bodies).toEqual([]);
    expect(document.activeElement).toBe(screen.getByRole("button", { name: /^Corriger/ }));
  });

  test("that is refused keeps what was typed and says so at its field", async () => {
    const { user } = await corrected(refused("EMAIL_MANQUANT"));
    drawn?.server.use(
      http.patch("*/api/v1/candidates/:id", () =>
        HttpResponse.json(
          { code: "MALFORMED", status: 422, violations: [{ field: "email", description: "no" }] },
          { status: 422 },
        ),
      ),
    );
    await set(user, /Adresse électronique/, "a..b@mail.example");
    await user.click(screen.getByRole("button", { name: "Enregistrer" }));
    expect(await screen.findByText("Indiquez une seule adresse, par exemple nom@exemple.fr.")).toBeTruthy();
    expect(written()[3]).toBe("a..b@mail.example");
  });

  test.each([
    ["active", [true, true, true, false]],
    ["pending", [false, false, true, false]],
    ["refused", [false, false, false, false]],
  ] as const)("with a mandate that is %s leaves alone what it fixes", async (state, fixed) => {
    await corrected(schoolOf([makeMandate("k-9", { state })]));
    const fields = [/Nom de naissance/, /Prénom/, /NEPH/, /Adresse électronique/].map((name) =>
      screen.getByRole<HTMLInputElement>("textbox", { name }),
    );
    expect(fields.map((one) => one.readOnly)).toEqual(fixed);
  });

  test("waits for who comes back to it", async () => {
    const { user } = await corrected(refused("CANDIDAT_INCONNU"));
    await set(user, /Nom de naissance/, "Martin");
    cleanup();
    drawn?.server.close();
    drawn = await draw("/candidats/k-9", "Léa Martim", refused("CANDIDAT_INCONNU"));
    expect((await screen.findByRole<HTMLInputElement>("textbox", { name: /Nom de naissance/ })).value).toBe("Martin");
  });
});

describe("a search for a frequent name", () => {
  test("that stops before the last shows that it does, and the rest when asked", async () => {
    const world = makeWorld();
    world.candidates = Array.from({ length: 21 }, (_, index) => makeCandidate(`k-${index}`, "Martin", `Léa ${index}`));
    drawn = await draw("/candidats", "Candidats", world);
    const pages: Record<string, unknown> = {
      "": { items: world.candidates.slice(0, 20), nextCursor: "more" },
      more: { items: world.candidates.slice(20), nextCursor: null },
    };
    drawn.server.use(
      http.post("*/api/v1/candidates/search", async ({ request }) =>
        HttpResponse.json(pages[((await request.json()) as { cursor: string }).cursor] as object),
      ),
    );
    const user = userEvent.setup();
    await user.type(screen.getByRole("searchbox", { name: "Chercher un candidat" }), "Martin");
    expect(await screen.findByText("D'autres portent ce nom.")).toBeTruthy();
    expect(await screen.findByRole("link", { name: "Léa 19 Martin" })).toBeTruthy();
    expect(screen.queryByRole("link", { name: "Léa 20 Martin" })).toBeNull();
    await user.click(screen.getByRole("button", { name: "Afficher la suite" }));
    expect(await screen.findByRole("link", { name: "Léa 20 Martin" })).toBeTruthy();
    expect(screen.queryByRole("button", { name: "Afficher la suite" })).toBeNull();
  });
});
