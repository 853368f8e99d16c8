/** When a person, a vehicle or the school is not free: the list of the next weeks, adding, taking back, reading a calendar. */
import { t } from "@lingui/core/macro";
import { ActionIcon } from "@mantine/core";
import { IconTrash } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import * as calls from "../../api/school-calls.ts";
import { schoolKeys, unavailabilitiesQuery } from "../../api/school-queries.ts";
import type { Subject, Unavailability } from "../../api/types.ts";
import { toast } from "../../live/toast.ts";
import { recurrenceText } from "../../rules/recurrence.ts";
import { addDays, dayOf, hour, todayInParis } from "../../time/calendar.ts";
import { serverClock } from "../../time/clock.ts";
import { dayShort } from "../../time/format.ts";
import { Loaded } from "../Loading.tsx";
import { ProblemNotice } from "../Notice.tsx";
import { AddForm } from "./AddForm.tsx";
import { ImportForm } from "./ImportForm.tsx";

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
            <p className="rp-muted">{t`Toujours libre dans les trois mois. Notez une indisponibilité, ou importez un agenda.`}</p>
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

/** One row an unavailability: its first occurrence of the window, and how many there are. */
export function firsts(items: readonly Unavailability[]): { one: Unavailability; times: number }[] {
  const groups = Map.groupBy(items, (one) => one.id);
  return [...groups.values()]
    .map((group) => [...group].sort((a, b) => a.startsAt.localeCompare(b.startsAt)))
    .flatMap((group) => (group[0] ? [{ one: group[0], times: group.length }] : []))
    .sort((a, b) => a.one.startsAt.localeCompare(b.one.startsAt));
}

/** "lun. 30 nov. 09:00 – 12:00", "ven. 4 déc." for a whole day, "ven. 4 déc. – dim. 6 déc." for several. */
export function spanText({ startsAt, endsAt }: Pick<Unavailability, "startsAt" | "endsAt">): string {
  const whole = hour(startsAt) === "00:00" && hour(endsAt) === "00:00";
  const last = whole ? addDays(dayOf(endsAt), -1) : dayOf(endsAt);
  const first = dayOf(startsAt);
  if (whole) return first === last ? dayShort(first) : `${dayShort(first)} – ${dayShort(last)}`;
  const end = first === last ? hour(endsAt) : `${dayShort(last)} ${hour(endsAt)}`;
  return `${dayShort(first)} ${hour(startsAt)} – ${end}`;
}

function Row({ one, times, name }: { one: Unavailability; times: number; name: string }) {
  const client = useQueryClient();
  const refresh = () => client.invalidateQueries({ queryKey: schoolKeys.unavailabilities });
  const span = spanText(one);
  const again = recurrenceText(one.rrule);
  const back = useMutation({
    mutationFn: () =>
      calls.addUnavailability(
        {
          subject: one.subject as Subject,
          startsAt: one.startsAt,
          endsAt: one.endsAt,
          timeZone: one.timeZone,
          ...(one.rrule ? { rrule: one.rrule } : {}),
        },
        crypto.randomUUID(),
      ),
    onSettled: refresh,
  });
  const remove = useMutation({
    mutationFn: () => calls.removeUnavailability(one.id),
    onSuccess: () => toast(t`${name} est de nouveau libre ${span}.`, () => back.mutate()),
    onSettled: refresh,
  });
  return (
    <li className="rp-row rp-row--between">
      <span>
        <strong>{span}</strong>{" "}
        <span className="rp-muted">
          {[again, times > 1 ? t`${times} fois d'ici trois mois` : "", one.imported ? t`agenda importé` : ""]
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
