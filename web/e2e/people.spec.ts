/** People who are no employees: the operator's code, an invitation by mail, passkeys in Chromium's own virtual authenticator. */
import { execFileSync } from "node:child_process";
import { expect, type Page, test } from "@playwright/test";
import { found, overflow } from "./axe.ts";

/** As a security key that verifies its owner and keeps its passkeys. */
async function withAuthenticator(page: Page): Promise<void> {
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("WebAuthn.enable");
  await devtools.send("WebAuthn.addVirtualAuthenticator", {
    options: {
      protocol: "ctap2",
      transport: "internal",
      hasResidentKey: true,
      hasUserVerification: true,
      isUserVerified: true,
      automaticPresenceSimulation: true,
    },
  });
}

/** The link in the newest mail to `address`, once it is there. */
async function linkTo(page: Page, address: string): Promise<string> {
  let link = "";
  await expect(async () => {
    const mails = (await (await page.request.get(`${process.env.E2E_MAIL_URL}/api/mails`)).json()) as {
      to: string[];
      text: string;
    }[];
    const mine = mails.filter(({ to }) => to.includes(address)).map(({ text }) => text);
    link = /https?:\/\/\S+\/invitation#[A-Za-z0-9_-]+/.exec(mine.join("\n"))?.[0] ?? "";
    expect(link).not.toBe("");
  }).toPass();
  return link;
}

/** As the operator does on their terminal. */
function newCode(): string {
  const python = process.env.RESAPERMIS_PYTHON ?? "../.venv/bin/python";
  const command = ["../tools/resapermisctl.py", "people", "first-administrator", "--home", process.env.E2E_HOME ?? ""];
  return (JSON.parse(execFileSync(python, command, { encoding: "utf8" })) as { code: string }).code;
}

test("the operator's code makes an administrator, who invites by mail, suspends, and is asked for the passkey again [S-23]", {
  tag: "@long",
}, async ({ page, browser, baseURL }) => {
  await withAuthenticator(page);
  const code = newCode();
  await page.goto("/premier-administrateur");
  expect(await found(page, { dark: "main" })).toEqual([]);
  await page.getByLabel("Code").fill(code.toLowerCase());
  await page.getByLabel("Votre nom").fill("Anne Roche");
  await page.getByLabel("Adresse électronique").fill("anne.roche@plateforme.example");
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "Inviter des personnes, suspendre ou terminer leur accès" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Personnes" })).toBeVisible();
  await expect(page.getByRole("row", { name: /Anne Roche \(vous\)/ })).toContainText("actif");

  await page.getByRole("button", { name: "Inviter une personne…" }).click();
  const dialog = page.getByRole("dialog", { name: "Inviter une personne" });
  await dialog.getByLabel("Nom").fill("Sam Petit");
  await dialog.getByLabel("Adresse électronique").fill("sam.petit@prefecture.example");
  await dialog.getByLabel("Rôle").selectOption("auditor");
  expect(await found(page, { dark: "[role=dialog]" })).toEqual([]);
  await dialog.getByRole("button", { name: "Inviter" }).click();
  const row = page.getByRole("row", { name: /Sam Petit/ });
  await expect(row).toContainText("invité, jusqu'au");

  const elsewhere = await browser.newContext({ baseURL, locale: "fr-FR" });
  const there = await elsewhere.newPage();
  await withAuthenticator(there);
  const link = await linkTo(page, "sam.petit@prefecture.example");
  await there.goto(link);
  await expect(
    there.getByText("Sam Petit, vous recevez cette invitation à rejoindre ResaPermis comme auditeur."),
  ).toBeVisible();
  await expect(there).toHaveURL(/\/invitation$/);
  expect(await found(there, { dark: "main" })).toEqual([]);
  await there.setViewportSize({ width: 320, height: 640 });
  expect(await overflow(there)).toBeLessThanOrEqual(0);
  await there.getByRole("button", { name: "Créer ma clé d'accès et entrer" }).click();
  await expect(there.getByRole("heading", { level: 1, name: "Accueil" })).toBeVisible();
  await expect(there.getByText("Les autres pages de votre rôle n'existent pas encore.")).toBeVisible();
  await there.goto("/admin");
  await expect(there.getByRole("heading", { level: 1, name: "Page introuvable" })).toBeVisible();
  await expect(async () => {
    await there.goto("/journal");
    await expect(there.getByRole("rowheader", { name: "Invitation acceptée" })).toBeVisible({ timeout: 5000 });
  }).toPass({ timeout: 60_000 });

  // Used: the link opens nothing any more, and a passkey opens the next session.
  const again = await elsewhere.newPage();
  await again.goto(link);
  await expect(again.getByText("Ce lien n'est plus valable.")).toBeVisible();
  await again.close();
  await there.getByRole("button", { name: "Se déconnecter" }).click();
  await there.getByText("Je ne suis pas employé d'une auto-école").click();
  await there.getByRole("button", { name: "Se connecter avec une clé d'accès" }).click();
  await expect(there.getByRole("heading", { level: 1, name: "Accueil" })).toBeVisible();

  // As the gateway answers who proved it more than five minutes ago: the passkey is asked, and the act goes on.
  let asked = 0;
  await page.route("**/api/v1/people/*/suspension", (route) => {
    asked += 1;
    return asked > 1
      ? route.continue()
      : route.fulfill({
          status: 403,
          contentType: "application/problem+json",
          body: JSON.stringify({ code: "STEP_UP_NEEDED", status: 403 }),
        });
  });
  await page.reload();
  await page.getByRole("button", { name: "Suspendre Sam Petit" }).click();
  await page
    .getByRole("dialog", { name: "Suspendre cette personne ?" })
    .getByRole("button", { name: "Suspendre" })
    .click();
  await expect(row).toContainText("suspendu");
  expect(asked).toBe(2);
  await expect(there.getByRole("heading", { level: 1, name: "Votre session est terminée" })).toBeVisible();
  await there.getByText("Je ne suis pas employé d'une auto-école").click();
  await there.getByRole("button", { name: "Se connecter avec une clé d'accès" }).click();
  await expect(there.getByText("Cette clé d'accès n'ouvre aucun compte actif.")).toBeVisible();

  expect(await found(page, { dark: "main" })).toEqual([]);
  await page.setViewportSize({ width: 320, height: 640 });
  expect(await overflow(page)).toBeLessThanOrEqual(0);
  expect(() => newCode()).toThrow(); // there is an administrator
  await elsewhere.close();
});
