/** Gives a coming booking to another candidate: who loses the date is named, and what is left of RdvPermis' allowance. */

import { t } from "@lingui/core/macro";
import { useState } from "react";
import { replaceCandidate } from "../../api/bookings.ts";
import type { Booking, CandidateName, Replacements } from "../../api/contract/types.ts";
import { ConfirmDialog } from "../../components/ConfirmDialog.tsx";
import { CandidatePicker } from "../../components/candidates/CandidatePicker.tsx";
import { useAct } from "../../live/act.ts";
import { examSentence, monthLong } from "../../time/format.ts";
import { useRefresh } from "./refresh.ts";

export function ReplaceDialog({
  booking,
  who,
  allowance,
  opened,
  onDone,
  onClose,
}: {
  booking: Booking;
  who: string;
  allowance: Replacements | undefined;
  opened: boolean;
  onDone: (after: readonly Booking[]) => void;
  onClose: () => void;
}) {
  const refresh = useRefresh();
  const [next, setNext] = useState<CandidateName | null>(null);
  const replace = useAct(
    ({ id, candidateId }: { id: string; candidateId: string }, key: string) => replaceCandidate(id, candidateId, key),
    { onSuccess: (after) => onDone([after]), onSettled: refresh },
  );
  const month = monthLong(booking.slot.startsAt);
  return (
    <ConfirmDialog
      opened={opened}
      title={t`Remplacer le candidat ?`}
      confirm={t`Remplacer`}
      tone="brand"
      busy={replace.isPending}
      blocked={
        allowance?.left === 0
          ? t`Plus de remplacement pour les examens de ${month}.`
          : next
            ? undefined
            : t`Choisissez d'abord le nouveau candidat.`
      }
      error={replace.error}
      onConfirm={() => {
        if (next) replace.mutate({ id: booking.id, candidateId: next.id });
      }}
      onClose={onClose}
    >
      <p>
        {examSentence(booking.slot.startsAt)}, {booking.slot.centre.name}
      </p>
      <CandidatePicker
        label={t`À la place de ${who}`}
        category={booking.slot.category}
        value={next}
        exclude={booking.candidate ? [booking.candidate.id] : []}
        onChange={setNext}
      />
      <p>
        {t`${who} perd cette date. RdvPermis prévient les deux candidats.`}{" "}
        {allowance ? t`Remplacements, ${month} : reste ${allowance.left} sur ${allowance.perMonth}.` : null}
      </p>
    </ConfirmDialog>
  );
}
