/** The opening room on the running platform: it prepares, proposes, and leaves the one press to a person. */
import { expect, lookUntil, open, registered, test, turnTo, workingDay } from "./school.ts";

/** The address of the opening of B in the Val-de-Marne, this many minutes from now. */
function opening(minutes: number): string {
  const stamp = new Date(Date.now() + minutes * 60_000).toISOString().slice(0, 16).replace(/[-:]/g, "");
  return `/ouvertures/94-B-${stamp}Z`;
}

test("before the hour: wishes and preparation, nothing to send [R-20]", { tag: "@long" }, async ({
  school: page,
  sandbox,
}) => {
  test.setTimeout(240_000);
  await open(page, "/", "Accueil");
  const person = await registered(page, sandbox);
  await turnTo(page, opening(9), "Ouverture B, Val-de-Marne");
  // The basket's own deadline may stand in the header: the room's is in the page.
  await expect(page.getByRole("main").getByRole("timer")).toContainText(/dans \d+ min/);
  const picker = page.getByRole("combobox", { name: "Ajouter un candidat" });
  await picker.click();
  await page.keyboard.type(person.lastName);
  await page.getByRole("option", { name: person.lastName }).click();
  await expect(page.getByText(`1. ${person.firstName} ${person.lastName}`)).toBeVisible();
  await page.getByRole("button", { name: "Préparer", exact: true }).click();
  await expect(page.getByText("éligible", { exact: true })).toBeVisible();
  await expect(page.getByText(/RdvPermis répond/)).toBeVisible();
  await expect(page.getByText(/\d+ appels? restants?/)).toBeVisible();
  // "trop tôt": a test before this one opened the basket, and it ends before the hour.
  await expect(page.getByText(/panier ouvert (jusqu'à|trop tôt)/)).toBeVisible();
  await expect(page.getByRole("button", { name: "Retenir" })).toHaveAttribute("aria-disabled", "true");
  expect(page.url()).not.toContain(person.lastName);
  expect(await page.evaluate(() => JSON.stringify(sessionStorage))).not.toContain(person.lastName);
});

test("after the hour: it fills by itself, asks nothing by itself, and one trusted press holds what is shown [R-20]", async ({
  school: page,
  sandbox,
}) => {
  test.setTimeout(240_000);
  const day = workingDay(5);
  await sandbox.publish(day, ["05:10", "05:42"]);
  await open(page, `/creneaux?du=${day}&au=${day}&de=5&a=6`, "Créneaux");
  const person = await registered(page, sandbox);
  await lookUntil(page, page.getByRole("button", { name: /5 heures 10, .*, ouvert$/ }));

  let asked = 0;
  page.on("request", (request) => {
    if (request.method() === "POST" && request.url().endsWith("/basket/items")) asked += 1;
  });
  await turnTo(page, opening(-1), "Ouverture B, Val-de-Marne");
  await page.getByRole("combobox", { name: "Ajouter un candidat" }).click();
  await page.keyboard.type(person.lastName);
  await page.getByRole("option", { name: person.lastName }).click();
  const name = `${person.firstName} ${person.lastName}`;
  await page.getByLabel(`Dès, pour ${name}`).selectOption("5");
  await page.getByLabel(`Avant, pour ${name}`).selectOption("6");
  const hold = page.getByRole("button", { name: "Retenir ce créneau" });
  await expect(hold).toBeVisible();
  await hold.evaluate((button: HTMLButtonElement) => button.click());
  await expect(page.getByRole("list", { name: "Proposition" }).getByRole("checkbox")).toHaveCount(1);
  expect(asked).toBe(0);
  await hold.click();
  await expect(page.getByRole("heading", { name: "1 retenu" })).toBeVisible();
  await expect(page.locator(".rp-result").first()).toBeFocused();
  expect(asked).toBe(1);
  await expect(page.getByText("déjà retenu")).toBeVisible();
});
