import { PARIS } from "../time/calendar.ts";
import { PLACES } from "./places.ts";

/** The departments by their code, as RdvPermis publishes slots for them. Names are proper nouns: one language. */
export const DEPARTMENTS: ReadonlyMap<string, string> = new Map(PLACES.map(([code, name]) => [code, name]));

/** "Val-de-Marne" for "94"; the code itself when it is not known. */
export function departmentName(code: string): string {
  return DEPARTMENTS.get(code) ?? code;
}

/** Groups of licence categories (`groupePermis`) that can be asked for. */
export const CATEGORIES = ["B", "A", "BE", "C", "CE", "D", "DE"] as const;

const ZONES: ReadonlyMap<string, string> = new Map(PLACES.map(([code, , zone]) => [code, zone]));

/** The clock of a department; Paris' for a code that is none. */
export function zoneOf(department: string): string {
  return ZONES.get(department) ?? PARIS;
}
