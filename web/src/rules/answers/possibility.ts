/**
 * Whether a candidate may be booked, by licence, from what is known of the candidate alone: mandate, penalties, bookings and basket.
 * What depends on the slot (threshold, hours, RdvPermis' own word) is judged with each slot, and the page says so. Pure.
 */
import { t } from "@lingui/core/macro";
import type { Basket, Booking, Candidate, Line, Mandate, Standing } from "../../api/contract/types.ts";
import { examShort } from "../../time/format.ts";
import { refusalText } from "./refusals.ts";

/** `reasons` in words; those of a restriction are its own row, with its dates and what can be asked. */
export interface Possibility {
  readonly category: string;
  readonly verdict: "possible" | "booked" | "held" | "awaited" | "unmandated" | "restricted";
  readonly reasons: readonly string[];
}

export interface Known {
  readonly candidate: Candidate;
  readonly standing: Standing;
  /** Coming exams. */
  readonly bookings: readonly Booking[];
  readonly basket: Basket;
}

export function possibilities({ candidate, standing, bookings, basket }: Known): Possibility[] {
  const mine = basket.groups.flatMap(({ lines }) => lines).filter((line) => line.candidate?.id === candidate.id);
  const held = mine.filter(({ state }) => ["asking", "held", "confirming"].includes(state));
  const restrictions = standing.restrictions.filter(({ waived }) => !waived);
  const categories = new Set([
    ...candidate.mandates.map(({ category }) => category),
    ...restrictions.map(({ category }) => category),
    ...[...bookings, ...held].map(({ slot }) => slot.category),
  ]);
  return [...categories].sort().map((category) => {
    const of = (line: Line) => line.slot.category === category;
    const mandate = countingMandate(candidate.mandates.filter((one) => one.category === category));
    const exams = bookings.filter(of);
    const lines = held.filter(of);
    const against = restrictions.filter((one) => one.category === category);
    const active = mandate?.state === "active";
    const awaited = mandate?.state === "pending" || mandate?.state === "draft";
    return {
      category,
      verdict:
        exams.length > 0
          ? "booked"
          : lines.length > 0
            ? "held"
            : !active
              ? awaited
                ? "awaited"
                : "unmandated"
              : against.length > 0
                ? "restricted"
                : "possible",
      reasons: [
        ...exams.map((exam) => t`Examen déjà réservé : ${place(exam)}.`),
        ...lines.map((line) =>
          line.state === "held"
            ? t`Déjà sur une ligne du panier : ${place(line)}.`
            : t`En cours de confirmation auprès de RdvPermis : ${place(line)}.`,
        ),
        ...(active ? [] : [mandateText(mandate)]),
      ],
    };
  });
}

/** The mandate that counts: the one in force, else the one that is asked for, else the newest. They come newest first. */
function countingMandate(mandates: readonly Mandate[]): Mandate | undefined {
  const at = (...states: Mandate["state"][]) => mandates.find(({ state }) => states.includes(state));
  return at("active") ?? at("pending", "draft") ?? mandates[0];
}

function place({ slot }: Line): string {
  return `${examShort(slot.startsAt)}, ${slot.centre.name}`;
}

/** Why nothing can be booked without it, and what to do. */
function mandateText(mandate: Mandate | undefined): string {
  switch (mandate?.state) {
    case "pending":
      return t`Le mandat est demandé : dès qu'il est actif, vous pouvez réserver.`;
    case "draft":
      return t`Le mandat n'est pas encore demandé.`;
    case "refused":
      return mandate.rdvpermisCode
        ? refusalText({ code: "RDVPERMIS_UNEXPECTED", rdvpermisCode: mandate.rdvpermisCode })
        : t`Le mandat est refusé.`;
    case "cancelled":
      return t`La demande de mandat est abandonnée : demandez-le de nouveau.`;
    case "revoked":
      return t`Le mandat est rendu : demandez-le de nouveau.`;
    case "expired":
      return t`Le mandat a expiré : demandez-le de nouveau.`;
    case "superseded":
      return t`Le mandat est passé à une autre école.`;
    default:
      return t`Aucun mandat n'est actif : demandez-le d'abord.`;
  }
}
