import { defineConfig } from "@playwright/test";
import base from "./playwright.config.ts";

/** `make screenshots`: as the tests, in one browser and one after the other; the pictures go where SCREENS says. */
export default defineConfig({ ...base, testDir: "screens", timeout: 1_200_000, use: { ...base.use, trace: "off" } });
