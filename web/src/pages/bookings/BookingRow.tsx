import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useState } from "react";
import type { Booking, Replacements } from "../../api/contract/types.ts";
import { CandidateLink } from "../../components/candidates/CandidateLink.tsx";
import { ReasonDetails } from "../../components/Notice.tsx";
import { LineStatus, StatusMark } from "../../components/StatusMark.tsx";
import { refusalText, unknownOutcome } from "../../rules/answers/refusals.ts";
import { duration, examShort } from "../../time/format.ts";
import { useSecondsSince } from "../../time/since.ts";
import { CancelDialog } from "./CancelDialog.tsx";
import type { Change } from "./Changed.tsx";
import { ReplaceDialog } from "./ReplaceDialog.tsx";
import { SwapDialog } from "./SwapDialog.tsx";

export function BookingRow({
  booking,
  editable,
  allowance,
  onChanged,
}: {
  booking: Booking;
  editable: boolean;
  /** Of the exam's month; undefined where it is not known. */
  allowance: Replacements | undefined;
  onChanged: (change: Change) => void;
}) {
  const [open, setOpen] = useState<"cancel" | "replace" | "swap">();
  const seconds = useSecondsSince(booking.since);
  const when = examShort(booking.slot.startsAt);
  const who = booking.candidate?.displayName ?? t`candidat inconnu`;
  const unknown = booking.state === "confirming" || booking.state === "asking" || booking.changing === true;
  const since = duration(seconds);
  const close = () => setOpen(undefined);
  const done = (kind: Change["kind"]) => (after: readonly Booking[]) => {
    onChanged({ kind, before: booking, after });
    close();
  };
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
      <span className="rp-row">
        <CandidateLink candidate={booking.candidate} />
        {booking.foundElsewhere ? <StatusMark tone="closed">{t`fait chez RdvPermis`}</StatusMark> : null}
        <ResultMark booking={booking} />
      </span>
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
            <Button variant="default" aria-label={t`Permuter ${who}, ${when}`} onClick={() => setOpen("swap")}>
              {t`Permuter`}
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
      <CancelDialog booking={booking} who={who} opened={open === "cancel"} onDone={done("cancel")} onClose={close} />
      <ReplaceDialog
        booking={booking}
        who={who}
        allowance={allowance}
        opened={open === "replace"}
        onDone={done("replace")}
        onClose={close}
      />
      <SwapDialog booking={booking} who={who} opened={open === "swap"} onDone={done("swap")} onClose={close} />
    </li>
  );
}

/** How the exam went, once RdvPermis has published it. */
function ResultMark({ booking }: { booking: Booking }) {
  if (!booking.result) {
    return booking.state === "done" ? <StatusMark tone="waiting">{t`résultat attendu`}</StatusMark> : null;
  }
  const { outcome, points } = booking.result;
  const figure = points == null ? "" : `, ${t`${points} sur 31`}`;
  return outcome === "passed" ? (
    <StatusMark tone="booked">{t`réussi${figure}`}</StatusMark>
  ) : outcome === "failed" ? (
    <StatusMark tone="refused">{t`échoué${figure}`}</StatusMark>
  ) : outcome === "absent" ? (
    <StatusMark tone="closed">{t`absence`}</StatusMark>
  ) : null;
}
