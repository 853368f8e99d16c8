/**
 * The pictures of README.md and README.fr.md (make screenshots ARGS=--readme). Beside each, docs/images/shown.json keeps which of the
 * interface's sentences it shows: `make lint` fails when one of them is said no longer.
 */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, type Page, test } from "@playwright/test";
import { signIn, workingDay } from "../e2e/school.ts";
import { atWork } from "./work.ts";

const FOLDER = join(import.meta.dirname, "../../docs/images");
const QUALITY = 80;
const WEEK = `du=${workingDay(2)}&au=${workingDay(3)}&de=8`;

const PICTURES = [
  { name: "slots", path: `/creneaux?${WEEK}`, width: 1280, height: 800, scheme: "light" },
  { name: "basket", path: "/panier", width: 1280, height: 800, scheme: "light" },
  { name: "home-phone", path: "/", width: 390, height: 780, scheme: "dark" },
] as const;

/** Sentences of the interface that are always the same words. */
function sentences(locale: string): string[] {
  const texts = readFileSync(join(import.meta.dirname, `../src/locales/${locale}.po`), "utf8");
  return [...texts.matchAll(/^msgstr (".+")$/gm)]
    .map(([, text = ""]) => JSON.parse(text) as string)
    .filter((text) => !/[{<]/.test(text));
}

function shownOf(page: Page, known: string[]): Promise<string[]> {
  return page.evaluate((all) => {
    const wanted = new Set(all);
    const found = new Set<string>();
    const nodes = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (nodes.nextNode()) {
      const text = nodes.currentNode.textContent?.trim() ?? "";
      const box = nodes.currentNode.parentElement?.getBoundingClientRect();
      if (wanted.has(text) && box && box.width > 1 && box.bottom > 0 && box.top < innerHeight) found.add(text);
    }
    return [...found].sort();
  }, known);
}

async function picture(page: Page): Promise<Buffer> {
  const browser = await page.context().newCDPSession(page);
  const { data } = await browser.send("Page.captureScreenshot", { format: "webp", quality: QUALITY });
  await browser.detach();
  return Buffer.from(data, "base64");
}

test("the pictures of README", async ({ page, request, baseURL }) => {
  await signIn(page);
  await atWork(page, request, baseURL ?? "");
  const shown: Record<string, { locale: string; sha256: string; sentences: string[] }> = {};
  for (const old of readdirSync(FOLDER)) rmSync(join(FOLDER, old));
  for (const locale of ["fr", "en"]) {
    await page.evaluate((one) => localStorage.setItem("resapermis.locale", one), locale);
    for (const { name, path, width, height, scheme } of PICTURES) {
      await page.setViewportSize({ width, height });
      await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
      await page.goto(path);
      await expect(page.locator("html")).toHaveAttribute("lang", locale);
      await expect(page.getByRole("heading", { level: 1 })).toBeVisible();
      await expect(page.locator("[aria-busy=true]")).toHaveCount(0);
      await page.mouse.move(0, 0);
      const bytes = await picture(page);
      const file = `${name}.${locale}.webp`;
      writeFileSync(join(FOLDER, file), bytes);
      shown[file] = {
        locale,
        sha256: createHash("sha256").update(bytes).digest("hex"),
        sentences: await shownOf(page, sentences(locale)),
      };
      expect(shown[file].sentences.length).toBeGreaterThan(5);
    }
  }
  writeFileSync(join(FOLDER, "shown.json"), `${JSON.stringify(shown, null, 1)}\n`);
});
