/** The wishes of one opening, kept in this tab until sign-out: ids of candidates and centres, hours; never a name. */
import { store } from "../../live/store.ts";
import type { Wish } from "../../rules/opening/proposal.ts";

const STORED = "resapermis.wishes";
/** The contract's most candidates to prepare. */
export const MOST_WISHES = 12;

type Kept = Readonly<Record<string, readonly Wish[]>>;

function read(): Kept {
  const text = sessionStorage.getItem(STORED);
  return text ? (JSON.parse(text) as Kept) : {};
}

export const wishes = store<Kept>(read());

export function setWishes(openingId: string, next: readonly Wish[]): void {
  const kept = { ...wishes.get(), [openingId]: next };
  sessionStorage.setItem(STORED, JSON.stringify(kept));
  wishes.set(kept);
}

/** Moves one wish by a place; the first wish is served first. */
export function moved(list: readonly Wish[], index: number, by: 1 | -1): Wish[] {
  const next = [...list];
  const [one] = next.splice(index, 1);
  if (one) next.splice(Math.max(0, index + by), 0, one);
  return next;
}
