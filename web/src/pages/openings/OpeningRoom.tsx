/** The opening room: before the hour all is settled, at the hour a proposal is shown, and one human click sends it (rule 4). */
import { plural, t } from "@lingui/core/macro";
import { useMediaQuery } from "@mantine/hooks";
import { useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { useEffect, useMemo, useRef } from "react";
import * as basketApi from "../../api/basket.ts";
import { keys } from "../../api/contract/cache.ts";
import { Ages } from "../../components/Ages.tsx";
import { useAnnouncedMarks } from "../../components/Countdown.tsx";
import { Empty } from "../../components/Loading.tsx";
import { HoldResult } from "../../components/lines/HoldResult.tsx";
import { ProblemNotice } from "../../components/Notice.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { useAct } from "../../live/act.ts";
import { useStore } from "../../live/store.ts";
import { departmentName } from "../../rules/departments.ts";
import { namedIn } from "../../rules/lines.ts";
import { type Opening, openingMoment, readOpening } from "../../rules/opening/opening.ts";
import { centresOf, type Row } from "../../rules/opening/proposal.ts";
import { agesInView, EVERY_DAY } from "../../rules/search/in-view.ts";
import { secondsLeft } from "../../time/countdown.ts";
import { duration, parisMoment } from "../../time/format.ts";
import { useNow } from "../../time/now.ts";
import { Checks } from "./Checks.tsx";
import { openingQuery, preparationQuery } from "./opening-query.ts";
import { Proposal, useProposal } from "./Proposal.tsx";
import { Wishes } from "./Wishes.tsx";
import { wishes as kept } from "./wishes.ts";
import "./openings.css";

const route = getRouteApi("/ouvertures/$id");
const GROUP = 4;

export function OpeningRoom() {
  const { id } = route.useParams();
  const opening = useMemo(() => readOpening(id), [id]);
  if (!opening) {
    return (
      <div className="rp-stack">
        <PageTitle>{t`Ouverture`}</PageTitle>
        <Empty title={t`Cette ouverture n'existe pas`} action={<Link to="/">{t`Voir les ouvertures à venir`}</Link>}>
          {t`L'adresse de cette page ne correspond à aucune ouverture connue.`}
        </Empty>
      </div>
    );
  }
  return <Room opening={opening} />;
}

function Room({ opening }: { opening: Opening }) {
  const client = useQueryClient();
  const now = useNow();
  const at = Date.parse(opening.at);
  const open = now >= at;
  const place = departmentName(opening.department);
  const wishes = useStore(kept)[opening.id] ?? [];
  const query = useQuery(openingQuery(opening, centresOf(wishes)));
  const basket = useQuery(basketApi.basketQuery);
  const { data: preparation } = useQuery(preparationQuery(opening.id));
  const served = useMemo(() => new Set(namedIn(basket.data?.groups ?? [])), [basket.data]);
  const slots = query.data?.items ?? [];
  const concerned = slots.filter((slot) => {
    const moment = openingMoment(slot);
    return moment !== undefined && Math.abs(Date.parse(moment) - at) < 60_000;
  });
  const waiting = wishes.filter((wish) => !served.has(wish.candidateId));
  /** Candidates whom no known rule refuses. */
  const able = waiting.filter(
    (wish) => preparation?.candidates.find((one) => one.candidate.id === wish.candidateId)?.ready !== false,
  );
  const most = Math.min(GROUP, basket.data?.limits.group ?? GROUP);
  const result = useRef<HTMLDivElement>(null);
  const hold = useAct(
    (rows: readonly Row[], key: string) =>
      basketApi.hold(
        rows.map((row) => ({ slotId: row.slot.id, candidateId: row.candidateId })),
        false,
        key,
      ),
    {
      // The result waits for the basket, which says who is served now, and not for a slow reading of the slots.
      onSettled: () => {
        for (const queryKey of [keys.slots, keys.thresholds]) void client.invalidateQueries({ queryKey });
        return client.invalidateQueries({ queryKey: keys.basket });
      },
    },
  );
  const proposal = useProposal(able, open ? slots : [], most, hold.isPending);
  // Focus goes to the summary once the result stands (rule 13).
  useEffect(() => {
    if (hold.data || hold.error) result.current?.focus();
  }, [hold.data, hold.error]);
  // On a phone the proposal stands before the wishes: at the hour it must be under the thumb.
  const narrow = useMediaQuery("(max-width: 61.99em)", false, { getInitialValueInEffect: false });
  const wishList = <Wishes opening={opening} wishes={wishes} preparation={preparation} served={served} />;
  const title = t`Ouverture ${opening.category}, ${place}`;
  return (
    <div className="rp-stack">
      <PageTitle>{title}</PageTitle>
      <Hour opening={opening} count={concerned.length} />
      <div ref={result} tabIndex={-1} className="rp-result">
        {hold.data ? <HoldResult outcome={hold.data} asked={(hold.variables ?? []).map((row) => row.slot)} /> : null}
        {hold.error ? (
          <ProblemNotice error={hold.error}>
            <p>{t`Vos souhaits sont gardés.`}</p>
          </ProblemNotice>
        ) : null}
      </div>
      <Checks opening={opening} preparation={preparation} wishes={waiting} slotId={concerned[0]?.id ?? slots[0]?.id} />
      <div className="rp-room">
        {narrow ? null : wishList}
        <div className="rp-stack rp-room__proposal">
          {query.error ? <ProblemNotice error={query.error} /> : null}
          <Proposal
            rows={proposal.rows}
            open={open}
            seen={query.data !== undefined && Date.parse(query.data.seenAt ?? "") >= at}
            busy={hold.isPending}
            onFreeze={proposal.freeze}
            onHold={(rows) => hold.mutate(rows)}
          />
          <p className="rp-row rp-small rp-muted">
            <Ages ages={agesInView(EVERY_DAY, slots, query.data?.days ?? [])} />
          </p>
          <p className="rp-small rp-muted">
            {t`Les lignes ne bougent pas : les nouveaux créneaux s'ajoutent en bas. Dès que vous appuyez, la proposition ne change plus.`}
          </p>
        </div>
        {narrow ? wishList : null}
      </div>
    </div>
  );
}

function Hour({ opening, count }: { opening: Opening; count: number }) {
  const now = useNow();
  const left = secondsLeft(Date.parse(opening.at), now);
  useAnnouncedMarks(opening.at, t`Avant l'ouverture`);
  return (
    <p className="rp-hour">
      <strong>{parisMoment(opening.at)}</strong>
      {left > 0 ? (
        <span role="timer" aria-live="off" className={left <= 300 ? "rp-old" : undefined}>
          {t`dans ${duration(left)}`}
        </span>
      ) : (
        <span className="rp-old">{t`ouverte`}</span>
      )}
      <span className="rp-muted">
        {count > 0
          ? plural(count, { one: "# créneau annoncé", other: "# créneaux annoncés" })
          : left > 0
            ? t`Rien n'est encore annoncé : RdvPermis publie à l'heure prévue.`
            : null}
      </span>
    </p>
  );
}
