/** Who is to have a slot at this opening, in order, where and when; with the rules that refuse each, before the hour. */

import { t } from "@lingui/core/macro";
import { ActionIcon, MultiSelect, NativeSelect } from "@mantine/core";
import { IconArrowDown, IconArrowUp, IconTrash } from "@tabler/icons-react";
import { useInfiniteQuery, useQuery } from "@tanstack/react-query";
import { useMemo, useRef, useState } from "react";
import { candidateQuery, candidatesQuery } from "../../api/candidates.ts";
import type { Candidate, CandidateName, Preparation } from "../../api/contract/types.ts";
import { centresQuery } from "../../api/slots.ts";
import { CandidatePicker } from "../../components/candidates/CandidatePicker.tsx";
import { Needs } from "../../components/Needs.tsx";
import { StatusMark } from "../../components/StatusMark.tsx";
import { announce } from "../../live/announce.ts";
import { fullName } from "../../rules/names.ts";
import type { Opening } from "../../rules/opening/opening.ts";
import type { Wish } from "../../rules/opening/proposal.ts";
import { MOST_WISHES, moved, setWishes } from "./wishes.ts";

export function Wishes({
  opening,
  wishes,
  preparation,
  served,
}: {
  opening: Opening;
  wishes: readonly Wish[];
  preparation: Preparation | null;
  /** Candidates who stand on a living line already. */
  served: ReadonlySet<string>;
}) {
  const [adding, setAdding] = useState<CandidateName | null>(null);
  const list = useRef<HTMLOListElement>(null);
  const change = (next: readonly Wish[]) => setWishes(opening.id, next);
  const add = (person: CandidateName | null) => {
    setAdding(null);
    if (!person || wishes.some((wish) => wish.candidateId === person.id)) return;
    change([...wishes, { candidateId: person.id, centres: [], fromHour: 0, toHour: 24 }]);
    announce(t`Souhait ajouté pour ${person.displayName}.`);
  };
  return (
    <section className="rp-card" aria-label={t`Souhaits`}>
      <h2>{t`Souhaits`}</h2>
      <p className="rp-small rp-muted">
        {t`Par ordre de priorité : le premier souhait passe d'abord. Au plus quatre créneaux par demande.`}
      </p>
      {wishes.length === 0 ? (
        <p className="rp-muted">{t`Aucun souhait. Ajoutez les candidats à placer à cette ouverture.`}</p>
      ) : null}
      <ol className="rp-wishes" ref={list}>
        {wishes.map((wish, index) => (
          <WishRow
            key={wish.candidateId}
            wish={wish}
            number={index + 1}
            opening={opening}
            prepared={preparation?.candidates.find((one) => one.candidate.id === wish.candidateId)}
            served={served.has(wish.candidateId)}
            first={index === 0}
            last={index === wishes.length - 1}
            onChange={(next) => change(wishes.map((one, at) => (at === index ? next : one)))}
            onMove={(by) => change(moved(wishes, index, by))}
            onRemove={() => change(wishes.filter((_one, at) => at !== index))}
          />
        ))}
      </ol>
      {wishes.length < MOST_WISHES ? (
        <CandidatePicker
          label={t`Ajouter un candidat`}
          category={opening.category}
          value={adding}
          exclude={wishes.map((wish) => wish.candidateId)}
          onChange={add}
        />
      ) : (
        <p className="rp-small rp-muted">{t`Au plus ${MOST_WISHES} souhaits par ouverture.`}</p>
      )}
    </section>
  );
}

/** Known from the list where it is there, else asked by id; names are never kept. */
export function useCandidate(id: string): Candidate | undefined {
  const list = useInfiniteQuery(candidatesQuery);
  const known = useMemo(
    () => list.data?.pages.flatMap((page) => page.items).find((candidate) => candidate.id === id),
    [list.data, id],
  );
  const one = useQuery({ ...candidateQuery(id), enabled: list.isSuccess && known === undefined });
  return known ?? one.data;
}

function WishRow({
  wish,
  number,
  opening,
  prepared,
  served,
  first,
  last,
  onChange,
  onMove,
  onRemove,
}: {
  wish: Wish;
  number: number;
  opening: Opening;
  prepared: Preparation["candidates"][number] | undefined;
  served: boolean;
  first: boolean;
  last: boolean;
  onChange: (wish: Wish) => void;
  onMove: (by: 1 | -1) => void;
  onRemove: () => void;
}) {
  const candidate = useCandidate(wish.candidateId);
  const centres = useQuery(centresQuery(opening.department, opening.category));
  const name = candidate ? fullName(candidate) : t`Candidat`;
  const mandated =
    candidate?.mandates.some((mandate) => mandate.state === "active" && mandate.category === opening.category) ?? true;
  const hours = Array.from({ length: 25 }, (_, index) => index);
  return (
    <li className="rp-wish">
      <div className="rp-row rp-row--between">
        <span className="rp-row">
          <strong>
            {number}. {name}
          </strong>
          {served ? (
            <StatusMark tone="held">{t`déjà retenu`}</StatusMark>
          ) : !mandated ? (
            <StatusMark tone="refused">{t`sans mandat`}</StatusMark>
          ) : !prepared ? (
            <StatusMark tone="waiting">{t`à préparer`}</StatusMark>
          ) : prepared.ready ? (
            <StatusMark tone="booked">{t`éligible`}</StatusMark>
          ) : (
            <StatusMark tone="refused">{t`pas éligible`}</StatusMark>
          )}
        </span>
        <span className="rp-row rp-wish__acts">
          <ActionIcon
            variant="default"
            size="lg"
            aria-label={t`Faire passer ${name} plus tôt`}
            aria-disabled={first || undefined}
            data-disabled={first || undefined}
            onClick={() => first || onMove(-1)}
          >
            <IconArrowUp size={18} aria-hidden />
          </ActionIcon>
          <ActionIcon
            variant="default"
            size="lg"
            aria-label={t`Faire passer ${name} plus tard`}
            aria-disabled={last || undefined}
            data-disabled={last || undefined}
            onClick={() => last || onMove(1)}
          >
            <IconArrowDown size={18} aria-hidden />
          </ActionIcon>
          <ActionIcon variant="subtle" color="danger" size="lg" aria-label={t`Retirer ${name}`} onClick={onRemove}>
            <IconTrash size={18} aria-hidden />
          </ActionIcon>
        </span>
      </div>
      <div className="rp-wish__fields">
        <MultiSelect
          aria-label={t`Centres pour ${name}`}
          placeholder={wish.centres.length === 0 ? t`tous centres` : ""}
          data={(centres.data?.items ?? []).map((centre) => ({ value: centre.id, label: centre.name }))}
          value={[...wish.centres]}
          onChange={(next) => onChange({ ...wish, centres: next })}
          comboboxProps={{ withinPortal: true }}
          hidePickedOptions
          clearable
          clearButtonProps={{ "aria-label": t`Tous centres` }}
        />
        <NativeSelect
          aria-label={t`Dès, pour ${name}`}
          value={String(wish.fromHour)}
          onChange={(event) => {
            const fromHour = Number(event.currentTarget.value);
            onChange({ ...wish, fromHour, toHour: Math.max(wish.toHour, fromHour + 1) });
          }}
          data={hours.slice(0, 24).map((hour) => ({ value: String(hour), label: t`dès ${hour} h` }))}
        />
        <NativeSelect
          aria-label={t`Avant, pour ${name}`}
          value={String(wish.toHour)}
          onChange={(event) => onChange({ ...wish, toHour: Number(event.currentTarget.value) })}
          data={hours.slice(wish.fromHour + 1).map((hour) => ({ value: String(hour), label: t`avant ${hour} h` }))}
        />
      </div>
      {prepared && !prepared.ready && prepared.needs.length > 0 ? <Needs needs={prepared.needs} /> : null}
      {prepared?.ready && !prepared.rdvpermisAsked ? (
        <p className="rp-small rp-muted">{t`Selon nos règles ; RdvPermis n'a pas encore été interrogé.`}</p>
      ) : null}
    </li>
  );
}
