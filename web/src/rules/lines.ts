/** The lines of all the school's groups: their number in words, whom they name, when the first of them expires. */
import { plural } from "@lingui/core/macro";
import type { Basket, Group, LineState, Slot } from "../api/contract/types.ts";

const LIVING: readonly LineState[] = ["asking", "held", "confirming"];

/** "2 retenus, 1 refusé, 1 en attente": one result per line, its summary above (rule 2). */
export function summary(lines: readonly { readonly state: LineState }[]): string {
  const count = (...states: LineState[]) => lines.filter((line) => states.includes(line.state)).length;
  const held = count("held");
  const booked = count("booked");
  const refused = count("refused", "rejected");
  const waiting = count("asking", "confirming");
  const given = count("released", "expired", "withdrawn");
  return [
    booked > 0 ? plural(booked, { one: "# réservé", other: "# réservés" }) : "",
    held > 0 ? plural(held, { one: "# retenu", other: "# retenus" }) : "",
    refused > 0 ? plural(refused, { one: "# refusé", other: "# refusés" }) : "",
    waiting > 0 ? plural(waiting, { one: "# en attente", other: "# en attente" }) : "",
    given > 0 ? plural(given, { one: "# rendu", other: "# rendus" }) : "",
  ]
    .filter(Boolean)
    .join(", ");
}

/** Whether RdvPermis has, or may have, something of it in a basket. */
export function isLiving(group: Group): boolean {
  return group.lines.some((line) => LIVING.includes(line.state));
}

/** Candidates already standing on a living line of any group. */
export function namedIn(groups: readonly Group[]): string[] {
  return groups
    .flatMap((group) => group.lines)
    .flatMap((line) => (line.candidate && LIVING.includes(line.state) ? [line.candidate.id] : []));
}

/** The first deadline among groups that still hold something; undefined when nothing runs. */
export function nextDeadline(basket: Basket | undefined): { expiresAt: string; held: number } | undefined {
  const running = (basket?.groups ?? [])
    .filter((group) => group.expiresAt && group.lines.some((line) => line.state === "held"))
    .sort((a, b) => Date.parse(a.expiresAt ?? "") - Date.parse(b.expiresAt ?? ""));
  const first = running[0];
  if (!first?.expiresAt) return undefined;
  const held = running.flatMap((group) => group.lines).filter((line) => line.state === "held").length;
  return { expiresAt: first.expiresAt, held };
}

/** Slots that the basket has: `ours` by RdvPermis' answer, `asked` while that is not known. */
export function inBasket(basket: Basket | undefined): { ours: ReadonlySet<string>; asked: ReadonlySet<string> } {
  const lines = basket?.groups.flatMap((group) => group.lines) ?? [];
  const ids = (...states: LineState[]) =>
    new Set(lines.filter((line) => states.includes(line.state)).map((line) => line.slot.id));
  return { ours: ids("held", "confirming"), asked: ids("asking") };
}

/** Slots as the basket knows them: it hears RdvPermis' answer seconds before the slots are read again. */
export function withBasket(slots: readonly Slot[], ours: ReadonlySet<string>): readonly Slot[] {
  if (ours.size === 0) return slots;
  return slots.map((slot) => (ours.has(slot.id) ? { ...slot, status: "ours", allowed: false } : slot));
}

/** The basket with the answer to a hold in it, newest first; without a line that lives there is nothing to add. */
export function withGroup(basket: Basket, group: Group): Basket {
  if (!isLiving(group)) return basket;
  return { ...basket, groups: [group, ...basket.groups.filter((one) => one.id !== group.id)] };
}
