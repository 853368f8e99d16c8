/** The account page: one's grant for background work, and where one is signed in, each session ended by its owner's hand. */
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { afterEach, describe, expect, test } from "vitest";
import { endText, outcomeText, readOutcome } from "../src/pages/account/outcome.ts";
import { iso, makeGrant, makeWorld } from "./mock/world.ts";
import { type Drawn, draw } from "./school.tsx";

let drawn: Drawn | undefined;
afterEach(() => {
  drawn?.server.close();
  drawn = undefined;
});

const rows = async () => within(await screen.findByRole("region", { name: "Mes sessions" })).findAllByRole("listitem");
const background = async () => within(await screen.findByRole("region", { name: "Travail en arrière-plan" }));
const DAY = 86_400_000;

describe("my sessions [S-04]", () => {
  test("each says with what it was opened, this one is marked and has no button", async () => {
    drawn = await draw("/compte", "Mon compte");
    const [here, phone, unknown] = await rows();
    expect(here?.textContent).toMatch(/^Firefox, Linux .*cette session/);
    expect(within(here as HTMLElement).queryByRole("button")).toBeNull();
    expect(phone?.textContent).toMatch(/^Safari, iOS/);
    expect(unknown?.textContent).toMatch(/^Navigateur inconnu/);
    expect(
      within(phone as HTMLElement).getByRole("button", { name: /^Mettre fin à la session Safari, iOS/ }),
    ).toBeTruthy();
  });

  test("ending asks first, names the device, keeps by default", async () => {
    drawn = await draw("/compte", "Mon compte");
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /^Mettre fin à la session Safari/ }));
    const dialog = await screen.findByRole("dialog");
    expect(dialog.textContent).toMatch(/Safari, iOS, ouverte le .* il faudra s'y reconnecter/);
    await user.click(within(dialog).getByRole("button", { name: "Garder" }));
    expect(drawn.world.ownSessions).toHaveLength(3);
    await user.click(await screen.findByRole("button", { name: /^Mettre fin à la session Safari/ }));
    await userEvent
      .setup()
      .click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Mettre fin" }));
    await waitFor(() => expect(drawn?.world.ownSessions.map(({ id }) => id)).toEqual(["o-1", "o-3"]));
    await waitFor(async () => expect(await rows()).toHaveLength(2));
    expect(screen.getAllByText("Session terminée : Safari, iOS.").length).toBeGreaterThan(0);
  });

  test("where it must be confirmed who is there, a link leads to RdvPermis and back here", async () => {
    drawn = await draw("/compte", "Mon compte");
    drawn.server.use(
      http.delete("*/api/v1/me/sessions/:id", () =>
        HttpResponse.json({ code: "STEP_UP_NEEDED", status: 403 }, { status: 403 }),
      ),
    );
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /^Mettre fin à la session Safari/ }));
    const dialog = await screen.findByRole("dialog");
    await user.click(within(dialog).getByRole("button", { name: "Mettre fin" }));
    const refused = await within(dialog).findByRole("alert");
    expect(refused.textContent).toContain("confirmer votre identité");
    const link = within(refused).getByRole("link", { name: "Confirmer mon identité" });
    expect(link.getAttribute("href")).toBe("/auth/login?fresh=true&returnTo=%2Fcompte");
    expect(screen.queryByRole("heading", { name: "Votre session est terminée" })).toBeNull();
  });

  test("one that is over already says so and goes from the list", async () => {
    drawn = await draw("/compte", "Mon compte");
    await userEvent.setup().click(await screen.findByRole("button", { name: /^Mettre fin à la session Safari/ }));
    drawn.world.ownSessions = drawn.world.ownSessions.filter(({ id }) => id !== "o-2");
    await userEvent
      .setup()
      .click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Mettre fin" }));
    expect(await within(await screen.findByRole("dialog")).findByRole("alert")).toBeTruthy();
    await waitFor(() => expect(screen.queryByText("Safari, iOS")).toBeNull());
  });

  test("alone, one reads that there is no other; a failed read says so and can be repeated", async () => {
    const world = makeWorld();
    world.ownSessions = world.ownSessions.slice(0, 1);
    drawn = await draw("/compte", "Mon compte", world);
    expect(await screen.findByRole("heading", { name: "Aucune autre session" })).toBeTruthy();
    drawn.server.use(
      http.get("*/api/v1/me/sessions", () => HttpResponse.json({ code: "INTERNAL", status: 500 }, { status: 500 })),
    );
    await drawn.client.refetchQueries({ queryKey: ["own-sessions"] });
    expect(await screen.findByRole("alert")).toBeTruthy();
    expect(screen.getByText("Firefox, Linux"), "what was read stays").toBeTruthy();
    drawn.server.resetHandlers();
    await userEvent.setup().click(screen.getByRole("button", { name: "Actualiser" }));
    await waitFor(() => expect(screen.queryByRole("alert")).toBeNull());
  });
});

describe("background work on a grant [S-24]", () => {
  test("says what it does and what it never does, whoever gave it", async () => {
    drawn = await draw("/compte", "Mon compte");
    const section = await background();
    expect(section.getAllByRole("listitem").map((one) => one.textContent)).toEqual([
      expect.stringMatching(/^comparer vos réservations/),
      expect.stringMatching(/^relever les résultats/),
      expect.stringMatching(/^suivre les créneaux/),
      expect.stringMatching(/^rendre à RdvPermis ce que votre école ne retient plus/),
    ]);
    expect(section.getByText(/^Il ne retient, ne réserve, ne remplace et n'annule rien/)).toBeTruthy();
    expect(await section.findByText("Vous n'avez pas donné d'autorisation.")).toBeTruthy();
    expect(await section.findByText(/^Aucune autorisation n'est en vigueur dans votre école/)).toBeTruthy();
  });

  test("giving it leads to RdvPermis at one press, and a refusal is said", async () => {
    const asked: string[] = [];
    drawn = await draw("/compte", "Mon compte", makeWorld(), ({ method, url }) =>
      asked.push(`${method} ${new URL(url).pathname}`),
    );
    const section = await background();
    drawn.server.use(
      http.post("*/api/v1/me/grant", () => HttpResponse.json({ code: "UNAVAILABLE", status: 503 }, { status: 503 }), {
        once: true,
      }),
    );
    await userEvent.setup().click(await section.findByRole("button", { name: "Donner l'autorisation" }));
    expect(await section.findByRole("alert")).toBeTruthy();
    await userEvent.setup().click(section.getByRole("button", { name: "Donner l'autorisation" }));
    await waitFor(() => expect(window.location.hash).toBe("#chez-rdvpermis"));
    expect(asked.filter((one) => one === "POST /api/v1/me/grant")).toHaveLength(2);
    expect(section.getByRole("button", { name: "Demande envoyée…" }).getAttribute("aria-disabled")).toBe("true");
  });

  test("what stands is shown; withdrawing asks first, then it is over and said", async () => {
    const world = makeWorld();
    world.ownGrant.grant = makeGrant();
    world.background = { ...world.background, granted: true, employees: 1, waits: [] };
    drawn = await draw("/compte", "Mon compte", world);
    const section = await background();
    expect(await section.findByText("Autorisation en vigueur")).toBeTruthy();
    expect(section.queryByRole("button", { name: /^Donner|^Renouveler/ })).toBeNull();
    const user = userEvent.setup();
    await user.click(section.getByRole("button", { name: "Retirer l'autorisation…" }));
    const dialog = await screen.findByRole("dialog");
    expect(dialog.textContent).toMatch(/Tant que personne n'est connecté, .* restent en attente/);
    await user.click(within(dialog).getByRole("button", { name: "Garder" }));
    expect(world.ownGrant.grant).not.toBeNull();
    await user.click(section.getByRole("button", { name: "Retirer l'autorisation…" }));
    await userEvent.setup().click(within(await screen.findByRole("dialog")).getByRole("button", { name: "Retirer" }));
    const said = (await section.findByText("Autorisation retirée.")).closest("[tabindex]");
    await waitFor(() => expect(document.activeElement).toBe(said));
    expect(said?.closest("[role=status]")).not.toBeNull();
    expect(await section.findByText(/^Vous avez retiré votre autorisation le/)).toBeTruthy();
    expect(section.getByRole("button", { name: "Donner l'autorisation" })).toBeTruthy();
  });

  test("another's grant is said before withdrawing, and to whom has none", async () => {
    const world = makeWorld();
    world.ownGrant.grant = makeGrant();
    world.background = { ...world.background, granted: true, employees: 2, waits: [] };
    drawn = await draw("/compte", "Mon compte", world);
    const section = await background();
    await userEvent.setup().click(await section.findByRole("button", { name: "Retirer l'autorisation…" }));
    await waitFor(() =>
      expect(screen.getByRole("dialog").textContent).toMatch(/grâce à l'autorisation d'une autre personne/),
    );
    world.ownGrant.grant = null;
    await drawn.client.refetchQueries({ queryKey: ["grants"] });
    expect(
      await section.findByText(
        "L'autorisation d'une autre personne de votre école est en vigueur : rien n'est suspendu.",
      ),
    ).toBeTruthy();
  });

  test("a month before its end it can be renewed", async () => {
    const world = makeWorld();
    world.ownGrant.grant = makeGrant({ endsAt: iso(29 * DAY), lastUsedAt: null });
    drawn = await draw("/compte", "Mon compte", world);
    const section = await background();
    expect(await section.findByText("Prend fin bientôt")).toBeTruthy();
    expect(section.getByText("pas encore utilisée")).toBeTruthy();
    expect(section.getByRole("button", { name: "Renouveler l'autorisation" })).toBeTruthy();
  });

  test("who may not give one is told whom to ask", async () => {
    const world = makeWorld();
    world.ownGrant.mayGive = false;
    drawn = await draw("/compte", "Mon compte", world);
    const section = await background();
    expect(await section.findByText(/demandez à un responsable/)).toBeTruthy();
    expect(section.queryByRole("button")).toBeNull();
  });

  test.each([
    ["withdrawn", /^Vous avez retiré/],
    ["run_out", /comme prévu/],
    ["refused", /RdvPermis n'accepte plus/],
    ["lost", /devenue inutilisable/],
    ["other_school", /autre école/],
    ["no_right", /votre rôle/],
    ["other_provider", /un autre service\. Donnez-la à nouveau\.$/],
  ] as const)("says how it ended: %s", (reason, text) => {
    expect(endText({ endedAt: "2026-11-30T06:00:00Z", reason })).toMatch(text);
    expect(endText({ endedAt: "2026-11-30T06:00:00Z", reason })).toContain("30 novembre 2026");
  });

  test("the way back from RdvPermis is said once, focused, and leaves the address", async () => {
    const world = makeWorld();
    world.ownGrant.grant = makeGrant();
    drawn = await draw("/compte?grant=given", "Mon compte", world);
    const said = (await (await background()).findByText(/^Autorisation donnée/)).closest("[tabindex]");
    await waitFor(() => expect(document.activeElement).toBe(said));
    expect(window.location.search).toBe("");
  });

  test("an address that says it was given is not believed where nothing stands", async () => {
    drawn = await draw("/compte?grant=given", "Mon compte");
    const section = await background();
    await section.findByText("Vous n'avez pas donné d'autorisation.");
    expect(section.queryByText(/^Autorisation donnée/)).toBeNull();
  });

  test.each([
    ["refused", /^Vous avez refusé/],
    ["other_person", /^Une autre personne est connectée/],
    ["other_school", /^RdvPermis vous rattache/],
    ["not_offered", /accès durable/],
    ["signed_out", /^Votre session s'est terminée/],
    ["no_right", /^Votre rôle ne permet plus/],
    ["unavailable", /^Un service ne répond pas/],
    ["failed", /^RdvPermis n'a pas confirmé/],
  ])("says why nothing was given: %s", (word, text) => {
    const outcome = readOutcome(word);
    expect(outcome && outcomeText(outcome, null)?.text).toMatch(text);
    expect(outcome && outcomeText(outcome, null)?.text).toMatch(/Aucune autorisation n'a été donnée\./);
    const beside = outcome && outcomeText(outcome, makeGrant())?.text;
    expect(beside).toMatch(text);
    expect(beside).toMatch(/L'autorisation que vous aviez donnée ne change pas\.$/);
    expect(beside).not.toMatch(/Aucune autorisation n'a été donnée|[Rr]ecommencez/);
  });

  test("a word of the address that nobody knows says nothing", async () => {
    const world = makeWorld();
    world.ownGrant.grant = makeGrant();
    drawn = await draw("/compte?grant=a-word-of-tomorrow", "Mon compte", world);
    const section = await background();
    await section.findByText("Autorisation en vigueur");
    expect(section.getByRole("status").textContent).toBe("");
  });

  test("one that RdvPermis does not take is shown so, what waits too, and it can be given anew", async () => {
    const world = makeWorld();
    world.ownGrant.grant = makeGrant({ refusedAt: "2026-11-30T06:00:00Z" });
    drawn = await draw("/compte?grant=given", "Mon compte", world);
    const section = await background();
    expect(await section.findByText("Refusée par RdvPermis")).toBeTruthy();
    expect(section.queryByText(/Autorisation en vigueur|^Autorisation donnée/)).toBeNull();
    expect(section.getByText(/^RdvPermis ne l'accepte pas depuis le/)).toBeTruthy();
    expect(await section.findByText(/^Aucune autorisation n'est en vigueur dans votre école/)).toBeTruthy();
    expect(section.getByRole("button", { name: "Renouveler l'autorisation" })).toBeTruthy();
    world.background = { ...world.background, granted: true, employees: 1, waits: [] };
    await drawn.client.refetchQueries({ queryKey: ["grants"] });
    await userEvent.setup().click(section.getByRole("button", { name: "Retirer l'autorisation…" }));
    await waitFor(() =>
      expect(screen.getByRole("dialog").textContent).toMatch(/grâce à l'autorisation d'une autre personne/),
    );
  });

  test("a failed read says so and can be repeated", async () => {
    drawn = await draw("/compte", "Mon compte");
    const section = await background();
    await section.findByText("Vous n'avez pas donné d'autorisation.");
    drawn.server.use(
      http.get("*/api/v1/me/grant", () => HttpResponse.json({ code: "INTERNAL", status: 500 }, { status: 500 })),
    );
    await drawn.client.refetchQueries({ queryKey: ["grants"] });
    expect(await section.findByRole("alert")).toBeTruthy();
    drawn.server.resetHandlers();
    await userEvent.setup().click(section.getByRole("button", { name: "Actualiser" }));
    await waitFor(() => expect(section.queryByRole("alert")).toBeNull());
  });
});

describe("the home page on background work [S-24]", () => {
  const LINK = "Autoriser le travail en arrière-plan";

  test("says what waits, to those who may change it", async () => {
    drawn = await draw("/", "Accueil");
    const link = await screen.findByRole("link", { name: LINK });
    expect(link.getAttribute("href")).toBe("/compte");
    expect(link.parentElement?.textContent).toMatch(
      /ceci reste en attente : la comparaison avec RdvPermis, les résultats, les recherches gardées et les réponses aux mandats\./,
    );
  });

  test.each(["granted", "no right"])("says nothing where nothing waits or nobody can change it: %s", async (why) => {
    const world = makeWorld();
    if (why === "granted") world.background = { ...world.background, granted: true, employees: 1, waits: [] };
    else world.ownGrant.mayGive = false;
    drawn = await draw("/", "Accueil", world);
    await waitFor(() => expect(drawn?.client.isFetching()).toBe(0));
    expect(screen.queryByRole("link", { name: LINK })).toBeNull();
  });
});
