/**
 * An opening: the moment at which slots of one department and licence open to the school. It is known by what the mirror shows
 * closed until then, and its address has only that: "94-B-20261130T1400Z".
 */
import type { Parameter, Slot } from "../../api/contract/types.ts";
import { addDays, dayIn, instantIn } from "../../time/calendar.ts";
import { opensAt } from "../answers/verdicts.ts";
import { CATEGORIES, DEPARTMENTS, zoneOf } from "../departments.ts";

export interface Opening {
  readonly id: string;
  readonly department: string;
  readonly category: string;
  /** The instant, ISO. */
  readonly at: string;
}

export interface ComingOpening extends Opening {
  readonly count: number;
  readonly centres: readonly string[];
}

export function openingOf(department: string, category: string, at: string | number): Opening {
  const instant = new Date(at).toISOString();
  const stamp = `${instant.slice(0, 16).replace(/[-:]/g, "")}Z`;
  return { id: `${department}-${category}-${stamp}`, department, category, at: `${instant.slice(0, 16)}:00.000Z` };
}

const ID = /^([0-9]{2,3}|2A|2B)-([A-Z][A-Z0-9]{0,3})-(\d{4})(\d{2})(\d{2})T(\d{2})(\d{2})Z$/;

/** The opening of an address; undefined when it is not an opening's. */
export function readOpening(id: string): Opening | undefined {
  const found = ID.exec(id);
  if (!found) return undefined;
  const [, department = "", category = "", year, month, day, hours, minutes] = found;
  const at = Date.parse(`${year}-${month}-${day}T${hours}:${minutes}:00Z`);
  if (!Number.isFinite(at) || !DEPARTMENTS.has(department)) return undefined;
  if (!(CATEGORIES as readonly string[]).includes(category)) return undefined;
  const opening = openingOf(department, category, at);
  // Date.parse takes 30 February for 2 March, and 24:00 for the next day.
  return opening.id === id ? opening : undefined;
}

/** When a slot that only time keeps closed opens; undefined for one that is open, gone, or closed by something else. */
export function openingMoment(slot: Slot): string | undefined {
  if (slot.allowed || slot.status !== "free") return undefined;
  return slot.opensAt ?? opensAt(slot.verdicts);
}

/** The openings that are still to come among these slots, the next first. `now` in ms. */
export function comingOpenings(slots: readonly Slot[], now: number, ownDepartment: string): ComingOpening[] {
  const groups = new Map<string, { opening: Opening; slots: Slot[] }>();
  for (const slot of slots) {
    const at = openingMoment(slot);
    if (at === undefined || Date.parse(at) <= now) continue;
    const opening = openingOf(slot.centre.department ?? ownDepartment, slot.category, at);
    const group = groups.get(opening.id) ?? { opening, slots: [] };
    group.slots.push(slot);
    groups.set(opening.id, group);
  }
  return [...groups.values()]
    .map(({ opening, slots: those }) => ({
      ...opening,
      count: those.length,
      centres: [...new Set(those.map((slot) => slot.centre.name))].sort((a, b) => a.localeCompare(b)),
    }))
    .sort((a, b) => Date.parse(a.at) - Date.parse(b.at) || a.id.localeCompare(b.id));
}

/** The value in force for a place: the narrowest wins, department before category. */
function inForce(parameters: readonly Parameter[], name: string, department: string, category: string) {
  const found = parameters
    .filter(
      (one) =>
        one.name === name &&
        one.state === "in_force" &&
        (one.department === null || one.department === department) &&
        (one.category === null || one.category === category),
    )
    .sort((a, b) => weight(b) - weight(a))[0];
  return found === undefined ? undefined : Number(found.value);
}

function weight({ department, category }: Parameter): number {
  return (department === null ? 0 : 2) + (category === null ? 0 : 1);
}

/**
 * When RdvPermis next puts slots on line, by the rules in force: at an hour of the department, on one weekday or any. What opens
 * then is not known before, so its room is entered without a slot. `now` in ms.
 */
export function nextPublication(
  parameters: readonly Parameter[],
  department: string,
  category: string,
  now: number,
): Opening | undefined {
  const minutes = inForce(parameters, "publication_minutes", department, category);
  const weekday = inForce(parameters, "publication_weekday", department, category) ?? 0;
  if (minutes === undefined || !(minutes >= 0 && minutes < 24 * 60)) return undefined;
  const two = (part: number) => String(part).padStart(2, "0");
  const zone = zoneOf(department);
  const today = dayIn(now, zone);
  for (let ahead = 0; ahead <= 7; ahead += 1) {
    const day = addDays(today, ahead);
    if (weekday !== 0 && (new Date(`${day}T00:00Z`).getUTCDay() || 7) !== weekday) continue;
    const at = Date.parse(instantIn(`${day}T${two(Math.floor(minutes / 60))}:${two(minutes % 60)}`, zone));
    if (at > now) return openingOf(department, category, at);
  }
  return undefined;
}

/** What comes next, the soonest first: the first `most` openings of known slots, and the publication where none of them opens with it. */
export function nextOpenings(
  coming: readonly ComingOpening[],
  publication: Opening | undefined,
  most: number,
): (Opening & { readonly count?: number })[] {
  const alone = publication && !coming.some(({ id }) => id === publication.id) ? [publication] : [];
  return [...coming.slice(0, most), ...alone].sort((a, b) => Date.parse(a.at) - Date.parse(b.at));
}
