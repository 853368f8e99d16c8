/**
 * Only what D-01 allows is asked. An odd NEPH earns a warning, never a refusal; an error keeps all that was typed. Writing down and
 * asking the mandate are one act for the secretary and two requests: each shows its own result.
 */

import { t } from "@lingui/core/macro";
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Link, useNavigate } from "@tanstack/react-router";
import { type FormEvent, useState } from "react";
import { createCandidate, requestMandate } from "../../api/candidates.ts";
import { keys } from "../../api/contract/cache.ts";
import { Problem } from "../../api/contract/problem.ts";
import { ProblemNotice } from "../../components/Notice.tsx";
import { useAct } from "../../live/act.ts";
import { useDraft } from "../../live/draft.ts";
import { toast } from "../../live/toast.ts";
import { CATEGORIES } from "../../rules/departments.ts";
import { nephLooksOdd, normaliseNeph } from "../../rules/neph.ts";

interface Fields {
  lastName: string;
  firstName: string;
  neph: string;
  email: string;
  category: string;
  gearbox: "manual" | "automatic";
}

/** The form's name among drafts. */
export const NEW_CANDIDATE = "candidate";

const BLANK: Fields = { lastName: "", firstName: "", neph: "", email: "", category: "B", gearbox: "manual" };

export function NewCandidateForm({ onDone }: { onDone: () => void }) {
  const client = useQueryClient();
  const navigate = useNavigate();
  const [fields, setFields, forget] = useDraft(NEW_CANDIDATE, BLANK);
  const [asked, setAsked] = useState(false);
  const refresh = () => client.invalidateQueries({ queryKey: keys.candidates });
  const ask = useAct((body: Parameters<typeof requestMandate>[0], key: string) => requestMandate(body, key), {
    onSettled: refresh,
  });
  const create = useAct(
    (body: Fields, key: string) =>
      createCandidate(
        {
          lastName: body.lastName.trim(),
          firstName: body.firstName.trim(),
          neph: normaliseNeph(body.neph),
          ...(body.email.trim() ? { email: body.email.trim() } : {}),
        },
        key,
      ),
    {
      onSuccess: (candidate, { category, gearbox }) => {
        forget();
        ask.mutate(
          { candidateId: candidate.id, category, gearbox },
          {
            onSuccess: () => {
              toast(t`${candidate.firstName} ${candidate.lastName} est inscrit, son mandat est demandé.`);
              onDone();
              void navigate({ to: "/candidats/$id", params: { id: candidate.id }, search: {} });
            },
          },
        );
      },
      onSettled: refresh,
    },
  );
  const busy = create.isPending || ask.isPending;
  const set = (name: keyof Fields) => (event: { currentTarget: { value: string } }) =>
    setFields({ ...fields, [name]: event.currentTarget.value });
  const missing = (name: "lastName" | "firstName" | "neph", text: string) =>
    asked && fields[name].trim() === "" ? text : undefined;
  const refused = (name: string) =>
    create.error instanceof Problem && create.error.violations.some(({ field }) => field.endsWith(name))
      ? t`RdvPermis ou ResaPermis ne peut pas lire ce champ. Vérifiez-le.`
      : undefined;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    if (busy || create.data || !fields.lastName.trim() || !fields.firstName.trim() || !fields.neph.trim()) return;
    create.mutate(fields);
  };
  const odd = nephLooksOdd(fields.neph);
  return (
    <form className="rp-card" onSubmit={submit} noValidate>
      <h2>{t`Nouveau candidat`}</h2>
      <div className="rp-form">
        <TextInput
          label={t`Nom de naissance`}
          required
          autoComplete="off"
          value={fields.lastName}
          onChange={set("lastName")}
          error={missing("lastName", t`Écrivez le nom de naissance.`) ?? refused("lastName")}
          data-autofocus
        />
        <TextInput
          label={t`Prénom`}
          required
          autoComplete="off"
          value={fields.firstName}
          onChange={set("firstName")}
          error={missing("firstName", t`Écrivez le prénom.`) ?? refused("firstName")}
        />
        <TextInput
          label={t`NEPH`}
          required
          inputMode="numeric"
          autoComplete="off"
          value={fields.neph}
          onChange={set("neph")}
          error={missing("neph", t`Écrivez le NEPH, avec ses zéros de tête.`) ?? refused("neph")}
          description={
            odd ? (
              <span className="rp-hint-warning">{t`Un NEPH a d'habitude 12 chiffres. Vérifiez ; vous pouvez continuer.`}</span>
            ) : (
              t`12 chiffres d'habitude, zéros de tête compris`
            )
          }
        />
        <TextInput
          label={t`Adresse électronique`}
          type="email"
          autoComplete="off"
          description={t`La sienne : RdvPermis lui écrit`}
          value={fields.email}
          onChange={set("email")}
          error={refused("email")}
        />
        <NativeSelect label={t`Permis`} value={fields.category} onChange={set("category")} data={[...CATEGORIES]} />
        <NativeSelect
          label={t`Boîte de vitesses`}
          value={fields.gearbox}
          onChange={(event) =>
            setFields({ ...fields, gearbox: event.currentTarget.value === "automatic" ? "automatic" : "manual" })
          }
          data={[
            { value: "manual", label: t`manuelle` },
            { value: "automatic", label: t`automatique` },
          ]}
        />
      </div>
      {create.error ? (
        <ProblemNotice error={create.error}>
          <p>{t`Ce que vous avez écrit est gardé.`}</p>
        </ProblemNotice>
      ) : null}
      {create.data && ask.error ? (
        <ProblemNotice error={ask.error}>
          <p>
            {t`Le candidat est inscrit ; son mandat ne l'est pas.`}{" "}
            <Link to="/candidats/$id" params={{ id: create.data.id }}>
              {t`Voir sa fiche`}
            </Link>
          </p>
        </ProblemNotice>
      ) : null}
      <div className="rp-row rp-row--end">
        <Button
          variant="default"
          onClick={() => {
            forget();
            onDone();
          }}
        >
          {create.data ? t`Fermer` : t`Abandonner`}
        </Button>
        {create.data && ask.error ? null : (
          <Button type="submit" aria-disabled={busy || undefined} data-disabled={busy || undefined}>
            {busy ? t`Demande envoyée…` : t`Inscrire et demander le mandat`}
          </Button>
        )}
      </div>
    </form>
  );
}
