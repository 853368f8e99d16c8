/** A school in the middle of its work, made over the API: what the pictures show. */
import { randomUUID } from "node:crypto";
import { type APIRequestContext, expect, type Page } from "@playwright/test";
import { sandboxUrl, workingDay } from "../e2e/school.ts";

interface Free {
  neph: string;
  last_name: string;
  first_name: string;
  email: string;
}
interface Slot {
  id: string;
  allowed: boolean;
  status: string;
}
interface Line {
  id: string;
  state: string;
}
interface Outcome {
  group: { id: string; lines: Line[] };
}

const DEPARTMENT = "94";
const CATEGORY = "B";

/** Asks the gateway as the page that is signed in; what RdvPermis' calls of this minute refuse is asked again. */
class Gateway {
  readonly #page: Page;
  readonly #csrf: string;

  constructor(page: Page, csrf: string) {
    this.#page = page;
    this.#csrf = csrf;
  }

  async send<T>(method: string, path: string, data?: unknown): Promise<T> {
    const headers = {
      "X-CSRF-Token": this.#csrf,
      "Idempotency-Key": randomUUID(),
      Origin: new URL(this.#page.url()).origin,
    };
    let body = "";
    await expect(async () => {
      const answer = await this.#page.request.fetch(path, { method, headers, ...(data === undefined ? {} : { data }) });
      body = await answer.text();
      expect(answer.ok(), `${method} ${path}: ${answer.status()} ${body}`).toBe(true);
    }).toPass({ timeout: 90_000 });
    return (body ? JSON.parse(body) : undefined) as T;
  }
}

/** Candidates of every kind, two bookings, a basket with a line of each state, a trainer with hours, a vehicle, a saved search. */
export async function atWork(page: Page, request: APIRequestContext, baseURL: string): Promise<{ candidate: string }> {
  const control = `${sandboxUrl(baseURL)}/control`;
  const session = (await (await page.request.get("/auth/session")).json()) as { csrfToken: string };
  const gateway = new Gateway(page, session.csrfToken);
  const day = workingDay(2);

  const people = (await (
    await request.get(`${control}/candidates/free?group=${CATEGORY}&count=5`)
  ).json()) as readonly Free[];
  const candidates: string[] = [];
  const mandates: string[] = [];
  for (const [index, person] of people.entries()) {
    const { id } = await gateway.send<{ id: string }>("POST", "/api/v1/candidates", {
      lastName: person.last_name,
      firstName: person.first_name,
      neph: person.neph,
      email: person.email,
    });
    candidates.push(id);
    if (index === 4) break;
    const mandate = await gateway.send<{ id: string }>("POST", "/api/v1/mandates", {
      candidateId: id,
      category: CATEGORY,
      gearbox: "manual",
    });
    mandates.push(mandate.id);
  }
  // The last one asked has not answered.
  const { mandates: theirs } = (await (await request.get(`${control}/state?school=ae-094-1`)).json()) as {
    mandates: { id: string; state: string; neph?: string }[];
  };
  const waiting = theirs.filter((mandate) => mandate.state === "EN_ATTENTE");
  for (const mandate of waiting.slice(0, 3)) await request.post(`${control}/mandates/${mandate.id}/accept`);
  for (const mandate of mandates) await gateway.send("POST", `/api/v1/mandates/${mandate}/refresh`);

  const free = async (count: number): Promise<Slot[]> => {
    let found: Slot[] = [];
    await expect(async () => {
      const question = `department=${DEPARTMENT}&category=${CATEGORY}&from=${day}&to=${workingDay(3)}`;
      const { items } = await gateway.send<{ items: Slot[] }>("GET", `/api/v1/slots?${question}`);
      found = items.filter((slot) => slot.status === "free" && slot.allowed).slice(0, count);
      expect(found.length).toBe(count);
    }).toPass({ timeout: 90_000 });
    return found;
  };
  const hold = async (slots: Slot[]): Promise<Outcome> =>
    gateway.send("POST", "/api/v1/basket/items", {
      items: slots.map(({ id }) => ({ slotId: id })),
      allOrNothing: false,
    });
  const name = (line: Line, candidateId: string | undefined) =>
    gateway.send("PUT", `/api/v1/basket/items/${line.id}/candidate`, { candidateId });

  const booked = await hold(await free(2));
  for (const [index, line] of booked.group.lines.entries()) await name(line, candidates[index]);
  await gateway.send("POST", "/api/v1/basket/validation", { groupId: booked.group.id });

  const wanted = await free(3);
  await request.post(`${control}/rivals/take`, { data: { slot: wanted[1]?.id } });
  const held = await hold(wanted);
  const first = held.group.lines.find((line) => line.state === "held");
  if (first) await name(first, candidates[2]);

  const { others } = await gateway.send<{ others: { id: string }[] }>("GET", "/api/v1/school/trainers");
  for (const { id } of others.slice(0, 1)) {
    await gateway.send("PUT", `/api/v1/school/trainers/${id}`, {
      department: DEPARTMENT,
      categories: [CATEGORY],
      activeFrom: workingDay(-8),
      activeUntil: null,
      authorisedUntil: workingDay(6),
    });
  }
  await gateway.send("POST", "/api/v1/school/vehicles", {
    label: "Clio 5",
    categories: [CATEGORY],
    gearbox: "manual",
    retired: false,
  });
  await gateway.send("POST", "/api/v1/saved-searches", {
    label: "Rungis, le matin",
    search: { department: DEPARTMENT, category: CATEGORY, dayTo: "12:00" },
    alert: true,
  });
  return { candidate: candidates[0] ?? "" };
}
