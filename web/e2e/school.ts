/** A school at work: signing in at the sandbox's own form, and what only the sandbox can do (its control API). */
import { randomInt, randomUUID } from "node:crypto";
import { type APIRequestContext, type Browser, test as base, expect, type Locator, type Page } from "@playwright/test";

const USERNAME = process.env.E2E_USERNAME ?? "gerant.094-1";
const PASSWORD = process.env.E2E_PASSWORD ?? "sandbox";
/** "gerant.094-1" → school "ae-094-1", department "094". */
const SCHOOL = `ae-${USERNAME.split(".")[1] ?? ""}`;
const DEPARTMENT = USERNAME.split(".")[1]?.split("-")[0] ?? "";

/** The sandbox listens one port above the platform (`make up`). */
export function sandboxUrl(baseURL: string): string {
  const url = new URL(process.env.E2E_SANDBOX_URL ?? baseURL);
  if (!process.env.E2E_SANDBOX_URL) url.port = String(Number(url.port || "80") + 1);
  return url.origin;
}

export async function signIn(page: Page, path = "/", username = USERNAME): Promise<void> {
  await page.goto(path);
  await signInHere(page, username);
}

/** From our page that asks for it, back to it. */
export async function signInHere(page: Page, username = USERNAME): Promise<void> {
  await page.getByRole("link", { name: "Se connecter avec RdvPermis" }).click();
  await typePassword(page, username);
  await expect(page.getByRole("navigation", { name: "Pages" }).first()).toBeVisible();
}

/** At RdvPermis' own form. */
export async function typePassword(page: Page, username = USERNAME): Promise<void> {
  await page.locator("[name=username]").fill(username);
  await page.locator("[name=password]").fill(PASSWORD);
  await page.locator("[name=password]").press("Enter");
}

/** As the banner of a lost session leads to: a new session of ours; RdvPermis' own still stands and asks nothing. */
export async function signInAgain(page: Page): Promise<void> {
  await page.goto("/auth/login?returnTo=%2F");
  await expect(page.getByRole("navigation", { name: "Pages" }).first()).toBeVisible();
}

export interface Person {
  lastName: string;
  firstName: string;
  neph: string;
  email: string;
}

/** What a test may do on the State's side. */
export class Sandbox {
  readonly #request: APIRequestContext;
  readonly #url: string;

  constructor(request: APIRequestContext, baseURL: string) {
    this.#request = request;
    this.#url = `${sandboxUrl(baseURL)}/control`;
  }

  async #post<T>(path: string, data?: unknown): Promise<T> {
    const answer = await this.#request.post(`${this.#url}${path}`, data === undefined ? {} : { data });
    expect(answer.ok(), `${path}: ${answer.status()} ${await answer.text()}`).toBe(true);
    return (answer.status() === 204 ? undefined : await answer.json()) as T;
  }

  async #get<T>(path: string): Promise<T> {
    const answer = await this.#request.get(`${this.#url}${path}`);
    expect(answer.ok(), `${path}: ${answer.status()}`).toBe(true);
    return (await answer.json()) as T;
  }

  /** Someone who asked for a licence and has no school yet. */
  async person(): Promise<Person> {
    const serial = String(randomInt(1e9)).padStart(9, "0");
    const letters = [...serial].map((digit) => "abcdefghij"[Number(digit)]).join("");
    const person = {
      neph: `260${serial}`,
      lastName: `Essai${letters}`,
      firstName: "Camille",
      email: `essai.${serial}@example.org`,
    };
    await this.#post("/candidates", {
      neph: person.neph,
      first_name: person.firstName,
      last_name: person.lastName,
      email: person.email,
    });
    return person;
  }

  /** The candidate accepts the school's newest pending mandate. */
  async acceptMandates(): Promise<void> {
    const { mandates } = await this.#get<{ mandates: { id: string; state?: string; etat?: string }[] }>(
      `/state?school=${SCHOOL}`,
    );
    for (const mandate of mandates) {
      if ((mandate.state ?? mandate.etat) === "EN_ATTENTE") await this.#post(`/mandates/${mandate.id}/accept`);
    }
  }

  /** Puts fresh slots on line at the department's first centre, on `day`. Gives their ids. */
  publish(day: string, starts: string[]): Promise<string[]> {
    return this.#post("/slots/publish", { centre: `ce-${DEPARTMENT}-1`, date: day, starts });
  }

  /** RdvPermis' next answer to this call is cut before anything is done. */
  async cutOnce(method: string, path: string): Promise<void> {
    await this.#post("/faults", [{ kind: "cut_before", method, path, count: 1 }]);
  }

  /** No faults any more. */
  async mend(): Promise<void> {
    expect((await this.#request.delete(`${this.#url}/faults`)).ok()).toBe(true);
  }

  /** Another school books it now. */
  async rivalTakes(slot: string): Promise<void> {
    await this.#post("/rivals/take", { slot });
  }
}

interface Fixtures {
  sandbox: Sandbox;
  /** Signed in, on the home page. */
  school: Page;
}

let shared: Page | undefined;

/**
 * One sign-in and one page for all tests of a worker: a window costs the browser more than most of what is done in it, and the
 * product is read and compiled once. The tests of signing in have their own. What a test leaves there is a session of the same person.
 */
async function sharedPage(browser: Browser, baseURL: string): Promise<Page> {
  if (shared && !shared.isClosed()) return shared;
  const context = await browser.newContext({ baseURL });
  shared = await context.newPage();
  await signIn(shared);
  return shared;
}

export const test = base.extend<Fixtures>({
  sandbox: async ({ request, baseURL }, use) => {
    await use(new Sandbox(request, baseURL ?? ""));
  },
  school: async ({ browser, baseURL, viewport }, use) => {
    const page = await sharedPage(browser, baseURL ?? "");
    await use(page);
    page.removeAllListeners("request");
    page.removeAllListeners("response");
    await page.unrouteAll({ behavior: "ignoreErrors" });
    for (const opened of page.context().pages()) if (opened !== page) await opened.close();
    await page.evaluate(() => {
      localStorage.clear();
      sessionStorage.clear();
    });
    await page.emulateMedia({ colorScheme: null, reducedMotion: null, forcedColors: null });
    if (viewport) await page.setViewportSize(viewport);
  },
});

export { expect } from "@playwright/test";

/** Come again later: the calls of this minute are spent, or what is behind does not answer. Nothing was done. */
const LATER = [429, 503];

/** An act over the API, as the signed-in person; asked again while the answer says to come again. */
export async function act<T = { id: string }>(page: Page, path: string, data?: unknown): Promise<T> {
  const session = await page.request.get("/auth/session");
  const { csrfToken } = (await session.json()) as { csrfToken: string };
  const headers = { "X-CSRF-Token": csrfToken, "Idempotency-Key": randomUUID(), Origin: new URL(page.url()).origin };
  const ask = () => page.request.post(path, { headers, ...(data === undefined ? {} : { data }) });
  let answer = await ask();
  await expect(async () => {
    if (LATER.includes(answer.status())) answer = await ask();
    expect(LATER, `${path}: ${await answer.text()}`).not.toContain(answer.status());
  }).toPass({ timeout: 90_000 });
  expect(answer.ok(), `${path}: ${answer.status()} ${await answer.text()}`).toBe(true);
  return (await answer.json()) as T;
}

/** Registers a person and gets their mandate, over the API: for journeys that are about something else. `id`: the candidate's. */
export async function registered(page: Page, sandbox: Sandbox): Promise<Person & { id: string }> {
  const person = await sandbox.person();
  const { id } = await act(page, "/api/v1/candidates", person);
  const mandate = await act(page, "/api/v1/mandates", { candidateId: id, category: "B", gearbox: "manual" });
  await sandbox.acceptMandates();
  await act(page, `/api/v1/mandates/${mandate.id}/refresh`);
  return { ...person, id };
}

interface Line {
  slot: { id: string };
  state: string;
}

/** Holds slots and validates them, over the API; each candidate on one. It waits for what RdvPermis was slow to confirm. */
export async function booked(page: Page, lines: { slotId: string; candidateId: string }[]): Promise<void> {
  const { group } = await act<{ group: { id: string } }>(page, "/api/v1/basket/items", { items: lines });
  await act(page, "/api/v1/basket/validation", { groupId: group.id });
  await expect(async () => {
    const { items } = (await (await page.request.get("/api/v1/bookings")).json()) as { items: Line[] };
    const states = lines.map(({ slotId }) => items.find(({ slot }) => slot.id === slotId)?.state);
    expect(states).toEqual(lines.map(() => "booked"));
  }).toPass({ timeout: 90_000 });
}

/** A working day some weeks ahead, "2026-12-09": late enough for every rule about notice. */
export function workingDay(weeksAhead: number): string {
  const date = new Date(Date.now() + weeksAhead * 7 * 86_400_000);
  while (date.getUTCDay() !== 3) date.setUTCDate(date.getUTCDate() + 1);
  return date.toISOString().slice(0, 10);
}

/** A week has nothing that a day has not, and takes axe four times as long. */
const ONE_DAY = `du=${workingDay(1)}&au=${workingDay(1)}`;

/** The pages of a school, by their address; of each part of a page, the tab that leads to it. */
export const PAGES: readonly { path: string; heading: string; tab?: string | RegExp }[] = [
  { path: "/", heading: "Accueil" },
  { path: `/creneaux?${ONE_DAY}`, heading: "Créneaux" },
  { path: `/creneaux?${ONE_DAY}&vue=liste`, heading: "Créneaux", tab: "Liste" },
  { path: "/panier", heading: "Panier" },
  { path: "/reservations", heading: "Réservations", tab: "À venir" },
  { path: "/reservations?onglet=a-confirmer", heading: "Réservations", tab: /^À confirmer/ },
  { path: "/candidats", heading: "Candidats" },
  { path: "/reservations?onglet=resultats", heading: "Réservations", tab: "Résultats" },
  { path: "/seuils", heading: "Seuils" },
  { path: "/equipe", heading: "Équipe", tab: "Formateurs" },
  { path: "/equipe?onglet=vehicules", heading: "Équipe", tab: "Véhicules" },
  { path: "/equipe?onglet=heures", heading: "Équipe", tab: "Heures" },
  { path: "/equipe?onglet=disponibilites", heading: "Équipe", tab: "Indisponibilités" },
  { path: "/equipe?onglet=agrement", heading: "Équipe", tab: "Agrément" },
  { path: "/ouvertures/94-B-20990105T1400Z", heading: "Ouverture B, Val-de-Marne" },
  { path: "/messages", heading: "Messages" },
  { path: "/journal", heading: "Journal" },
  { path: "/compte", heading: "Mon compte" },
];

/** The page is drawn and its questions are answered. */
export async function open(page: Page, path: string, heading: string): Promise<void> {
  await page.goto(path);
  await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
  await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
}

/** As `open`, without loading the product again: as a link of its own leads there. */
export async function turnTo(page: Page, path: string, heading: string, tab?: string | RegExp): Promise<void> {
  await page.evaluate((address) => history.pushState(null, "", address), path);
  await expect(page.getByRole("heading", { level: 1, name: heading })).toBeVisible();
  if (tab) {
    const chosen = page.getByRole("tab", { name: tab, selected: true });
    await expect(chosen.or(page.getByRole("radio", { name: tab, checked: true }))).toHaveCount(1);
  }
  await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
}

/** The slots are not read again until the answer is called: what is shown meanwhile came without a reading. */
export async function slotsHeldBack(page: Page): Promise<() => void> {
  const read = Promise.withResolvers<void>();
  await page.route("**/api/v1/slots?*", async (route) => {
    await read.promise;
    return route.continue();
  });
  return read.resolve;
}

/** Polls until a slot that was just published is shown: the school's polls of this minute may be spent. */
export async function lookUntil(page: Page, cell: Locator): Promise<void> {
  await expect(async () => {
    if (await cell.first().isVisible()) return;
    const fresh = page.getByRole("button", { name: /Afficher \d+ nouveau/ });
    if (await fresh.isVisible()) await fresh.click();
    else await page.getByRole("button", { name: /Regarder maintenant/ }).click();
    await expect(cell.first()).toBeVisible({ timeout: 2000 });
  }).toPass({ timeout: 90_000 });
}
