/** One absence, once or each week. Hours are local to the school; lines and bookings that it overlaps are named, never changed. */

import { plural, t } from "@lingui/core/macro";
import { Button, NativeSelect, TextInput } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type FormEvent, useId, useState } from "react";
import { addUnavailability } from "../../api/availability.ts";
import { keys } from "../../api/contract/cache.ts";
import type { NewUnavailability, Subject } from "../../api/contract/types.ts";
import { useSession } from "../../api/session.ts";
import { useAct } from "../../live/act.ts";
import { useDraft } from "../../live/draft.ts";
import { toast } from "../../live/toast.ts";
import { zoneOf } from "../../rules/departments.ts";
import { weekly } from "../../rules/recurrence.ts";
import { Notice, ProblemNotice } from "../Notice.tsx";

const BLANK = { start: "", end: "", repeat: "once", until: "" };

export function AddForm({ subject, name }: { subject: Subject; name: string }) {
  const client = useQueryClient();
  const session = useSession();
  const title = useId();
  const [fields, setFields] = useDraft(`unavailability/${subject.kind}/${subject.id ?? ""}`, BLANK);
  const [asked, setAsked] = useState(false);
  const [met, setMet] = useState(0);
  const add = useAct((body: NewUnavailability, key: string) => addUnavailability(body, key), {
    onSuccess: ({ metLineIds }) => {
      setFields(BLANK);
      setAsked(false);
      setMet(metLineIds.length);
      toast(t`L'indisponibilité de ${name} est notée.`);
    },
    onSettled: () => client.invalidateQueries({ queryKey: keys.unavailabilities }),
  });
  const set = (next: Partial<typeof BLANK>) => setFields({ ...fields, ...next });
  const reversed = fields.start !== "" && fields.end !== "" && fields.end <= fields.start;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    setAsked(true);
    if (add.isPending || !fields.start || !fields.end || reversed) return;
    add.mutate({
      subject,
      startsAt: fields.start.slice(0, 16),
      endsAt: fields.end.slice(0, 16),
      ...(fields.repeat === "weekly"
        ? { rrule: weekly(fields.start, fields.until, zoneOf(session.school.department)) }
        : {}),
    });
  };
  return (
    <form className="rp-stack rp-stack--tight" onSubmit={submit} noValidate aria-labelledby={title}>
      <h3 id={title}>{t`Noter une indisponibilité`}</h3>
      <div className="rp-form">
        <TextInput
          type="datetime-local"
          label={t`Du`}
          required
          value={fields.start}
          onChange={(event) => {
            const start = event.currentTarget.value;
            set({ start, ...(fields.end && fields.end > start ? {} : { end: start }) });
          }}
          error={asked && !fields.start ? t`Indiquez le début.` : undefined}
        />
        <TextInput
          type="datetime-local"
          label={t`Au`}
          required
          min={fields.start}
          value={fields.end}
          onChange={(event) => set({ end: event.currentTarget.value })}
          error={
            asked && !fields.end ? t`Indiquez la fin.` : asked && reversed ? t`La fin vient après le début.` : undefined
          }
        />
        <NativeSelect
          label={t`Répétition`}
          value={fields.repeat}
          onChange={(event) => set({ repeat: event.currentTarget.value })}
          data={[
            { value: "once", label: t`une fois` },
            { value: "weekly", label: t`chaque semaine` },
          ]}
        />
        {fields.repeat === "weekly" ? (
          <TextInput
            type="date"
            label={t`Jusqu'au (facultatif)`}
            min={fields.start.slice(0, 10)}
            value={fields.until}
            onChange={(event) => set({ until: event.currentTarget.value })}
          />
        ) : null}
      </div>
      {add.error ? (
        <ProblemNotice error={add.error}>
          <p>{t`Ce que vous avez écrit est gardé.`}</p>
        </ProblemNotice>
      ) : null}
      {met > 0 ? (
        <Notice level="warning">
          <p>
            {plural(met, {
              one: "# réservation à venir tombe dans cette indisponibilité. Elle reste en place.",
              other: "# réservations à venir tombent dans cette indisponibilité. Elles restent en place.",
            })}{" "}
            <Link to="/reservations">{t`Voir les réservations`}</Link>
          </p>
        </Notice>
      ) : null}
      <div className="rp-row">
        <Button
          type="submit"
          variant="default"
          aria-disabled={add.isPending || undefined}
          data-disabled={add.isPending || undefined}
        >
          {add.isPending ? t`Demande envoyée…` : t`Noter l'indisponibilité`}
        </Button>
      </div>
    </form>
  );
}
