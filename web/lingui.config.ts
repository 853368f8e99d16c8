import { defineConfig } from "@lingui/cli";
import { formatter } from "@lingui/format-po";

/** French is written in the source; English stands in src/locales/en.po. A missing English text fails the build. */
export default defineConfig({
  sourceLocale: "fr",
  locales: ["fr", "en"],
  catalogs: [{ path: "<rootDir>/src/locales/{locale}", include: ["src"], exclude: ["**/*.test.ts", "**/*.test.tsx"] }],
  format: formatter({ origins: false, lineNumbers: false }),
});
