"""Finds the slots of a search in the mirror, page by page: no slot twice, none left out, and no page without bounds."""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_scheduling_rules.domain.slots import Centre, Point, Slot, Status
from resapermis_scheduling_rules.search import queries as store
from resapermis_scheduling_rules.search.page import Judged, PageJudge
from resapermis_scheduling_rules.search.queries import Reading
from resapermis_scheduling_rules.search.wanted import (
    CENTRE,
    ID,
    STARTS,
    Position,
    Row,
    Wanted,
    at_an_hour,
    complete_until,
    day_of,
    in_a_row,
    is_meant,
    opens,
    position_of,
    step,
)

STATUS = {status.value: status for status in Status}


class CentreUnknown(Exception):
    """A slot is at a centre that came after the centres were last read."""


MOST_LOOKED_AT = 1000
"""Slots that one page looks at before it ends where it stands, perhaps with few or none found."""
MOST_READINGS = 8
ROW_READING = 200
"""Slots read at once where neighbours count, times how many are to follow each other: the longer, the rarer."""


@dataclass(frozen=True, slots=True)
class Found:
    """A page."""

    slots: Sequence[Judged]
    next: Position | None
    """Where the next page begins; None when nothing more can match."""


@dataclass
class Finder:
    """One page of one search. `streams`: the departments or centres to read, each with the department whose clock counts."""

    wanted: Wanted
    streams: Mapping[str, str]
    by_centre: bool
    centres: Mapping[str, Centre]
    judge: PageJudge
    school: Point | None

    async def page(self, engine: AsyncEngine) -> Found:
        """Read on from where the last page ended until this one is full, everything was seen, or enough was looked at."""
        wanted = self.wanted
        after = max(wanted.after, (wanted.since, "")) if wanted.after is not None else (wanted.since, "")
        found: list[Judged] = []
        looked_at = 0
        for _ in range(MOST_READINGS):
            if after[0] >= wanted.until or not self.streams:
                return Found(found, None)
            begin = self._begin(after)
            rows, upto = await self._read(engine, begin)
            looked_at += len(rows)
            for judged in self._meant(rows, after):
                found.append(judged)
                if len(found) > wanted.limit:
                    del found[wanted.limit :]
                    last = found[-1].slot
                    return Found(found, (last.starts_at, last.id))
            after = upto
            if looked_at >= MOST_LOOKED_AT:
                break
        return Found(found, after if after[0] < wanted.until else None)

    def _begin(self, after: Position) -> Position:
        """Where neighbours count, from the beginning of the day."""
        if self.wanted.in_a_row <= 1:
            return after
        midnight = min(day_of(after, department) for department in self.streams.values())
        return max(midnight, self.wanted.since), ""

    async def _read(self, engine: AsyncEngine, begin: Position) -> tuple[Sequence[Row], Position]:
        """Rows after `begin` in order, and up to where none is missing; whole days where neighbours count."""
        wanted, times = self.wanted, 1
        reading = Reading(self.by_centre, wanted.free_only, bool(wanted.kind))
        many = wanted.limit + 1 if wanted.in_a_row <= 1 else ROW_READING * wanted.in_a_row
        while True:
            part = step(wanted, self.streams, begin[0], many, times)
            rows: Sequence[Row] = ()
            if part.parts:
                rows = await store.read_step(engine, reading, wanted.category, wanted.kind, begin, part)
            upto = complete_until(part, rows)
            if wanted.in_a_row > 1 and upto[0] < wanted.until:
                upto = (min(day_of(upto, department) for department in self.streams.values()), "")
                if upto <= begin or upto[0] <= begin[0]:  # one day has more than was read
                    times *= 2
                    continue
            return rows[: bisect_right(rows, upto, key=position_of)], upto

    def _meant(self, rows: Sequence[Row], after: Position) -> Iterator[Judged]:
        """Those that match, judged one by one as the page asks for them; of whole days, those after the last page.

        Rows are sieved as they came: a slot is made of one only when nothing but its verdict is left to say. Who stands in
        no row among all that suit does not among those of them that are open: the others alone are judged.
        """
        many = self.wanted.in_a_row
        suitable = self._suitable(rows)
        if many <= 1:
            yield from self._judged(suitable)
            return
        found = in_a_row(suitable, many)
        inside = [row for row in suitable if row[ID] in found]
        if not self.wanted.judged:
            yield from self._judged(row for row in inside if position_of(row) > after)
            return
        is_open = {judged.slot.id: judged for judged in self._judged(inside)}
        found = in_a_row((row for row in inside if row[ID] in is_open), many)
        yield from (is_open[row[ID]] for row in inside if row[ID] in found and position_of(row) > after)

    def _suitable(self, rows: Sequence[Row]) -> Sequence[Row]:
        """Of what was read (category, window, kind and what is free are the statement's), what is meant."""
        wanted = self.wanted
        here = {centre_id: self._centre(centre_id) for centre_id in {row[CENTRE] for row in rows}}
        meant = {centre_id for centre_id, centre in here.items() if is_meant(wanted, centre, self.school)}
        if len(meant) < len(here):
            rows = [row for row in rows if row[CENTRE] in meant]
        if wanted.by_hour:
            rows = [row for row in rows if at_an_hour(wanted, row[STARTS], here[row[CENTRE]].department)]
        return rows

    def _judged(self, rows: Iterable[Row]) -> Iterator[Judged]:
        for row in rows:
            judged = self.judge.judge(self._slot(row))
            if not self.wanted.judged or opens(self.wanted, allowed=judged.allowed, opens_at=judged.opens_at):
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
