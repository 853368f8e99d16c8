import { fireEvent, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { HttpResponse, http } from "msw";
import { afterEach, describe, expect, test } from "vitest";
import { keys } from "../src/api/contract/cache.ts";
import { inWords } from "../src/pages/bookings/Results.tsx";
import { type Drawn, draw } from "./school.tsx";

let drawn: Drawn | undefined;
afterEach(() => {
  drawn?.server.close();
  drawn = undefined;
});

describe("who accompanies", () => {
  test("only who may accompany is offered; a conflict is named before validation [R-17]", async () => {
    drawn = await draw("/panier", "Panier");
    const user = userEvent.setup();
    const [field] = await screen.findAllByRole("combobox", { name: /^Formateur, / });
    if (!field) throw new Error("nobody to accompany");
    expect(within(field).queryByRole("option", { name: "…3f9a" })).toBeNull();
    await user.selectOptions(field, "Chloé Bernard");
    expect(await screen.findByText(/Pas libre à cette heure : le formateur\./)).toBeTruthy();
    expect(drawn.world.basket.groups[0]?.lines[0]?.trainerId).toBe("t-1");
    await user.selectOptions(field, "Hugo Petit");
    await waitFor(() => expect(screen.queryByText(/Pas libre à cette heure/)).toBeNull());
  });

  test("is sent once the candidate of the same line is answered, as a line that is being asked about is not changed", async () => {
    drawn = await draw("/panier", "Panier");
    const user = userEvent.setup();
    const seen: string[] = [];
    let answer: () => void = () => undefined;
    drawn.server.use(
      http.put("*/api/v1/basket/items/:id/candidate", async () => {
        seen.push("candidate asked");
        await new Promise<void>((resolve) => {
          answer = resolve;
        });
        seen.push("candidate answered");
        return HttpResponse.json({});
      }),
      http.put("*/api/v1/basket/items/:id/accompaniment", async ({ request }) => {
        const chosen = (await request.json()) as Record<string, string | null>;
        seen.push(
          Object.keys(chosen)
            .filter((name) => chosen[name])
            .sort()
            .join(" and "),
        );
        return HttpResponse.json({});
      }),
    );
    const [field] = await screen.findAllByRole("combobox", { name: /^Formateur, / });
    const line = field?.closest("li");
    if (!field || !line) throw new Error("nobody to accompany");
    await user.click(within(line).getByRole("combobox", { name: /^Candidat/ }));
    const [person] = await screen.findAllByRole("option", { name: /Diallo/ });
    if (!person) throw new Error("nobody to name");
    await user.click(person);
    await waitFor(() => expect(seen).toEqual(["candidate asked"]));
    await user.selectOptions(field, "Chloé Bernard");
    expect((field as HTMLSelectElement).selectedOptions[0]?.textContent).toBe("Chloé Bernard");
    const car = within(line).getByRole("combobox", { name: /^Véhicule/ }) as HTMLSelectElement;
    await user.selectOptions(car, car.options[1]?.value ?? "");
    expect(seen).toEqual(["candidate asked"]);
    answer();
    await waitFor(() =>
      expect(seen).toEqual(["candidate asked", "candidate answered", "trainerId", "trainerId and vehicleId"]),
    );
  });
});

/** The notice that has the focus. */
function focusedNotice(): Element | undefined {
  const focused = document.activeElement;
  return focused?.matches(".rp-notice") ? focused : undefined;
}

describe("figures in words", () => {
  test("one is one, none is none", () => {
    expect(inWords({ passed: 11, failed: 1, absent: 0, awaited: 2 })).toBe(
      "11 réussis, 1 échoué, 0 absence, 2 attendus",
    );
  });
});

describe("a booking", () => {
  test("cancelling late names person, slot and consequence; focus stands on keeping [R-21]", async () => {
    drawn = await draw("/reservations", "Réservations");
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /^Annuler Léa Martin/ }));
    const dialog = await screen.findByRole("dialog");
    expect(await within(dialog).findByText("30 jours sans réservation pour Léa Martin")).toBeTruthy();
    expect(dialog.textContent).toMatch(/à \d+ h/);
    expect(document.activeElement?.textContent).toBe("Garder");
  });

  test("an early one shows that nothing follows, and until when", async () => {
    drawn = await draw("/reservations", "Réservations");
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /^Annuler Awa Diallo/ }));
    const dialog = await screen.findByRole("dialog");
    expect(
      await within(dialog).findByText(/Aucune pénalité pour Awa Diallo\..*L'annulation reste sans pénalité jusqu'au/),
    ).toBeTruthy();
  });

  test("what cannot be cancelled any more cannot be pressed, and the reason is shown [R-12]", async () => {
    drawn = await draw("/reservations", "Réservations");
    drawn.server.use(
      http.get("*/api/v1/bookings/:id/cancellation", () =>
        HttpResponse.json({ possible: false, late: true, restrictedDays: 30, restrictedUntil: null, freeUntil: null }),
      ),
    );
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /^Annuler Léa Martin/ }));
    const dialog = await screen.findByRole("dialog");
    expect(await within(dialog).findByText("RdvPermis ne permet plus d'annuler cet examen.")).toBeTruthy();
    const confirm = within(dialog).getByRole("button", { name: "Annuler la réservation" });
    expect(confirm.getAttribute("aria-disabled")).toBe("true");
  });

  test("a swap offers what RdvPermis offers, and names both before it is asked [R-26]", async () => {
    drawn = await draw("/reservations", "Réservations");
    const asked: unknown[] = [];
    drawn.server.use(
      http.post("*/api/v1/bookings/:id/swap", async ({ request, params }) => {
        asked.push([params.id, await request.json(), request.headers.get("Idempotency-Key") !== null]);
        return HttpResponse.json({ items: [] });
      }),
    );
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /^Permuter Léa Martin/ }));
    const dialog = await screen.findByRole("dialog");
    const confirm = within(dialog).getByRole("button", { name: "Permuter" });
    expect(confirm.getAttribute("aria-disabled")).toBe("true");
    await user.click(await within(dialog).findByRole("radio", { name: /Awa Diallo/ }));
    expect(within(dialog).getByText(/Léa Martin passe .* et Awa Diallo /)).toBeTruthy();
    await user.click(confirm);
    await waitFor(() => expect(asked).toEqual([["b-1", { otherBookingId: "b-2" }, true]]));
  });

  test("a day is read once for a swap, whatever changes meanwhile, and never for a pair that changed places [R-26]", async () => {
    let reads = 0;
    drawn = await draw("/reservations", "Réservations", undefined, (request) => {
      if (new URL(request.url).pathname.endsWith("/swappable")) reads += 1;
    });
    const { client, server } = drawn;
    server.use(http.post("*/api/v1/bookings/:id/swap", () => HttpResponse.json({ items: [] })));
    const changed = () => client.invalidateQueries({ queryKey: ["bookings"] });
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /^Permuter Léa Martin/ }));
    const dialog = await screen.findByRole("dialog");
    await user.click(await within(dialog).findByRole("radio", { name: /Awa Diallo/ }));
    await changed();
    expect(reads).toBe(1);
    await user.click(within(dialog).getByRole("button", { name: "Permuter" }));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
    await changed();
    expect(reads).toBe(1);
  });

  test("cancelled leaves the list, and what happened stands in its place with the focus; two presses are one [R-21]", async () => {
    const sent: string[] = [];
    drawn = await draw("/reservations", "Réservations", undefined, ({ method, url }) => {
      if (method === "POST" && url.endsWith("/cancellation")) sent.push(url);
    });
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /^Annuler Léa Martin/ }));
    const dialog = await screen.findByRole("dialog");
    await within(dialog).findByText("30 jours sans réservation pour Léa Martin");
    const confirm = within(dialog).getByRole("button", { name: "Annuler la réservation" });
    fireEvent.click(confirm);
    fireEvent.click(confirm);
    const said = await screen.findByText(/^La réservation de Léa Martin, le .* à \d+ h.*, est annulée\./);
    await waitFor(() => expect(focusedNotice()?.contains(said)).toBe(true));
    await waitFor(() => expect(screen.queryByRole("button", { name: /^Annuler Léa Martin/ })).toBeNull());
    expect(focusedNotice()?.contains(said)).toBe(true);
    expect(said.closest("li")?.nextElementSibling?.textContent).toMatch(/Awa Diallo/);
    expect(sent).toHaveLength(1);
  });

  test("replaced shows who passes now in whose place, with the focus [R-21]", async () => {
    drawn = await draw("/reservations", "Réservations");
    const user = userEvent.setup();
    await user.click(await screen.findByRole("button", { name: /^Remplacer Léa Martin/ }));
    const dialog = await screen.findByRole("dialog");
    await user.click(within(dialog).getByRole("combobox", { name: /À la place de Léa Martin/ }));
    await user.click(await screen.findByRole("option", { name: /^Awa Diallo/ }));
    await user.click(within(dialog).getByRole("button", { name: "Remplacer" }));
    const said = await screen.findByText(/^Awa Diallo passe l'examen du .* à la place de Léa Martin\.$/);
    await waitFor(() => expect(focusedNotice()?.contains(said)).toBe(true));
  });

  test("swapped shows when each passes now; an answer that is not known is no success [R-16] [R-26]", async () => {
    drawn = await draw("/reservations", "Réservations");
    const user = userEvent.setup();
    const swap = async () => {
      await user.click(await screen.findByRole("button", { name: /^Permuter Léa Martin/ }));
      const dialog = await screen.findByRole("dialog");
      await user.click(await within(dialog).findByRole("radio", { name: /Awa Diallo/ }));
      await user.click(within(dialog).getByRole("button", { name: "Permuter" }));
    };
    await swap();
    const said = await screen.findByText(/^Awa Diallo passe désormais l'examen le /);
    expect(screen.getByText(/^Léa Martin passe désormais l'examen le /)).toBeTruthy();
    await waitFor(() => expect(focusedNotice()?.contains(said)).toBe(true));
    const waits = (changing: boolean) => {
      if (!drawn) return [];
      drawn.world.bookings.upcoming = drawn.world.bookings.upcoming.map((one) => ({ ...one, changing }));
      return drawn.world.bookings.upcoming;
    };
    drawn.server.use(http.post("*/api/v1/bookings/:id/swap", () => HttpResponse.json({ items: waits(true) })));
    await swap();
    await waitFor(() => expect(focusedNotice()?.textContent).toMatch(/^En cours de confirmation auprès de RdvPermis/));
    const unsure = focusedNotice();
    await waitFor(() => expect(screen.getAllByText("Changement demandé").length).toBeGreaterThan(0));
    expect(unsure?.isConnected).toBe(true);
    waits(false);
    await drawn.client.invalidateQueries({ queryKey: keys.bookings });
    await waitFor(() => expect(unsure?.isConnected).toBe(false));
  });

  test("past bookings show what was done elsewhere and the result; results are counted [R-22] [R-31]", async () => {
    drawn = await draw("/reservations?onglet=passees", "Réservations");
    const user = userEvent.setup();
    expect(await screen.findByText("fait chez RdvPermis")).toBeTruthy();
    expect(screen.getByText("réussi, 27 sur 31")).toBeTruthy();
    expect(screen.getByText("résultat attendu")).toBeTruthy();
    await user.click(screen.getByRole("tab", { name: "Résultats" }));
    expect(await screen.findByText("61 % de réussite sur douze mois")).toBeTruthy();
  });
});
