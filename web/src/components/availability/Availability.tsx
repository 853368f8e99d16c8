/** When a person, a vehicle or the school is not free: the list of the next weeks, adding, taking back, reading a calendar. */
import { plural, t } from "@lingui/core/macro";
import { ActionIcon } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { addUnavailability, removeUnavailability, unavailabilitiesQuery } from "../../api/availability.ts";
import { keys } from "../../api/contract/cache.ts";
import type { NewUnavailability, Subject, Unavailability } from "../../api/contract/types.ts";
import { useAct } from "../../live/act.ts";
import { toast } from "../../live/toast.ts";
import { recurrenceText } from "../../rules/recurrence.ts";
import { addDays, todayInParis } from "../../time/calendar.ts";
import { serverClock } from "../../time/clock.ts";
import { Loaded } from "../Loading.tsx";
import { ProblemNotice } from "../Notice.tsx";
import { AddForm } from "./AddForm.tsx";
import { ImportForm } from "./ImportForm.tsx";
import { firsts, spanText } from "./spans.ts";

/** The contract's widest window is 100 days. */
const DAYS = 90;

export function Availability({ subject, name }: { subject: Subject; name: string }) {
  const [from] = useState(() => todayInParis(serverClock.now()));
  const query = useQuery(unavailabilitiesQuery(subject, from, addDays(from, DAYS)));
  return (
    <div className="rp-stack">
      <Loaded query={query} rows={3}>
        {({ items }) =>
          items.length === 0 ? (
            <p className="rp-muted">{t`Aucune indisponibilité d'ici trois mois. Notez une indisponibilité, ou importez un agenda.`}</p>
          ) : (
            <ul className="rp-plain-list rp-unavailabilities">
              {firsts(items).map(({ one, times }) => (
                <Row key={one.id} one={one} times={times} name={name} />
              ))}
            </ul>
          )
        }
      </Loaded>
      <AddForm subject={subject} name={name} />
      <ImportForm subject={subject} name={name} />
    </div>
  );
}

function Row({ one, times, name }: { one: Unavailability; times: number; name: string }) {
  const client = useQueryClient();
  const refresh = () => client.invalidateQueries({ queryKey: keys.unavailabilities });
  const span = spanText(one);
  const again = recurrenceText(one.rrule, one.timeZone);
  const back = useAct((body: NewUnavailability, key: string) => addUnavailability(body, key), { onSettled: refresh });
  const same: NewUnavailability = {
    subject: one.subject as Subject,
    startsAt: one.startsAt,
    endsAt: one.endsAt,
    timeZone: one.timeZone,
    ...(one.rrule ? { rrule: one.rrule } : {}),
  };
  const remove = useAct(() => removeUnavailability(one.id), {
    onSuccess: () => toast(t`${name} est de nouveau libre ${span}.`, () => back.mutate(same)),
    onSettled: refresh,
  });
  return (
    <li className="rp-row rp-row--between">
      <span>
        <strong>{span}</strong>{" "}
        <span className="rp-muted">
          {[
            again,
            times > 1 ? plural(times, { one: "# fois d'ici trois mois", other: "# fois d'ici trois mois" }) : "",
            one.imported ? t`agenda importé` : "",
          ]
            .filter(Boolean)
            .join(", ")}
        </span>
      </span>
      <ActionIcon
        variant="subtle"
        color="danger"
        size="lg"
        aria-label={t`Retirer l'indisponibilité ${span}, ${name}`}
        aria-disabled={remove.isPending || undefined}
        onClick={() => remove.isPending || remove.mutate()}
      >
        <IconTrash size={18} aria-hidden />
      </ActionIcon>
      {remove.error ? <ProblemNotice error={remove.error} /> : null}
    </li>
  );
}
