"""Acts on a school's licence, trainers, vehicles and hours; the FTE follows in the same transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import school_pb2 as pb
from resapermis_kit.clock import Clock
from resapermis_kit.database.idempotency import Command, begin, finish
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc.auth import Principal
from resapermis_places.days import local_day, month_of
from resapermis_scheduling_rules import events as records
from resapermis_scheduling_rules.domain.days import instant
from resapermis_scheduling_rules.school import events, staff_queries, wire
from resapermis_scheduling_rules.school import queries as school_queries
from resapermis_scheduling_rules.school.fte import Hours, compute, last_night, months_in_force, oldest_month
from resapermis_scheduling_rules.school.schools import Announce
from resapermis_scheduling_rules.school.staff import Term, Vehicle, departments_at, due_warnings, terms_with

A_ROUND = 100
"""Schools computed in one round for a department; the next round takes the next."""
ANYWHERE = timedelta(days=1)
"""What is a day ago in UTC is past in every department."""
KEPT_WARNINGS = staff_queries.ENDED_LATELY + timedelta(days=1)


@dataclass(frozen=True)
class StaffCommands:
    """An administrator's commands on licence, trainers, vehicles, hours; record and FTE in the same commit."""

    engine: AsyncEngine
    outbox: Outbox
    now: Clock
    announce: Announce

    async def set_licence(self, who: Principal, until: datetime | None) -> None:
        """Keep the end of the licence; None: not known."""
        async with transaction(self.engine) as tx:
            await staff_queries.set_licence(tx, who.school_id, until)
            facts = {"licensedUntil": instant(until) if until else ""}
            record = records.person_record(who, "school.licence", "school", who.school_id, facts)
            await self.outbox.add(tx, self.now(), record)

    async def set_trainer(self, who: Principal, term: Term) -> None:
        """Add a trainer or begin a new term; the FTE follows at once."""
        now = self.now()
        async with transaction(self.engine) as tx:
            home = await _locked(tx, who.school_id)
            terms = terms_with(await staff_queries.terms(tx, who.school_id, term.trainer_id), term)
            await staff_queries.keep_terms(tx, who.school_id, term.trainer_id, terms, who.account_id, now)
            record = records.person_record(who, "trainer.set", "trainer", term.trainer_id, events.term_facts(term))
            await self.outbox.add(tx, now, record)
            await recompute(tx, self.outbox, self.announce, who.school_id, home, now)

    async def add_vehicle(self, who: Principal, vehicle: Vehicle, request: pb.SetVehicleRequest) -> Vehicle:
        """Add a vehicle, once by its request id; return what was added then."""
        now = self.now()
        command = Command(who.account_id, request, pb.SetVehicleResponse)
        async with transaction(self.engine) as tx:
            answered = await begin(tx, command, now)
            if answered is not None:
                return wire.vehicle_of(answered.vehicle)
            await staff_queries.add_vehicle(tx, who.school_id, vehicle, now)
            await self._record(tx, who, vehicle, now)
            await finish(tx, command, pb.SetVehicleResponse(vehicle=wire.vehicle(vehicle)))
        return vehicle

    async def change_vehicle(self, who: Principal, vehicle: Vehicle) -> None:
        """Change a vehicle. NOT_FOUND: the school has none by this id."""
        now = self.now()
        async with transaction(self.engine) as tx:
            if not await staff_queries.change_vehicle(tx, who.school_id, vehicle, now):
                raise Failure(Code.CODE_NOT_FOUND, "the school has no vehicle by this id")
            await self._record(tx, who, vehicle, now)

    async def _record(self, tx: Tx, who: Principal, vehicle: Vehicle, now: datetime) -> None:
        record = records.person_record(who, "vehicle.set", "vehicle", vehicle.id, events.vehicle_facts(vehicle))
        await self.outbox.add(tx, now, record)

    async def declare(self, who: Principal, hours: Sequence[Hours]) -> None:
        """Keep declared hours; the FTE follows at once. MALFORMED: a trainer that the school does not have."""
        now = self.now()
        async with transaction(self.engine) as tx:
            home = await _locked(tx, who.school_id)
            known = {term.trainer_id for term in await staff_queries.terms(tx, who.school_id)}
            for n, one in enumerate(hours):
                if one.trainer_id not in known:
                    raise malformed(f"hours[{n}].trainer_id", "not a trainer of the school")
            await staff_queries.declare(tx, who.school_id, hours, now)
            for trainer_id in sorted({one.trainer_id for one in hours}):
                mine = sorted((one for one in hours if one.trainer_id == trainer_id), key=lambda one: one.month)
                facts = {f"{one.month} {one.category} {one.kind}": str(one.hundredths) for one in mine}
                record = records.person_record(who, "hours.declare", "trainer", trainer_id, facts)
                await self.outbox.add(tx, now, record)
            await recompute(tx, self.outbox, self.announce, who.school_id, home, now)


async def _locked(tx: Tx, school_id: str) -> str:
    home = await staff_queries.lock(tx, school_id)
    if home is None:
        raise Failure(Code.CODE_UNAVAILABLE, "the school is not known yet; try again")
    return home


async def recompute(tx: Tx, outbox: Outbox, announce: Announce, school_id: str, home: str, now: datetime) -> None:
    """Compute a school's FTE over the months in force and record what came out differently; its row is locked."""
    months = months_in_force(now, home)
    hours = await staff_queries.hours_since(tx, school_id, months.first)
    before = {(one.department, one.category): one for one, _ in await staff_queries.ftes_of(tx, school_id)}
    computed = compute(hours, departments_at(await staff_queries.terms(tx, school_id), now), [home], months)
    await staff_queries.keep_ftes(tx, school_id, computed, now)
    different = [one for one in computed if before.get((one.department, one.category)) != one]
    await outbox.add(tx, now, *(events.fte_computed(school_id, one) for one in different))
    if different:
        month = month_of(local_day(now, home))
        places = set(await school_queries.usage(tx, school_id, month))
        places |= await school_queries.seen_places(tx, school_id, month)
        await announce(tx, {(school_id, place) for place in places}, now)


@dataclass(frozen=True)
class SchoolTasks:
    """What is done unasked about schools: FTE by night, warnings before a licence or authorisation ends."""

    engine: AsyncEngine
    outbox: Outbox
    now: Clock
    announce: Announce

    async def compute(self) -> None:
        """Compute what is older than its department's last night or than a planned change of trainers."""
        now = self.now()
        async with transaction(self.engine) as tx:
            due_now = await staff_queries.terms_crossed(tx, now, A_ROUND)
            for department in await staff_queries.departments_with_hours(tx):
                due_now += await staff_queries.not_computed_since(tx, department, last_night(now, department), A_ROUND)
        for school_id in dict.fromkeys(due_now):
            async with transaction(self.engine) as tx:
                home = await _locked(tx, school_id)
                await recompute(tx, self.outbox, self.announce, school_id, home, now)

    async def warn(self) -> None:
        """Tell schools 30, 7 and 1 days before a licence or authorisation ends, and when it has; each once."""
        now = self.now()
        async with transaction(self.engine) as tx:
            found = await staff_queries.endings(tx, now)
        for ending in found:
            days = due_warnings(ending.ends_at, now)
            async with transaction(self.engine) as tx:
                nearest = min(days)
                if nearest in await staff_queries.first_to_warn(tx, ending, days):
                    await self.outbox.add(tx, now, *events.ending(ending, nearest))

    async def forget(self) -> None:
        """Delete hours that no FTE counts any more, and notes of warnings of ends long past."""
        now = self.now()
        async with transaction(self.engine) as tx:
            await staff_queries.forget_hours(tx, oldest_month((now - ANYWHERE).date()))
            await staff_queries.forget_endings(tx, now - KEPT_WARNINGS)
