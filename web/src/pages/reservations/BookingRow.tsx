import { t } from "@lingui/core/macro";
import { Button, NativeSelect } from "@mantine/core";
import { useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import * as calls from "../../api/calls.ts";
import { keys } from "../../api/queries.ts";
import type { Booking, BookingPage, CandidateName } from "../../api/types.ts";
import { useAct } from "../../live/act.ts";
import { CandidatePicker } from "../../parts/CandidatePicker.tsx";
import { ConfirmDialog } from "../../parts/ConfirmDialog.tsx";
import { ReasonDetails } from "../../parts/Notice.tsx";
import { LineStatus, StatusMark } from "../../parts/StatusMark.tsx";
import { refusalText, unknownOutcome } from "../../rules/refusals.ts";
import { todayInParis } from "../../time/calendar.ts";
import { duration, examSentence, examShort } from "../../time/format.ts";
import { useNow } from "../../time/now.ts";
import { useSecondsSince } from "../../time/since.ts";

/** R-PENALTY: cancelling this many days before the exam, or fewer, bars the candidate for 30 days. */
const LATE_DAYS = 6;

/** Whole days from `today` to the exam's day. */
export function daysAhead(startsAt: string, today: string): number {
  return Math.round((Date.parse(startsAt.slice(0, 10)) - Date.parse(today)) / 86_400_000);
}

export function BookingRow({
  booking,
  editable,
  allowance,
}: {
  booking: Booking;
  editable: boolean;
  allowance: BookingPage["replacements"];
}) {
  const [open, setOpen] = useState<"cancel" | "replace">();
  const seconds = useSecondsSince(booking.since);
  const when = examShort(booking.slot.startsAt);
  const who = booking.candidate?.displayName ?? t`candidat inconnu`;
  const unknown = booking.state === "confirming" || booking.state === "asking" || booking.changing === true;
  const since = duration(seconds);
  const close = () => setOpen(undefined);
  return (
    <li className="rp-booking">
      <span>
        {booking.changing ? (
          <StatusMark tone="waiting">{t`Changement demandé`}</StatusMark>
        ) : (
          <LineStatus state={booking.state} />
        )}
      </span>
      <span>
        <strong>{when}</strong> {booking.slot.centre.name}
        <span className="rp-small rp-muted"> {t`permis ${booking.slot.category}`}</span>
      </span>
      <span>{who}</span>
      <span className="rp-row rp-row--end">
        {booking.state === "booked" ? (
          <Link to="/journal" search={{ objet: booking.id }} className="rp-small">
            {t`preuve`}
          </Link>
        ) : null}
        {editable && booking.state === "booked" && !booking.changing ? (
          <>
            <Button variant="default" aria-label={t`Remplacer ${who}, ${when}`} onClick={() => setOpen("replace")}>
              {t`Remplacer`}
            </Button>
            <Button
              variant="subtle"
              color="danger"
              aria-label={t`Annuler ${who}, ${when}`}
              onClick={() => setOpen("cancel")}
            >
              {t`Annuler…`}
            </Button>
          </>
        ) : null}
      </span>
      {unknown || booking.reason ? (
        <div className="rp-booking__more">
          {unknown ? (
            <span>
              {unknownOutcome()} <span className="rp-muted">{t`Depuis ${since}.`}</span>
            </span>
          ) : null}
          {booking.reason ? (
            <>
              <span>{refusalText(booking.reason)}</span>
              <ReasonDetails reason={booking.reason} />
            </>
          ) : null}
        </div>
      ) : null}
      <CancelDialog booking={booking} who={who} opened={open === "cancel"} onClose={close} />
      <ReplaceDialog booking={booking} who={who} allowance={allowance} opened={open === "replace"} onClose={close} />
    </li>
  );
}

function useRefresh() {
  const client = useQueryClient();
  return () =>
    Promise.all([keys.bookings, keys.slots, keys.thresholds].map((queryKey) => client.invalidateQueries({ queryKey })));
}

function CancelDialog({
  booking,
  who,
  opened,
  onClose,
}: {
  booking: Booking;
  who: string;
  opened: boolean;
  onClose: () => void;
}) {
  const refresh = useRefresh();
  const [reason, setReason] = useState<calls.CancelReason>("candidate_ill");
  const now = useNow();
  const cancel = useAct(
    ({ id, why }: { id: string; why: calls.CancelReason }, key: string) => calls.cancelBooking(id, why, key),
    {
      onSuccess: onClose,
      onSettled: refresh,
    },
  );
  const late = daysAhead(booking.slot.startsAt, todayInParis(now)) <= LATE_DAYS;
  return (
    <ConfirmDialog
      opened={opened}
      title={t`Annuler cette réservation ?`}
      confirm={t`Annuler la réservation`}
      busy={cancel.isPending}
      error={cancel.error}
      onConfirm={() => cancel.mutate({ id: booking.id, why: reason })}
      onClose={onClose}
    >
      <p>
        <strong>{who}</strong>
        <br />
        {examSentence(booking.slot.startsAt)}, {booking.slot.centre.name}
      </p>
      <p>
        {late
          ? t`L'examen est dans 6 jours ou moins : ${who} reste 30 jours sans réservation, sauf force majeure reconnue.`
          : t`L'examen est dans plus de 6 jours : aucune pénalité pour ${who}.`}{" "}
        {t`RdvPermis prévient le candidat, et le créneau revient à tous.`}
      </p>
      <NativeSelect
        label={t`Motif`}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value as calls.CancelReason)}
        data={[
          { value: "candidate_ill", label: t`candidat malade` },
          { value: "not_ready", label: t`candidat pas prêt` },
          { value: "school", label: t`empêchement de l'école` },
          { value: "other", label: t`autre` },
        ]}
      />
    </ConfirmDialog>
  );
}

function ReplaceDialog({
  booking,
  who,
  allowance,
  opened,
  onClose,
}: {
  booking: Booking;
  who: string;
  allowance: BookingPage["replacements"];
  opened: boolean;
  onClose: () => void;
}) {
  const refresh = useRefresh();
  const [next, setNext] = useState<CandidateName | null>(null);
  const replace = useAct(
    ({ id, candidateId }: { id: string; candidateId: string }, key: string) =>
      calls.replaceCandidate(id, candidateId, key),
    { onSuccess: onClose, onSettled: refresh },
  );
  return (
    <ConfirmDialog
      opened={opened}
      title={t`Remplacer le candidat ?`}
      confirm={t`Remplacer`}
      tone="brand"
      busy={replace.isPending}
      blocked={next ? undefined : t`Choisissez d'abord le nouveau candidat.`}
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
        {allowance ? t`Remplacements : reste ${allowance.left} sur ${allowance.perMonth} ce mois-ci.` : null}
      </p>
    </ConfirmDialog>
  );
}
