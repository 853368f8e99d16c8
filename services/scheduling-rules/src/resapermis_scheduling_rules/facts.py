"""Gathers what rules need: schools, thresholds, parameters and centres, remembered for seconds."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.deadline import deadline
from resapermis_scheduling_rules.domain.parameters import Parameters, Rulebook
from resapermis_scheduling_rules.domain.quota import Place
from resapermis_scheduling_rules.domain.slots import Centre, School
from resapermis_scheduling_rules.domain.standing import Standing
from resapermis_scheduling_rules.evaluation import thresholds
from resapermis_scheduling_rules.mirror import centres as exam_centres
from resapermis_scheduling_rules.mirror.poller import Asker
from resapermis_scheduling_rules.parameters import queries as parameter_queries
from resapermis_scheduling_rules.school import queries as schools
from resapermis_scheduling_rules.school import queries as standings

if TYPE_CHECKING:
    from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceAsyncStub


SCHOOL_FRESH = timedelta(hours=1)
CENTRES_FRESH = timedelta(days=1)
THRESHOLD_FRESH = timedelta(minutes=10)
ASK_SECONDS = 5.0
REMEMBERED = 20_000
V = TypeVar("V")
log = structlog.get_logger()


class Memory(Generic[V]):
    """Values remembered for a few seconds; the whole is dropped rather than grow without end."""

    def __init__(self, now: Clock, seconds: float) -> None:
        """`seconds` is how late a change elsewhere may be seen here."""
        self._now, self._kept = now, timedelta(seconds=seconds)
        self._values: dict[object, tuple[datetime, V]] = {}

    async def get(self, key: object, read: Callable[[], Awaitable[V]]) -> V:
        """Return what is remembered, or read it."""
        now = self._now()
        if self.has(key):
            return self._values[key][1]
        value = await read()
        self.keep(key, value, now)
        return value

    def has(self, key: object) -> bool:
        """Whether it is remembered."""
        known, now = self._values.get(key), self._now()
        return known is not None and now - self._kept < known[0] <= now

    def keep(self, key: object, value: V, read_at: datetime) -> None:
        """Remember what was read along with something else."""
        if len(self._values) >= REMEMBERED:
            self._values.clear()
        self._values[key] = (read_at, value)

    def forget(self, key: object) -> None:
        """Read it anew next time."""
        self._values.pop(key, None)


@dataclass(frozen=True, slots=True)
class Offer:
    """Open centres of a department for a category, and when RdvPermis last said so."""

    centres: Sequence[Centre] = ()
    seen_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Replacements:
    """RdvPermis' allowance of a month; kept in memory only, for a page that shows it."""

    left: int
    per_month: int
    seen_at: datetime


@dataclass
class Facts:
    """One a process. Reads our tables, asks egress for what is missing or old, writes what it says."""

    engine: AsyncEngine
    egress: "RdvPermisServiceAsyncStub"
    now: Clock
    seconds: float
    outbox: Outbox = field(default_factory=lambda: Outbox("scheduling-rules"))
    _rulebook: Memory[Rulebook] = field(init=False)
    _standings: Memory[Standing | None] = field(init=False)
    _offers: Memory[Offer] = field(init=False)
    _replacements: dict[tuple[str, str, str], Replacements] = field(init=False, default_factory=dict)
    _flights: dict[object, asyncio.Task[Any]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        """Make empty memories."""
        self._rulebook = Memory(self.now, self.seconds)
        self._standings = Memory(self.now, self.seconds)
        self._offers = Memory(self.now, self.seconds)

    async def rulebook(self) -> Rulebook:
        """Every parameter that was ever approved. Each change is known here before it counts (`change.ANNOUNCED`)."""

        async def read() -> Rulebook:
            async with transaction(self.engine) as tx:
                return Rulebook(await parameter_queries.approved_parameters(tx))

        return await self._rulebook.get("all", read)

    async def parameters_at(self, department: str = "", category: str = "") -> Parameters:
        """Parameters in force in a place."""
        return (await self.rulebook()).at(self.now(), department, category)

    async def standing(self, asker: Asker) -> Standing:
        """The asker's school; asked from RdvPermis when it was never seen (its Failure then), or again every hour."""
        known = await self._standings.get(asker.school_id, lambda: self._read_standing(asker.school_id))
        return await self.standing_as_read(known, asker)

    async def standing_as_read(self, known: Standing | None, asker: Asker) -> Standing:
        """The same where `known` was just read along with something else."""
        if known is None:
            await self.once(("school", asker.school_id), lambda: self._ask_school(asker))
            known = await self._read_standing(asker.school_id)
            if known is None:
                raise Failure(Code.CODE_UNAVAILABLE, "the school could not be read back; try again")
        elif self.now() - known.seen_at >= SCHOOL_FRESH:
            self.behind(("school", asker.school_id), lambda: self._ask_school(asker))
        return known

    def forget_standing(self, school_id: str) -> None:
        """Read a school and its thresholds anew next time."""
        self._standings.forget(school_id)

    async def offer(self, department: str, category: str, asker: Asker) -> Offer:
        """Centres of a department; asked from RdvPermis when never seen, again once a day."""
        key = (department, category)
        offer = await self._offers.get(key, lambda: self._read_offer(department, category))
        if offer.seen_at is None:
            self._offers.forget(key)
            await self.once(("centres", *key), lambda: self._ask_centres(department, category, asker))
            offer = await self._offers.get(key, lambda: self._read_offer(department, category))
        elif self.now() - offer.seen_at >= CENTRES_FRESH:
            self.behind(("centres", *key), lambda: self._ask_centres(department, category, asker))
        return offer

    async def offers(self, departments: Sequence[str], category: str, asker: Asker) -> list[Offer | BaseException]:
        """Those of several departments, or why one is not known; what is not remembered is read at once."""
        now = self.now()
        unread = [one for one in departments if not self._offers.has((one, category))]
        if unread:
            for one, (centres, seen_at) in (await exam_centres.centres_of(self.engine, unread, category)).items():
                self._offers.keep((one, category), Offer(centres, seen_at), now)
        return await asyncio.gather(*(self.offer(one, category, asker) for one in departments), return_exceptions=True)

    def refresh_threshold(
        self, standing: Standing, month: str, category: str, asker: Asker
    ) -> asyncio.Task[Any] | None:
        """Ask RdvPermis for its own figure behind the answer, when ours is older than ten minutes."""
        place = Place(standing.school.department, month, category)
        seen = standing.thresholds.get(place)
        if seen is not None and seen.seen_at is not None and self.now() - seen.seen_at < THRESHOLD_FRESH:
            return None
        return self.behind(("threshold", asker.school_id, month, category), lambda: self._ask_threshold(place, asker))

    def refresh_replacements(self, month: str, category: str, asker: Asker) -> asyncio.Task[Any] | None:
        """Ask RdvPermis how many replacements are left in a month, when that was last asked over ten minutes ago."""
        key = (asker.school_id, month, category)
        known = self._replacements.get(key)
        if known is not None and self.now() - known.seen_at < THRESHOLD_FRESH:
            return None
        return self.behind(("replacements", *key), lambda: self._ask_replacements(month, category, asker))

    def replacements(self, month: str, category: str, asker: Asker) -> Replacements | None:
        """What RdvPermis last said of a month's replacements; None where it never did."""
        return self._replacements.get((asker.school_id, month, category))

    async def once(self, key: object, work: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Share one run of `work` with everybody who wants the same; its Failure goes to all."""
        await asyncio.shield(self._flight(key, work))

    def behind(self, key: object, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[Any]:
        """Run `work` once behind the answer; a Failure is logged, the old facts stay in force."""

        async def quietly() -> None:
            try:
                await work()
            except Failure as failure:
                log.info("facts.not_refreshed", code=failure.name)

        return self._flight(key, quietly)

    async def close(self) -> None:
        """Give up what is under way."""
        flights = list(self._flights.values())
        for flight in flights:
            flight.cancel()
        await asyncio.gather(*flights, return_exceptions=True)

    def _flight(self, key: object, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[Any]:
        flight = self._flights.get(key)
        if flight is None or flight.done():

            async def fly() -> None:
                deadline.set(time.monotonic() + ASK_SECONDS)  # its own time, others may wait for it too
                await work()

            flight = self._flights[key] = asyncio.create_task(fly())

            def landed(task: asyncio.Task[Any]) -> None:
                if self._flights.get(key) is task:
                    del self._flights[key]
                if not task.cancelled():
                    task.exception()  # taken note of, also when every waiter has left

            flight.add_done_callback(landed)
        return flight

    async def _read_standing(self, school_id: str) -> Standing | None:
        return await standings.of_school(self.engine, school_id, self.now())

    async def _read_offer(self, department: str, category: str) -> Offer:
        return Offer(*(await exam_centres.centres_of(self.engine, [department], category))[department])

    async def _ask_school(self, asker: Asker) -> None:
        at = self.now()
        request = rdv.GetSchoolRequest(on_behalf=asker.on_behalf)
        found = await peers.ask(self.egress.GetSchool, request, principal=asker.principal)
        fte = decimal(found.declared_fte) if found.HasField("declared_fte") else None
        located = found.HasField("latitude_degrees") and found.HasField("longitude_degrees")
        school = School(
            asker.school_id,
            found.department,
            found.licence_number,
            fte,
            latitude=found.latitude_degrees if located else None,
            longitude=found.longitude_degrees if located else None,
        )
        async with transaction(self.engine) as tx:
            await schools.keep_school(tx, school, at)
        self._standings.forget(asker.school_id)

    async def _ask_centres(self, department: str, category: str, asker: Asker) -> None:
        at = self.now()
        request = rdv.SearchCentresRequest(on_behalf=asker.on_behalf, department=department, category=category)
        answer = await peers.ask(self.egress.SearchCentres, request, principal=asker.principal)
        found = [_centre(centre, department) for centre in answer.centres if not centre.closed]
        async with transaction(self.engine) as tx:
            await exam_centres.record_centres(tx, department, category, found, at)
        self._offers.forget((department, category))

    async def _ask_threshold(self, place: Place, asker: Asker) -> None:
        at = self.now()
        request = rdv.GetThresholdRequest(on_behalf=asker.on_behalf, category=place.category, month=place.month)
        answer = await peers.ask(self.egress.GetThreshold, request, principal=asker.principal)
        limit = answer.limit if answer.HasField("limit") else None
        taken = answer.taken if answer.HasField("taken") else None
        fte = decimal(answer.fte) if answer.HasField("fte") else None
        async with transaction(self.engine) as tx:
            await schools.keep_threshold(tx, asker.school_id, place, limit, taken, fte, at)
            await thresholds.tell(tx, self.outbox, {(asker.school_id, place)}, at)
        self._standings.forget(asker.school_id)

    async def _ask_replacements(self, month: str, category: str, asker: Asker) -> None:
        at = self.now()
        request = rdv.GetReplacementsRequest(on_behalf=asker.on_behalf, category=category, date=f"{month}-01")
        answer = await peers.ask(self.egress.GetReplacements, request, principal=asker.principal)
        if len(self._replacements) >= REMEMBERED:
            self._replacements.clear()
        self._replacements[asker.school_id, month, category] = Replacements(answer.left, answer.per_month, at)


def decimal(value: float) -> Decimal:
    """A declared number of trainers, to the hundredth, without binary dust."""
    return Decimal(str(value)).quantize(Decimal("0.01"))


def _centre(found: rdv.RdvCentre, department: str) -> Centre:
    located = found.HasField("latitude_degrees") and found.HasField("longitude_degrees")
    return Centre(
        found.id,
        found.name,
        department,
        found.latitude_degrees if located else None,
        found.longitude_degrees if located else None,
    )
