import { plural } from "@lingui/core/macro";
import type { LineState } from "../../api/types.ts";

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
