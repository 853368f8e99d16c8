/** Everyone can use it: axe on each page in both themes, keyboard alone, 320 px, reduced motion, forced colours (E-06). */
import type { Page } from "@playwright/test";
import { found, overflow } from "./axe.ts";
import { expect, lookUntil, open, PAGES, signInHere, test, turnTo, workingDay } from "./school.ts";

/** Ids of rules, codes, names of RdvPermis' fields and raw moments that the page shows outside "Détails". */
async function codes(page: Page): Promise<string[]> {
  const shown = await page.evaluate(() => {
    const copy = document.body.cloneNode(true) as HTMLElement;
    for (const folded of copy.querySelectorAll("details, script, style")) folded.remove();
    return copy.textContent ?? "";
  });
  return (
    shown.match(/\bR-[A-Z][A-Z-]+|[A-Z]{2,}_[A-Z_]+|statutDeReservation|\d{4}-\d\d-\d\dT[\d:.]+Z?|\d \(?UTC\b/g) ?? []
  );
}

test("axe finds a button without a name, and pale words in both themes", { tag: "@long" }, async ({ school: page }) => {
  await open(page, "/panier", "Panier");
  await page.evaluate(() => {
    const pale = document.createElement("p");
    pale.textContent = "pâle";
    pale.style.cssText = "color: #ccc; background: #fff";
    document.querySelector("h1")?.after(document.createElement("button"), pale);
  });
  const rules = (await found(page)).map((line) => line.split(" ", 2).join(" "));
  expect(rules).toEqual(["light: button-name", "light: color-contrast", "dark: color-contrast"]);
});

test("axe finds nothing on any page, light or dark, and at 320 px none scrolls sideways [E-06]", {
  tag: "@long",
}, async ({ school: page }) => {
  test.setTimeout(600_000);
  await open(page, "/seuils", "Seuils");
  for (const { path, heading, tab } of PAGES) {
    await turnTo(page, path, heading, tab);
    expect(await found(page, path === "/" ? {} : { dark: "main" }), path).toEqual([]);
    expect(await overflow(page), path).toBeLessThanOrEqual(0);
    expect(await codes(page), path).toEqual([]);
  }
  // At 320 px the list is what is shown without being asked for; the calendar is to fit as well.
  await turnTo(page, "/creneaux?vue=calendrier", "Créneaux");
  await expect(page.getByRole("grid")).toBeVisible();
  expect(await overflow(page)).toBeLessThanOrEqual(0);
});

test("axe finds nothing in the dialogs [E-06]", { tag: "@long" }, async ({ school: page }) => {
  // Each over a page with little beneath it: pages are judged by themselves above.
  await open(page, "/panier", "Panier");
  await page.getByRole("button", { name: "Raccourcis" }).click();
  await expect(page.getByRole("dialog")).toBeVisible();
  expect(await found(page, { dark: "[role=dialog]" })).toEqual([]);
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  const day = workingDay(1);
  await turnTo(page, `/creneaux?du=${day}&au=${day}`, "Créneaux");
  await lookUntil(page, page.locator(".rp-slot")); // a stack that just began knows none
  await page.locator(".rp-slot").first().focus();
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  expect(await found(page, { dark: "[role=dialog]" })).toEqual([]);
});

test("on a phone the bottom bar has four pages and the rest behind Plus [E-06]", { tag: "@long" }, async ({
  school: page,
}) => {
  await page.setViewportSize({ width: 390, height: 800 });
  await open(page, "/", "Accueil");
  const bar = page.locator(".rp-bottom");
  await expect(bar.getByRole("link")).toHaveCount(4);
  await bar.getByRole("button", { name: "Plus" }).click();
  await page.getByRole("dialog").getByRole("link", { name: "Seuils" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Seuils" })).toBeVisible();
  await expect(page.getByRole("dialog")).toHaveCount(0);
});

test("by keyboard alone: pages, grid, choice, dialog; focus is always seen [E-06]", async ({ school: page }) => {
  await open(page, "/", "Accueil");
  await page.keyboard.press("Tab");
  await expect(page.getByRole("link", { name: "Aller au contenu" })).toBeFocused();
  await page.keyboard.press("g");
  await page.keyboard.press("c");
  await expect(page.getByRole("heading", { level: 1, name: "Créneaux" })).toBeFocused();
  await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
  await page.keyboard.press("/");
  await expect(page.getByLabel("Département")).toBeFocused();
  const stops = page.locator(".rp-slot[tabindex='0']");
  await expect(stops).toHaveCount(1);
  for (let step = 0; step < 40; step += 1) {
    await page.keyboard.press("Tab");
    if (await stops.evaluate((cell) => cell === document.activeElement)) break;
  }
  await expect(stops).toBeFocused();
  const before = await page.evaluate(() => document.activeElement?.getAttribute("data-place"));
  await page.keyboard.press("Control+End");
  const after = await page.evaluate(() => document.activeElement?.getAttribute("data-place"));
  expect(after).not.toBe(before);
  const covered = await page.evaluate(() => {
    const box = document.activeElement?.getBoundingClientRect();
    if (!box) return true;
    const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
    return !document.activeElement?.contains(top);
  });
  expect(covered).toBe(false);
  await page.keyboard.press("Enter");
  await expect(page.getByRole("dialog")).toBeVisible();
  await page.keyboard.press("Escape");
  await expect(page.getByRole("dialog")).toHaveCount(0);
  expect(await page.evaluate(() => document.activeElement?.getAttribute("data-place"))).toBe(after);
  await page.keyboard.press("?");
  await expect(page.getByRole("dialog", { name: "Raccourcis clavier" })).toBeVisible();
});

test("many slots draw at most sixty rows, and the table counts them all [E-06]", { tag: "@long" }, async ({
  school: page,
}) => {
  await open(page, "/creneaux", "Créneaux");
  const grid = page.getByRole("grid");
  await expect(grid).toBeVisible();
  expect(Number(await grid.getAttribute("aria-rowcount"))).toBeGreaterThan(1);
  expect(await grid.locator("tbody tr").count()).toBeLessThanOrEqual(60);
});

test("reduced motion and forced colours lose nothing [E-06]", { tag: "@long" }, async ({ school: page }) => {
  await page.emulateMedia({ reducedMotion: "reduce", forcedColors: "active" });
  await open(page, "/panier", "Panier");
  const slow = await page.evaluate(
    () => document.getAnimations().filter((one) => Number(one.effect?.getComputedTiming().duration) > 10).length,
  );
  expect(slow).toBe(0);
});

test("French first, English by a switch that is kept [N-07]", { tag: "@long" }, async ({ school: page }) => {
  await open(page, "/", "Accueil");
  await page.getByRole("button", { name: "English" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Home" })).toBeVisible();
  await expect(page.locator("html")).toHaveAttribute("lang", "en");
  await page.reload();
  await expect(page.getByRole("heading", { level: 1, name: "Home" })).toBeVisible();
  await page.getByRole("button", { name: "Français" }).click();
  await expect(page.getByRole("heading", { level: 1, name: "Accueil" })).toBeVisible();
});

test("axe finds nothing on the page before signing in, which brings back to the page that was asked; signing out ends the session [E-06] [S-01] [S-04]", {
  tag: "@long",
}, async ({ page }) => {
  await page.goto("/seuils");
  await expect(page.getByRole("link", { name: "Se connecter avec RdvPermis" })).toBeVisible();
  expect(await found(page)).toEqual([]);
  await signInHere(page);
  await expect(page).toHaveURL(/\/seuils$/);
  await page.getByRole("button", { name: "Se déconnecter" }).click();
  await page.waitForURL((url) => !url.pathname.startsWith("/seuils"));
  await page.goto("/seuils");
  await expect(page.getByRole("link", { name: "Se connecter avec RdvPermis" })).toBeVisible();
});
