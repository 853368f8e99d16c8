/** A candidate whom RdvPermis does not know as written: refused, corrected, asked for again, and then fixed by the mandate. */
import { found, overflow } from "./axe.ts";
import { expect, test } from "./school.ts";

test("a candidate written down wrongly is corrected by keyboard, over a lost session, and the mandate follows [E-06]", {
  tag: "@long",
}, async ({ school: page, sandbox }) => {
  const person = await sandbox.person();
  const right = `${person.firstName} ${person.lastName}`;
  const form = page.getByRole("form", { name: "Corriger la fiche" });
  const field = (name: string) => form.getByRole("textbox", { name });

  await test.step("the refusal leads to the correction, with the first field under the cursor", async () => {
    await page.goto("/candidats");
    await page.getByRole("button", { name: "Nouveau candidat" }).first().click();
    await page.getByLabel("Nom de naissance").fill(`${person.lastName}x`);
    await page.getByLabel("Prénom").fill(person.firstName);
    await page.getByRole("textbox", { name: "NEPH" }).fill(person.neph);
    await page.getByLabel("Adresse électronique").fill(person.email);
    await page.getByRole("button", { name: "Inscrire et demander le mandat" }).click();
    await expect(page.getByText("Le candidat est inscrit ; son mandat ne l'est pas.")).toBeVisible();
    await page.getByRole("link", { name: "Corriger la fiche" }).press("Enter");
    await expect(field("Nom de naissance")).toBeFocused();
    await expect(field("Nom de naissance")).toHaveValue(`${person.lastName}x`);
    await expect(field("NEPH")).toHaveValue(person.neph);
    expect(page.url()).not.toContain(person.lastName);
  });

  await test.step("axe finds nothing in the form, and at 320 px it does not scroll sideways", async () => {
    expect(await found(page, { dark: "main" })).toEqual([]);
    expect(await overflow(page)).toBeLessThanOrEqual(0);
  });

  await test.step("what is missing is named at its field", async () => {
    await field("Prénom").fill("");
    await field("Prénom").press("Enter");
    await expect(field("Prénom")).toHaveAccessibleDescription(/Indiquez le prénom\./);
    await expect(field("Prénom")).toHaveAttribute("aria-invalid", "true");
    await field("Prénom").fill(person.firstName);
  });

  await test.step("what is typed outlasts a lost session", async () => {
    await field("Nom de naissance").focus();
    await page.keyboard.press("End");
    await page.keyboard.press("Backspace");
    // RdvPermis' own session stands: the cookie that goes is ours.
    await page.context().clearCookies({ name: "resapermis" });
    await page.keyboard.press("Enter");
    await page.getByRole("link", { name: "Se reconnecter" }).press("Enter");
    await expect(page.getByRole("heading", { level: 1, name: `${person.lastName}x` })).toBeVisible();
    await expect(field("Nom de naissance")).toHaveValue(person.lastName);
    await field("Nom de naissance").press("Enter");
    await expect(page.getByRole("heading", { level: 1, name: right, exact: true })).toBeVisible();
    await expect(page.getByRole("button", { name: "Corriger la fiche…" })).toBeFocused();
    expect(await page.evaluate(() => JSON.stringify(sessionStorage))).not.toContain(person.lastName);
  });

  await test.step("the mandate is asked for again, and once active fixes the name and the NEPH, not the address", async () => {
    await page.getByRole("button", { name: "Demander le mandat" }).click();
    await expect(page.getByText("Attend l'accord du candidat")).toBeVisible();
    await sandbox.acceptMandates();
    await page.getByRole("button", { name: /Regarder maintenant/ }).click();
    await expect(page.getByText("Actif", { exact: true })).toBeVisible();
    await page.getByRole("button", { name: "Corriger la fiche…" }).press("Enter");
    await expect(field("Adresse électronique")).toBeFocused();
    for (const name of ["Nom de naissance", "Prénom", "NEPH"]) {
      await expect(field(name)).not.toBeEditable();
      await expect(field(name)).toHaveAccessibleDescription("Fixé par le mandat en cours");
    }
  });
});
