/** What happens to a press: sent once, said to be late when it is, and its result shown where it was asked for. */
import { randomUUID } from "node:crypto";
import type { Locator, Page } from "@playwright/test";
import { booked, expect, lookUntil, open, type Person, registered, test, turnTo, workingDay } from "./school.ts";

/** Two presses of the mouse with nothing between them: the page has drawn nothing of the first when the second comes. */
async function pressTwiceAtOnce(page: Page, button: Locator): Promise<void> {
  await button.hover(); // it no longer moves
  const box = await button.boundingBox();
  if (!box) throw new Error("nothing to press");
  const mouse = await page.context().newCDPSession(page);
  const at = { x: box.x + box.width / 2, y: box.y + box.height / 2, button: "left" as const, clickCount: 1 };
  await Promise.all(
    (["mousePressed", "mouseReleased", "mousePressed", "mouseReleased"] as const).map((type) =>
      mouse.send("Input.dispatchMouseEvent", { type, ...at }),
    ),
  );
}

test("two presses at once are one request, and an answer that does not come is said to be late [N-07]", async ({
  school: page,
}) => {
  await open(page, "/creneaux?vue=liste", "Créneaux");
  const label = `Essai ${randomUUID().slice(0, 8)}`;
  let sent = 0;
  const answer = Promise.withResolvers<void>();
  await page.route("**/api/v1/saved-searches", async (route) => {
    if (route.request().method() !== "POST") return route.continue();
    sent += 1;
    await answer.promise;
    return route.continue();
  });
  await page.getByRole("button", { name: "Garder cette recherche" }).click();
  const dialog = page.getByRole("dialog");
  await dialog.getByLabel("Nom de la recherche").fill(label);
  await pressTwiceAtOnce(page, dialog.getByRole("button", { name: "Garder" }));
  const late = page.getByRole("status").filter({ hasText: "La réponse se fait attendre." });
  await expect(late).toBeVisible(); // within how long: late.test.ts
  answer.resolve();
  await expect(dialog).toHaveCount(0);
  await expect(late).toHaveCount(0);
  expect(sent).toBe(1);
  await page.unroute("**/api/v1/saved-searches");
  await page.getByText(/recherches? gardées?$/).click();
  await page.getByRole("button", { name: `Supprimer « ${label} »` }).click();
  await expect(page.getByRole("button", { name: `Supprimer « ${label} »` })).toHaveCount(0);
  await expect(page.getByRole("heading", { level: 1 })).toBeFocused();
});

test("swapped, replaced, cancelled: what happened stands where the booking stood, with the focus [R-13] [R-26]", {
  tag: "@long",
}, async ({ school: page, sandbox }) => {
  test.setTimeout(300_000);
  const day = workingDay(8);
  const slots = await sandbox.publish(day, ["05:10", "05:42"]);
  await open(page, `/creneaux?du=${day}&au=${day}&de=5&a=6`, "Créneaux");
  const [first, second, third] = [
    await registered(page, sandbox),
    await registered(page, sandbox),
    await registered(page, sandbox),
  ] as const;
  const name = ({ firstName, lastName }: Person) => `${firstName} ${lastName}`;
  await lookUntil(page, page.getByRole("button", { name: /5 heures 10, .*, ouvert$/ }));
  await booked(
    page,
    slots.map((slotId, index) => ({ slotId, candidateId: (index === 0 ? first : second).id })),
  );
  await turnTo(page, "/reservations", "Réservations");
  /** What stands in the list, with the focus on it. */
  const said = async (text: RegExp) => {
    await expect(page.getByRole("listitem").locator("[tabindex='-1']").filter({ hasText: text })).toBeFocused();
  };
  const dialog = page.getByRole("dialog");

  await test.step("swapped", async () => {
    await page.getByRole("button", { name: `Permuter ${name(first)}` }).click();
    await dialog.getByRole("radio", { name: name(second) }).click();
    await dialog.getByRole("button", { name: "Permuter" }).click();
    await said(new RegExp(`${name(second)} passe désormais l'examen le .* à 5 h 10\\.`));
  });

  await test.step("replaced", async () => {
    // Of the list as it was read again: swapped bookings are others.
    await page.getByRole("button", { name: new RegExp(`^Remplacer ${name(first)}.* 05:42`) }).click();
    await dialog.getByRole("combobox").click();
    await page.keyboard.type(third.lastName);
    await page.getByRole("option", { name: third.lastName }).click();
    await dialog.getByRole("button", { name: "Remplacer" }).click();
    await said(new RegExp(`${name(third)} passe l'examen du .* à la place de ${name(first)}\\.`));
  });

  await test.step("cancelled", async () => {
    await page.getByRole("button", { name: `Annuler ${name(third)}` }).click();
    await dialog.getByRole("button", { name: "Annuler la réservation" }).click();
    await said(new RegExp(`La réservation de ${name(third)}, le .* à 5 h 42, est annulée\\.`));
    await expect(page.getByRole("button", { name: `Annuler ${name(third)}` })).toHaveCount(0);
  });
});
