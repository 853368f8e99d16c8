/** The slots chosen for the next hold: kept in this tab over navigation and sign-in (ids and hours, never a name). */
import type { Slot } from "../../api/contract/types.ts";
import { store } from "../../live/store.ts";

const STORED = "resapermis.choice";

function read(): readonly Slot[] {
  const text = sessionStorage.getItem(STORED);
  return text ? (JSON.parse(text) as Slot[]) : [];
}

export const choice = store<readonly Slot[]>(read());

export function setChoice(slots: readonly Slot[]): void {
  sessionStorage.setItem(STORED, JSON.stringify(slots));
  choice.set(slots);
}

/** Adds or removes; false when `limit` is reached and nothing changed. */
export function toggle(slot: Slot, limit: number): boolean {
  const chosen = choice.get();
  if (chosen.some((one) => one.id === slot.id)) {
    setChoice(chosen.filter((one) => one.id !== slot.id));
    return true;
  }
  if (chosen.length >= limit) return false;
  setChoice([...chosen, slot]);
  return true;
}
