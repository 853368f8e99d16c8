import { lingui } from "@lingui/vite-plugin";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vitest/config";
import { codeSplitting } from "./scripts/chunks.ts";
import { firstLoad } from "./scripts/first-load.ts";

/**
 * One page, code split by route. `__CSP_NONCE__` stays literal in dist/index.html: the gateway puts a fresh nonce there with each
 * answer. In development, calls go to a running stack (RESAPERMIS_GATEWAY, by default the port of `make up`).
 */
export default defineConfig(({ command }) => ({
  plugins: [react(), lingui({ macroTransform: true, failOnMissing: command === "build" }), firstLoad()],
  html: { cspNonce: "__CSP_NONCE__" },
  build: {
    target: "es2023",
    manifest: true,
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    reportCompressedSize: false,
    rolldownOptions: { output: { codeSplitting: codeSplitting(import.meta.dirname) } },
  },
  server: {
    proxy: Object.fromEntries(
      ["/api", "/auth"].map((path) => [path, process.env.RESAPERMIS_GATEWAY ?? "http://localhost:8080"]),
    ),
  },
  test: {
    projects: [
      {
        extends: true,
        // Without a page: one environment for all, as making jsdom takes each file longer than its tests.
        test: {
          name: "rules",
          include: ["{src,scripts}/**/*.test.ts"],
          setupFiles: ["tests/texts.ts"],
          isolate: false,
        },
      },
      {
        extends: true,
        resolve: {
          alias: [
            { find: /^.*\/live\/trusted-event\.ts$/, replacement: `${import.meta.dirname}/tests/trusted-event.ts` },
          ],
        },
        // React as it is delivered (tests/react.ts), and modules that ask where they run as in a page that is being developed.
        // One window and one evaluation of the product for all: tests/setup.ts takes away what a test leaves.
        test: {
          name: "pages",
          environment: "jsdom",
          isolate: false,
          include: ["tests/**/*.test.tsx"],
          execArgv: ["--conditions=development"],
          setupFiles: ["tests/react.ts", "tests/texts.ts", "tests/setup.ts"],
        },
      },
    ],
    restoreMocks: true,
    // A request that is given up while its answer ends makes the fetch of Node, not of browsers, raise this where nobody can catch it.
    onUnhandledError: ({ message, stack }) => !(message.includes("assert(!this.aborted)") && stack?.includes("undici")),
    // One: a second would load the product and make its window again, a quarter of all this work, and other tests run beside.
    maxWorkers: 1,
    // Pages in jsdom on a machine that also runs the platform: waiting is by condition, the limit only ends what hangs.
    testTimeout: 120_000,
  },
}));
