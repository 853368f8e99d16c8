/** Search: the calendar and the list of one answer, with every verdict; up to four slots go into one action. */

import { plural, t } from "@lingui/core/macro";
import { Button, SegmentedControl } from "@mantine/core";
import { useMediaQuery } from "@mantine/hooks";
import { IconRefresh } from "@tabler/icons-react";
import { useInfiniteQuery, useQuery, useQueryClient } from "@tanstack/react-query";
import { getRouteApi, Link } from "@tanstack/react-router";
import { lazy, useEffect, useMemo, useRef, useState } from "react";
import * as basketApi from "../../api/basket.ts";
import { keys } from "../../api/contract/cache.ts";
import type { Slot, SlotPage, Threshold } from "../../api/contract/types.ts";
import { useSession } from "../../api/session.ts";
import * as slotsApi from "../../api/slots.ts";
import { Ages } from "../../components/Ages.tsx";
import { Later } from "../../components/Later.tsx";
import { Empty, Loaded } from "../../components/Loading.tsx";
import { HoldResult } from "../../components/lines/HoldResult.tsx";
import { Notice, ProblemNotice } from "../../components/Notice.tsx";
import { PageTitle } from "../../components/PageTitle.tsx";
import { useAct } from "../../live/act.ts";
import { announce } from "../../live/announce.ts";
import { useStore } from "../../live/store.ts";
import { inRuns } from "../../rules/consecutive.ts";
import { inBasket, withBasket, withGroup } from "../../rules/lines.ts";
import { nobodyCounted } from "../../rules/school/threshold.ts";
import { clockOf, isNarrowed, resolveFilters, type SlotSearch } from "../../rules/search/filters.ts";
import { agesInView, callsInView, type DaysInView, ofMonthsInView } from "../../rules/search/in-view.ts";
import { addDays, parisMidnight } from "../../time/calendar.ts";
import { serverClock } from "../../time/clock.ts";
import { monthLong } from "../../time/format.ts";
import { ChosenBar } from "./ChosenBar.tsx";
import { choice, setChoice, toggle } from "./choice.ts";
import { FilterBar } from "./filters/FilterBar.tsx";
import { SavedSearches } from "./filters/SavedSearches.tsx";
import { SlotGrid } from "./results/SlotGrid.tsx";
import { SlotList } from "./results/SlotList.tsx";
import { useStableList } from "./results/stable-list.ts";
import { inOrder, onWeekdays, withinHours } from "./results/week.ts";
import "./slots.css";

const WhyDialog = lazy(() => import("./WhyDialog.tsx").then((code) => ({ default: code.WhyDialog })));
const route = getRouteApi("/creneaux");
/** Beyond this the reader is asked to narrow: two weeks of a large department fit. */
const MOST = 1000;
const GROUP = 4;

export function Slots() {
  const session = useSession();
  const client = useQueryClient();
  const search = route.useSearch();
  const navigate = route.useNavigate();
  const wide = useMediaQuery("(min-width: 48em)", true, { getInitialValueInEffect: false });
  const [startedAt] = useState(() => serverClock.now());
  const filters = useMemo(
    () => resolveFilters(search, session.school.department, startedAt),
    [search, session.school.department, startedAt],
  );
  const question: slotsApi.SlotFilter = useMemo(
    () => ({
      department: filters.department,
      category: filters.category,
      from: filters.from,
      to: filters.to,
      centres: filters.centres,
      withinKm: filters.withinKm,
      dayFrom: filters.fromHour > 0 ? clockOf(filters.fromHour) : undefined,
      dayTo: filters.toHour < 24 ? clockOf(filters.toHour) : undefined,
      consecutive: filters.consecutive > 1 ? filters.consecutive : undefined,
      openNow: filters.openNow || undefined,
      opensBefore: filters.opensBefore ? parisMidnight(addDays(filters.opensBefore, 1)) : undefined,
      kind: filters.kind,
      weekdays: filters.weekdays,
    }),
    [filters],
  );
  const query = useInfiniteQuery(slotsApi.slotsQuery(question));
  const read = useMemo(() => query.data?.pages.flatMap((page) => page.items) ?? [], [query.data]);
  const more = query.hasNextPage && read.length < MOST;
  useEffect(() => {
    if (more && !query.isFetching) void query.fetchNextPage();
  }, [more, query.isFetching, query.fetchNextPage]);

  const list = useStableList(read, query.isSuccess && !more, JSON.stringify(question));
  const basket = useQuery(basketApi.basketQuery);
  const standing = useMemo(() => inBasket(basket.data), [basket.data]);
  const visible = useMemo(() => {
    const known = withBasket(list.shown, standing.ours);
    const atHours = known.filter(
      (slot) =>
        withinHours(slot, filters.fromHour, filters.toHour) &&
        onWeekdays(slot, filters.weekdays) &&
        (filters.centres.length === 0 || filters.centres.includes(slot.centre.id)),
    );
    if (filters.consecutive < 2) return inOrder(atHours);
    const runs = inRuns(
      atHours.filter((slot) => slot.allowed),
      filters.consecutive,
    );
    return inOrder(atHours.filter((slot) => runs.has(slot.id)));
  }, [list.shown, standing, filters]);

  const view = filters.view ?? (wide ? "calendar" : "list");
  const asked = useMemo(() => ({ from: filters.from, to: filters.to }), [filters.from, filters.to]);
  const [turned, setTurned] = useState<DaysInView>();
  // The calendar shows some of the days that are asked for, the list all of them.
  const inView = view === "calendar" && visible.length > 0 && turned ? turned : asked;
  const days = query.data?.pages[0]?.days ?? [];
  const calls = callsInView(inView, days);
  const callsLeft = query.data?.pages[0]?.pollsLeft ?? 0;
  const poll = useAct((view: DaysInView) => slotsApi.slots({ ...question, ...view }, undefined, undefined, true), {
    onSettled: () => query.refetch(),
  });
  const chosen = useStore(choice);
  const [tooMany, setTooMany] = useState<Slot>();
  const limit = Math.min(GROUP, basket.data?.limits.group ?? GROUP);
  const [why, setWhy] = useState<Slot>();
  const result = useRef<HTMLDivElement>(null);
  const hold = useAct(
    ({ slots, allOrNothing }: { slots: readonly Slot[]; allOrNothing: boolean }, key: string) =>
      basketApi.hold(
        slots.map((slot) => ({ slotId: slot.id })),
        allOrNothing,
        key,
      ),
    {
      onSuccess: ({ group }, { slots }) => {
        const asked = new Set(slots.map((slot) => slot.id));
        // The answer is RdvPermis': what it granted stands at once, and does not wait for the next reading of the slots.
        client.setQueryData(basketApi.basketQuery.queryKey, (before) => before && withGroup(before, group));
        setChoice(choice.get().filter((slot) => !asked.has(slot.id)));
        setTooMany(undefined);
      },
      // The result does not wait for what is read again: a slow reading would keep it at "demandé".
      onSettled: () => {
        for (const queryKey of [keys.basket, keys.slots, keys.thresholds]) void client.invalidateQueries({ queryKey });
      },
    },
  );
  // Focus goes to the summary once the result stands (rule 13).
  useEffect(() => {
    if (hold.data || hold.error) result.current?.focus();
  }, [hold.data, hold.error]);

  const marks = {
    chosen: new Set(chosen.map((slot) => slot.id)),
    asked: new Set([...standing.asked, ...(hold.isPending ? hold.variables.slots.map((slot) => slot.id) : [])]),
  };
  const choose = (slot: Slot) => {
    const done = toggle(slot, limit);
    setTooMany(done ? undefined : slot);
    if (!done) {
      announce(
        plural(limit, {
          one: "Au plus # créneau par demande. Retenez celui-ci, puis continuez.",
          other: "Au plus # créneaux par demande. Retenez ceux-ci, puis continuez.",
        }),
      );
    }
  };
  const change = (next: Partial<SlotSearch>) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true });

  return (
    <div className="rp-stack">
      <PageTitle
        aside={
          <SegmentedControl
            aria-label={t`Présentation`}
            value={view}
            onChange={(value) => change({ vue: value === "list" ? "liste" : "calendrier" })}
            data={[
              { value: "calendar", label: t`Calendrier` },
              { value: "list", label: t`Liste` },
            ]}
          />
        }
      >
        {t`Créneaux`}
      </PageTitle>
      <FilterBar filters={filters} folded={!wide} onChange={change} />
      <SavedSearches filters={filters} />
      <div ref={result} tabIndex={-1} className="rp-result">
        {hold.data ? <HoldResult outcome={hold.data} asked={hold.variables?.slots ?? []} /> : null}
        {hold.error ? (
          <ProblemNotice error={hold.error}>
            <p>{t`Vos choix sont gardés.`}</p>
          </ProblemNotice>
        ) : null}
      </div>
      <Loaded query={query} rows={8}>
        {(data) => {
          const last = data.pages.at(-1);
          return (
            <>
              <div className="rp-row rp-small rp-muted">
                {ofMonthsInView(inView, data.pages[0]?.thresholds ?? []).map((threshold) => (
                  <Figures key={threshold.month} threshold={threshold} />
                ))}
                <Ages ages={agesInView(inView, visible, days)} />
                <Button
                  variant="subtle"
                  size="compact-sm"
                  leftSection={<IconRefresh size={16} aria-hidden />}
                  aria-disabled={poll.isPending || undefined}
                  onClick={() => poll.isPending || poll.mutate(inView)}
                >
                  {poll.isPending ? t`Lecture…` : <LookNow calls={calls} left={callsLeft} />}
                </Button>
              </div>
              <Incomplete page={poll.data?.incomplete ? poll.data : last} />
              {poll.error ? <ProblemNotice error={poll.error} /> : null}
              {list.fresh > 0 ? (
                <div>
                  <Button variant="light" onClick={list.showFresh}>
                    {plural(list.fresh, {
                      one: "Afficher # nouveau créneau",
                      other: "Afficher # nouveaux créneaux",
                    })}
                  </Button>
                </div>
              ) : null}
              {query.hasNextPage && !more ? (
                <Notice level="info">
                  <p>{t`Plus de ${MOST} créneaux : resserrez les dates ou les centres pour voir les autres.`}</p>
                </Notice>
              ) : null}
              {visible.length === 0 ? (
                <NoSlots
                  consecutive={filters.consecutive}
                  narrowed={read.length > 0 || isNarrowed(search)}
                  onWiden={change}
                />
              ) : view === "calendar" ? (
                <SlotGrid
                  slots={visible}
                  narrow={!wide}
                  from={filters.from}
                  to={filters.to}
                  read={days}
                  marks={marks}
                  onView={setTurned}
                  onChoose={choose}
                  onOpen={setWhy}
                />
              ) : (
                <SlotList slots={visible} marks={marks} onChoose={choose} onOpen={setWhy} />
              )}
            </>
          );
        }}
      </Loaded>
      <ChosenBar
        chosen={chosen}
        limit={limit}
        refused={tooMany}
        busy={hold.isPending}
        onClear={() => {
          setChoice([]);
          setTooMany(undefined);
        }}
        onHold={(allOrNothing) => hold.mutate({ slots: chosen, allOrNothing })}
      />
      <Later now={why !== undefined}>
        <WhyDialog
          slot={why}
          chosen={why !== undefined && marks.chosen.has(why.id)}
          asked={why !== undefined && marks.asked.has(why.id)}
          onChoose={choose}
          onClose={() => setWhy(undefined)}
        />
      </Later>
    </div>
  );
}

/** What it costs: a call for each centre and day in view; and what is left of this minute's. */
function LookNow({ calls, left }: { calls: number | undefined; left: number }) {
  if (calls === undefined) return t`Regarder maintenant`;
  return calls <= left
    ? plural(calls, {
        one: `Regarder maintenant (coûte # appel, reste ${left})`,
        other: `Regarder maintenant (coûte # appels, reste ${left})`,
      })
    : plural(calls, {
        one: `Regarder maintenant (coûte # appel, il en reste ${left} cette minute : les premiers jours seront lus d'abord)`,
        other: `Regarder maintenant (coûte # appels, il en reste ${left} cette minute : les premiers jours seront lus d'abord)`,
      });
}

/** "décembre 2026 : 9 pris ou retenus, reste 4" */
function Figures({ threshold }: { threshold: Threshold }) {
  const name = monthLong(threshold.month);
  if (nobodyCounted(threshold)) {
    return (
      <Link to="/equipe" search={{ onglet: "heures" }} className="rp-old">
        {t`${name} : seuil inconnu, déclarez vos heures`}
      </Link>
    );
  }
  const { taken, leftToday: left } = threshold;
  return (
    <Link to="/seuils" className={left === 0 ? "rp-old" : undefined}>
      {plural(taken, {
        one: `${name} : # pris ou retenu, reste ${left}`,
        other: `${name} : # pris ou retenus, reste ${left}`,
      })}
    </Link>
  );
}

function Incomplete({ page }: { page: SlotPage | undefined }) {
  if (!page?.incomplete) return null;
  return (
    <Notice level="warning">
      <p>
        {page.incompleteReason === "reconnect"
          ? t`RdvPermis demande de vous reconnecter pour lire le reste.`
          : page.incompleteReason === "rdvpermis_down"
            ? t`RdvPermis ne répond pas : une partie de ces jours n'a pas pu être lue.`
            : page.incompleteReason === "budget"
              ? t`Appels à RdvPermis épuisés pour l'instant : le reste sera lu dans un moment.`
              : t`Une partie de ces jours est en cours de lecture chez RdvPermis.`}
      </p>
    </Notice>
  );
}

function NoSlots({
  consecutive,
  narrowed,
  onWiden,
}: {
  consecutive: number;
  narrowed: boolean;
  onWiden: (next: Partial<SlotSearch>) => void;
}) {
  return (
    <Empty
      title={t`Aucun créneau avec ces filtres`}
      action={
        narrowed ? (
          <Button
            variant="default"
            onClick={() =>
              onWiden({
                de: undefined,
                a: undefined,
                suite: undefined,
                centres: undefined,
                km: undefined,
                jours: undefined,
                ouverts: undefined,
                avant: undefined,
                epreuve: undefined,
              })
            }
          >
            {t`Toutes heures, tous centres`}
          </Button>
        ) : undefined
      }
    >
      {consecutive > 1
        ? t`Aucune suite de ${consecutive} créneaux ouverts. Essayez une suite plus courte ou d'autres dates.`
        : t`RdvPermis n'a rien publié ici pour ces dates. Les mises en ligne sont annoncées 48 h avant : élargissez les dates ou les centres.`}
    </Empty>
  );
}
