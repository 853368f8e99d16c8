/** What axe finds in a page as it stands, in both themes; and whether the page fits a narrow window. */
import { expect, type Page } from "@playwright/test";
import axe from "axe-core";

/** What axe judges by colours alone: all that a theme can change. */
const BY_COLOUR = ["color-contrast", "link-in-text-block"];

/** Broken rules, each with where; `rules` are those to judge by, all when it is empty. */
async function broken(page: Page, rules: readonly string[]): Promise<string[]> {
  // Once a document: reading it takes the browser as long as judging a small page.
  if (!(await page.evaluate(() => "axe" in window))) await page.evaluate(axe.source);
  return page.evaluate(async (values) => {
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
    const runOnly = values.length > 0 ? { runOnly: { type: "rule" as const, values: [...values] } } : {};
    // What passed is not described, and no style sheet read anew: rules that ask for them are not in force.
    const { violations } = await judge.run(document, { resultTypes: ["violations"], preload: false, ...runOnly });
    return violations.map(({ id, nodes }) => `${id} ${nodes.map((node) => node.target.join(" ")).join(", ")}`);
  }, rules);
}

/** Lines for a person, one a rule that is broken; what no theme changes is judged in the light one alone. */
export async function found(page: Page): Promise<string[]> {
  const lines: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", colorScheme);
    const rules = colorScheme === "light" ? [] : BY_COLOUR;
    lines.push(...(await broken(page, rules)).map((line) => `${colorScheme}: ${line}`));
  }
  return lines;
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
