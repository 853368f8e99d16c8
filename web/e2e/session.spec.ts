/** A session that is replaced while somebody is at work, in a real browser whose tabs share one cookie. */
import { found, overflow } from "./axe.ts";
import { expect, open, sandboxUrl, signIn, signInAgain, test, typePassword } from "./school.ts";

test("after a new sign-in in another tab, what was typed in the first is sent at its first press", async ({
  school: page,
  sandbox,
}) => {
  const person = await sandbox.person();
  await open(page, "/candidats", "Candidats");
  await page.getByRole("button", { name: "Nouveau candidat" }).first().click();
  await page.getByLabel("Nom de naissance").fill(person.lastName);
  await page.getByLabel("Prénom").fill(person.firstName);
  await page.getByRole("textbox", { name: "NEPH" }).fill(person.neph);
  await page.getByLabel("Adresse électronique").fill(person.email);
  await signInAgain(await page.context().newPage());
  await page.getByRole("button", { name: "Inscrire et demander le mandat" }).click();
  await expect(page.getByRole("heading", { level: 1, name: `${person.firstName} ${person.lastName}` })).toBeVisible();
  await expect(page.getByRole("heading", { name: "Votre session est terminée" })).toBeHidden();
});

test("what was typed outlasts a lost session, not a sign-out, and the way back to the callback to the page [S-04]", {
  tag: "@long",
}, async ({ page, context }) => {
  const callback = page.waitForRequest((request) => new URL(request.url()).pathname === "/auth/callback");
  await signIn(page, "/candidats");
  await page.getByRole("button", { name: "Nouveau candidat" }).first().click();
  await page.getByLabel("Nom de naissance").fill("Essai");
  // RdvPermis' own session stands: the cookie that goes is ours.
  await context.clearCookies({ name: "resapermis" });
  await page.getByLabel("Prénom").fill("Camille");
  await page.getByRole("textbox", { name: "NEPH" }).fill("260000000000");
  await page.getByRole("button", { name: "Inscrire et demander le mandat" }).click();
  await page.getByRole("link", { name: "Se reconnecter" }).click();
  await expect(page.getByLabel("Nom de naissance")).toHaveValue("Essai");
  await expect(page.getByRole("textbox", { name: "NEPH" })).toHaveValue("260000000000");
  const other = await context.newPage();
  await other.goto((await callback).url());
  await expect(other).toHaveURL(/\/candidats$/);
  await other.getByRole("button", { name: "Se déconnecter" }).click();
  await expect(page.getByRole("link", { name: "Se connecter avec RdvPermis" })).toBeVisible();
  expect(await page.evaluate(() => sessionStorage.length)).toBe(0);
});

test("back from a provider on another site one is signed in, and the session before is over [S-05]", {
  tag: "@long",
}, async ({ page, context, browser, baseURL }) => {
  // Hosts, not ports, make sites: RdvPermis is asked at 127.0.0.1, and sends the browser back to localhost.
  const elsewhere = sandboxUrl(baseURL ?? "").replace("localhost", "127.0.0.1");
  const leaveFor = (address: string) => page.evaluate((to) => window.location.assign(to), address);
  const signInFromElsewhere = async (withPassword: boolean) => {
    const out = await page.request.get("/auth/login?returnTo=%2Fcandidats", { maxRedirects: 0 });
    const there = (out.headers().location ?? "").replace(sandboxUrl(baseURL ?? ""), elsewhere);
    expect(there).toMatch(/^http:\/\/127\.0\.0\.1:/);
    const arrival = page.waitForRequest((request) => new URL(request.url()).pathname === "/auth/callback");
    await page.goto(`${elsewhere}/swagger`);
    await leaveFor(there);
    if (withPassword) await typePassword(page);
    expect((await (await arrival).allHeaders())["sec-fetch-site"]).toBe("cross-site");
    await expect(page.getByRole("heading", { level: 1, name: "Candidats" })).toBeVisible();
    await expect(page).toHaveURL(/\/candidats$/);
    const cookie = (await context.cookies(baseURL)).find(({ name }) => name === "resapermis");
    expect(cookie?.sameSite).toBe("Strict");
    return cookie;
  };
  const first = await signInFromElsewhere(true);
  const second = await signInFromElsewhere(false);
  expect(second?.value).not.toBe(first?.value);
  const thief = await browser.newContext({ baseURL });
  if (first) await thief.addCookies([first]);
  expect((await thief.request.get("/auth/session")).status()).toBe(401);
  await thief.close();
  // Led here by a link on another site, our page is signed in: what it asks is its own.
  await page.goto(`${elsewhere}/swagger`);
  await leaveFor(`${baseURL}/candidats`);
  await expect(page.getByRole("heading", { level: 1, name: "Candidats" })).toBeVisible();
});

test("from the account page one ends a session elsewhere, by keyboard and at 320 px [S-04] [E-06]", {
  tag: "@long",
}, async ({ page, browser, baseURL }) => {
  const elsewhere = await browser.newContext({ baseURL, locale: "fr-FR" });
  const there = await elsewhere.newPage();
  await signIn(there, "/candidats");
  await signIn(page, "/compte");
  await open(page, "/compte", "Mon compte");
  await expect(page.getByText("cette session", { exact: true })).toBeVisible();
  expect(await found(page, { dark: "main" })).toEqual([]);
  await page.setViewportSize({ width: 320, height: 640 });
  expect(await overflow(page)).toBeLessThanOrEqual(0);
  // By last act: after this one, the one that was opened before it comes first.
  await page
    .getByRole("button", { name: /^Mettre fin à la session Chrome, Linux/ })
    .first()
    .focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Mettre fin à cette session ?" });
  await expect(dialog.getByRole("button", { name: "Garder" })).toBeFocused();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(there.getByRole("heading", { level: 1, name: "Votre session est terminée" })).toBeVisible();
  await expect(dialog).toBeHidden();
  await expect(page.getByRole("heading", { level: 1, name: "Mon compte" })).toBeVisible();
  await elsewhere.close();
});

test("who must confirm who they are does so at RdvPermis, comes back to the page, and may then [S-06]", {
  tag: "@long",
}, async ({ page, context, browser, baseURL }) => {
  const elsewhere = await browser.newContext({ baseURL, locale: "fr-FR" });
  const there = await elsewhere.newPage();
  await signIn(there, "/candidats");
  await signIn(page, "/compte");
  const before = (await context.cookies(baseURL)).find(({ name }) => name === "resapermis")?.value;
  // As the gateway answers who proved it more than five minutes ago.
  await page.route("**/api/v1/me/sessions/*", (route) =>
    route.fulfill({
      status: 403,
      contentType: "application/problem+json",
      body: JSON.stringify({ code: "STEP_UP_NEEDED", status: 403 }),
    }),
  );
  const end = page.getByRole("button", { name: /^Mettre fin à la session Chrome, Linux/ }).first();
  const dialog = page.getByRole("dialog", { name: "Mettre fin à cette session ?" });
  await end.click();
  await dialog.getByRole("button", { name: "Mettre fin" }).click();
  await page.unroute("**/api/v1/me/sessions/*");
  await dialog.getByRole("link", { name: "Confirmer mon identité" }).click();
  // RdvPermis' own session stands, and it asks all the same.
  await typePassword(page);
  await expect(page).toHaveURL(/\/compte$/);
  await expect(page.getByRole("heading", { level: 1, name: "Mon compte" })).toBeVisible();
  expect((await context.cookies(baseURL)).find(({ name }) => name === "resapermis")?.value).not.toBe(before);
  await end.click();
  await dialog.getByRole("button", { name: "Mettre fin" }).click();
  await expect(there.getByRole("heading", { level: 1, name: "Votre session est terminée" })).toBeVisible();
  await elsewhere.close();
});

test("who signs out at RdvPermis itself is signed out here, and the page is blanked [S-02]", async ({
  page,
  context,
  baseURL,
}) => {
  await signIn(page, "/candidats");
  const there = await context.newPage();
  await there.goto(`${sandboxUrl(baseURL ?? "")}/realms/formation/protocol/openid-connect/logout?client_id=resapermis`);
  await expect(there.getByText("Vous êtes déconnecté.")).toBeVisible();
  await expect(page.getByRole("heading", { level: 1, name: "Votre session est terminée" })).toBeVisible();
  expect((await page.request.get("/auth/session")).status()).toBe(401);
});

test("background work: a grant is given at RdvPermis, shown, and withdrawn, by keyboard and at 320 px [S-24] [E-06]", {
  tag: "@long",
}, async ({ page }) => {
  await signIn(page, "/");
  await page.getByRole("link", { name: "Autoriser le travail en arrière-plan" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Mon compte" })).toBeVisible();
  const section = page.getByRole("region", { name: "Travail en arrière-plan" });
  const give = async (answer: "Autoriser" | "Refuser") => {
    await section.getByRole("button", { name: "Donner l'autorisation" }).focus();
    await page.keyboard.press("Enter");
    await page.getByRole("button", { name: answer }).click();
    await expect(page).toHaveURL(/\/compte$/);
  };
  await give("Refuser");
  const said = section.getByRole("status").locator("[tabindex]");
  await expect(said).toHaveText("Vous avez refusé chez RdvPermis. Aucune autorisation n'a été donnée.");
  await expect(said).toBeFocused();
  await expect(section.getByText("Vous n'avez pas donné d'autorisation.")).toBeVisible();
  await give("Autoriser");
  await expect(said).toHaveText("Autorisation donnée. Le travail continue jour et nuit.");
  await expect(said).toBeFocused();
  await expect(section.getByText("Autorisation en vigueur")).toBeVisible();
  expect(await found(page, { dark: "main" })).toEqual([]);
  await page.setViewportSize({ width: 320, height: 640 });
  expect(await overflow(page)).toBeLessThanOrEqual(0);
  await open(page, "/", "Accueil");
  await expect(page.getByRole("link", { name: "Autoriser le travail en arrière-plan" })).toHaveCount(0);
  await open(page, "/compte", "Mon compte");
  await expect(section.getByRole("status")).toBeEmpty();
  await section.getByRole("button", { name: "Retirer l'autorisation…" }).focus();
  await page.keyboard.press("Enter");
  const dialog = page.getByRole("dialog", { name: "Retirer votre autorisation ?" });
  await expect(dialog.getByRole("button", { name: "Garder" })).toBeFocused();
  await page.keyboard.press("Tab");
  await page.keyboard.press("Enter");
  await expect(said).toHaveText("Autorisation retirée.");
  await expect(said).toBeFocused();
  await expect(section.getByText(/^Vous avez retiré votre autorisation le/)).toBeVisible();
  await expect(section.getByRole("button", { name: "Donner l'autorisation" })).toBeVisible();
  // Managers of the school read what waits from now on.
  await expect(async () => {
    await open(page, "/messages", "Messages");
    await expect(
      page.getByText(/La dernière autorisation de travail en arrière-plan .* a pris fin/).first(),
    ).toBeVisible({
      timeout: 1000,
    });
  }).toPass({ timeout: 60_000 });
});

test("what a page begins with is asked before its code is there, and once", { tag: "@long" }, async ({ page }) => {
  await signIn(page, "/");
  await page.goto("about:blank"); // what the page of before still asks is not counted
  const asked: string[] = [];
  page.on("request", (request) => {
    const { pathname, search } = new URL(request.url());
    if (pathname.startsWith("/api/") || pathname === "/auth/session") asked.push(pathname + search);
  });
  const errors: string[] = [];
  page.on("console", (message) => message.type() === "error" && errors.push(message.text()));
  // What colleagues do meanwhile is read again, and rightly: here nothing is heard of it.
  await page.route("**/api/v1/notifications/stream", () => undefined);
  await open(page, "/", "Accueil");
  await expect(page.getByRole("heading", { level: 2 }).first()).toBeVisible();
  const early = ["/auth/session", "/api/v1/basket", "/api/v1/bookings?filter=upcoming", "/api/v1/me/grant"];
  for (const path of early) expect(asked.filter((one) => one === path)).toEqual([path]);
  // Modules run after the HTML was read (domInteractive); in a cache they may be there at once.
  const [session, read] = await page.evaluate(() => {
    const entries = performance.getEntriesByType("resource");
    const [page] = performance.getEntriesByType("navigation") as PerformanceNavigationTiming[];
    return [entries.find((entry) => entry.name.endsWith("/auth/session"))?.startTime, page?.domInteractive];
  });
  expect(session).toBeLessThan(read ?? 0);
  // Modules that were preloaded in vain are a warning of the browser, a refused one an error.
  expect(errors).toEqual([]);
  await page.getByRole("button", { name: "Se déconnecter" }).click();
  await expect(page.getByRole("link", { name: "Se connecter avec RdvPermis" })).toBeVisible();
  asked.length = 0;
  await page.reload();
  await expect(page.getByRole("link", { name: "Se connecter avec RdvPermis" })).toBeVisible();
  expect(asked.filter((path) => path.startsWith("/api/"))).toEqual([]);
});
