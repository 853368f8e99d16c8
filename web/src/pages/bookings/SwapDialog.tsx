/** Two of the school's bookings change places: only those that RdvPermis offers, and both candidates are named. */

import { t } from "@lingui/core/macro";
import { Radio, TextInput } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { swapBookings, swappableQuery } from "../../api/bookings.ts";
import type { Booking } from "../../api/contract/types.ts";
import { ConfirmDialog } from "../../components/ConfirmDialog.tsx";
import { Loaded } from "../../components/Loading.tsx";
import { useAct } from "../../live/act.ts";
import { dayOf } from "../../time/calendar.ts";
import { examSentence, examShort } from "../../time/format.ts";
import { useRefresh } from "./refresh.ts";

export function SwapDialog({
  booking,
  who,
  opened,
  onDone,
  onClose,
}: {
  booking: Booking;
  who: string;
  opened: boolean;
  onDone: (after: readonly Booking[]) => void;
  onClose: () => void;
}) {
  const refresh = useRefresh();
  const [day, setDay] = useState(dayOf(booking.slot.startsAt));
  const [other, setOther] = useState("");
  const swap = useAct(
    ({ id, otherId }: { id: string; otherId: string }, key: string) => swapBookings(id, otherId, key),
    { onSuccess: ({ items }) => onDone(items), onSettled: refresh },
  );
  // Each read costs a call: one for a day that is looked at, none for a pair that has changed places or is about to.
  const offered = useQuery({
    ...swappableQuery(booking.id, day),
    enabled: opened && day !== "" && !swap.isPending && !swap.isSuccess,
  });
  const chosen = offered.data?.items.find((one) => one.id === other);
  const otherWho = chosen?.candidate?.displayName ?? "";
  return (
    <ConfirmDialog
      opened={opened}
      title={t`Permuter deux réservations ?`}
      confirm={t`Permuter`}
      tone="brand"
      busy={swap.isPending}
      blocked={chosen ? undefined : t`Choisissez d'abord l'autre réservation.`}
      error={swap.error}
      onConfirm={() => {
        if (chosen) swap.mutate({ id: booking.id, otherId: chosen.id });
      }}
      onClose={onClose}
    >
      <p>
        <strong>{who}</strong>
        <br />
        {examSentence(booking.slot.startsAt)}, {booking.slot.centre.name}
      </p>
      <TextInput
        type="date"
        label={t`Jour de l'autre examen`}
        description={t`RdvPermis indique, jour par jour, les permutations possibles. Chaque jour consulté coûte un appel.`}
        value={day}
        onChange={(event) => {
          setDay(event.currentTarget.value);
          setOther("");
        }}
      />
      {day ? (
        <Loaded query={offered} rows={2}>
          {({ items }) =>
            items.length === 0 ? (
              <p className="rp-muted">{t`RdvPermis n'offre aucune permutation ce jour-là. Essayez un autre jour, ou remplacez le candidat.`}</p>
            ) : (
              <Radio.Group label={t`Permuter avec`} value={other} onChange={setOther}>
                <div className="rp-stack rp-stack--tight">
                  {items.map((one) => (
                    <Radio
                      key={one.id}
                      value={one.id}
                      label={`${examShort(one.slot.startsAt)}, ${one.slot.centre.name}, ${one.candidate?.displayName ?? ""}`}
                    />
                  ))}
                </div>
              </Radio.Group>
            )
          }
        </Loaded>
      ) : null}
      {chosen ? (
        <p>
          {t`${who} passe ${examSentence(chosen.slot.startsAt)}, et ${otherWho} ${examSentence(booking.slot.startsAt)}.`}{" "}
          {t`RdvPermis prévient les deux candidats.`}
        </p>
      ) : null}
    </ConfirmDialog>
  );
}
