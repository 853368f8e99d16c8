"""Finds the slots of a search in the mirror, page by page: no slot twice, none left out, and no page without bounds."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from resapermis_kit.db import Tx
from resapermis_scheduling_rules.domain import Centre, Point, Slot, Status
from resapermis_scheduling_rules.search.page import Judged, PageJudge
from resapermis_scheduling_rules.search.wanted import (
    FEW_STREAMS,
    Position,
    Wanted,
    complete_until,
    day_of,
    in_a_row,
    is_meant,
    opens,
    step,
    suits,
)
from resapermis_scheduling_rules.store import search as store
from resapermis_scheduling_rules.store.search import Reading, Row

STATUS = {status.value: status for status in Status}


class CentreUnknown(Exception):
    """A slot is at a centre that came after the centres were last read."""


MOST_LOOKED_AT = 1000
"""Slots that one page looks at before it ends where it stands, perhaps with few or none found."""
MOST_READINGS = 8
ROW_READING = 600
"""Slots read at once where neighbours count."""
FIRST_DAYS = 7
"""How far a first reading goes where many centres are merged."""


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

    async def page(self, tx: Tx) -> Found:
        """Read on from where the last page ended until this one is full, everything was seen, or enough was looked at."""
        wanted = self.wanted
        after = max(wanted.after, (wanted.since, "")) if wanted.after is not None else (wanted.since, "")
        found: list[Judged] = []
        looked_at, days = 0, self._first_days()
        for _ in range(MOST_READINGS):
            if after[0] >= wanted.until or not self.streams:
                return Found(found, None)
            begin = self._begin(after)
            slots, upto = await self._read(tx, begin, days)
            looked_at += len(slots)
            for judged in self._meant(slots, after):
                found.append(judged)
                if len(found) > wanted.limit:
                    del found[wanted.limit :]
                    last = found[-1].slot
                    return Found(found, (last.starts_at, last.id))
            after, days = upto, days * 2
            if looked_at >= MOST_LOOKED_AT:
                break
        return Found(found, after if after[0] < wanted.until else None)

    def _first_days(self) -> int:
        if len(self.streams) > FEW_STREAMS:
            return FIRST_DAYS
        return (self.wanted.until - self.wanted.since).days + 1

    def _begin(self, after: Position) -> Position:
        """Where neighbours count, from the beginning of the day."""
        if self.wanted.in_a_row <= 1:
            return after
        midnight = min(day_of(after, department) for department in self.streams.values())
        return max(midnight, self.wanted.since), ""

    async def _read(self, tx: Tx, begin: Position, days: int) -> tuple[list[Slot], Position]:
        """Slots after `begin` in order, and up to where none is missing; whole days where neighbours count."""
        wanted = self.wanted
        many = wanted.limit + 1 if wanted.in_a_row <= 1 else ROW_READING
        while True:
            part = step(wanted, self.streams, begin[0], many, days)
            reading = Reading(self.by_centre, wanted.free_only, bool(wanted.kind))
            rows = (
                await store.read_step(tx, reading, wanted.category, wanted.kind, begin, part) if part.stretches else ()
            )
            upto = complete_until(part, [(row[0], (row[4], row[1])) for row in rows])
            if wanted.in_a_row > 1 and upto[0] < wanted.until:
                upto = (min(day_of(upto, department) for department in self.streams.values()), "")
                if upto <= begin or upto[0] <= begin[0]:  # one day has more than was read
                    many, days = many * 2, max(days, 2)
                    continue
            return [self._slot(row) for row in rows if (row[4], row[1]) <= upto], upto

    def _slot(self, row: Row) -> Slot:
        _, slot_id, centre_id, kind, starts_at, ends_at, published_at, status, holder, seen_at = row
        centre = self.centres.get(centre_id)
        if centre is None:
            raise CentreUnknown
        return Slot(
            slot_id,
            centre,
            starts_at,
            ends_at,
            self.wanted.category,
            kind,
            published_at,
            STATUS[status],
            seen_at,
            holder or "",
        )

    def _meant(self, slots: Sequence[Slot], after: Position) -> Iterator[Judged]:
        """Those that match, judged one by one as the page asks for them; of whole days, those after the last page.

        Who stands in no row among all that suit does not among those of them that are open: the others alone are judged.
        """
        many = self.wanted.in_a_row
        suitable = list(self._suitable(slots))
        if many <= 1:
            yield from self._judged(suitable)
            return
        rows = in_a_row(suitable, many)
        if self.wanted.judged:
            is_open = [judged.slot for judged in self._judged(slot for slot in suitable if slot.id in rows)]
            rows = in_a_row(is_open, many)
        yield from self._judged(slot for slot in suitable if slot.id in rows and (slot.starts_at, slot.id) > after)

    def _suitable(self, slots: Iterable[Slot]) -> Iterator[Slot]:
        here: dict[str, bool] = {}
        for slot in slots:
            meant = here.get(slot.centre.id)
            if meant is None:
                meant = here[slot.centre.id] = is_meant(self.wanted, slot.centre, self.school)
            if meant and suits(self.wanted, slot):
                yield slot

    def _judged(self, slots: Iterable[Slot]) -> Iterator[Judged]:
        for slot in slots:
            judged = self.judge.judge(slot)
            if not self.wanted.judged or opens(self.wanted, allowed=judged.allowed, opens_at=judged.opens_at):
                yield judged
