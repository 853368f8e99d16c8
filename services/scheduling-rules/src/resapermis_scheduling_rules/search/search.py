"""What people search: slots and centres, as scheduling.v1 answers them.

Slots are found in the mirror page by page: no slot twice, none left out, and no page without bounds.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from prometheus_client import Histogram
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.clock import Clock
from resapermis_kit.errors import Failure, malformed
from resapermis_places.days import local_day, month_of
from resapermis_scheduling_rules import wire
from resapermis_scheduling_rules.domain.days import next_month
from resapermis_scheduling_rules.domain.distance import nearest_first
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import ThresholdKey
from resapermis_scheduling_rules.domain.slots import Centre, Point, Slot, Status
from resapermis_scheduling_rules.mirror.centres import Centres
from resapermis_scheduling_rules.parameters.queries import Rulebooks
from resapermis_scheduling_rules.peers import SEEN, Asker, asker, reason
from resapermis_scheduling_rules.school import queries as school_queries
from resapermis_scheduling_rules.school.schools import Schools
from resapermis_scheduling_rules.search import queries
from resapermis_scheduling_rules.search import wire as search_wire
from resapermis_scheduling_rules.search.criteria import (
    CENTRE,
    ID,
    STARTS,
    Position,
    Row,
    SearchCriteria,
    complete_until,
    consecutive,
    day_of,
    matches_centre,
    matches_hour,
    matches_opening,
    position_of,
    step,
)
from resapermis_scheduling_rules.search.departments import MOST_ASKED, departments_within
from resapermis_scheduling_rules.search.freshness import DayCoverage, Freshness, Window
from resapermis_scheduling_rules.search.page import Judged, PageJudge, PageWriter
from resapermis_scheduling_rules.search.queries import SearchShape

AGES = Histogram(
    "resapermis_search_age_seconds",
    "Age of the oldest slot on a search's first page, as RdvPermis last answered",
    buckets=(15, 30, 60, 120, 300, 600, 1800, 3600, 14400),
)
STATUS = {status.value: status for status in Status}


class CentreUnknown(Exception):
    """A slot is at a centre that came after the centres were last read."""


MOST_LOOKED_AT = 1000
"""Slots that one page looks at before it ends where it stands, perhaps with few or none found."""
MOST_READINGS = 8
RUN_READING = 200
"""Slots read at once where neighbours count, times how many are to follow each other: the longer, the rarer."""


@dataclass(frozen=True, slots=True)
class SearchPage:
    """Slots of one page with their judgement, and where the next begins; None: there is none."""

    slots: Sequence[Judged]
    next: Position | None
    """Where the next page begins; None when nothing more can match."""


@dataclass
class Finder:
    """One page of one search. `streams`: the departments or centres to read, each with the department whose clock counts."""

    wanted: SearchCriteria
    streams: Mapping[str, str]
    by_centre: bool
    centres: Mapping[str, Centre]
    judge: PageJudge
    school: Point | None

    async def page(self, engine: AsyncEngine) -> SearchPage:
        """Read on from where the last page ended until this one is full, everything was seen, or enough was looked at."""
        wanted = self.wanted
        after = max(wanted.after, (wanted.since, "")) if wanted.after is not None else (wanted.since, "")
        found: list[Judged] = []
        looked_at = 0
        for _ in range(MOST_READINGS):
            if after[0] >= wanted.until or not self.streams:
                return SearchPage(found, None)
            begin = self._begin(after)
            rows, upto = await self._read(engine, begin)
            looked_at += len(rows)
            for judged in self._meant(rows, after):
                found.append(judged)
                if len(found) > wanted.limit:
                    del found[wanted.limit :]
                    last = found[-1].slot
                    return SearchPage(found, (last.starts_at, last.id))
            after = upto
            if looked_at >= MOST_LOOKED_AT:
                break
        return SearchPage(found, after if after[0] < wanted.until else None)

    def _begin(self, after: Position) -> Position:
        """Where neighbours count, from the beginning of the day."""
        if self.wanted.consecutive <= 1:
            return after
        midnight = min(day_of(after, department) for department in self.streams.values())
        return max(midnight, self.wanted.since), ""

    async def _read(self, engine: AsyncEngine, begin: Position) -> tuple[Sequence[Row], Position]:
        """Rows after `begin` in order, and up to where none is missing; whole days where neighbours count."""
        wanted, times = self.wanted, 1
        reading = SearchShape(self.by_centre, wanted.free_only, bool(wanted.kind))
        many = wanted.limit + 1 if wanted.consecutive <= 1 else RUN_READING * wanted.consecutive
        while True:
            part = step(wanted, self.streams, begin[0], many, times)
            rows: Sequence[Row] = ()
            if part.parts:
                rows = await queries.read_step(engine, reading, wanted.category, wanted.kind, begin, part)
            upto = complete_until(part, rows)
            if wanted.consecutive > 1 and upto[0] < wanted.until:
                upto = (min(day_of(upto, department) for department in self.streams.values()), "")
                if upto <= begin or upto[0] <= begin[0]:  # one day has more than was read
                    times *= 2
                    continue
            return rows[: bisect_right(rows, upto, key=position_of)], upto

    def _meant(self, rows: Sequence[Row], after: Position) -> Iterator[Judged]:
        """Those that match, judged one by one as the page asks for them; of whole days, those after the last page.

        Rows are sieved as they came: a slot is made of one only when nothing but its verdict is left to decide. Who stands in
        no row among all that suit does not among those of them that are open: the others alone are judged.
        """
        many = self.wanted.consecutive
        suitable = self._suitable(rows)
        if many <= 1:
            yield from self._judged(suitable)
            return
        found = consecutive(suitable, many)
        inside = [row for row in suitable if row[ID] in found]
        if not self.wanted.judged:
            yield from self._judged(row for row in inside if position_of(row) > after)
            return
        is_open = {judged.slot.id: judged for judged in self._judged(inside)}
        found = consecutive((row for row in inside if row[ID] in is_open), many)
        yield from (is_open[row[ID]] for row in inside if row[ID] in found and position_of(row) > after)

    def _suitable(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Of what was read (category, window, kind and what is free are the statement's), what is meant."""
        wanted = self.wanted
        here = {centre_id: self._centre(centre_id) for centre_id in {row[CENTRE] for row in rows}}
        meant = {centre_id for centre_id, centre in here.items() if matches_centre(wanted, centre, self.school)}
        if len(meant) < len(here):
            rows = [row for row in rows if row[CENTRE] in meant]
        if wanted.by_hour:
            rows = [row for row in rows if matches_hour(wanted, row[STARTS], here[row[CENTRE]].department)]
        return rows

    def _judged(self, rows: Iterable[Row]) -> Iterator[Judged]:
        for row in rows:
            judged = self.judge.judge(self._slot(row))
            if not self.wanted.judged or matches_opening(self.wanted, allowed=judged.allowed, opens_at=judged.opens_at):
                yield judged

    def _slot(self, row: Row) -> Slot:
        _, slot_id, centre_id, kind, starts_at, ends_at, published_at, status, holder, seen_at = row
        return Slot(
            slot_id,
            self._centre(centre_id),
            starts_at,
            ends_at,
            self.wanted.category,
            kind,
            published_at,
            STATUS[status],
            seen_at,
            holder or "",
        )

    def _centre(self, centre_id: str) -> Centre:
        centre = self.centres.get(centre_id)
        if centre is None:
            raise CentreUnknown
        return centre


MOST_STREAMS = 200
"""Centres that one search merges: the nearest."""


@dataclass(frozen=True, slots=True)
class SearchScope:
    """Where a search reads, and what it polls."""

    streams: Mapping[str, str]
    by_centre: bool
    polled: Sequence[Centre]
    """Open centres, nearest first."""
    trouble: str = SEEN
    """Why it is not known whether these are all centres."""


class SlotSearch:
    """scheduling.v1.SearchSlots: pages of judged slots from the mirror."""

    def __init__(
        self,
        engine: AsyncEngine,
        schools: Schools,
        centres: Centres,
        rulebooks: Rulebooks,
        freshness: Freshness,
        now: Clock,
    ) -> None:
        """`engine` answers questions of one statement without a transaction around them."""
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._schools, self._centres, self._rulebooks = schools, centres, rulebooks
        self._freshness, self._now = freshness, now

    async def slots(self, request: pb.SearchSlotsRequest) -> pb.SearchSlotsResponse:
        """Answer from the mirror, and poll again what is stale."""
        who, now = asker(), self._now()
        wanted = search_wire.criteria_of(request, now)
        school = (await self._schools.standing(who)).school if wanted.within_km is not None else None
        if school is not None and school.point is None:
            raise malformed("within_km", "where the school is, is not known: name a department")
        scope = await self._scope(wanted, None if school is None else school.point, who)
        window = await self._window(wanted, scope, who, poll_now=request.poll_now)
        standing = await self._schools.standing(who)
        department = wanted.department or standing.school.department
        months = _months(wanted, department)
        month = months[0]
        if department == standing.school.department:
            for one in months:
                self._schools.refresh_threshold(standing, one, wanted.category, who)
        rules = await self._rulebooks.get()

        def parameters_in(place: str) -> Parameters:
            return rules.at(now, place, wanted.category)

        usage = await school_queries.usage_now(self._reader, who.school_id, month)
        judge = PageJudge(
            standing.school,
            now,
            parameters_in,
            lambda place: standing.quota(place, usage.get(place, 0), parameters_in(place.department)),
        )
        found = await self._page(wanted, scope, judge, standing.school.point)
        if wanted.after is None and found.slots:
            AGES.observe(max(0.0, (now - min(judged.slot.seen_at for judged in found.slots)).total_seconds()))
        response = pb.SearchSlotsResponse(
            incomplete=window.incomplete,
            incomplete_reason=window.reason,
            days=[_polled_day(day) for day in window.days],
            polls_left=window.polls_left,
        )
        if window.oldest_seen_at is not None:
            response.oldest_seen_at.CopyFrom(wire.timestamp(window.oldest_seen_at))
        if found.next is not None:
            response.next_cursor = search_wire.cursor(found.next)
        writer = PageWriter(standing.school.point)
        for judged in found.slots:
            writer.write(response, judged)
        for one in months:
            place = ThresholdKey(department, one, wanted.category)
            response.thresholds.append(wire.threshold(place, judge.quota_of(place), parameters_in(department), now))
        response.threshold.CopyFrom(response.thresholds[0])
        return response

    async def centres(self, request: pb.ListCentresRequest) -> pb.ListCentresResponse:
        """Open centres of a department for a category, nearest to the school first (R-34)."""
        who = asker()
        department, category = wire.word(request.department, "department"), wire.word(request.category, "category")
        offer = await self._centres.offer(department, category, who)
        school = (await self._schools.standing(who)).school
        parameters = await self._rulebooks.parameters_at(department, category)
        writer = PageWriter(school.point)
        nearest = nearest_first(offer.centres, school.point)
        return pb.ListCentresResponse(centres=[writer.centre(one, parameters) for one in nearest])

    async def _window(self, wanted: SearchCriteria, scope: SearchScope, who: Asker, *, poll_now: bool) -> Window:
        if scope.trouble and not scope.polled:
            return Window(incomplete=True, reason=scope.trouble)
        window = await self._freshness.of(wanted, scope.polled, who, poll_now=poll_now)
        if scope.trouble:
            return replace(window, incomplete=True, reason=window.reason or scope.trouble)
        return window

    async def _scope(self, wanted: SearchCriteria, school: Point | None, who: Asker) -> SearchScope:
        if wanted.department:
            departments: Sequence[str] = [wanted.department]
        else:
            assert school is not None and wanted.within_km is not None  # noqa: PT018, S101 - `slots` refused the rest
            departments = departments_within(school, wanted.within_km)[:MOST_ASKED]
        offers = await self._centres.offers(departments, wanted.category, who)
        trouble = SEEN
        offered: list[Centre] = []
        for offer in offers:
            if isinstance(offer, Failure):
                trouble = trouble or reason(offer)
            elif isinstance(offer, BaseException):
                raise offer
            else:
                offered += offer.centres
        every_centre = await self._centres.all([centre.id for centre in offered])
        polled = [one for one in offered if matches_centre(wanted, one, school)]
        if not wanted.centre_ids and wanted.within_km is None:
            return SearchScope({wanted.department: wanted.department}, False, polled, trouble)
        known = [one for one in every_centre.values() if matches_centre(wanted, one, school)]
        streams = {one.id: one.department for one in nearest_first(known, school)[:MOST_STREAMS]}
        return SearchScope(streams, True, nearest_first(polled, school), trouble)

    async def _page(
        self, wanted: SearchCriteria, scope: SearchScope, judge: PageJudge, school: Point | None
    ) -> SearchPage:
        centres = await self._centres.all()
        try:
            return await Finder(wanted, scope.streams, scope.by_centre, centres, judge, school).page(self._reader)
        except CentreUnknown:
            centres = await self._centres.all_anew()
            return await Finder(wanted, scope.streams, scope.by_centre, centres, judge, school).page(self._reader)


def _polled_day(known: DayCoverage) -> pb.PolledDay:
    """A day's coverage → pb.PolledDay; no age where no poll was ever answered."""
    oldest = None if known.oldest_seen_at is None else wire.timestamp(known.oldest_seen_at)
    return pb.PolledDay(date=known.day.isoformat(), polls=known.polls, oldest_seen_at=oldest, unseen=known.unseen)


def _months(wanted: SearchCriteria, department: str) -> Sequence[str]:
    """Months of a window on a department's clock, the first one always."""
    months = [month_of(local_day(wanted.since, department))]
    last = month_of(local_day(wanted.until - timedelta(microseconds=1), department))
    while months[-1] < last:
        months.append(next_month(months[-1]))
    return months
