import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { afterEach, describe, expect, test } from "vitest";
import { setWishes } from "../src/pages/openings/wishes.ts";
import { openingOf } from "../src/rules/opening/opening.ts";
import { makeWorld, type World } from "./mock/world.ts";
import { type Drawn, draw } from "./school.tsx";
import { hand } from "./trusted-event.ts";

let drawn: Drawn | undefined;
afterEach(() => {
  drawn?.server.close();
  drawn = undefined;
});

const opened = openingOf("94", "B", Date.now() - 60_000);
const coming = openingOf("94", "B", Date.now() + 10 * 60_000);
const anywhere = (candidateId: string) => ({ candidateId, centres: [], fromHour: 0, toHour: 24 });

/** A school whose basket is empty and whose candidates are not restricted. */
function calm(): World {
  const world = makeWorld();
  world.basket.groups = [];
  world.standings = [];
  return world;
}

/** Every hold that leaves, and how often the slots were read. */
function watch(server: Drawn["server"], world: World) {
  const holds: { slotId: string; candidateId?: string }[][] = [];
  let reads = 0;
  server.use(
    http.post("*/api/v1/basket/items", async ({ request }) => {
      holds.push(((await request.clone().json()) as { items: { slotId: string }[] }).items);
      return undefined;
    }),
    http.get("*/api/v1/slots", () => {
      reads += 1;
      return HttpResponse.json({
        items: world.slots,
        nextCursor: null,
        seenAt: new Date().toISOString(),
        incomplete: false,
        incompleteReason: null,
        threshold: null,
        serverTime: new Date().toISOString(),
      });
    }),
  );
  return { holds, reads: () => reads };
}

describe("the opening room", () => {
  test("before the hour the proposal is empty and nothing can be sent [R-20]", async () => {
    setWishes(coming.id, [anywhere("k-1")]);
    drawn = await draw(`/ouvertures/${coming.id}`, "Ouverture B, Val-de-Marne", calm());
    expect(await screen.findByText(/Vide jusqu'à l'ouverture/)).toBeTruthy();
    expect(screen.getByRole("button", { name: "Retenir" }).getAttribute("aria-disabled")).toBe("true");
    expect(await screen.findByRole("button", { name: "Retirer Léa Martin" })).toBeTruthy();
  });

  test("preparing shows what is settled, and who is not eligible and why", async () => {
    const world = calm();
    world.standings = makeWorld().standings;
    setWishes(coming.id, [anywhere("k-1"), anywhere("k-2")]);
    drawn = await draw(`/ouvertures/${coming.id}`, "Ouverture B, Val-de-Marne", world);
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: "Préparer" }));
    expect(await screen.findByText(/panier ouvert jusqu'à/)).toBeTruthy();
    expect(screen.getByText(/42 appels restants/)).toBeTruthy();
    expect(screen.getByText("éligible")).toBeTruthy();
    expect(screen.getByText("pas éligible")).toBeTruthy();
    expect(screen.getAllByText(/ne peut pas réserver avant/).length).toBeGreaterThan(0);
  });

  test("after the hour it fills by itself and sends nothing by itself; one press sends what is shown [R-20]", async () => {
    setWishes(opened.id, [anywhere("k-1"), anywhere("k-2")]);
    const world = calm();
    drawn = await draw(`/ouvertures/${opened.id}`, "Ouverture B, Val-de-Marne", world);
    const { holds } = watch(drawn.server, world);
    const user = userEvent.setup();
    const button = await screen.findByRole("button", { name: "Retenir ces 2 créneaux" });
    expect(within(await screen.findByRole("list", { name: "Proposition" })).getAllByRole("checkbox")).toHaveLength(2);
    hand.human = false;
    await user.click(button);
    expect(holds).toHaveLength(0);
    hand.human = true;
    await user.click(button);
    expect(await screen.findByRole("heading", { name: "2 retenus" })).toBeTruthy();
    expect(holds).toHaveLength(1);
    expect(holds[0]?.map((item) => item.candidateId)).toEqual(["k-1", "k-2"]);
    expect(await screen.findAllByText("déjà retenu")).toHaveLength(2);
    // The hold's answer has no name: the basket reads them.
    await user.click(screen.getByRole("link", { name: /dans le panier/ }));
    expect(await screen.findByDisplayValue("Léa Martin")).toBeTruthy();
    expect(screen.getByDisplayValue("Awa Diallo")).toBeTruthy();
  });

  test("a pointer put down freezes the proposal: what was shown is what is sent", async () => {
    setWishes(opened.id, [anywhere("k-1")]);
    const world = calm();
    drawn = await draw(`/ouvertures/${opened.id}`, "Ouverture B, Val-de-Marne", world);
    const { holds, reads } = watch(drawn.server, world);
    const button = await screen.findByRole("button", { name: "Retenir ce créneau" });
    const shown = world.slots.filter((slot) => slot.allowed).sort((a, b) => a.startsAt.localeCompare(b.startsAt))[0];
    fireEvent.pointerDown(button);
    for (const slot of world.slots) if (slot.startsAt === shown?.startsAt) Object.assign(slot, { allowed: false });
    const before = reads();
    await waitFor(() => expect(reads()).toBeGreaterThan(before + 1));
    expect(screen.getAllByRole("checkbox")).toHaveLength(1);
    fireEvent.pointerUp(button);
    fireEvent.click(button);
    await waitFor(() => expect(holds).toHaveLength(1));
    expect(world.slots.find((slot) => slot.id === holds[0]?.[0]?.slotId)?.startsAt).toBe(shown?.startsAt);
  });

  test("a row left out is not sent", async () => {
    setWishes(opened.id, [anywhere("k-1"), anywhere("k-2")]);
    const world = calm();
    drawn = await draw(`/ouvertures/${opened.id}`, "Ouverture B, Val-de-Marne", world);
    const { holds } = watch(drawn.server, world);
    const user = userEvent.setup();
    const rows = await screen.findByRole("list", { name: "Proposition" });
    const [first, second] = within(rows).getAllByRole("checkbox");
    expect(second).toBeTruthy();
    await user.click(first as HTMLElement);
    await user.click(screen.getByRole("button", { name: "Retenir ce créneau" }));
    await waitFor(() => expect(holds).toHaveLength(1));
    expect(holds[0]?.map((item) => item.candidateId)).toEqual(["k-2"]);
  });

  test("an address that is no opening shows that there is none", async () => {
    drawn = await draw("/ouvertures/nimporte-quoi", "Ouverture");
    expect(await screen.findByText("Cette ouverture n'existe pas")).toBeTruthy();
  });
});

test("the home page leads to the coming openings", async () => {
  drawn = await draw("/", "Accueil");
  const [link] = await screen.findAllByRole("link", { name: /^Préparer .*heure de Paris/ });
  expect(link?.getAttribute("href")).toMatch(/^\/ouvertures\/94-B-\d{8}T\d{4}Z$/);
});
