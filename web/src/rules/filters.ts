/** The filters of /creneaux as they stand in the address: short French words, everything optional, anything odd ignored. */
import { addDays, todayInParis } from "../time/calendar.ts";
import { CATEGORIES, DEPARTMENTS } from "./departments.ts";

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
  /** Slots in a row wanted. */
  suite?: string;
  vue?: "calendrier" | "liste";
}

export interface Filters {
  department: string;
  category: string;
  from: string;
  to: string;
  centres: string[];
  fromHour: number;
  toHour: number;
  inRow: number;
  view: "calendar" | "list" | undefined;
}

const DAY = /^\d{4}-\d{2}-\d{2}$/;
/** The contract's widest window, in days. */
export const WIDEST = 56;

export function readFilters(search: Record<string, unknown>): SlotSearch {
  const text = (name: string) =>
    typeof search[name] === "string" || typeof search[name] === "number" ? String(search[name]) : "";
  const kept: SlotSearch = {};
  if (DEPARTMENTS.has(text("departement"))) kept.departement = text("departement");
  if ((CATEGORIES as readonly string[]).includes(text("categorie"))) kept.categorie = text("categorie");
  if (DAY.test(text("du"))) kept.du = text("du");
  if (DAY.test(text("au"))) kept.au = text("au");
  if (text("centres")) kept.centres = text("centres");
  if (/^\d{1,2}$/.test(text("de"))) kept.de = text("de");
  if (/^\d{1,2}$/.test(text("a"))) kept.a = text("a");
  if (/^[234]$/.test(text("suite"))) kept.suite = text("suite");
  if (text("vue") === "calendrier" || text("vue") === "liste") kept.vue = text("vue") as "calendrier" | "liste";
  return kept;
}

/** Fills what the address leaves open: the school's department, B, the two weeks from today. `now` in ms. */
export function resolveFilters(search: SlotSearch, ownDepartment: string, now: number): Filters {
  const from = search.du ?? todayInParis(now);
  const wanted = search.au && search.au >= from ? search.au : addDays(from, 13);
  const [to = from] = [wanted, addDays(from, WIDEST - 1)].sort();
  return {
    department: search.departement ?? ownDepartment,
    category: search.categorie ?? "B",
    from,
    to,
    centres: search.centres ? search.centres.split(",").filter(Boolean) : [],
    fromHour: Math.min(23, Number(search.de ?? 0)),
    toHour: Math.max(1, Math.min(24, Number(search.a ?? 24))),
    inRow: Number(search.suite ?? 1),
    view: search.vue === "calendrier" ? "calendar" : search.vue === "liste" ? "list" : undefined,
  };
}
