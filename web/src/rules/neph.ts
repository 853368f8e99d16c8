/**
 * The NEPH is opaque: leading zeros count, 12 digits usually, 14 seen. An odd shape earns a warning beside the field, never a
 * refusal (domain.md). Only spaces are normalised, as the server does.
 */
export function normaliseNeph(typed: string): string {
  return typed.replace(/[\s\u00a0\u202f]+/g, "");
}

/** True when the shape is unusual; false while nothing is typed. */
export function nephLooksOdd(typed: string): boolean {
  const neph = normaliseNeph(typed);
  return neph !== "" && !/^(\d{12}|\d{14})$/.test(neph);
}
