/**
 * Nothing moves under the click: what was first shown keeps its place, its state changes in place, and what newly appeared waits
 * behind a button until the reader asks for it.
 */
import { useState } from "react";
import type { Slot } from "../../../api/contract/types.ts";

export interface StableList {
  readonly shown: readonly Slot[];
  readonly fresh: number;
  readonly showFresh: () => void;
}

/** Known slots in their newest state; those no longer listed stay, as withdrawn; the rest is counted. Pure. */
export function mergeStable(
  known: ReadonlyMap<string, Slot>,
  items: readonly Slot[],
): { shown: Slot[]; fresh: number } {
  const now = new Map(items.map((slot) => [slot.id, slot]));
  const gone = (slot: Slot): Slot => ({ ...slot, status: "withdrawn", allowed: false });
  const shown = [...known.values()].map((slot) => now.get(slot.id) ?? gone(slot));
  return { shown, fresh: items.filter((slot) => !known.has(slot.id)).length };
}

/** `complete`: the whole window was read; `question`: changes when the reader searches for something else. */
export function useStableList(items: readonly Slot[], complete: boolean, question: string): StableList {
  const [known, setKnown] = useState<{ question: string; slots: ReadonlyMap<string, Slot> }>();
  const remember = () => setKnown({ question, slots: new Map(items.map((slot) => [slot.id, slot])) });
  // Where nothing stood, nothing can move: the first that come are shown at once.
  const empty = known?.question === question && known.slots.size === 0 && items.length > 0;
  if (complete && (known?.question !== question || empty)) remember();
  if (known?.question !== question || empty) return { shown: items, fresh: 0, showFresh: remember };
  return { ...mergeStable(known.slots, items), showFresh: remember };
}
