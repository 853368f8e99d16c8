/** A session that ends or changes while somebody is at work: what was typed and what was pressed are not lost. */
import { cleanup, fireEvent, screen, waitFor, waitForElementToBeRemoved, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { forgetSession, whenSignedInAgain, whenSignedOut } from "../src/api/contract/client.ts";
import { actHeader, REPORT_EVERY, watchActs } from "../src/api/contract/presence.ts";
import { signedOut } from "../src/live/feed.ts";
import { iso, makeWorld } from "./mock/world.ts";
import { type Drawn, draw } from "./school.tsx";

let drawn: Drawn | undefined;
beforeEach(() => {
  // As main.tsx does.
  whenSignedOut(() => signedOut.set(true));
  whenSignedInAgain(() => signedOut.set(false));
});
afterEach(() => {
  drawn?.server.close();
  drawn = undefined;
  signedOut.set(false);
  whenSignedOut(() => undefined);
  whenSignedInAgain(() => undefined);
  forgetSession();
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
  test("the first act reads the token again and is repeated once, under its own key", async () => {
    drawn = await draw("/candidats", "Candidats");
    const { registrations } = signedInElsewhere(drawn);
    const user = await writeCandidate();
    await user.click(screen.getByRole("button", { name: "Inscrire et demander le mandat" }));
    await waitFor(() => expect(registrations[0]?.key).toBeTruthy());
    expect(registrations[0]?.token).toBe("t");
    await screen.findByRole("heading", { level: 1, name: "Léa Martin" });
    expect(registrations).toHaveLength(2);
    expect(registrations[1]).toEqual({ ...registrations[0], token: "the new session's" });
  });

  test("an act that is refused again is reported, not repeated without end", async () => {
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
    expect([asked, tokens()]).toEqual([2, 1]);
  });

  test("what one person pressed is never sent in another's name", async () => {
    drawn = await draw("/candidats", "Candidats");
    const { registrations } = signedInElsewhere(drawn, "u-2");
    const user = await writeCandidate();
    await user.click(screen.getByRole("button", { name: "Inscrire et demander le mandat" }));
    expect(await screen.findByRole("link", { name: "Se reconnecter" })).toBeTruthy();
    expect(registrations.map(({ token }) => token)).toEqual(["t"]);
  });

  test("a tab that was shown as signed out goes on once another has signed in", async () => {
    drawn = await draw("/candidats", "Candidats");
    const { registrations } = signedInElsewhere(drawn);
    signedOut.set(true);
    const ended = await screen.findByRole("heading", { level: 1, name: "Votre session est terminée" });
    const other = new BroadcastChannel("resapermis-feed");
    other.postMessage({ event: "signed-in", data: "" });
    await waitForElementToBeRemoved(ended);
    other.close();
    const user = await writeCandidate();
    await user.click(screen.getByRole("button", { name: "Inscrire et demander le mandat" }));
    await screen.findByRole("heading", { level: 1, name: "Léa Martin" });
    expect(registrations.map(({ token }) => token)).toEqual(["the new session's"]);
  });

  test("a session that is gone when it is read leaves what was written, and not on the page", async () => {
    drawn = await draw("/candidats", "Candidats");
    await writeCandidate();
    drawn.world.signedIn = false;
    const other = new BroadcastChannel("resapermis-feed");
    other.postMessage({ event: "signed-in", data: "" });
    expect(await screen.findByRole("heading", { level: 1, name: "Votre session est terminée" })).toBeTruthy();
    other.close();
    expect(JSON.stringify(sessionStorage)).toContain("Martin");
    expect(document.body.innerHTML).not.toMatch(/Martin|Auto-école du Pont/);
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
    expect((await screen.findByRole("alert")).textContent).toMatch(/ce que vous aviez écrit est gardé/);
    const link = screen.getByRole("link", { name: "Se reconnecter" });
    expect(document.activeElement).toBe(link);
    expect(link.getAttribute("href")).toBe("/auth/login?returnTo=%2Fcandidats");
  });

  test.each(FORMS)("%s is still written after the sign-in", async (_name, form) => {
    drawn = await draw(form.path, form.heading);
    await form.show();
    await form.write();
    expect(await form.written()).toEqual(form.expected);
    await comeBack(form.path, form.heading);
    await form.show();
    expect(await form.written()).toEqual(form.expected);
    // In the session's storage alone: the address and what outlives the tab know nothing.
    expect(JSON.stringify(localStorage) + window.location.href).not.toMatch(/Martin|020694100123|\b137\b/);
  });

  test("what was typed is kept until one signs out by hand, and no longer", async () => {
    drawn = await draw("/candidats", "Candidats");
    await writeCandidate();
    await comeBack("/candidats", "Candidats");
    expect(JSON.stringify(sessionStorage)).toContain("Martin");
    vi.stubGlobal("location", { ...window.location, assign: () => undefined });
    const [leave] = screen.getAllByRole("button", { name: "Se déconnecter" });
    await userEvent.setup().click(leave as HTMLElement);
    await waitFor(() => expect(drawn?.world.signedIn).toBe(false));
    expect(JSON.stringify(sessionStorage)).not.toContain("Martin");
    await comeBack("/candidats", "Candidats");
    await userEvent.setup().click(screen.getByRole("button", { name: "Nouveau candidat" }));
    expect((await lastName()).value).toBe("");
  });

  test("what one person wrote is not shown to another who signs in in this tab", async () => {
    drawn = await draw("/candidats", "Candidats");
    await writeCandidate();
    drawn.server.close();
    cleanup();
    forgetSession();
    const world = makeWorld();
    world.userId = "u-2";
    drawn = await draw("/candidats", "Candidats", world);
    await userEvent.setup().click(screen.getByRole("button", { name: "Nouveau candidat" }));
    expect((await lastName()).value).toBe("");
    expect(JSON.stringify(sessionStorage)).not.toContain("Martin");
  });

  test.each(["given up", "sent"])("what was %s is not kept", async (end) => {
    drawn = await draw("/candidats", "Candidats");
    const user = await writeCandidate();
    expect(JSON.stringify(sessionStorage)).toContain("Martin");
    const name = end === "sent" ? "Inscrire et demander le mandat" : "Abandonner";
    await user.click(screen.getByRole("button", { name }));
    await waitFor(() => expect(JSON.stringify(sessionStorage)).not.toContain("Martin"));
  });

  test("a draft of something that changed meanwhile is dropped", async () => {
    const day = async () => (await field(/Dernier jour de l'agrément/)).value;
    const world = makeWorld();
    drawn = await draw("/equipe?onglet=agrement", "Équipe", world);
    fireEvent.change(await field(/Dernier jour de l'agrément/), { target: { value: "2031-05-01" } });
    await comeBack("/equipe?onglet=agrement", "Équipe");
    expect(await day()).toBe("2031-05-01");
    drawn.server.close();
    cleanup();
    world.school.licensedUntil = "2030-01-31";
    drawn = await draw("/equipe?onglet=agrement", "Équipe", world);
    expect(await day()).toBe("2030-01-31");
  });

  test("signed out by hand in one tab, the others leave too", async () => {
    drawn = await draw("/candidats", "Candidats");
    await writeCandidate();
    const assign = vi.fn();
    vi.stubGlobal("location", { ...window.location, assign });
    const other = new BroadcastChannel("resapermis-feed");
    other.postMessage({ event: "left", data: "" });
    await waitFor(() => expect(assign).toHaveBeenCalledWith("/"));
    other.close();
    expect(sessionStorage).toHaveLength(0);
  });
});

describe("the end of a session [S-04]", () => {
  /** What each request for the session so far says of a person's acts, and each request of the page. */
  async function drawWatched(expiresIn: () => number) {
    const acts: (string | null)[] = [];
    const all: (string | null)[] = [];
    drawn = await draw("/candidats", "Candidats", makeWorld(), (request) =>
      all.push(request.headers.get("X-Resapermis-Act")),
    );
    drawn.server.use(
      http.get("*/auth/session", ({ request }) => {
        acts.push(request.headers.get("X-Resapermis-Act"));
        return HttpResponse.json({
          user: { id: "u-1", displayName: "Camille Roux" },
          school: { id: "s-1", name: "Auto-école du Pont", department: "94" },
          roles: [],
          csrfToken: "t",
          expiresAt: iso(expiresIn()),
        });
      }),
    );
    return { acts, all };
  }
  const readSessionAgain = () => {
    const other = new BroadcastChannel("resapermis-feed");
    other.postMessage({ event: "signed-in", data: "" });
    return other;
  };

  test("is announced two minutes before, and one key of the person moves it", async () => {
    let seconds = 110;
    const { acts, all } = await drawWatched(() => seconds * 1000);
    const other = readSessionAgain();
    const dialog = await screen.findByRole("dialog", { name: "Votre session se termine bientôt" }, { timeout: 5000 });
    await waitFor(() => expect(acts.length).toBeGreaterThanOrEqual(2));
    expect(new Set(all)).toEqual(new Set([null])); // what the page reads by itself is no act
    seconds = 900;
    fireEvent.click(within(dialog).getByText("Prolonger la session"));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull(), { timeout: 5000 });
    // Once, by whichever request leaves first; a read that was under way may have closed the dialog before.
    await waitFor(() => expect(all.filter((one) => one !== null)).toEqual(["1"]));
    other.close();
  });

  test("blanks the page: nothing of the school in the document or in memory", async () => {
    await drawWatched(() => 1000);
    await screen.findAllByText("Auto-école du Pont");
    const other = readSessionAgain();
    await screen.findByRole("heading", { level: 1, name: "Votre session est terminée" }, { timeout: 4000 });
    other.close();
    expect(document.body.innerHTML).not.toMatch(/Auto-école du Pont|Martin|Petit/);
    expect(document.title).toBe("ResaPermis");
    await waitFor(() => expect(drawn?.client.getQueryCache().getAll()).toEqual([]));
  });
});

describe("what counts as an act", () => {
  test("clicks, keys and forms of a person, one report a minute; no held key, no script", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout", "performance"] });
    const report = vi.fn(() => void actHeader());
    let trusted = true;
    const stop = watchActs(report, () => trusted);
    vi.advanceTimersByTime(24 * 60 * REPORT_EVERY); // long after what tests before this one reported
    const count = (event: Event) => {
      window.dispatchEvent(event);
      vi.advanceTimersByTime(REPORT_EVERY);
      return report.mock.calls.length;
    };
    const key = (init: KeyboardEventInit) => new KeyboardEvent("keydown", { key: "a", ...init });
    expect(count(key({}))).toBe(1);
    expect(count(key({ repeat: true }))).toBe(1);
    expect(count(new Event("mousemove"))).toBe(1);
    expect(count(new Event("pointerdown"))).toBe(2);
    expect(count(new Event("submit"))).toBe(3);
    trusted = false;
    expect(count(new Event("pointerdown"))).toBe(3);
    expect(actHeader()).toEqual({});
    stop();
    trusted = true;
    expect(count(new Event("pointerdown"))).toBe(3);
    vi.useRealTimers();
  });
});
