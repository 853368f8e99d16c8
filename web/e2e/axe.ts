/** What axe finds in a page as it stands, in both themes; and whether the page fits a narrow window. */
import { expect, type Page } from "@playwright/test";
import axe from "axe-core";

/** What axe judges by colours alone: all that a theme can change. */
const BY_COLOUR = ["color-contrast", "link-in-text-block"];

/** Broken rules within `part`, each with where; `rules` are those to judge by, all when it is empty. */
async function broken(page: Page, part: string, rules: readonly string[]): Promise<string[]> {
  // Once a document: reading it takes the browser as long as judging a small page.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  const judged = { part, values: [...rules] };
  return page.evaluate(async ({ part, values }) => {
    // A colour on its way from one theme to the other is in neither, and what is drawn anew for a theme follows a frame later.
    const moving = () =>
      document.getAnimations().filter((one) => one.effect?.getComputedTiming().endTime !== Number.POSITIVE_INFINITY);
    const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
    do {
      await Promise.allSettled(moving().map((one) => one.finished));
      await frame();
      await frame();
    } while (moving().length > 0);
    const { axe: judge } = window as unknown as { axe: typeof axe };
    const runOnly = values.length > 0 ? { runOnly: { type: "rule" as const, values } } : {};
    // What passed is not described, and no style sheet read anew: rules that ask for them are not in force.
    const { violations } = await judge.run(part, { resultTypes: ["violations"], preload: false, ...runOnly });
    return violations.map(({ id, nodes }) => `${id} ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  }, judged);
}

/**
 * Lines for a person, one a rule that is broken; what no theme changes is judged in the light one alone. In the dark one colours are
 * judged in `dark`: the frame around a page is the same on each, and need be seen in it once.
 */
export async function found(page: Page, { dark = "html" }: { dark?: string } = {}): Promise<string[]> {
  const lines = { light: [] as string[], dark: [] as string[] };
  // The theme that it has comes first: to draw all in another one takes as long as judging much of it.
  const isDark = (await page.locator("html").getAttribute("data-mantine-color-scheme")) === "dark";
  for (const colorScheme of isDark ? (["dark", "light"] as const) : (["light", "dark"] as const)) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", colorScheme);
    const wrong = colorScheme === "light" ? await broken(page, "html", []) : await broken(page, dark, BY_COLOUR);
    lines[colorScheme] = wrong.map((line) => `${colorScheme}: ${line}`);
  }
  return [...lines.light, ...lines.dark];
}

/** By how many pixels the page is wider than a window of 320 px; the window is then as wide as before. */
export async function overflow(page: Page): Promise<number> {
  const size = page.viewportSize();
  await page.setViewportSize({ width: 320, height: 640 });
  const wider = await page.evaluate(async () => {
    // The page draws itself anew for a narrow window once it is told: two frames, and what they have caused.
    const frame = () => new Promise((drawn) => requestAnimationFrame(drawn));
    await frame();
    await frame();
    await new Promise((done) => setTimeout(done));
    return document.documentElement.scrollWidth - document.documentElement.clientWidth;
  });
  if (size) await page.setViewportSize(size);
  return wider;
}
