/** Where the operator's one-time code makes the platform's first administrator. */

import { i18n } from "@lingui/core";
import { t } from "@lingui/core/macro";
import { Button, TextInput } from "@mantine/core";
import { type FormEvent, useState } from "react";
import { Problem } from "../../api/contract/problem.ts";
import { becomeFirstAdministrator, type FirstAdministrator as Fields } from "../../api/people/passkey.ts";
import { Notice } from "../../components/Notice.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { useAct } from "../../live/act.ts";
import { enter, PasskeyProblem } from "./PasskeyProblem.tsx";

export function FirstAdministrator() {
  const [fields, setFields] = useState<Omit<Fields, "locale">>({ code: "", displayName: "", email: "" });
  const [asked, setAsked] = useState(false);
  const making = useAct((body: Parameters<typeof becomeFirstAdministrator>[0]) => becomeFirstAdministrator(body), {
    onSuccess: enter,
  });
  const missing = (value: string, text: string) => (asked && value.trim() === "" ? text : undefined);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    const { code, displayName, email } = fields;
    if (making.isPending || [code, displayName, email].some((value) => value.trim() === "")) return;
    making.mutate({
      code: code.trim(),
      displayName: displayName.trim(),
      email: email.trim(),
      locale: i18n.locale === "en" ? "en" : "fr",
    });
  };
  return (
    <>
      <PageTitle>{t`Premier administrateur de la plateforme`}</PageTitle>
      <p className="rp-lead">{t`Le code vient du terminal de qui installe ResaPermis. Il sert une seule fois, tant que la plateforme n'a aucun administrateur.`}</p>
      <form className="rp-stack" onSubmit={submit} noValidate>
        <TextInput
          label={t`Code`}
          required
          autoComplete="off"
          autoCapitalize="characters"
          spellCheck={false}
          maxLength={60}
          value={fields.code}
          onChange={(event) => setFields({ ...fields, code: event.currentTarget.value })}
          error={missing(fields.code, t`Indiquez le code.`)}
        />
        <TextInput
          label={t`Votre nom`}
          description={t`Comme les autres le verront`}
          required
          autoComplete="name"
          maxLength={100}
          value={fields.displayName}
          onChange={(event) => setFields({ ...fields, displayName: event.currentTarget.value })}
          error={missing(fields.displayName, t`Indiquez votre nom.`)}
        />
        <TextInput
          label={t`Adresse électronique`}
          type="email"
          required
          autoComplete="email"
          maxLength={254}
          value={fields.email}
          onChange={(event) => setFields({ ...fields, email: event.currentTarget.value })}
          error={missing(fields.email, t`Indiquez votre adresse.`)}
        />
        {making.error ? <Refusal error={making.error} /> : null}
        <div>
          <Button
            type="submit"
            size="md"
            aria-disabled={making.isPending || undefined}
            data-disabled={making.isPending || undefined}
          >
            {making.isPending ? t`Demande envoyée…` : t`Créer ma clé d'accès et entrer`}
          </Button>
        </div>
      </form>
    </>
  );
}

function Refusal({ error }: { error: Error }) {
  if (!(error instanceof Problem && error.code === "NOT_FOUND")) return <PasskeyProblem error={error} />;
  return (
    <Notice level="danger" alert>
      <p>{t`Ce code n'est pas valable : il est faux, déjà utilisé, trop ancien, ou la plateforme a déjà un administrateur.`}</p>
    </Notice>
  );
}
