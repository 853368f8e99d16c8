/** The filters of /creneaux as they stand in the address: short French words, everything optional, anything odd ignored. */
import type { SavedQuestion } from "../../api/contract/types.ts";
import { addDays, isDay, todayInParis } from "../../time/calendar.ts";
import { CATEGORIES, DEPARTMENTS } from "../departments.ts";

export interface SlotSearch {
  departement?: string;
  categorie?: string;
  du?: string;
  au?: string;
  /** Centre ids, comma separated. */
  centres?: string;
  /** Hours of the day, from (included) to (excluded). */
  de?: string;
  a?: string;
  /** Consecutive slots wanted. */
  suite?: string;
  /** Kilometres from the school; across departments. */
  km?: string;
  /** Weekdays, Monday 1, comma separated. */
  jours?: string;
  /** "oui": only what may be taken now. */
  ouverts?: string;
  /** Only what is open or opens by itself before the end of this day. */
  avant?: string;
  epreuve?: "circulation" | "plateau";
  vue?: "calendrier" | "liste";
}

export interface Filters {
  /** Empty: around the school, as far as `withinKm`. */
  department: string;
  category: string;
  from: string;
  to: string;
  centres: string[];
  fromHour: number;
  toHour: number;
  consecutive: number;
  withinKm: number | undefined;
  weekdays: number[];
  openNow: boolean;
  opensBefore: string | undefined;
  kind: "CIRCULATION" | "PLATEAU" | undefined;
  view: "calendar" | "list" | undefined;
}

/** An id of the contract, and how many of them it takes. */
const ID = /^[A-Za-z0-9][A-Za-z0-9_.:-]{0,99}$/;
const MOST_CENTRES = 50;
/** The address's word for no department: around the school, as far as a distance. */
export const EVERYWHERE = "tous";
/** Kilometres that can be asked for. */
export const DISTANCES = ["10", "20", "30", "50", "100"] as const;
/** The contract's widest window, in days. */
export const WIDEST = 56;

export function readFilters(search: Record<string, unknown>): SlotSearch {
  const text = (name: string) =>
    typeof search[name] === "string" || typeof search[name] === "number" ? String(search[name]) : "";
  const kept: SlotSearch = {};
  if (DEPARTMENTS.has(text("departement")) || text("departement") === EVERYWHERE)
    kept.departement = text("departement");
  if ((CATEGORIES as readonly string[]).includes(text("categorie"))) kept.categorie = text("categorie");
  if (isDay(text("du"))) kept.du = text("du");
  if (isDay(text("au"))) kept.au = text("au");
  const centres = text("centres")
    .split(",")
    .filter((id) => ID.test(id));
  if (centres.length > 0) kept.centres = centres.slice(0, MOST_CENTRES).join(",");
  if (isHour(text("de"), 0, 23)) kept.de = text("de");
  if (isHour(text("a"), 1, 24)) kept.a = text("a");
  if (/^[234]$/.test(text("suite"))) kept.suite = text("suite");
  if ((DISTANCES as readonly string[]).includes(text("km"))) kept.km = text("km");
  if (/^[1-7](,[1-7]){0,6}$/.test(text("jours"))) kept.jours = text("jours");
  if (text("ouverts") === "oui") kept.ouverts = "oui";
  if (isDay(text("avant"))) kept.avant = text("avant");
  if (text("epreuve") === "circulation" || text("epreuve") === "plateau") {
    kept.epreuve = text("epreuve") as "circulation" | "plateau";
  }
  if (text("vue") === "calendrier" || text("vue") === "liste") kept.vue = text("vue") as "calendrier" | "liste";
  return kept;
}

function isHour(text: string, first: number, last: number): boolean {
  return /^\d{1,2}$/.test(text) && Number(text) >= first && Number(text) <= last;
}

/** Fills what the address leaves open: the school's department, B, the two weeks from today. `now` in ms. */
export function resolveFilters(search: SlotSearch, ownDepartment: string, now: number): Filters {
  const from = search.du ?? todayInParis(now);
  const wanted = search.au && search.au >= from ? search.au : addDays(from, 13);
  const [to = from] = [wanted, addDays(from, WIDEST - 1)].sort();
  const fromHour = Number(search.de ?? 0);
  const until = Number(search.a ?? 24);
  return {
    department:
      search.departement === EVERYWHERE ? (search.km ? "" : ownDepartment) : (search.departement ?? ownDepartment),
    category: search.categorie ?? "B",
    from,
    to,
    centres: search.centres ? search.centres.split(",") : [],
    fromHour,
    toHour: until > fromHour ? until : 24,
    consecutive: Number(search.suite ?? 1),
    withinKm: search.km ? Number(search.km) : undefined,
    weekdays: search.jours ? [...new Set(search.jours.split(",").map(Number))].sort() : [],
    openNow: search.ouverts === "oui",
    opensBefore: search.avant,
    kind: search.epreuve === "plateau" ? "PLATEAU" : search.epreuve === "circulation" ? "CIRCULATION" : undefined,
    view: search.vue === "calendrier" ? "calendar" : search.vue === "liste" ? "list" : undefined,
  };
}

/** "08:00" of 8. */
export function clockOf(hour: number): string {
  return `${String(hour).padStart(2, "0")}:00`;
}

/** What a saved search keeps of the filters: what comes, not today's days. */
export function questionOf(filters: Filters): SavedQuestion {
  return {
    department: filters.department || null,
    category: filters.category,
    centres: filters.centres,
    withinKm: filters.withinKm ?? null,
    dayFrom: filters.fromHour > 0 ? clockOf(filters.fromHour) : null,
    dayTo: filters.toHour < 24 ? clockOf(filters.toHour) : null,
    consecutive: filters.consecutive,
    openNow: filters.openNow,
    kind: filters.kind ?? null,
    weekdays: filters.weekdays,
  };
}

/** The address of a saved search. */
export function searchOf(question: SavedQuestion): SlotSearch {
  return readFilters({
    departement: question.department ?? EVERYWHERE,
    categorie: question.category,
    centres: question.centres.join(","),
    km: question.withinKm ?? "",
    de: question.dayFrom ? Number(question.dayFrom.slice(0, 2)) : "",
    a: question.dayTo ? Number(question.dayTo.slice(0, 2)) : "",
    suite: question.consecutive > 1 ? question.consecutive : "",
    ouverts: question.openNow ? "oui" : "",
    jours: question.weekdays.join(","),
    epreuve: question.kind?.toLowerCase() ?? "",
  });
}

/** Whether the address asks for less than all hours, days and centres. */
export function isNarrowed({ de, a, suite, centres, km, jours, ouverts, avant, epreuve }: SlotSearch): boolean {
  return [de, a, suite, centres, km, jours, ouverts, avant, epreuve].some((word) => word !== undefined);
}
