/** What axe finds in a page as it stands, in both themes. */
import AxeBuilder from "@axe-core/playwright";
import { expect, type Page } from "@playwright/test";

/** What axe judges by colours alone: all that a theme can change. */
const BY_COLOUR = ["color-contrast", "link-in-text-block"];

/** Lines for a person, one a rule that is broken; what no theme changes is judged in the light one alone. */
export async function found(page: Page): Promise<string[]> {
  const lines: string[] = [];
  for (const colorScheme of ["light", "dark"] as const) {
    await page.emulateMedia({ colorScheme, reducedMotion: "reduce" });
    await expect(page.locator("html")).toHaveAttribute("data-mantine-color-scheme", colorScheme);
    // No page has frames, so axe need not judge each in a page of its own: a third of the time.
    const axe = new AxeBuilder({ page }).options({ resultTypes: ["violations"] }).setLegacyMode();
    const { violations } = await (colorScheme === "light" ? axe : axe.withRules(BY_COLOUR)).analyze();
    for (const one of violations)
      lines.push(`${colorScheme}: ${one.id} ${one.nodes.map((node) => node.target.join(" ")).join(", ")}`);
  }
  return lines;
}

/** By how many pixels the page is wider than its window. */
export function overflow(page: Page): Promise<number> {
  return page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
}
