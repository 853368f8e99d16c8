/** The school's licence: as RdvPermis has it, and the last day that the administrator entered. Once lapsed, nothing new is booked. */
import { t } from "@lingui/core/macro";
import { Button, TextInput } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import type { FormEvent } from "react";
import type { School } from "../../api/contract/types.ts";
import { schoolQuery, setLicence } from "../../api/school.ts";
import { Age } from "../../components/Age.tsx";
import { Loaded } from "../../components/Loading.tsx";
import { Notice, ProblemNotice } from "../../components/Notice.tsx";
import { useAct } from "../../live/act.ts";
import { useDraft } from "../../live/draft.ts";
import { toast } from "../../live/toast.ts";
import { departmentName } from "../../rules/departments.ts";
import { figure } from "../../rules/figures.ts";
import { expiryOf } from "../../rules/school/expiry.ts";
import { ExpiryMark, useToday } from "./ExpiryMark.tsx";

export function LicenceTab({ mayEdit }: { mayEdit: boolean }) {
  const query = useQuery(schoolQuery);
  return (
    <div className="rp-stack rp-tab">
      <Loaded query={query} rows={3}>
        {(school) => (
          <>
            <Facts school={school} />
            {mayEdit ? <LicenceForm key={school.licensedUntil} school={school} /> : null}
          </>
        )}
      </Loaded>
    </div>
  );
}

function Facts({ school }: { school: School }) {
  const today = useToday();
  const expiry = expiryOf(school.licensedUntil, today);
  return (
    <section className="rp-card" aria-label={t`Agrément`}>
      <h2>{school.name}</h2>
      {expiry === "ended" ? (
        <Notice level="danger">
          <p>{t`L'agrément est terminé : rien de nouveau ne peut être retenu. Renouvelez-le, puis notez la nouvelle date.`}</p>
        </Notice>
      ) : expiry === "soon" ? (
        <Notice level="warning">
          <p>{t`L'agrément finit bientôt. Sans renouvellement, rien de nouveau ne pourra être retenu.`}</p>
        </Notice>
      ) : null}
      <dl className="rp-facts">
        <dt>{t`Numéro d'agrément`}</dt>
        <dd>{school.licenceNumber ?? t`non communiqué`}</dd>
        <dt>{t`Département`}</dt>
        <dd>{school.department ? departmentName(school.department) : t`non communiqué`}</dd>
        <dt>{t`Agrément`}</dt>
        <dd>
          <ExpiryMark lastDay={school.licensedUntil} />
        </dd>
        <dt>{t`Temps plein déclaré à RdvPermis`}</dt>
        <dd>{school.declaredFte === null ? t`non communiqué` : figure(school.declaredFte)}</dd>
        <dt>{t`Mise à jour`}</dt>
        <dd>
          <Age seenAt={school.seenAt} />
        </dd>
      </dl>
    </section>
  );
}

function LicenceForm({ school }: { school: School }) {
  const client = useQueryClient();
  const [{ day }, write, forget] = useDraft("licence", { day: school.licensedUntil ?? "" });
  const save = useAct((last: string | null) => setLicence(last), {
    onSuccess: (answer) => {
      forget();
      client.setQueryData(schoolQuery.queryKey, answer);
      toast(t`La fin de l'agrément est notée.`);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!save.isPending) save.mutate(day || null);
  };
  return (
    <form className="rp-row rp-ask" onSubmit={submit} noValidate>
      <TextInput
        type="date"
        label={t`Dernier jour de l'agrément`}
        description={t`Un message vous prévient deux mois avant`}
        value={day}
        onChange={(event) => write({ day: event.currentTarget.value })}
      />
      <Button type="submit" aria-disabled={save.isPending || undefined} data-disabled={save.isPending || undefined}>
        {save.isPending ? t`Demande envoyée…` : t`Enregistrer`}
      </Button>
      {save.error ? <ProblemNotice error={save.error} /> : null}
    </form>
  );
}
