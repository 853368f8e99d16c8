/** A session that ends or changes while somebody is at work: what was typed and what was pressed are not lost. */
import { cleanup, fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { whenSignedOut } from "../src/api/contract/client.ts";
import { signedOut } from "../src/live/feed.ts";
import { failsWith } from "./fails-with.ts";
import { iso } from "./mock/world.ts";
import { type Drawn, draw } from "./school.tsx";

vi.mock("../src/live/trusted-event.ts", () => ({ isTrusted: () => true, ignoreKeyRepeat: () => undefined }));

let drawn: Drawn | undefined;
beforeEach(() => whenSignedOut(() => signedOut.set(true)));
afterEach(() => {
  drawn?.server.close();
  drawn = undefined;
  signedOut.set(false);
  whenSignedOut(() => undefined);
  sessionStorage.clear();
  vi.unstubAllGlobals();
});

/** The gateway after a sign-in in another tab: the cookie is the new session's, so the token that this tab knows is refused. */
function signedInElsewhere({ server }: Drawn, userId = "u-1") {
  const registrations: { token: string | null; key: string | null; body: unknown }[] = [];
  let tokens = 0;
  server.use(
    http.get("*/auth/session", () => {
      tokens += 1;
      return HttpResponse.json({
        user: { id: userId, displayName: "Camille Roux" },
        school: { id: "s-1", name: "Auto-école du Pont", department: "94" },
        roles: [],
        csrfToken: "the new session's",
        expiresAt: iso(14 * 60_000),
      });
    }),
    http.post("*/api/v1/candidates", async ({ request }) => {
      const token = request.headers.get("X-CSRF-Token");
      registrations.push({
        token,
        key: request.headers.get("Idempotency-Key"),
        body: await request.clone().json(),
      });
      // Answered by the school's own handler where the token is the session's.
      if (token === "the new session's") return undefined;
      return HttpResponse.json({ code: "CSRF", status: 403 }, { status: 403 });
    }),
  );
  return { registrations, tokens: () => tokens };
}

const lastName = () => screen.findByRole<HTMLInputElement>("textbox", { name: /Nom de naissance/ });

async function writeCandidate() {
  const user = userEvent.setup();
  await user.click(screen.getByRole("button", { name: "Nouveau candidat" }));
  await user.type(await lastName(), "Martin");
  await user.type(screen.getByRole("textbox", { name: /Prénom/ }), "Léa");
  await user.type(screen.getByRole("textbox", { name: /NEPH/ }), "020694100123");
  return user;
}

describe("after a new sign-in in another tab", () => {
  test("fault tried-6: the first act reads the token again and is repeated once, under its own key", async () => {
    drawn = await draw("/candidats", "Candidats");
    const { registrations } = signedInElsewhere(drawn);
    const user = await writeCandidate();
    await user.click(screen.getByRole("button", { name: "Inscrire et demander le mandat" }));
    await waitFor(() => expect(registrations[0]?.key).toBeTruthy());
    expect(registrations[0]?.token).toBe("t");
    await failsWith(/Unable to find role="heading" and name "Martin Léa"/, async () => {
      await screen.findByRole("heading", { level: 1, name: "Martin Léa" }, { timeout: 3000 });
      expect(registrations).toHaveLength(2);
      expect(registrations[1]).toEqual({ ...registrations[0], token: "the new session's" });
    });
  });

  test("fault tried-6: an act that is refused again is reported, not repeated without end", async () => {
    drawn = await draw("/candidats", "Candidats");
    const { tokens } = signedInElsewhere(drawn);
    let asked = 0;
    drawn.server.use(
      http.post("*/api/v1/candidates", () => {
        asked += 1;
        return HttpResponse.json({ code: "CSRF", status: 403 }, { status: 403 });
      }),
    );
    const user = await writeCandidate();
    await user.click(screen.getByRole("button", { name: "Inscrire et demander le mandat" }));
    expect(await screen.findByText("Ce que vous avez écrit est gardé.")).toBeTruthy();
    await failsWith(/expected \[ 1, \+?0 \] to deeply equal/, () => expect([asked, tokens()]).toEqual([2, 1]));
  });

  test("what one person pressed is never sent in another's name", async () => {
    drawn = await draw("/candidats", "Candidats");
    const { registrations } = signedInElsewhere(drawn, "u-2");
    const user = await writeCandidate();
    await user.click(screen.getByRole("button", { name: "Inscrire et demander le mandat" }));
    expect(await screen.findByText("Ce que vous avez écrit est gardé.")).toBeTruthy();
    expect(registrations.map(({ token }) => token)).toEqual(["t"]);
  });
});

interface Form {
  readonly path: string;
  readonly heading: string;
  /** Shows the form where it is not shown. */
  readonly show: () => Promise<void>;
  /** Writes into it; the answer is how to read it back. */
  readonly write: () => Promise<void>;
  readonly written: () => Promise<unknown>;
  readonly expected: unknown;
  /** How it fails today: empty, or as before it was written into. */
  readonly today: RegExp;
}

const field = (name: RegExp) => screen.findByLabelText<HTMLInputElement>(name);

const FORMS: readonly (readonly [string, Form])[] = [
  [
    "a new candidate",
    {
      path: "/candidats",
      heading: "Candidats",
      show: async () => {
        const button = screen.queryByRole("button", { name: "Nouveau candidat" });
        if (button) await userEvent.setup().click(button);
      },
      write: async () => {
        const user = userEvent.setup();
        await user.type(await lastName(), "Martin");
        await user.type(screen.getByRole("textbox", { name: /NEPH/ }), "020694100123");
      },
      written: async () => [(await lastName()).value, (await field(/NEPH/)).value],
      expected: ["Martin", "020694100123"],
      today: /expected \[ '', '' \] to deeply equal/,
    },
  ],
  [
    "an unavailability",
    {
      path: "/equipe?onglet=disponibilites",
      heading: "Équipe",
      show: async () => undefined,
      write: async () => {
        const form = within(await screen.findByRole("form", { name: "Noter une indisponibilité" }));
        fireEvent.change(form.getByLabelText(/^Du/), { target: { value: "2026-12-14T09:00" } });
        fireEvent.change(form.getByLabelText(/^Au/), { target: { value: "2026-12-14T12:00" } });
      },
      written: async () => {
        const form = within(await screen.findByRole("form", { name: "Noter une indisponibilité" }));
        return [/^Du/, /^Au/].map((name) => form.getByLabelText<HTMLInputElement>(name).value);
      },
      expected: ["2026-12-14T09:00", "2026-12-14T12:00"],
      today: /expected \[ '(?!2026-12-14T)[^']*', '(?!2026-12-14T)[^']*' \] to deeply equal/,
    },
  ],
  [
    "hours declared",
    {
      path: "/equipe?onglet=heures",
      heading: "Équipe",
      show: async () => undefined,
      write: async () => {
        const user = userEvent.setup();
        await user.type(await field(/^Hugo Petit, théorie/), "137");
      },
      written: async () => (await field(/^Hugo Petit, théorie/)).value,
      expected: expect.stringMatching(/^137\b/),
      today: /expected '(?!137)[^']*' to deeply equal StringMatching/,
    },
  ],
];

/** As the browser does around a sign-in: the page goes, its address comes back, the session's storage stays. */
async function comeBack(path: string, heading: string): Promise<void> {
  drawn?.server.close();
  cleanup();
  signedOut.set(false);
  drawn = await draw(path, heading);
}

describe("« Votre travail est gardé »", () => {
  test("is shown by a lost session, with the way back to this page", async () => {
    drawn = await draw("/candidats", "Candidats");
    drawn.server.use(
      http.post("*/api/v1/candidates", () =>
        HttpResponse.json({ code: "UNAUTHENTICATED", status: 401 }, { status: 401 }),
      ),
    );
    const user = await writeCandidate();
    await user.click(screen.getByRole("button", { name: "Inscrire et demander le mandat" }));
    const banner = await screen.findByText(/RdvPermis demande de vous reconnecter\. Votre travail est gardé\./);
    const link = within(banner).getByRole("link", { name: "Se reconnecter" });
    expect(link.getAttribute("href")).toBe("/auth/login?returnTo=%2Fcandidats");
  });

  test.each(FORMS)("fault tried-6: %s is still written after the sign-in", async (_name, form) => {
    drawn = await draw(form.path, form.heading);
    await form.show();
    await form.write();
    expect(await form.written()).toEqual(form.expected);
    await comeBack(form.path, form.heading);
    await form.show();
    const left = await form.written();
    await failsWith(form.today, () => expect(left).toEqual(form.expected));
    // In the session's storage alone: the address and what outlives the tab know nothing.
    expect(JSON.stringify(localStorage) + window.location.href).not.toMatch(/Martin|020694100123|\b137\b/);
  });

  test("fault tried-6: what was typed is kept until one signs out by hand, and no longer", async () => {
    drawn = await draw("/candidats", "Candidats");
    await writeCandidate();
    await comeBack("/candidats", "Candidats");
    await failsWith(/to contain 'Martin'|to include 'Martin'/, () =>
      expect(JSON.stringify(sessionStorage)).toContain("Martin"),
    );
    vi.stubGlobal("location", { ...window.location, assign: () => undefined });
    const [leave] = screen.getAllByRole("button", { name: "Se déconnecter" });
    await userEvent.setup().click(leave as HTMLElement);
    await waitFor(() => expect(drawn?.world.signedIn).toBe(false));
    expect(JSON.stringify(sessionStorage)).not.toContain("Martin");
    await comeBack("/candidats", "Candidats");
    await userEvent.setup().click(screen.getByRole("button", { name: "Nouveau candidat" }));
    expect((await lastName()).value).toBe("");
  });
});
