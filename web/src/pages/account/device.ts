/** "Firefox, Windows": what a session was opened with, in words. */
import { t } from "@lingui/core/macro";
import type { OwnSession } from "../../api/contract/types.ts";

const BROWSERS = {
  edge: "Edge",
  opera: "Opera",
  samsung: "Samsung Internet",
  firefox: "Firefox",
  chrome: "Chrome",
  safari: "Safari",
} as const satisfies Record<NonNullable<OwnSession["browser"]>, string>;

const SYSTEMS = {
  android: "Android",
  ios: "iOS",
  windows: "Windows",
  chromeos: "ChromeOS",
  macos: "macOS",
  linux: "Linux",
} as const satisfies Record<NonNullable<OwnSession["system"]>, string>;

export function deviceName({ browser, system }: Pick<OwnSession, "browser" | "system">): string {
  const names = [browser ? BROWSERS[browser] : undefined, system ? SYSTEMS[system] : undefined];
  return names.filter(Boolean).join(", ") || t`Navigateur inconnu`;
}
