"""Acts on who is not free: declared, taken back, imported, written on; and the bookings that conflict with it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import availability_pb2 as pb
from resapermis_kit.clock import Clock, NewId
from resapermis_kit.database.idempotency import Command, begin, finish
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc.auth import Principal
from resapermis_scheduling_rules.availability import events, queries, wire
from resapermis_scheduling_rules.availability.ical.reader_process import CalendarReader, CalendarReading
from resapermis_scheduling_rules.availability.unavailability import (
    AHEAD,
    EXTENDED_BELOW,
    KEPT,
    ConflictingBooking,
    DeclaredUnavailability,
    Occurrence,
    Span,
    Subject,
    first_conflicts,
)
from resapermis_scheduling_rules.domain.parameters import Parameter, parameters_for
from resapermis_scheduling_rules.parameters import queries as parameter_queries

MOST_DECLARED = 5000
"""Of a school, imports included."""
MOST_LISTED = 10_000
A_ROUND = 20
"""Recurrences written on in one round; each is a process of its own."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class CalendarImport:
    """What a calendar brought, and whether it was kept: it may have to be confirmed first."""

    read: CalendarReading
    replaced: bool


@dataclass(frozen=True)
class UnavailabilityCommands:
    """Commands of a school on unavailability: declare, take back, import; and what is done for it unasked."""

    engine: AsyncEngine
    outbox: Outbox
    reader: CalendarReader
    now: Clock
    new_id: NewId

    async def add(
        self, who: Principal, request: pb.AddUnavailabilityRequest, home: str
    ) -> pb.AddUnavailabilityResponse:
        """Keep what is declared, once by its request id; publish a conflict for each booking to come that it meets."""
        now = self.now()
        wanted = wire.declared_of(request.unavailability, now, home)
        spans = [(wanted.starts_at, wanted.ends_at)]
        if wanted.rrule:
            spans = await self._recurrence(wanted, now)
        command = Command(who.account_id, request, pb.AddUnavailabilityResponse)
        async with transaction(self.engine) as tx:
            answered = await begin(tx, command, now)
            if answered is not None:
                return answered
            if await queries.count_declarations(tx, who.school_id) >= MOST_DECLARED:
                raise malformed("unavailability", f"a school keeps at most {MOST_DECLARED}; take some back")
            kept_id, written_until = str(self.new_id()), now + AHEAD if wanted.rrule else None
            await queries.add(tx, kept_id, who.school_id, wanted, written_until, who.account_id, now)
            await queries.write(tx, kept_id, who.school_id, wanted.subject, spans)
            await queries.lock_schools(tx, [who.school_id])
            record = events.unavailability(who, "availability.add", kept_id, wanted.subject, wire.facts(wanted))
            met = await conflicts_of_unavailability(tx, who.school_id, kept_id, now)
            await self.outbox.add(tx, now, record, *(events.conflict(one) for one in met))
            answer = pb.AddUnavailabilityResponse(
                unavailability=wire.declared(kept_id, wanted), met_line_ids=dict.fromkeys(one.line_id for one in met)
            )
            await finish(tx, command, answer)
            return answer

    async def remove(self, who: Principal, kept_id: str) -> None:
        """Take one back, with all its occurrences. NOT_FOUND: the school has none by this id."""
        async with transaction(self.engine) as tx:
            subject = await queries.remove(tx, who.school_id, kept_id)
            if subject is None:
                raise Failure(Code.CODE_NOT_FOUND, "the school has no unavailability by this id")
            await self.outbox.add(
                tx, self.now(), events.unavailability(who, "availability.remove", kept_id, subject, {})
            )

    async def window(
        self, school_id: str, subject: Subject | None, since: datetime, until: datetime
    ) -> Sequence[Occurrence]:
        """Occurrences that overlap a window, in order of time. MALFORMED: more than anybody reads."""
        async with transaction(self.engine) as tx:
            found = await queries.window(tx, school_id, subject, since, until, MOST_LISTED + 1)
        if len(found) > MOST_LISTED:
            raise malformed("to", f"more than {MOST_LISTED} occurrences; choose a shorter window or one subject")
        return found

    async def import_calendar(
        self, who: Principal, subject: Subject, calendar: bytes, time_zone: str, *, despite_losses: bool = False
    ) -> CalendarImport:
        """Keep a calendar's busy times in place of what an earlier import of the subject brought; publish new conflicts.

        Where some of it may be lost, or nothing is read, an earlier import stays as it is unless `despite_losses`.
        """
        now = self.now()
        read = await self.reader.read(calendar, time_zone, now, now + AHEAD)
        async with transaction(self.engine) as tx:
            earlier = await queries.import_of(tx, who.school_id, subject)
            known = set[tuple[str, str]]()
            if earlier is None:
                if await queries.count_declarations(tx, who.school_id) >= MOST_DECLARED:
                    raise malformed("calendar", f"a school keeps at most {MOST_DECLARED}; take some back")
            elif not (despite_losses or (read.complete and read.spans)):
                return CalendarImport(read, replaced=False)
            else:
                known = {
                    (one.line_id, one.whose)
                    for one in await conflicts_of_unavailability(tx, who.school_id, earlier, now)
                }
            kept_id = await queries.keep_import(
                tx,
                str(self.new_id()),
                who.school_id,
                subject,
                calendar=read.reduced,
                time_zone=time_zone,
                written_until=now + AHEAD,
                by=who.account_id,
                at=now,
            )
            await queries.write(tx, kept_id, who.school_id, subject, read.spans)
            await queries.lock_schools(tx, [who.school_id])
            facts = {"kept": str(len(read.spans))} | {why: str(count) for why, count in read.left_out.items()}
            record = events.unavailability(who, "availability.import", kept_id, subject, facts)
            met = [
                one
                for one in await conflicts_of_unavailability(tx, who.school_id, kept_id, now)
                if (one.line_id, one.whose) not in known
            ]
            await self.outbox.add(tx, now, record, *(events.conflict(one) for one in met))
        return CalendarImport(read, replaced=True)

    async def extend_recurrences(self) -> None:
        """Expand recurrences and imports again, so that a year lies ahead; one that cannot be read stays as it is."""
        now = self.now()
        async with transaction(self.engine) as tx:
            waiting = await queries.due_to_extend(tx, now + EXTENDED_BELOW, A_ROUND)
        for kept in waiting:
            calendar = kept.calendar or (kept.declared.calendar() if kept.declared else b"")
            spans: Sequence[Span] = ()
            try:
                spans = (await self.reader.read(calendar, kept.time_zone, now, now + AHEAD)).spans
            except Failure as failure:
                log.warning("unavailability.not_extended", code=failure.name)
            async with transaction(self.engine) as tx:
                await queries.extend(tx, kept, spans, now + AHEAD)

    async def forget(self) -> None:
        """Delete what ended more than a year ago."""
        while True:
            async with transaction(self.engine) as tx:
                if await queries.forget_past(tx, self.now() - KEPT) < queries.A_BATCH:
                    return

    async def _recurrence(self, wanted: DeclaredUnavailability, now: datetime) -> list[Span]:
        read = await self.reader.read(wanted.calendar(), wanted.time_zone, now, now + AHEAD)
        if not read.spans:
            why = next(iter(read.left_out), "past")
            raise malformed("unavailability.rrule", _WHY.get(why, "a recurrence rule of RFC 5545"))
        return list(read.spans)


_WHY = {"too_many": "repeats too often", "past": "nothing of it lies within the next 12 months"}


def _widest(rows: Sequence[Parameter]) -> timedelta:
    """A distance beyond which nothing meets by any place's parameters."""
    margins = [int(row.value) for row in rows if row.name in {"available_margin_minutes", "exam_minutes"}]
    return timedelta(minutes=2 * max(margins, default=60))


async def conflicts_of_unavailability(tx: Tx, school_id: str, kept_id: str, now: datetime) -> list[ConflictingBooking]:
    """Bookings to come that conflict with one unavailability: one entry a booking and kind of resource."""
    rows = await parameter_queries.parameters_in_force(tx, now)
    return _meeting(await queries.bookings_near_unavailability(tx, school_id, kept_id, _widest(rows), now), rows)


async def conflicts_of_bookings(tx: Tx, booked: Mapping[str, str], now: datetime) -> list[ConflictingBooking]:
    """Conflicts of bookings that were just written (line to school): one entry a booking and kind of resource."""
    await queries.lock_schools(tx, booked.values())
    rows = await parameter_queries.parameters_in_force(tx, now)
    return _meeting(await queries.bookings_near_unavailabilities(tx, list(booked), _widest(rows), now), rows)


def _meeting(near: Sequence[ConflictingBooking], rows: Sequence[Parameter]) -> list[ConflictingBooking]:
    return first_conflicts([one for one in near if one.meets(parameters_for(rows, one.department, one.category))])
