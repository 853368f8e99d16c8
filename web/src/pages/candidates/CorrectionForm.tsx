/** Corrects a candidate: what RdvPermis has not yet said yes to, and at any time the address. The journal keeps which fields, no value. */
import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { correctCandidate } from "../../api/candidates.ts";
import { keys } from "../../api/contract/cache.ts";
import type { Candidate, CandidateCorrection, MandateState } from "../../api/contract/types.ts";
import { useAct } from "../../live/act.ts";
import { useDraft } from "../../live/draft.ts";
import { toast } from "../../live/toast.ts";
import { normaliseNeph } from "../../rules/neph.ts";
import { type Identity, IdentityInputs, isWhole } from "./IdentityInputs.tsx";
import { IdentityProblem } from "./IdentityProblem.tsx";

/** The form's name among drafts. */
export function correctionOf(candidateId: string): string {
  return `correction/${candidateId}`;
}

/** As the service has it: an active mandate fixes the name, an open one the NEPH under which RdvPermis is read. */
function fixedOf(candidate: Candidate): (keyof Identity)[] {
  const has = (...states: MandateState[]) => candidate.mandates.some(({ state }) => states.includes(state));
  return [
    ...(has("active") ? (["lastName", "firstName"] as const) : []),
    ...(has("draft", "pending", "active") ? (["neph"] as const) : []),
  ];
}

/** What differs from the candidate, and the version over which it was written. */
function difference(candidate: Candidate, fields: Identity): CandidateCorrection | undefined {
  const written = {
    lastName: fields.lastName.trim(),
    firstName: fields.firstName.trim(),
    neph: normaliseNeph(fields.neph),
    email: fields.email.trim() || null,
  };
  const changed = Object.entries(written).filter(
    ([name, value]) => value !== (candidate[name as keyof Identity] || null),
  );
  return changed.length > 0 ? { ...Object.fromEntries(changed), version: candidate.version || null } : undefined;
}

export function CorrectionForm({
  candidate,
  focus,
  onDone,
}: {
  candidate: Candidate;
  focus?: keyof Identity | undefined;
  onDone: () => void;
}) {
  const client = useQueryClient();
  const { lastName, firstName, neph } = candidate;
  const shown = { lastName, firstName, neph, email: candidate.email ?? "" };
  const [fields, write, forget] = useDraft(correctionOf(candidate.id), shown);
  const [asked, setAsked] = useState(false);
  const fixed = fixedOf(candidate);
  const save = useAct((body: CandidateCorrection, key: string) => correctCandidate(candidate.id, body, key), {
    onSuccess: () => {
      forget();
      toast(t`La fiche est corrigée.`);
      onDone();
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.candidates }),
  });
  const leave = () => {
    forget();
    onDone();
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    if (save.isPending || !isWhole(fields)) return;
    const body = difference(candidate, fields);
    if (body) save.mutate(body);
    else leave();
  };
  return (
    <form className="rp-stack" onSubmit={submit} noValidate aria-label={t`Corriger la fiche`}>
      <div className="rp-form">
        <IdentityInputs
          fields={fields}
          onChange={(next) => write({ ...fields, ...next })}
          asked={asked}
          error={save.error}
          fixed={fixed}
          focus={focus && !fixed.includes(focus) ? focus : fixed.includes("lastName") ? "email" : "lastName"}
        />
      </div>
      {fixed.length > 0 ? (
        <p className="rp-small rp-muted">
          {fixed.includes("lastName")
            ? t`Le mandat actif est lié à ce nom et à ce NEPH. Pour les corriger, rendez-le d'abord.`
            : t`Un mandat est demandé sous ce NEPH. Pour le corriger, attendez la réponse ou rendez le mandat.`}
        </p>
      ) : null}
      <IdentityProblem error={save.error} />
      <div className="rp-row rp-row--end">
        <Button variant="default" onClick={leave}>
          {t`Abandonner`}
        </Button>
        <Button type="submit" aria-disabled={save.isPending || undefined} data-disabled={save.isPending || undefined}>
          {save.isPending ? t`Demande envoyée…` : t`Enregistrer`}
        </Button>
      </div>
    </form>
  );
}
