/**
 * Lighthouse on a running stack (make web-vitals, tools/browser/vitals.py): `node measure.mjs '{"url": …}'` writes one JSON array to
 * standard output, an object a measurement, and how far it is to standard error. Ends with 1 where the page or the browser fails.
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { desktopConfig, navigation, startTimespan } from "lighthouse";
import puppeteer from "puppeteer-core";

const { url, browser: executablePath, rounds, only, username, password, reports } = JSON.parse(process.argv[2]);
/** Lighthouse's own settings of both; its `mobile` is slow 4G and a CPU four times slower. */
const FORMS = {
  mobile: {
    config: undefined,
    viewport: { width: 412, height: 823, deviceScaleFactor: 1.75, isMobile: true, hasTouch: true },
  },
  desktop: { config: desktopConfig, viewport: { width: 1350, height: 940 } },
};
const ADDRESSES = { "sign-in": "/", home: "/", slots: "/creneaux" };
/** The answer to a hold, or the first read of a department's slots, on a stack that has just begun. */
const PATIENCE_MS = 90_000;
const FREE = "[data-slot][aria-pressed=false]";
const HOLD = ".rp-chosen [aria-keyshortcuts]";
const HELD = ".rp-result .rp-notice--success";

const browser = await puppeteer.launch({
  executablePath,
  headless: "shell",
  args: ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--lang=fr-FR"],
});
const runs = [];

/** Takes one measurement in a tab of its own. */
async function measure(subject, form, round, take) {
  process.stderr.write(`${subject}, ${form}, ${round + 1} of ${rounds}\n`);
  const page = await browser.newPage();
  try {
    const lhr = await take(page);
    if (lhr.runtimeError) throw new Error(`${subject}, ${form}: ${lhr.runtimeError.message}`);
    if (reports) writeFileSync(join(reports, `${subject}-${form}-${round + 1}.json`), JSON.stringify(lhr));
    return lhr;
  } finally {
    await page.close();
  }
}

async function measurePage(subject, form, round) {
  const { config } = FORMS[form];
  const flags = { onlyCategories: ["performance"], logLevel: "error" };
  const lhr = await measure(subject, form, round, async (page) => {
    return (await navigation(page, new URL(ADDRESSES[subject], url).href, { config, flags })).lhr;
  });
  const figure = (audit) => lhr.audits[audit].numericValue;
  runs.push({
    page: subject,
    form,
    score: Math.round(lhr.categories.performance.score * 100),
    fcp_ms: figure("first-contentful-paint"),
    lcp_ms: figure("largest-contentful-paint"),
    speed_index_ms: figure("speed-index"),
    tbt_ms: figure("total-blocking-time"),
    cls: figure("cumulative-layout-shift"),
    bytes: figure("total-byte-weight"),
    machine: lhr.environment.benchmarkIndex,
  });
}

/** One slot chosen and held, as a person does it, until the answer stands; then it is given back. */
async function measureHold(form, round) {
  const { config, viewport } = FORMS[form];
  const flags = { onlyAudits: ["interaction-to-next-paint"], logLevel: "error" };
  const lhr = await measure("hold", form, round, async (page) => {
    await page.setViewport(viewport);
    await page.goto(new URL("/creneaux", url).href);
    await page.waitForSelector(FREE, { timeout: PATIENCE_MS });
    const timespan = await startTimespan(page, { config, flags });
    await page.click(FREE);
    await (await page.waitForSelector(HOLD)).click();
    await page.waitForSelector(HELD, { timeout: PATIENCE_MS });
    return (await timespan.endTimespan()).lhr;
  });
  runs.push({ page: "hold", form, inp_ms: lhr.audits["interaction-to-next-paint"].numericValue });
}

async function inTab(act) {
  const page = await browser.newPage();
  try {
    await page.setViewport(FORMS.desktop.viewport);
    await act(page);
  } finally {
    await page.close();
  }
}

/** Signs in at the provider's own form; then the slots are read once, as on any day but the first. */
async function begin(page) {
  await page.goto(new URL("/auth/login?returnTo=%2Fcreneaux", url).href);
  await page.type("[name=username]", username);
  await page.type("[name=password]", password);
  await page.keyboard.press("Enter");
  await page.waitForSelector(FREE, { timeout: PATIENCE_MS });
}

/** Empties the basket, over the API. */
async function giveBack(page) {
  await page.goto(url); // for its policy: a page may ask its own gateway
  await page.evaluate(async () => {
    const read = async (path) => (await fetch(path)).json();
    const { csrfToken } = await read("/auth/session");
    const { groups } = await read("/api/v1/basket");
    for (const { id } of groups.flatMap((group) => group.lines).filter((line) => line.state === "held")) {
      const headers = { "X-CSRF-Token": csrfToken, "Idempotency-Key": crypto.randomUUID() };
      const answer = await fetch(`/api/v1/basket/items/${id}`, { method: "DELETE", headers });
      if (!answer.ok) throw new Error(`giving back: ${answer.status} ${await answer.text()}`);
    }
  });
}

try {
  const all = Array.from({ length: rounds }, (_, round) => Object.keys(FORMS).map((form) => [form, round])).flat();
  if (only.includes("sign-in")) for (const [form, round] of all) await measurePage("sign-in", form, round);
  await inTab(begin);
  for (const subject of ["home", "slots"].filter((one) => only.includes(one))) {
    for (const [form, round] of all) await measurePage(subject, form, round);
  }
  if (only.includes("hold")) {
    for (const [form, round] of all) {
      await measureHold(form, round);
      await inTab(giveBack);
    }
  }
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(runs));
