"""Tells people of slots that their saved searches want. Nothing is ever booked by it."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_places.days import day_start, local_day, month_of
from resapermis_scheduling_rules.domain.slots import Slot, Status
from resapermis_scheduling_rules.mirror import queries as mirror_queries
from resapermis_scheduling_rules.parameters.queries import Rulebooks
from resapermis_scheduling_rules.peers import Asker
from resapermis_scheduling_rules.school import queries as schools
from resapermis_scheduling_rules.school.schools import Schools
from resapermis_scheduling_rules.search import wire as search_wire
from resapermis_scheduling_rules.search.criteria import SearchCriteria, matches, matches_opening
from resapermis_scheduling_rules.search.page import Judged, PageJudge
from resapermis_scheduling_rules.search.search import Finder
from resapermis_scheduling_rules.watchlist import events as watch_events
from resapermis_scheduling_rules.watchlist import queries
from resapermis_scheduling_rules.watchlist.queries import SavedSearch

A_ROUND = 500
"""News taken in at once; what waits longer comes with the next round."""
log = structlog.get_logger()


@dataclass
class MatchRound:
    """Saved searches with their new slots, and what has to be matched again later, of one round."""

    matched: list[tuple[SavedSearch, list[Slot]]] = field(default_factory=list)
    later: set[tuple[str, datetime]] = field(default_factory=set)
    """Slots to match again at the moment at which they open to somebody who wants only what is open."""


class Matcher:
    """Matches what came since the last round against the searches that can want it."""

    def __init__(self, engine: AsyncEngine, outbox: Outbox, schools: Schools, rulebooks: Rulebooks, now: Clock) -> None:
        """Matches are published through `outbox`."""
        self._engine, self._outbox, self._now = engine, outbox, now
        self._schools, self._rulebooks = schools, rulebooks
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def round(self) -> None:
        """Take in what is due; published, and taken, in one transaction, so that a crash neither loses nor repeats."""
        now = self._now()
        async with transaction(self._reader) as tx:
            news = await queries.due_news(tx, now, A_ROUND)
            known = await mirror_queries.slots_by_id(tx, sorted({slot_id for slot_id, _ in news})) if news else {}
        if not news:
            return
        places: dict[tuple[str, str], list[Slot]] = {}
        for slot in known.values():
            if slot.status is Status.FREE and slot.starts_at > now:
                places.setdefault((slot.category, slot.department), []).append(slot)
        found_so_far = MatchRound()
        for (category, department), slots in places.items():
            await self._match(category, department, slots, now, found_so_far)
        async with transaction(self._engine) as tx:
            await queries.take_news(tx, news)
            await queries.match_again(tx, found_so_far.later)
            for saved, slots in sorted(found_so_far.matched, key=lambda one: one[0].id):
                fresh = await queries.note_matches(tx, saved.id, [slot.id for slot in slots], now)
                unpublished = [slot for slot in slots if slot.id in fresh]
                if unpublished:
                    await self._outbox.add(tx, now, *watch_events.matched(saved, unpublished))

    async def _match(
        self, category: str, department: str, slots: Sequence[Slot], now: datetime, found_so_far: MatchRound
    ) -> None:
        """All news of one place against the searches of that place alone."""
        async with transaction(self._reader) as tx:
            interested = await queries.interested(tx, category, department, {slot.centre.id for slot in slots})
        by_school: dict[str, list[SavedSearch]] = {}
        for saved in interested:
            by_school.setdefault(saved.school_id, []).append(saved)
        for school_id, searches in by_school.items():
            try:
                judge = await self._judge(school_id, category, now)
            except Failure as failure:
                log.info("match.no_school", code=failure.name)  # nobody could describe it: it gets the next ones
                continue
            for saved in searches:
                wanted = criteria_of(saved, now)
                found = await self._meant(wanted, slots, judge)
                if found:
                    found_so_far.matched.append((saved, found))
                if wanted.open_now:
                    found_so_far.later |= opening_later(wanted, slots, judge)

    async def _judge(self, school_id: str, category: str, now: datetime) -> PageJudge:
        standing = await self._schools.standing(Asker(school_id))
        rules = await self._rulebooks.get()
        async with transaction(self._reader) as tx:
            usage = await schools.usage(tx, school_id, month_of((now - timedelta(days=1)).date()))
        return PageJudge(
            standing.school,
            now,
            lambda place: rules.at(now, place, category),
            lambda place: standing.quota(place, usage.get(place, 0), rules.at(now, place.department, category)),
        )

    async def _meant(self, wanted: SearchCriteria, slots: Sequence[Slot], judge: PageJudge) -> list[Slot]:
        """Slots that a search wants: open, or opening by themselves; in order of time."""
        found = [judged.slot for judged in _suiting(wanted, slots, judge) if _opens(wanted, judged)]
        if wanted.consecutive > 1 and found:
            found = [slot for slot in found if slot.id in await self._row(wanted, slot, judge)]
        return sorted(found, key=lambda slot: (slot.starts_at, slot.id))

    async def _row(self, wanted: SearchCriteria, slot: Slot, judge: PageJudge) -> set[str]:
        """Ids of that day's slots at that centre which stand in such a row."""
        day = local_day(slot.starts_at, slot.department)
        since = max(day_start(day, slot.department), wanted.since)
        until = day_start(day + timedelta(days=1), slot.department)
        there = replace(wanted, since=since, until=until, centre_ids=(slot.centre.id,), limit=500)
        centres = {slot.centre.id: slot.centre}
        finder = Finder(there, {slot.centre.id: slot.department}, True, centres, judge, judge.school.point)
        return {judged.slot.id for judged in (await finder.page(self._reader)).slots}


def criteria_of(saved: SavedSearch, now: datetime) -> SearchCriteria:
    """A kept search, about the eight weeks to come."""
    return search_wire.criteria_of(pb.SearchSlotsRequest.FromString(saved.search), now)


def _suiting(wanted: SearchCriteria, slots: Sequence[Slot], judge: PageJudge) -> list[Judged]:
    return [judge.judge(slot) for slot in slots if matches(wanted, slot, judge.school.point)]


def _opens(wanted: SearchCriteria, judged: Judged) -> bool:
    if wanted.judged:
        return matches_opening(wanted, allowed=judged.allowed, opens_at=judged.opens_at)
    return judged.allowed or judged.opens_at is not None


def opening_later(wanted: SearchCriteria, slots: Sequence[Slot], judge: PageJudge) -> set[tuple[str, datetime]]:
    """When slots open that somebody wants to hear of once they are open."""
    return {
        (judged.slot.id, judged.opens_at)
        for judged in _suiting(wanted, slots, judge)
        if judged.opens_at is not None and not judged.allowed
    }
