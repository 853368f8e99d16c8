/** Which refusals of a mandate a school settles by correcting what it wrote down of the candidate, and where. */
import { Problem } from "../../api/contract/problem.ts";
import type { Identity } from "./IdentityInputs.tsx";

const FIELDS: Readonly<Record<string, keyof Identity>> = {
  CANDIDAT_INCONNU: "lastName",
  RDVPERMIS_CANDIDATE_UNKNOWN: "lastName",
  EMAIL_MANQUANT: "email",
  EMAIL_DEJA_ATTRIBUE: "email",
  RDVPERMIS_EMAIL: "email",
};

/** The field to look at first, by RdvPermis' word or by our code; undefined where nothing written here is in doubt. */
export function fieldInDoubt(code: string): keyof Identity | undefined {
  return FIELDS[code];
}

export function correctable(error: unknown): boolean {
  return error instanceof Problem && fieldInDoubt(error.rdvpermisCode ?? error.code) !== undefined;
}
