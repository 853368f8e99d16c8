import { readFileSync } from "node:fs";
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { afterEach, describe, expect, test } from "vitest";
import { areaText, causeText } from "../src/pages/journal/details.ts";
import { placeOf } from "../src/pages/messages/Messages.tsx";
import { setChoice } from "../src/pages/slots/choice.ts";
import { iso, makeWorld } from "./mock/world.ts";
import { type Drawn, draw } from "./school.tsx";
import { hand } from "./trusted-event.ts";

let drawn: Drawn | undefined;
afterEach(() => {
  drawn?.server.close();
  drawn = undefined;
  setChoice([]);
});

/** Counts the requests to one path and answers them on demand. */
function gate(server: Drawn["server"], path: string) {
  const keys: (string | null)[] = [];
  let open: () => void = () => undefined;
  const closed = new Promise<void>((resolve) => {
    open = resolve;
  });
  server.use(
    http.post(path, async ({ request }) => {
      keys.push(request.headers.get("Idempotency-Key"));
      await closed;
      return HttpResponse.json({ code: "RDVPERMIS_DOWN", status: 503 }, { status: 503 });
    }),
  );
  return { keys, open };
}

describe("an address that is wrong in one part", () => {
  /** What a page asks of `path` when it is opened at `address`. */
  async function asked(address: string, heading: string, path: string): Promise<URLSearchParams[]> {
    const queries: URLSearchParams[] = [];
    const listen = (request: Request) => {
      const url = new URL(request.url);
      if (url.pathname === path) queries.push(url.searchParams);
    };
    drawn = await draw(address, heading, makeWorld(), listen);
    await waitFor(() => expect(queries.length).toBeGreaterThan(0));
    return queries;
  }

  test("is the page without that part: a search of slots", async () => {
    const address =
      "/creneaux?du=2026-13-45&au=demain&de=99&departement=91&categorie=Z&km=7&centres=%3Cb%3E&nom=Martin";
    for (const query of await asked(address, "Créneaux", "/api/v1/slots")) {
      expect(query.get("from")).toMatch(/^2\d{3}-\d{2}-\d{2}$/);
      expect([query.get("department"), query.get("category"), query.get("dayFrom")]).toEqual(["91", "B", null]);
      expect([...query.keys()]).not.toContain("centre");
    }
  });

  test("is the page without that part: bookings", async () => {
    const [query] = await asked("/reservations?onglet=rien", "Réservations", "/api/v1/bookings");
    expect(query?.get("filter")).toBe("upcoming");
  });

  test("is the page without that part: the journal", async () => {
    const [query] = await asked("/journal?objet=%3Cb%3E&acte=basket.hold", "Journal", "/api/v1/audit/records");
    expect([query?.get("objectId"), query?.get("action")]).toEqual([null, "basket.hold"]);
  });
});

describe("the basket", () => {
  test("an unnamed line blocks validation and shows why, the button stays reachable [R-30]", async () => {
    drawn = await draw("/panier", "Panier");
    const [group] = await screen.findAllByRole("region", { name: /^Demande de / });
    if (!group) throw new Error("no group");
    const button = within(group).getByRole("button", { name: "Valider" });
    expect(button.getAttribute("aria-disabled")).toBe("true");
    expect(within(group).getByText("1 ligne sans candidat : nommez-le, ou rendez le créneau.")).toBeTruthy();
    button.focus();
    expect(document.activeElement).toBe(button);
  });

  test("a request keeps its name when another comes before it", async () => {
    drawn = await draw("/panier", "Panier");
    const titles = async () =>
      (await screen.findAllByRole("heading", { level: 2, name: /^Demande de / })).map((one) => one.textContent);
    const before = await titles();
    const [first] = drawn.world.basket.groups;
    if (!first) throw new Error("no group");
    drawn.world.basket.groups.unshift({
      ...first,
      id: "newer",
      createdAt: iso(-5000),
      lines: first.lines.map((line) => ({ ...line, id: `n-${line.id}` })),
    });
    await drawn.client.invalidateQueries({ queryKey: ["basket"] });
    await waitFor(async () => expect((await titles()).slice(1)).toEqual(before));
  });

  test("an unknown outcome shows since when, and offers nothing to press [R-16]", async () => {
    drawn = await draw("/panier", "Panier");
    const line = (await screen.findByText(/En cours de confirmation auprès de RdvPermis/)).closest("li");
    if (!line) throw new Error("no line");
    expect(line.textContent).toMatch(/Depuis/);
    expect(within(line).queryByRole("button")).toBeNull();
  });

  test("an expired line keeps its candidate in words [R-15]", async () => {
    drawn = await draw("/panier", "Panier");
    expect(await screen.findByText(/Votre choix de candidat est gardé/)).toBeTruthy();
    expect(screen.getByText("Awa Diallo")).toBeTruthy();
  });

  test("giving back names the slot, asks first, and keeps by default [R-13]", async () => {
    drawn = await draw("/panier", "Panier");
    const user = userEvent.setup();
    const [give] = await screen.findAllByRole("button", { name: /^Rendre / });
    if (!give) throw new Error("nothing to give back");
    await user.click(give);
    const dialog = await screen.findByRole("dialog");
    expect(dialog.textContent).toMatch(/Léa Martin/);
    await user.click(within(dialog).getByRole("button", { name: "Garder" }));
    expect(drawn.world.basket.groups[0]?.lines[0]?.state).toBe("held");
  });
});

describe("holding", () => {
  test("a double click is one act: locked until answered, then the same key after an unsettled answer", async () => {
    drawn = await draw("/creneaux?vue=liste", "Créneaux");
    const user = userEvent.setup();
    const { keys, open } = gate(drawn.server, "*/api/v1/basket/items");
    await user.click((await screen.findAllByRole("button", { name: /ouvert$/ }))[0] as HTMLElement);
    const hold = screen.getByRole("button", { name: "Retenir ce créneau" });
    await user.dblClick(hold);
    expect((await screen.findByRole("button", { name: "Demande envoyée…" })).getAttribute("aria-disabled")).toBe(
      "true",
    );
    open();
    await screen.findByText(/RdvPermis nous fait attendre/);
    await user.click(screen.getByRole("button", { name: "Retenir ce créneau" }));
    await waitFor(() => expect(keys).toHaveLength(2));
    expect(keys[0]).toBeTruthy();
    expect(keys[1]).toBe(keys[0]);
  });

  test("a slot that RdvPermis granted is ours at once, however late the slots are read again [R-16]", async () => {
    drawn = await draw("/creneaux?vue=liste", "Créneaux");
    const user = userEvent.setup();
    const [first] = await screen.findAllByRole("button", { name: /ouvert$/ });
    if (!first) throw new Error("nothing open");
    const name = first.getAttribute("aria-label")?.replace(/, choisir, ouvert$/, "") ?? "";
    // From here on neither the slots nor the basket are read again.
    drawn.server.use(
      http.get("*/api/v1/slots", () => new Promise<never>(() => undefined)),
      http.get("*/api/v1/basket", () => new Promise<never>(() => undefined)),
    );
    await user.click(first);
    await user.click(screen.getByRole("button", { name: "Retenir ce créneau" }));
    expect(await screen.findByRole("button", { name: `Pourquoi ? ${name}, à vous` })).toBeTruthy();
    expect(screen.queryByRole("button", { name: `${name}, choisir, ouvert` })).toBeNull();
  });

  test("a fifth choice is refused where the eye is, until the choice changes [R-14]", async () => {
    drawn = await draw("/creneaux?vue=liste", "Créneaux");
    const user = userEvent.setup();
    const open = await screen.findAllByRole("button", { name: /ouvert$/ });
    for (const slot of open.slice(0, 5)) await user.click(slot);
    const bar = screen.getByRole("region", { name: "Créneaux choisis" });
    expect(within(bar).getByText("4 choisis sur 4")).toBeTruthy();
    expect(within(bar).getByText(/n'est pas choisi : au plus 4 créneaux par demande/)).toBeTruthy();
    await user.click(open[0] as HTMLElement);
    expect(within(bar).queryByText(/n'est pas choisi/)).toBeNull();
  });

  test("an event that is not trusted sends nothing [R-20]", async () => {
    drawn = await draw("/creneaux?vue=liste", "Créneaux");
    const user = userEvent.setup();
    const { keys } = gate(drawn.server, "*/api/v1/basket/items");
    await user.click((await screen.findAllByRole("button", { name: /ouvert$/ }))[0] as HTMLElement);
    hand.human = false;
    await user.click(screen.getByRole("button", { name: "Retenir ce créneau" }));
    expect(screen.getByRole("button", { name: "Retenir ce créneau" })).toBeTruthy();
    expect(keys).toHaveLength(0);
  });
});

describe("a new candidate", () => {
  test("an odd NEPH is a warning; a refusal keeps what was typed [R-01]", async () => {
    drawn = await draw("/candidats", "Candidats");
    const user = userEvent.setup();
    drawn.server.use(
      http.post("*/api/v1/candidates", () =>
        HttpResponse.json({ code: "RDVPERMIS_CANDIDATE_UNKNOWN", status: 422 }, { status: 422 }),
      ),
    );
    await user.click(screen.getByRole("button", { name: "Nouveau candidat" }));
    await user.type(screen.getByRole("textbox", { name: /Nom de naissance/ }), "Martin");
    await user.type(screen.getByRole("textbox", { name: /Prénom/ }), "Léa");
    await user.type(screen.getByRole("textbox", { name: /NEPH/ }), "0012");
    expect(screen.getByText(/en général 12 chiffres/)).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Inscrire et demander le mandat" }));
    expect(await screen.findByText(/Candidat introuvable/)).toBeTruthy();
    expect(screen.getByRole<HTMLInputElement>("textbox", { name: /NEPH/ }).value).toBe("0012");
  });
});

describe("around the pages", () => {
  test("signed out, an address shows what this is and leads back to it [S-01]", async () => {
    drawn = await draw("/seuils", "Réservez les créneaux d'examen de vos élèves, sans surprise.", {
      ...makeWorld(),
      signedIn: false,
    });
    const link = screen.getByRole("link", { name: "Se connecter avec RdvPermis" });
    expect(link.getAttribute("href")).toBe("/auth/login?returnTo=%2Fseuils");
    expect(screen.getByText("Service privé, distinct de RdvPermis.")).toBeTruthy();
  });

  test("a failed read is shown with its reference, and can be tried again", async () => {
    drawn = await draw("/", "Accueil");
    const user = userEvent.setup();
    drawn.server.use(
      http.get(
        "*/api/v1/thresholds",
        () => HttpResponse.json({ code: "INTERNAL", errorId: "e-42", status: 500 }, { status: 500 }),
        { once: true },
      ),
    );
    await user.click(screen.getAllByRole("link", { name: "Seuils" })[0] as HTMLElement);
    expect(await screen.findByText("Refus inattendu, déjà signalé. Référence e-42.")).toBeTruthy();
    await user.click(screen.getByRole("button", { name: "Actualiser" }));
    expect(await screen.findByText("Val-de-Marne, B")).toBeTruthy();
  });

  test("a threshold shows what is left, and when none is [R-10]", async () => {
    drawn = await draw("/seuils", "Seuils");
    expect(await screen.findByText("Val-de-Marne, B")).toBeTruthy();
    expect(screen.getByText("Reste 4 aujourd'hui")).toBeTruthy();
    expect(screen.getByText("4 ce mois-ci, sur 13")).toBeTruthy();
    expect(screen.getByText(/Plafond du moment atteint\. Il remonte le/)).toBeTruthy();
  });

  test("a school that counts no trainer has an unknown threshold, not one that is reached three times [R-10]", async () => {
    const world = makeWorld();
    const [one] = world.thresholds;
    if (!one) throw new Error("no threshold");
    const nobody = { limit: 0, pacedLimit: 0, ownLimit: null, rdvpermisLimit: 0, fte: 0, fteSource: "unknown" };
    const figures = { taken: 0, held: 0, elsewhere: 0, left: 0, leftToday: 0, difference: null };
    world.thresholds = ["2026-11", "2026-12", "2027-01"].map((month) => ({ ...one, ...nobody, ...figures, month }));
    drawn = await draw("/seuils", "Seuils", world);
    expect(await screen.findByText(/Seuil inconnu : aucun formateur n'est compté/)).toBeTruthy();
    expect(screen.getByRole("link", { name: "Déclarez vos heures" }).getAttribute("href")).toMatch(/heures/);
    expect(screen.getAllByText("Seuil inconnu")).toHaveLength(3);
    expect(screen.queryByText(/atteint/)).toBeNull();
  });

  test("ours and RdvPermis' figure are both shown, and which one counts; a coming rule is announced [R-10] [R-24]", async () => {
    drawn = await draw("/seuils", "Seuils");
    expect(
      await screen.findByText(/1 de moins que notre calcul : c'est le chiffre de RdvPermis qui s'applique/),
    ).toBeTruthy();
    expect(screen.getByText(/calculé à partir des heures déclarées/)).toBeTruthy();
    expect(await screen.findByText(/4,5 aujourd'hui, 5 à partir du/)).toBeTruthy();
  });

  test("a proof is recomputed in the browser [T-03]", async () => {
    drawn = await draw("/journal", "Journal");
    const user = userEvent.setup();
    const [verify] = await screen.findAllByRole("button", { name: /Vérifier la preuve/ });
    await user.click(verify as HTMLElement);
    expect(await screen.findByText(/La preuve tient/)).toBeTruthy();
  });

  test("a school sees who of its own was refused what, why and how often [S-14]", async () => {
    const world = makeWorld();
    const [first] = world.records;
    if (first) {
      world.records = [
        {
          ...first,
          action: "access.denied",
          outcome: "refused",
          facts: { reason: "csrf_token", count: "37" },
          object: { kind: "route", id: "POST /api/v1/mandates" },
        },
      ];
    }
    drawn = await draw("/journal?journal=securite", "Journal", world);
    expect(await screen.findByText("jeton de page absent ou périmé, 37 fois : Candidats")).toBeTruthy();
    expect(screen.queryByText(/api\/v1/)).toBeNull();
    expect(screen.queryByLabelText("Journal affiché")).toBeNull();
  });

  test("the journal says why a session and a grant ended, and both can be asked for [S-14]", async () => {
    const world = makeWorld();
    const [first] = world.records;
    const ends: [string, Record<string, string>][] = [
      ["session.end", { cause: "signed_out" }],
      ["session.end", { cause: "ended_elsewhere" }],
      ["session.end", { cause: "replaced" }],
      ["grant.end", { reason: "invalid_grant" }],
      ["grant.end", { reason: "a new word" }],
    ];
    if (first) world.records = ends.map(([action, facts], n) => ({ ...first, id: `e-${n}`, action, facts }));
    drawn = await draw("/journal", "Journal", world);
    const rows = (await screen.findAllByRole("rowheader")).map((one) => one.textContent);
    expect(rows).toEqual([
      "Fin de session déconnexion",
      "Fin de session depuis une autre session de la même personne",
      "Fin de session remplacée par une nouvelle connexion dans le même navigateur",
      "Travail en arrière-plan : autorisation terminée refusée par RdvPermis",
      "Travail en arrière-plan : autorisation terminée a new word",
    ]);
    const acts = within(screen.getByLabelText("Actions"));
    for (const act of ["Fin de session", "Travail en arrière-plan autorisé"]) expect(acts.getByText(act)).toBeTruthy();
  });

  test("each cause of the contract has words of its own [S-14]", () => {
    const proto = readFileSync("../protos/resapermis/iam/v1/events.proto", "utf8");
    const comment = /message SessionEnded \{[\s\S]*?string cause/.exec(proto)?.[0] ?? "";
    const causes = [...comment.matchAll(/"([a-z_]+)"/g)].map(([, word]) => word ?? "");
    expect(causes).toContain("replaced");
    expect(new Set(causes.map(causeText)).size).toBe(causes.length);
    expect(causes.filter((cause) => causeText(cause) === cause)).toEqual([]);
  });

  test.each([
    ["DELETE /api/v1/me/sessions/{session_id}", "Mon compte"],
    ["GET /auth/session", "Connexion"],
    ["basket.v1.BasketService/HoldSlots", "Panier"],
    ["POST", ""],
    ["GET /nowhere", ""],
  ])("a school reads where something was refused, not its route: %s", (id, area) => {
    expect(areaText(id)).toBe(area);
  });

  test("who watches over security reads its journal beside the school's [S-14]", async () => {
    const world = makeWorld();
    world.roles = ["school_manager", "security_officer"];
    drawn = await draw("/journal", "Journal", world);
    const user = userEvent.setup();
    await screen.findByText("Réservation confirmée");
    await user.selectOptions(screen.getByLabelText("Journal affiché"), "securite");
    expect(
      await screen.findByText("identité falsifiée, 500 fois : mandate.v1.MandateService/ListMandates"),
    ).toBeTruthy();
    expect(screen.queryByText("Réservation confirmée")).toBeNull();
    const [verify] = screen.getAllByRole("button", { name: /Vérifier la preuve : accès refusé/i });
    await user.click(verify as HTMLElement);
    expect(await screen.findByText(/La preuve tient/)).toBeTruthy();
    expect(within(screen.getByLabelText("Actions")).getByText("Appels à RdvPermis")).toBeTruthy();
  });

  test.each([
    ["search.matched", "/creneaux"],
    ["rule.changed", "/seuils"],
    ["result.found", "/reservations"],
    ["authorisation.ending", "/equipe"],
    ["grant.ended", "/compte"],
    ["surprise", undefined],
  ])("a message of %s leads to %s", (kind, place) => {
    expect(placeOf(kind)).toBe(place);
  });

  test("a message is read at the click, before the answer [N-04]", async () => {
    drawn = await draw("/messages", "Messages");
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /Marquer comme lu/ }));
    await waitFor(() => expect(screen.queryByRole("button", { name: /Marquer comme lu/ })).toBeNull());
    await waitFor(() => expect(drawn?.world.notices[0]?.readAt).toBeTruthy());
  });
});
