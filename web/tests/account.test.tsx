/** The account page: where one is signed in, each session ended by its owner's hand. */
import { screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { afterEach, describe, expect, test } from "vitest";
import { makeWorld } from "./mock/world.ts";
import { type Drawn, draw } from "./school.tsx";

let drawn: Drawn | undefined;
afterEach(() => {
  drawn?.server.close();
  drawn = undefined;
});

const rows = () => screen.findAllByRole("listitem");

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
    expect(dialog.textContent).toMatch(/Safari, iOS, ouverte .* devra se reconnecter/);
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
    expect(refused.textContent).toContain("confirmer votre identité chez RdvPermis");
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
    await userEvent.setup().click(screen.getByRole("button", { name: "Relire" }));
    await waitFor(() => expect(screen.queryByRole("alert")).toBeNull());
  });
});
