/** The main job without a mouse, while another window of the same browser follows it live. */
import { expect, open, registered, test, turnTo, workingDay } from "./school.ts";

test("hold, name and validate by keyboard alone; another window follows it without reloading [E-06] [N-03] [N-04]", async ({
  school: page,
  sandbox,
}) => {
  test.setTimeout(240_000);
  const day = workingDay(6);
  await sandbox.publish(day, ["06:10"]);
  await open(page, "/", "Accueil");
  const person = await registered(page, sandbox);
  const other = await page.context().newPage();
  await open(other, "/messages", "Messages");
  await page.bringToFront();

  await turnTo(page, `/creneaux?du=${day}&au=${day}&de=6&a=7`, "Créneaux");
  const cell = page.getByRole("button", { name: /6 heures 10, .*, ouvert$/ });
  await expect(async () => {
    if (await cell.first().isVisible()) return;
    await page.getByRole("button", { name: /Regarder maintenant/ }).press("Enter");
    const fresh = page.getByRole("button", { name: /Afficher \d+ nouveau/ });
    if (await fresh.isVisible()) await fresh.press("Enter");
    await expect(cell.first()).toBeVisible({ timeout: 2000 });
  }).toPass({ timeout: 90_000 });
  await cell.first().focus();
  await page.keyboard.press("Space");
  await expect(page.getByText("1 choisi sur 4")).toBeVisible();
  await page.keyboard.press("Control+Enter");
  await expect(page.getByRole("heading", { name: "1 retenu" })).toBeVisible();
  await expect(page.locator(".rp-result").first()).toBeFocused();

  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await expect(page.getByRole("heading", { level: 1, name: "Panier" })).toBeFocused();
  const picker = page
    .getByRole("region", { name: /^Demande de / })
    .first()
    .getByLabel(/^Candidat, .*06:10/)
    .first();
  await picker.focus();
  await page.keyboard.type(person.lastName);
  await expect(page.getByRole("option", { name: person.lastName })).toBeVisible();
  await page.keyboard.press("ArrowDown");
  await page.keyboard.press("Enter");
  await expect(
    page
      .getByRole("region", { name: /^Demande de / })
      .first()
      .getByText("Demande envoyée…"),
  ).toHaveCount(0);
  // The toast, not the live region that has the same text.
  await expect(page.locator("span").filter({ hasText: /est sur cette ligne/ })).toBeVisible();
  await page.keyboard.press("Control+Enter");
  const dialog = page.getByRole("dialog");
  await expect(dialog.getByText(person.lastName)).toBeVisible();
  await expect(dialog.getByRole("button", { name: "Revenir" })).toBeFocused();
  await page.keyboard.press("Control+Enter");
  await expect(dialog).toHaveCount(0);
  await expect(page.getByText(/Réservé pour .*Le candidat est prévenu/)).toBeVisible();

  await expect(
    other.getByRole("listitem").filter({ hasText: "Réservé" }).filter({ hasText: person.lastName }),
  ).toBeVisible();
  await page.keyboard.press("g");
  await page.keyboard.press("r");
  await expect(
    page.getByRole("listitem").filter({ hasText: person.lastName }).filter({ hasText: "Réservé" }),
  ).toBeVisible();
});
