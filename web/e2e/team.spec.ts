/** The school's own pages on the running platform: trainers, vehicles, hours, unavailability; and what follows on a held line. */
import { expect, lookUntil, open, registered, test, turnTo, workingDay } from "./school.ts";

test.describe.configure({ mode: "serial" });

test("an employee becomes a trainer, hours make the threshold's full time, a vehicle is added [R-28] [D-17]", async ({
  school: page,
}) => {
  test.setTimeout(240_000);
  await open(page, "/equipe", "Équipe");
  const add = page.getByRole("button", { name: "Ajouter comme formateur…" });
  await expect(add.or(page.getByRole("button", { name: /^Modifier/ })).first()).toBeVisible();
  if (await add.isVisible()) {
    await add.click();
    // Hours of A make A's threshold alone: B's stays as the other journeys need it.
    await page.getByRole("dialog").getByLabel("A", { exact: true }).check();
    await page.getByRole("dialog").getByRole("button", { name: "Enregistrer" }).click();
    await expect(page.getByRole("dialog")).toHaveCount(0);
  }
  const trainer = page.getByRole("table").getByRole("rowheader").first();
  await expect(trainer).toBeVisible();
  const name = (await trainer.textContent()) ?? "";

  await page.getByRole("tab", { name: "Véhicules" }).click();
  await page.getByRole("button", { name: "Ajouter un véhicule…" }).click();
  await page.getByRole("dialog").getByLabel(/^Nom/).fill("Clio d'essai");
  await page.getByRole("dialog").getByRole("button", { name: "Enregistrer" }).click();
  await expect(page.getByRole("rowheader", { name: "Clio d'essai" }).first()).toBeVisible();

  await page.getByRole("tab", { name: "Heures" }).click();
  await page.getByRole("form").getByLabel("Permis").selectOption("A");
  await page.getByLabel(new RegExp(`^${name}, pratique`)).fill("151.67");
  await page.getByRole("button", { name: "Déclarer ces heures" }).click();
  await expect(page.locator("span").filter({ hasText: "Les heures sont déclarées." })).toBeVisible();
  await expect(page.getByLabel(new RegExp(`^${name}, pratique`))).toHaveValue(/151[.,]67/);
});

test("a trainer who is not free is named on the held line before validation [R-17] [R-18]", async ({
  school: page,
  sandbox,
}) => {
  test.setTimeout(240_000);
  const day = workingDay(7);
  await sandbox.publish(day, ["04:10"]);
  await open(page, `/equipe?onglet=disponibilites`, "Équipe");
  const person = await registered(page, sandbox);
  const who = page.getByLabel("Qui ou quoi");
  await expect(who.locator("option").nth(1)).toBeAttached();
  await who.selectOption({ index: 1 });
  const trainer = await who.evaluate((field: HTMLSelectElement) => field.selectedOptions[0]?.textContent ?? "");
  const form = page.getByRole("form", { name: "Noter une indisponibilité" });
  await form.getByLabel(/^Du/).fill(`${day}T03:00`);
  await form.getByLabel(/^Au/).fill(`${day}T07:00`);
  await form.getByRole("button", { name: "Noter l'indisponibilité" }).click();
  await expect(page.getByText(/03:00 – 07:00/).first()).toBeVisible();

  await turnTo(page, `/creneaux?du=${day}&au=${day}&de=4&a=5`, "Créneaux");
  const cell = page.getByRole("button", { name: /4 heures 10, .*, ouvert$/ });
  await lookUntil(page, cell);
  await cell.first().click();
  await page.getByRole("button", { name: "Retenir ce créneau" }).click();
  await expect(page.getByRole("heading", { name: "1 retenu" })).toBeVisible();

  await turnTo(page, "/panier", "Panier");
  const line = page.getByRole("listitem").filter({ hasText: "04:10" }).first();
  await line.getByRole("combobox", { name: /^Candidat/ }).click();
  await page.keyboard.type(person.lastName);
  await page.getByRole("option", { name: person.lastName }).click();
  // At once: the page sends one change of a line after the other.
  await line.getByLabel(/^Formateur/).selectOption({ label: trainer });
  await expect(line.getByText("Pas libre à cette heure : le formateur.", { exact: false })).toBeVisible();
  await line.getByLabel(/^Formateur/).selectOption("");
  await expect(line.getByText("Pas libre à cette heure", { exact: false })).toHaveCount(0);
});
