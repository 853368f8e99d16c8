/** One slot in full: every reason at once, with its source, and the moment it opens. */

import { t } from "@lingui/core/macro";
import { Button } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { checkQuery } from "../../api/basket.ts";
import type { Slot } from "../../api/contract/types.ts";
import { useSession } from "../../api/session.ts";
import { Age } from "../../components/Age.tsx";
import { Dialog } from "../../components/Dialog.tsx";
import { Needs } from "../../components/Needs.tsx";
import { StatusMark } from "../../components/StatusMark.tsx";
import { isTrusted } from "../../live/trusted-event.ts";
import { needOf } from "../../rules/answers/remedies.ts";
import { opensAt } from "../../rules/answers/verdicts.ts";
import { departmentName } from "../../rules/departments.ts";
import { openingOf } from "../../rules/opening/opening.ts";
import { distanceText } from "../../rules/search/distance.ts";
import { secondsLeft } from "../../time/countdown.ts";
import { duration, examSentence, parisMoment } from "../../time/format.ts";
import { useNow } from "../../time/now.ts";
import { slotLabel } from "./results/slot-label.ts";

export function WhyDialog({
  slot,
  chosen,
  asked,
  onChoose,
  onClose,
}: {
  slot: Slot | undefined;
  chosen: boolean;
  /** RdvPermis is being asked for it. */
  asked: boolean;
  onChoose: (slot: Slot) => void;
  onClose: () => void;
}) {
  return (
    <Dialog
      opened={slot !== undefined}
      onClose={onClose}
      title={slot ? `${slot.centre.name}, ${examSentence(slot.startsAt)}` : ""}
      closeButtonProps={{ "aria-label": t`Fermer` }}
    >
      {slot ? <Body slot={slot} chosen={chosen} asked={asked} onChoose={onChoose} onClose={onClose} /> : null}
    </Dialog>
  );
}

function headline(slot: Slot, asked: boolean): string {
  if (asked) return t`Ce créneau est demandé pour votre école.`;
  if (slot.status === "taken") return t`Ce créneau est pris.`;
  if (slot.status === "ours") return t`Ce créneau est déjà à votre école.`;
  if (slot.status === "withdrawn") return t`Ce créneau vient d'être pris ou retiré.`;
  if (slot.allowed) return t`Ce créneau est ouvert à votre école.`;
  return opening(slot) ? t`Ce créneau n'est pas encore ouvert à votre école.` : t`Ce créneau est fermé à votre école.`;
}

function opening(slot: Slot): string | undefined {
  return slot.opensAt ?? opensAt(slot.verdicts);
}

function Body({
  slot,
  chosen,
  asked: pending,
  onChoose,
  onClose,
}: {
  slot: Slot;
  chosen: boolean;
  asked: boolean;
  onChoose: (slot: Slot) => void;
  onClose: () => void;
}) {
  const session = useSession();
  const now = useNow();
  const face = slotLabel(slot, { chosen, asked: pending });
  const shut = !slot.allowed && slot.status !== "ours";
  const asked = useQuery({ ...checkQuery([{ slotId: slot.id }]), enabled: shut });
  const needs = asked.data
    ? [...(asked.data.lines[0]?.needs ?? []), ...asked.data.actionNeeds]
    : slot.verdicts.filter((verdict) => !verdict.allowed).map(needOf);
  const opens = asked.data?.lines[0]?.opensAt ?? opening(slot);
  const left = opens ? secondsLeft(Date.parse(opens), now) : 0;
  const own = departmentName(session.school.department);
  const plain = slot.allowed && !chosen && !pending;
  return (
    <div className="rp-stack">
      <p className="rp-row">
        <StatusMark tone={plain ? "held" : face.tone}>{plain ? t`ouvert` : face.word}</StatusMark>
        <strong>{headline(slot, pending)}</strong>
      </p>
      {needs.length > 0 ? (
        <div className="rp-stack rp-stack--tight" aria-busy={asked.isFetching || undefined}>
          <h3>{t`Pourquoi`}</h3>
          <Needs needs={needs} />
          {asked.isError ? (
            <p className="rp-small rp-muted">{t`Constaté à la lecture des créneaux : la vérification complète ne répond pas.`}</p>
          ) : null}
        </div>
      ) : null}
      {opens ? (
        <div className="rp-stack rp-stack--tight">
          <h3>{t`Quand`}</h3>
          <p>
            {parisMoment(opens)}
            {left > 0 ? t`, dans ${duration(left)}` : null}
          </p>
          {left > 0 && slot.status === "free" ? (
            <p>
              <Link
                to="/ouvertures/$id"
                params={{
                  id: openingOf(slot.centre.department ?? session.school.department, slot.category, opens).id,
                }}
                onClick={onClose}
              >
                {t`Préparer cette ouverture`}
              </Link>
            </p>
          ) : null}
        </div>
      ) : null}
      <dl className="rp-facts">
        <dt>{t`Permis`}</dt>
        <dd>{slot.category}</dd>
        <dt>{t`Épreuve`}</dt>
        <dd>{slot.kind === "PLATEAU" ? t`plateau` : t`circulation`}</dd>
        {slot.distanceKm != null ? (
          <>
            <dt>{t`Distance`}</dt>
            <dd>{distanceText(slot)}</dd>
          </>
        ) : null}
        <dt>{t`Mise à jour`}</dt>
        <dd>
          <Age seenAt={slot.seenAt} />
        </dd>
      </dl>
      <div className="rp-row rp-row--end">
        {slot.allowed ? null : (
          <Link
            to="/creneaux"
            search={{ departement: session.school.department, categorie: slot.category }}
            onClick={onClose}
          >
            {t`Créneaux du département (${own})`}
          </Link>
        )}
        <Button variant="default" onClick={onClose} data-autofocus>
          {t`Fermer`}
        </Button>
        {face.choosable ? (
          <Button
            onClick={(event) => {
              if (!isTrusted(event)) return;
              onChoose(slot);
              onClose();
            }}
          >
            {chosen ? t`Ne plus choisir` : t`Choisir`}
          </Button>
        ) : null}
      </div>
    </div>
  );
}
