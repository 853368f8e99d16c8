/** What keeps a candidate from booking, until when, and by whose word; and the waiver for force majeure, which takes two persons. */

import { t } from "@lingui/core/macro";
import { Button, NativeSelect } from "@mantine/core";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { basketQuery } from "../../api/basket.ts";
import { bookingsOfQuery } from "../../api/bookings.ts";
import { approveWaiver, proposeWaiver, standingQuery } from "../../api/candidates.ts";
import { keys } from "../../api/contract/cache.ts";
import type { Candidate, Restriction, Standing, WaiverReason } from "../../api/contract/types.ts";
import { ConfirmDialog } from "../../components/ConfirmDialog.tsx";
import { Loaded } from "../../components/Loading.tsx";
import { StatusMark } from "../../components/StatusMark.tsx";
import { useAct } from "../../live/act.ts";
import { toast } from "../../live/toast.ts";
import { type Possibility, possibilities } from "../../rules/answers/possibility.ts";
import { restrictionReason } from "../../rules/answers/verdicts.ts";
import { fullName } from "../../rules/names.ts";
import { dayFull, parisMoment } from "../../time/format.ts";

export function StandingCard({ candidate }: { candidate: Candidate }) {
  const standing = useQuery(standingQuery(candidate.id));
  const booked = useQuery(bookingsOfQuery(candidate.id));
  const basket = useQuery(basketQuery);
  const name = fullName(candidate);
  return (
    <section className="rp-card" aria-label={t`Réservation possible ?`}>
      <h2>{t`Réservation possible ?`}</h2>
      <Loaded query={standing} rows={2}>
        {(found) => (
          // No verdict before all that it rests on is read.
          <>
            <Loaded query={booked} rows={1}>
              {({ items }) => (
                <Loaded query={basket} rows={1}>
                  {(held) => (
                    <Verdicts known={possibilities({ candidate, standing: found, bookings: items, basket: held })} />
                  )}
                </Loaded>
              )}
            </Loaded>
            <Next standing={found} />
            {found.restrictions.length > 0 ? (
              <ul className="rp-plain-list">
                {found.restrictions.map((restriction) => (
                  <RestrictionRow key={restriction.id} restriction={restriction} name={name} />
                ))}
              </ul>
            ) : null}
          </>
        )}
      </Loaded>
    </section>
  );
}

/** A verdict a licence, with all its reasons; and what it was made from, as it is no more than that. */
function Verdicts({ known }: { known: readonly Possibility[] }) {
  if (known.length === 0) {
    return (
      <div className="rp-row">
        <StatusMark tone="closed">{t`pas encore`}</StatusMark>
        <span>{t`Aucun mandat n'est actif : demandez-le d'abord.`}</span>
      </div>
    );
  }
  return (
    <>
      <ul className="rp-plain-list">
        {known.map(({ category, verdict, reasons }) => (
          <li key={category} className="rp-stack rp-stack--tight">
            <span className="rp-row">
              <strong>{t`Permis ${category}`}</strong> <VerdictMark verdict={verdict} />
            </span>
            {reasons.map((reason) => (
              <span key={reason}>{reason}</span>
            ))}
          </li>
        ))}
      </ul>
      <p className="rp-small rp-muted">
        {t`Vérifié ici : mandat, pénalités, réservations et panier. Le seuil, les horaires et l'avis de RdvPermis dépendent du créneau et se vérifient avec lui.`}
      </p>
    </>
  );
}

function VerdictMark({ verdict }: { verdict: Possibility["verdict"] }) {
  switch (verdict) {
    case "possible":
      return <StatusMark tone="booked">{t`oui, selon le créneau`}</StatusMark>;
    case "booked":
      return <StatusMark tone="closed">{t`déjà réservé`}</StatusMark>;
    case "held":
      return <StatusMark tone="held">{t`déjà au panier`}</StatusMark>;
    case "awaited":
      return <StatusMark tone="waiting">{t`pas encore`}</StatusMark>;
    case "unmandated":
      return <StatusMark tone="closed">{t`pas encore`}</StatusMark>;
    case "restricted":
      return <StatusMark tone="refused">{t`pas maintenant`}</StatusMark>;
  }
}

function Next({ standing }: { standing: Standing }) {
  const dates = Object.entries(standing.nextPossibleAt).sort(([a], [b]) => a.localeCompare(b));
  return (
    <>
      {dates.map(([category, at]) => (
        <p key={category}>
          <strong>{t`Permis ${category} : prochaine date possible le ${parisMoment(at)}`}</strong>
        </p>
      ))}
    </>
  );
}

function RestrictionRow({ restriction, name }: { restriction: Restriction; name: string }) {
  const [open, setOpen] = useState<"propose" | "approve">();
  const why = restrictionReason(restriction.reason);
  const until = restriction.until ? t`jusqu'au ${dayFull(restriction.until)}` : t`sans date de fin`;
  return (
    <li className="rp-stack rp-stack--tight">
      <div className="rp-row">
        <StatusMark tone={restriction.waived ? "closed" : "refused"}>
          {restriction.waived ? t`levée` : t`en vigueur`}
        </StatusMark>
        <span>
          {t`Permis ${restriction.category}`}, {why}, {until}
        </span>
        <span className="rp-small rp-muted">
          {restriction.fromRdvpermis ? t`selon RdvPermis` : t`calculée par ResaPermis`}
          {restriction.since ? `, ${t`depuis le ${dayFull(restriction.since)}`}` : null}
        </span>
      </div>
      {restriction.waived ? null : restriction.waiverProposed ? (
        <div className="rp-row">
          <StatusMark tone="waiting">{t`levée demandée`}</StatusMark>
          {restriction.waiverProposedByMe ? (
            <span className="rp-muted">{t`Une autre personne de l'école doit l'approuver.`}</span>
          ) : (
            <Button variant="default" onClick={() => setOpen("approve")}>
              {t`Approuver la levée…`}
            </Button>
          )}
        </div>
      ) : (
        <div>
          <Button variant="subtle" onClick={() => setOpen("propose")}>
            {t`Demander la levée pour force majeure…`}
          </Button>
        </div>
      )}
      <ProposeDialog
        restriction={restriction}
        name={name}
        why={why}
        opened={open === "propose"}
        onClose={() => setOpen(undefined)}
      />
      <ApproveDialog
        restriction={restriction}
        name={name}
        why={why}
        opened={open === "approve"}
        onClose={() => setOpen(undefined)}
      />
    </li>
  );
}

interface DialogProps {
  restriction: Restriction;
  name: string;
  why: string;
  opened: boolean;
  onClose: () => void;
}

function useRefresh() {
  const client = useQueryClient();
  return () => client.invalidateQueries({ queryKey: keys.standings });
}

/** A waiver of ours does not end RdvPermis' own restriction: shown before it is asked for. */
function TheirsStays({ restriction }: { restriction: Restriction }) {
  return restriction.fromRdvpermis ? <p>{t`Cette pénalité vient de RdvPermis, qui seul peut la lever.`}</p> : null;
}

function ProposeDialog({ restriction, name, why, opened, onClose }: DialogProps) {
  const refresh = useRefresh();
  const [reason, setReason] = useState<WaiverReason>("illness");
  const propose = useAct((chosen: WaiverReason) => proposeWaiver(restriction.id, chosen), {
    onSuccess: () => {
      toast(t`La levée est demandée. Une autre personne doit l'approuver.`);
      onClose();
    },
    onSettled: refresh,
  });
  return (
    <ConfirmDialog
      opened={opened}
      title={t`Demander la levée ?`}
      keep={t`Revenir`}
      confirm={t`Demander la levée`}
      tone="brand"
      busy={propose.isPending}
      error={propose.error}
      onConfirm={() => propose.mutate(reason)}
      onClose={onClose}
    >
      <p>
        <strong>{name}</strong>, {t`permis ${restriction.category}`}, {why}
      </p>
      <NativeSelect
        label={t`Motif de force majeure`}
        description={t`Gardez le justificatif : il peut être demandé.`}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value as WaiverReason)}
        data={[
          { value: "illness", label: t`maladie` },
          { value: "accident", label: t`accident` },
          { value: "bereavement", label: t`deuil` },
          { value: "centre_closed", label: t`centre fermé` },
          { value: "other_force_majeure", label: t`autre force majeure` },
        ]}
      />
      <TheirsStays restriction={restriction} />
      <p>{t`La demande est inscrite au journal. Une seconde personne l'approuve.`}</p>
    </ConfirmDialog>
  );
}

function ApproveDialog({ restriction, name, why, opened, onClose }: DialogProps) {
  const refresh = useRefresh();
  const approve = useAct(() => approveWaiver(restriction.id), {
    onSuccess: () => {
      toast(t`La levée est approuvée.`);
      onClose();
    },
    onSettled: refresh,
  });
  return (
    <ConfirmDialog
      opened={opened}
      title={t`Approuver la levée ?`}
      keep={t`Revenir`}
      confirm={t`Approuver`}
      tone="brand"
      busy={approve.isPending}
      error={approve.error}
      onConfirm={() => approve.mutate()}
      onClose={onClose}
    >
      <p>
        <strong>{name}</strong>, {t`permis ${restriction.category}`}, {why}
      </p>
      <p>{t`Vous êtes la seconde personne : vérifiez le justificatif. L'approbation est inscrite au journal.`}</p>
      <TheirsStays restriction={restriction} />
    </ConfirmDialog>
  );
}
