/**
 * Pictures of each page and each dialog, to be looked at (make screenshots): light, dark, at 320 px, and a few in English. They go to
 * the folder that SCREENS names, `<page>[-<dialog>]-<form>.png`. SCREENS_FORMS takes fewer forms.
 */
import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { expect, type Locator, type Page, test } from "@playwright/test";
import { PAGES, signIn } from "../e2e/school.ts";
import { atWork } from "./work.ts";

const FOLDER = resolve(process.env.SCREENS ?? "test-results/screens");

const FORMS = {
  light: { scheme: "light", width: 1280, height: 860 },
  dark: { scheme: "dark", width: 1280, height: 860 },
  "320": { scheme: "light", width: 320, height: 720 },
  "320-dark": { scheme: "dark", width: 320, height: 720 },
} as const;
type Form = keyof typeof FORMS;
const ASKED = (process.env.SCREENS_FORMS?.split(",") ?? Object.keys(FORMS)) as Form[];
/** What the rest is seen in before a picture is taken: a page is opened, and a dialog found, in it. */
const WIDE = FORMS.light;

interface Dialog {
  readonly name: string;
  /** What opens it. */
  readonly opener: (page: Page) => Locator;
}

const button = (name: RegExp) => (page: Page) => page.getByRole("button", { name }).first();

/** Dialogs by the address they are opened from. */
const DIALOGS: Readonly<Record<string, readonly Dialog[]>> = {
  "/panier": [
    { name: "give-back", opener: button(/^Rendre /) },
    { name: "keys", opener: button(/^Raccourcis/) },
  ],
  "/reservations": [
    { name: "replace", opener: button(/^Remplacer /) },
    { name: "swap", opener: button(/^(Permuter|Échanger) /) },
    { name: "cancel", opener: button(/^Annuler /) },
  ],
  "/equipe": [{ name: "trainer", opener: button(/^Modifier /) }],
  "/equipe?onglet=vehicules": [{ name: "vehicle", opener: button(/^Modifier /) }],
  "/journal": [{ name: "proof", opener: button(/^Vérifier/) }],
};

/** "/reservations?onglet=a-confirmer" → "reservations-a-confirmer". */
function fileName(path: string): string {
  const url = new URL(path, "http://localhost");
  const words = [url.pathname, url.searchParams.get("onglet"), url.searchParams.get("vue")];
  return (
    words
      .filter(Boolean)
      .join("-")
      .replaceAll("/", "-")
      .replace(/^-+/, "")
      .replace(/-\d{8}T\d{4}Z$/, "") || "accueil"
  );
}

async function show(page: Page, form: Form | typeof WIDE): Promise<void> {
  const { scheme, width, height } = typeof form === "string" ? FORMS[form] : form;
  await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
  await page.setViewportSize({ width, height });
}

/** One picture in each form that is asked for; the whole page, or the window where a dialog stands over it. */
async function take(page: Page, name: string, fullPage: boolean): Promise<void> {
  for (const form of ASKED) {
    await show(page, form);
    await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
    await page.screenshot({ path: join(FOLDER, `${name}-${form}.png`), fullPage, animations: "disabled" });
  }
  await show(page, WIDE);
}

async function open(page: Page, path: string): Promise<void> {
  await page.goto(path);
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
}

test("pictures of every page and dialog", async ({ page, request, baseURL }) => {
  mkdirSync(FOLDER, { recursive: true });
  await show(page, WIDE);
  await page.goto("/");
  await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
  await take(page, "sign-in", true);
  await signIn(page);
  const { candidate } = await atWork(page, request, baseURL ?? "");
  const addresses = [...PAGES.map(({ path }) => path), `/candidats/${candidate}`, "/nulle-part"];
  const unopened: string[] = [];
  for (const path of addresses) {
    const name = path.startsWith("/candidats/") ? "candidat" : fileName(path);
    await test.step(name, async () => {
      await open(page, path);
      await take(page, name, true);
      for (const { name: dialog, opener } of DIALOGS[path] ?? []) {
        // One that does not open is told of at the end; the others are shown.
        const opened = await opener(page)
          .click({ timeout: 10_000 })
          .then(() => page.getByRole("dialog").waitFor({ timeout: 10_000 }))
          .then(
            () => true,
            () => false,
          );
        if (!opened) {
          unopened.push(`${name}-${dialog}`);
          continue;
        }
        await take(page, `${name}-${dialog}`, false);
        await page.keyboard.press("Escape");
        await expect(page.getByRole("dialog")).toHaveCount(0);
      }
    });
  }
  expect(unopened).toEqual([]);
});
