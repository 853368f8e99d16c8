/** The four values by which a candidate is known. Only what D-01 allows is asked; an odd NEPH earns a warning, never a refusal. */
import { t } from "@lingui/core/macro";
import { TextInput } from "@mantine/core";
import { useEffect, useRef } from "react";
import { Problem } from "../../api/contract/problem.ts";
import { nephLooksOdd } from "../../rules/neph.ts";

export interface Identity {
  lastName: string;
  firstName: string;
  neph: string;
  email: string;
}
type Field = keyof Identity;

const REQUIRED = ["lastName", "firstName", "neph"] as const;

/** What an identity must have is there. */
export function isWhole(fields: Identity): boolean {
  return REQUIRED.every((name) => fields[name].trim() !== "");
}

export function IdentityInputs({
  fields,
  onChange,
  asked,
  error,
  fixed = [],
  focus,
}: {
  fields: Identity;
  onChange: (next: Partial<Identity>) => void;
  /** Sent once: what is missing is named. */
  asked: boolean;
  error: unknown;
  /** Those that a mandate fixes: shown, not to be changed. */
  fixed?: readonly Field[];
  /** Where to begin, when the fields appear. */
  focus?: Field | undefined;
}) {
  const first = useRef<HTMLInputElement>(null);
  useEffect(() => first.current?.focus(), []);
  const input = (name: Field, missing?: string) => ({
    value: fields[name],
    onChange: (event: { currentTarget: { value: string } }) => onChange({ [name]: event.currentTarget.value }),
    error: (asked && missing && fields[name].trim() === "" ? missing : undefined) ?? refusal(error, name),
    readOnly: fixed.includes(name),
    autoComplete: "off",
    ...(focus === name ? { ref: first } : {}),
  });
  const fixedBy = (name: Field) => (fixed.includes(name) ? t`Fixé par le mandat en cours` : undefined);
  return (
    <>
      <TextInput
        label={t`Nom de naissance`}
        required
        description={fixedBy("lastName")}
        {...input("lastName", t`Indiquez le nom de naissance.`)}
      />
      <TextInput
        label={t`Prénom`}
        required
        description={fixedBy("firstName")}
        {...input("firstName", t`Indiquez le prénom.`)}
      />
      <TextInput
        label={t`NEPH`}
        required
        inputMode="numeric"
        {...input("neph", t`Indiquez le NEPH, zéros du début compris.`)}
        description={
          fixedBy("neph") ??
          (nephLooksOdd(fields.neph) ? (
            <span className="rp-hint-warning">{t`Un NEPH a en général 12 chiffres. Vérifiez-le ; vous pouvez tout de même continuer.`}</span>
          ) : (
            t`12 chiffres en général, zéros du début compris`
          ))
        }
      />
      <TextInput
        label={t`Adresse électronique`}
        type="email"
        description={t`Celle du candidat : RdvPermis lui écrira à cette adresse`}
        {...input("email")}
      />
    </>
  );
}

/** Why a field was refused, in words; undefined when it was not. */
function refusal(error: unknown, name: Field): string | undefined {
  if (!(error instanceof Problem) || !error.violations.some(({ field }) => field.endsWith(name))) return undefined;
  if (error.code === "NEPH_KNOWN") return t`Un autre candidat de votre école a ce NEPH.`;
  if (error.code === "CANDIDATE_MANDATED") return t`Fixé par le mandat en cours`;
  if (name === "email") return t`Indiquez une seule adresse, par exemple nom@exemple.fr.`;
  return t`RdvPermis ou ResaPermis ne peut pas lire ce champ. Vérifiez-le.`;
}
