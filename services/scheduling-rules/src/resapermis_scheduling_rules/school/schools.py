"""Schools as RdvPermis knows them, with what their thresholds rest on: remembered for seconds, asked again when old."""

import asyncio
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from cachetools import LRUCache
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc import peers
from resapermis_scheduling_rules.domain.quota import ThresholdKey
from resapermis_scheduling_rules.domain.slots import School
from resapermis_scheduling_rules.domain.standing import SchoolStanding
from resapermis_scheduling_rules.peers import REMEMBERED, Asker, SingleFlight, TtlCache
from resapermis_scheduling_rules.school import queries

if TYPE_CHECKING:
    from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceAsyncStub

SCHOOL_FRESH = timedelta(hours=1)
THRESHOLD_FRESH = timedelta(minutes=10)
Announce = Callable[[Tx, Collection[queries.Key], datetime], Awaitable[None]]
"""Publishes what is new of thresholds, in the transaction that changed them."""


@dataclass(frozen=True, slots=True)
class Replacements:
    """RdvPermis' allowance of a month; kept in memory only, for a page that shows it."""

    left: int
    per_month: int
    seen_at: datetime


class Schools:
    """What RdvPermis answers about schools, remembered for a few seconds and read again behind the answer; one a process."""

    def __init__(
        self,
        engine: AsyncEngine,
        egress: "RdvPermisServiceAsyncStub",
        now: Clock,
        seconds: float,
        single_flight: SingleFlight,
        announce: Announce,
    ) -> None:
        """`seconds` is how late a change elsewhere may be seen here."""
        self._engine, self._egress, self._now = engine, egress, now
        self._single_flight, self._announce = single_flight, announce
        self._standings: TtlCache[SchoolStanding | None] = TtlCache(now, seconds)
        self._replacements: LRUCache[tuple[str, str, str], Replacements] = LRUCache(REMEMBERED)

    async def standing(self, asker: Asker) -> SchoolStanding:
        """The asker's school; asked from RdvPermis when it was never seen (its Failure then), or again every hour."""
        known = await self._standings.get(asker.school_id, lambda: self._read_standing(asker.school_id))
        return await self.standing_as_read(known, asker)

    async def standing_as_read(self, known: SchoolStanding | None, asker: Asker) -> SchoolStanding:
        """The same where `known` was just read along with something else."""
        if known is None:
            await self._single_flight.once(("school", asker.school_id), lambda: self._ask_school(asker))
            known = await self._read_standing(asker.school_id)
            if known is None:
                raise Failure(Code.CODE_UNAVAILABLE, "the school could not be read back; try again")
        elif self._now() - known.seen_at >= SCHOOL_FRESH:
            self._single_flight.in_background(("school", asker.school_id), lambda: self._ask_school(asker))
        return known

    def forget(self, school_id: str) -> None:
        """Read a school and its thresholds again next time."""
        self._standings.forget(school_id)

    def refresh_threshold(
        self, standing: SchoolStanding, month: str, category: str, asker: Asker
    ) -> asyncio.Task[Any] | None:
        """Ask RdvPermis for its own figure behind the answer, when ours is older than ten minutes."""
        place = ThresholdKey(standing.school.department, month, category)
        seen = standing.thresholds.get(place)
        if seen is not None and seen.seen_at is not None and self._now() - seen.seen_at < THRESHOLD_FRESH:
            return None
        return self._single_flight.in_background(
            ("threshold", asker.school_id, month, category), lambda: self._ask_threshold(place, asker)
        )

    def refresh_replacements(self, month: str, category: str, asker: Asker) -> asyncio.Task[Any] | None:
        """Ask RdvPermis how many replacements are left in a month, when that was last asked over ten minutes ago."""
        key = (asker.school_id, month, category)
        known = self._replacements.get(key)
        if known is not None and self._now() - known.seen_at < THRESHOLD_FRESH:
            return None
        return self._single_flight.in_background(
            ("replacements", *key), lambda: self._ask_replacements(month, category, asker)
        )

    def replacements(self, month: str, category: str, asker: Asker) -> Replacements | None:
        """What RdvPermis last stated of a month's replacements; None where it never did."""
        return self._replacements.get((asker.school_id, month, category))

    async def _read_standing(self, school_id: str) -> SchoolStanding | None:
        return await queries.of_school(self._engine, school_id, self._now())

    async def _ask_school(self, asker: Asker) -> None:
        at = self._now()
        request = rdv.GetSchoolRequest(on_behalf=asker.on_behalf)
        found = await peers.ask(self._egress.GetSchool, request, principal=asker.principal)
        fte = fte_decimal(found.declared_fte) if found.HasField("declared_fte") else None
        located = found.HasField("latitude_degrees") and found.HasField("longitude_degrees")
        school = School(
            asker.school_id,
            found.department,
            found.licence_number,
            fte,
            latitude=found.latitude_degrees if located else None,
            longitude=found.longitude_degrees if located else None,
        )
        async with transaction(self._engine) as tx:
            await queries.keep_school(tx, school, at)
        self._standings.forget(asker.school_id)

    async def _ask_threshold(self, place: ThresholdKey, asker: Asker) -> None:
        at = self._now()
        request = rdv.GetThresholdRequest(on_behalf=asker.on_behalf, category=place.category, month=place.month)
        answer = await peers.ask(self._egress.GetThreshold, request, principal=asker.principal)
        limit = answer.limit if answer.HasField("limit") else None
        taken = answer.taken if answer.HasField("taken") else None
        fte = fte_decimal(answer.fte) if answer.HasField("fte") else None
        async with transaction(self._engine) as tx:
            await queries.keep_threshold(tx, asker.school_id, place, limit, taken, fte, at)
            await self._announce(tx, {(asker.school_id, place)}, at)
        self._standings.forget(asker.school_id)

    async def _ask_replacements(self, month: str, category: str, asker: Asker) -> None:
        at = self._now()
        request = rdv.GetReplacementsRequest(on_behalf=asker.on_behalf, category=category, date=f"{month}-01")
        answer = await peers.ask(self._egress.GetReplacements, request, principal=asker.principal)
        self._replacements[asker.school_id, month, category] = Replacements(answer.left, answer.per_month, at)


def fte_decimal(value: float) -> Decimal:
    """A declared number of trainers, to the hundredth, without binary dust."""
    return Decimal(str(value)).quantize(Decimal("0.01"))
