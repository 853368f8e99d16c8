import { i18n } from "@lingui/core";

/** A number as the reader's language writes it, two decimals at most: "4,5". */
export function figure(value: number): string {
  return new Intl.NumberFormat(i18n.locale, { maximumFractionDigits: 2 }).format(value);
}
