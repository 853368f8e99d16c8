/** A session that is replaced while somebody is at work, in a real browser whose tabs share one cookie. */
import { failsWith } from "../tests/fails-with.ts";
import { expect, signIn, signInAgain, test } from "./school.ts";

test("fault tried-6: after a new sign-in in another tab, what was typed in the first is sent at its first press", async ({
  page,
  context,
  sandbox,
}) => {
  const person = await sandbox.person();
  await signIn(page, "/candidats");
  await page.getByRole("button", { name: "Nouveau candidat" }).first().click();
  await page.getByLabel("Nom de naissance").fill(person.lastName);
  await page.getByLabel("Prénom").fill(person.firstName);
  await page.getByRole("textbox", { name: "NEPH" }).fill(person.neph);
  await page.getByLabel("Adresse électronique").fill(person.email);
  await signInAgain(await context.newPage());
  await page.getByRole("button", { name: "Inscrire et demander le mandat" }).click();
  const registered = page.getByRole("heading", { level: 1, name: `${person.lastName} ${person.firstName}` });
  const refused = page.getByText("Ce que vous avez écrit est gardé.");
  await expect(registered.or(refused)).toBeVisible();
  const shown = (await registered.isVisible()) ? "registered" : "refused";
  await failsWith(/the page shows: refused/, () => {
    // Playwright's own message marks the letters that differ, in colours.
    if (shown !== "registered") throw new Error(`the page shows: ${shown}`);
  });
});
