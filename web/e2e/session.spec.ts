/** A session that is replaced while somebody is at work, in a real browser whose tabs share one cookie. */
import { expect, signIn, signInAgain, test } from "./school.ts";

test("after a new sign-in in another tab, what was typed in the first is sent at its first press", async ({
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
  await expect(page.getByRole("heading", { level: 1, name: `${person.lastName} ${person.firstName}` })).toBeVisible();
  await expect(page.getByText("RdvPermis demande de vous reconnecter")).toBeHidden();
});
