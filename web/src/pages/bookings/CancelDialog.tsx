/** Cancels a coming booking. What follows is asked first and named: the days without a new booking, and until when there are none. */

import { plural, t } from "@lingui/core/macro";
import { NativeSelect } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useState } from "react";
import { type CancelReason, cancelBooking, previewCancellation } from "../../api/bookings.ts";
import { keys } from "../../api/contract/cache.ts";
import type { Booking, CancellationPreview } from "../../api/contract/types.ts";
import { ConfirmDialog } from "../../components/ConfirmDialog.tsx";
import { Loaded } from "../../components/Loading.tsx";
import { Notice } from "../../components/Notice.tsx";
import { useAct } from "../../live/act.ts";
import { dayFull, examSentence, parisMoment } from "../../time/format.ts";
import { useRefresh } from "./refresh.ts";

export function CancelDialog({
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
  const [reason, setReason] = useState<CancelReason>("candidate_ill");
  const preview = useQuery({
    queryKey: [...keys.bookings, "cancellation", booking.id],
    queryFn: () => previewCancellation(booking.id),
    enabled: opened,
    staleTime: 0,
    gcTime: 0,
  });
  const cancel = useAct(({ id, why }: { id: string; why: CancelReason }, key: string) => cancelBooking(id, why, key), {
    onSuccess: (after) => onDone([after]),
    onSettled: refresh,
  });
  return (
    <ConfirmDialog
      opened={opened}
      title={t`Annuler cette réservation ?`}
      confirm={t`Annuler la réservation`}
      busy={cancel.isPending}
      blocked={
        preview.isPending
          ? t`Lecture des conséquences…`
          : preview.data?.possible === false
            ? t`RdvPermis ne permet plus d'annuler cet examen.`
            : undefined
      }
      error={cancel.error}
      onConfirm={() => cancel.mutate({ id: booking.id, why: reason })}
      onClose={onClose}
    >
      <p>
        <strong>{who}</strong>
        <br />
        {examSentence(booking.slot.startsAt)}, {booking.slot.centre.name}
      </p>
      <Loaded query={preview} rows={1} height={72}>
        {(known) => <Consequence preview={known} who={who} />}
      </Loaded>
      {preview.isError ? (
        <p>{t`Les conséquences ne sont pas connues. Annuler à 6 jours ou moins prive en général de réservation pendant 30 jours.`}</p>
      ) : null}
      <p>{t`RdvPermis prévient le candidat, et le créneau redevient libre pour toutes les écoles.`}</p>
      <NativeSelect
        label={t`Motif`}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value as CancelReason)}
        data={[
          { value: "candidate_ill", label: t`maladie du candidat` },
          { value: "not_ready", label: t`candidat pas encore prêt` },
          { value: "school", label: t`empêchement de l'école` },
          { value: "other", label: t`autre` },
        ]}
      />
    </ConfirmDialog>
  );
}

function Consequence({ preview, who }: { preview: CancellationPreview; who: string }) {
  const { late, restrictedDays, restrictedUntil, freeUntil } = preview;
  if (!late) {
    return (
      <p>
        {t`Aucune pénalité pour ${who}.`}{" "}
        {freeUntil ? t`L'annulation reste sans pénalité jusqu'au ${parisMoment(freeUntil)}.` : null}
      </p>
    );
  }
  const until = restrictedUntil ? dayFull(restrictedUntil) : "";
  return (
    <Notice level="warning">
      <p>
        <strong>
          {plural(restrictedDays, {
            one: `# jour sans réservation pour ${who}`,
            other: `# jours sans réservation pour ${who}`,
          })}
        </strong>
        {until ? `, ${t`jusqu'au ${until}`}` : null}
        {". "}
        {t`Un cas de force majeure reconnu peut l'éviter : demandez-le sur sa fiche.`}
      </p>
    </Notice>
  );
}
