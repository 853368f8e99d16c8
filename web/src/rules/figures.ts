/** A number as the reader's language writes it, two decimals at most: "4,5". */
export function figure(value: number): string {
  return new Intl.NumberFormat(document.documentElement.lang, { maximumFractionDigits: 2 }).format(value);
}
