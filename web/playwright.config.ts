import { defineConfig } from "@playwright/test";

/**
 * Against a running stack at E2E_BASE_URL; without one, `make up`'s program starts a fresh one on its own ports and data folder.
 * Debian's Chromium does the work: Playwright downloads none. One worker: the machine that tests also runs the platform.
 */
const port = Number(process.env.E2E_PORT ?? 8480);
const given = process.env.E2E_BASE_URL;

export default defineConfig({
  testDir: "e2e",
  workers: 1,
  fullyParallel: false,
  forbidOnly: true,
  retries: 0,
  // The tests of Python run beside: waiting is by condition, the limits only end what hangs.
  timeout: 180_000,
  expect: { timeout: 30_000 },
  outputDir: "test-results/browser",
  reporter: [["list"]],
  use: {
    baseURL: given ?? `http://localhost:${port}`,
    locale: "fr-FR",
    timezoneId: "Europe/Paris",
    viewport: { width: 1280, height: 860 },
    // Drawing each step into a trace is a large part of a run, and what failed runs once more: then it is drawn (tools/run_tests.py).
    trace: process.env.E2E_TRACE ? "retain-on-failure" : "off",
    screenshot: "only-on-failure",
    launchOptions: {
      executablePath: process.env.RESAPERMIS_CHROMIUM ?? "/usr/bin/chromium",
      args: [
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-component-update",
        "--disable-sync",
        "--no-first-run",
      ],
    },
  },
  ...(given
    ? {}
    : {
        webServer: {
          command: `rm -rf test-results/stack && exec "${process.env.RESAPERMIS_PYTHON ?? "../.venv/bin/python"}" ../tools/dev.py`,
          url: `http://localhost:${port}/readyz`,
          timeout: 120_000,
          env: { RESAPERMIS_PORT: String(port), RESAPERMIS_HOME: `${import.meta.dirname}/test-results/stack` },
          gracefulShutdown: { signal: "SIGTERM" as const, timeout: 30_000 },
          stdout: "ignore" as const,
        },
      }),
});
