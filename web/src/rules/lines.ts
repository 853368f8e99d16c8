/** The lines of all the school's groups: their number in words, whom they name, when the first of them expires. */
import { plural } from "@lingui/core/macro";
import type { Basket, Group, LineState } from "../api/contract/types.ts";

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

/** Candidates already standing on a living line of any group. */
export function namedIn(groups: readonly Group[]): string[] {
  const living = ["asking", "held", "confirming"];
  return groups
    .flatMap((group) => group.lines)
    .flatMap((line) => (line.candidate && living.includes(line.state) ? [line.candidate.id] : []));
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
