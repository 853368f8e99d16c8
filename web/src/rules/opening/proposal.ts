/**
 * The proposal of the opening room: which open slot for which wish. It proposes and no more: a person's click sends what is shown.
 * Rows keep their place; what is no longer free stays where it stood, marked, and another is appended for its wish (rule 4).
 */
import type { Slot } from "../../api/contract/types.ts";
import { minuteOfDay } from "../../time/calendar.ts";
import { follows } from "../consecutive.ts";

export interface Wish {
  readonly candidateId: string;
  /** Centre ids; none: all. */
  readonly centres: readonly string[];
  /** Hours of the day, from (included) to (excluded). */
  readonly fromHour: number;
  readonly toHour: number;
}

export interface Row {
  readonly candidateId: string;
  readonly slot: Slot;
}

export function fits(slot: Slot, wish: Wish): boolean {
  const minute = minuteOfDay(slot.startsAt);
  return (
    (wish.centres.length === 0 || wish.centres.includes(slot.centre.id)) &&
    minute >= wish.fromHour * 60 &&
    minute < wish.toHour * 60
  );
}

/** The centres that the wishes name, sorted; none as soon as one wish takes any. */
export function centresOf(wishes: readonly Wish[]): string[] {
  if (wishes.some((wish) => wish.centres.length === 0)) return [];
  return [...new Set(wishes.flatMap((wish) => wish.centres))].sort();
}

function takable(slot: Slot | undefined): boolean {
  return slot?.allowed === true && slot.status === "free";
}

/** Whether the row's slot can still be asked for, by what was last seen. */
export function living(row: Row): boolean {
  return takable(row.slot);
}

/** Consecutive at one centre: pupils travel as a group. */
function neighbours(a: Slot, b: Slot): boolean {
  return a.centre.id === b.centre.id && (follows(a, b) || follows(b, a));
}

/** Neighbours of what is proposed already first, then the earliest, then by centre and id: equal facts, equal proposal. */
function best(candidates: readonly Slot[], rows: readonly Row[]): Slot | undefined {
  const beside = (slot: Slot) => rows.some((row) => living(row) && neighbours(row.slot, slot));
  return [...candidates].sort(
    (a, b) =>
      Number(beside(b)) - Number(beside(a)) ||
      a.startsAt.localeCompare(b.startsAt) ||
      a.centre.name.localeCompare(b.centre.name) ||
      a.id.localeCompare(b.id),
  )[0];
}

/**
 * The rows after a read: those there were, in their order and newest state, then one appended for each wish without a living row,
 * until `most` are living. `slots` are what is seen now; a row's slot that is no longer seen is gone.
 */
export function propose(rows: readonly Row[], wishes: readonly Wish[], slots: readonly Slot[], most: number): Row[] {
  const seen = new Map(slots.map((slot) => [slot.id, slot]));
  const wished = new Map(wishes.map((wish) => [wish.candidateId, wish]));
  const next: Row[] = rows
    .filter((row) => wished.has(row.candidateId))
    .map((row) => ({ ...row, slot: seen.get(row.slot.id) ?? { ...row.slot, status: "taken", allowed: false } }));
  for (const wish of wishes) {
    if (next.filter(living).length >= most) break;
    if (next.some((row) => row.candidateId === wish.candidateId && living(row))) continue;
    const used = new Set(next.map((row) => row.slot.id));
    const slot = best(
      slots.filter((one) => takable(one) && !used.has(one.id) && fits(one, wish)),
      next,
    );
    if (slot) next.push({ candidateId: wish.candidateId, slot });
  }
  return next;
}
