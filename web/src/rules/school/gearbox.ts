import { t } from "@lingui/core/macro";
import type { Gearbox } from "../../api/contract/types.ts";

export function gearboxWord(gearbox: Gearbox): string {
  return gearbox === "automatic" ? t`automatique` : t`manuelle`;
}
