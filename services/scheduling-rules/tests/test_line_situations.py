"""What stands in the way of a line: one question for all lines of an action, from a school's own records alone."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from scheduling_peers import NOW, Service
from sqlalchemy.dialects.postgresql import Range

from resapermis_kit.database.transaction import transaction
from resapermis_scheduling_rules.availability.tables import occurrences, unavailabilities
from resapermis_scheduling_rules.domain.availability import LineAvailability, LineResources
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.slots import Centre, Slot, Status
from resapermis_scheduling_rules.evaluation import queries as actions
from resapermis_scheduling_rules.mirror.tables import centres, slots
from resapermis_scheduling_rules.school.tables import lines, trainers, vehicles

RUNGIS = Centre("c1", "Rungis", "94", 48.747, 2.352)
EVRY = Centre("c2", "Évry", "91", 48.624, 2.429)  # 15 km: a drive of 24 minutes
CHARTRES = Centre("c3", "Chartres", "28", 48.456, 1.484)  # 72 km: a drive of 112 minutes
NINE = datetime.fromisoformat("2026-12-09T09:00+00:00")


def slot(minutes: float = 0, centre: Centre = RUNGIS) -> Slot:
    starts = NINE + timedelta(minutes=minutes)
    ends = starts + timedelta(minutes=32)
    return Slot("s", centre, starts, ends, "B", "CIRCULATION", NOW, Status.FREE, NOW)


async def unavailable(
    service: Service, kind: str, subject_id: str, starts: float, ends: float, school_id: str = "school-1"
) -> str:
    """From and to, in minutes after nine."""
    since, until = (NINE + timedelta(minutes=minutes) for minutes in (starts, ends))
    mine = {"school_id": school_id, "kind": kind, "subject_id": subject_id}
    row = {"id": str(uuid4()), "starts_at": since, "ends_at": until, "rrule": "", "time_zone": "Europe/Paris"}
    async with transaction(service.engine) as tx:
        await tx.execute(sa.insert(unavailabilities).values(row | mine | {"set_by": "a", "set_at": NOW}))
        await tx.execute(
            sa.insert(occurrences).values(mine | {"unavailability_id": row["id"], "during": Range(since, until)})
        )
    return str(row["id"])


async def booked(service: Service, line_id: str, centre: Centre, minutes: float, **whom: str) -> None:
    at = slot(minutes, centre)
    row: dict[str, Any] = {"id": line_id, "school_id": "school-1", "department": "91", "month": "2026-12"}
    row |= {"category": "B", "changed_at": NOW, "slot_id": line_id, "centre_id": centre.id}
    row |= {"starts_at": at.starts_at, "ends_at": at.ends_at} | whom
    async with transaction(service.engine) as tx:
        await tx.execute(sa.insert(lines).values(row))


async def ask(
    service: Service, *wants: LineResources, school_id: str = "school-1", widest: Parameters | None = None
) -> Sequence[LineAvailability]:
    """Each want's slot is laid into the mirror first, under an id of its own."""
    ids = [str(uuid4()) for _ in wants]
    async with transaction(service.engine) as tx:
        for slot_id, want in zip(ids, wants, strict=True):
            at = want.slot
            row = {"id": slot_id, "centre_id": at.centre.id, "department": at.centre.department, "category": "B"}
            row |= {"kind": at.kind, "status": at.status.value}
            times = {"starts_at": at.starts_at, "ends_at": at.ends_at, "published_at": NOW, "seen_at": NOW}
            await tx.execute(sa.insert(slots).values(row | times))
    asked = [
        actions.Line(slot_id, want.candidate_id, want.trainer_id, want.vehicle_id)
        for slot_id, want in zip(ids, wants, strict=True)
    ]
    (known,) = await actions.read_facts(
        service.engine, [actions.AskedAction(school_id, asked, widest or Parameters(), NOW)]
    )
    return [known.situation(n, want, Parameters()) for n, want in enumerate(wants)]


@pytest.fixture
async def around(service: Service) -> Service:
    """Three centres are known."""
    async with transaction(service.engine) as tx:
        for one in (RUNGIS, EVRY, CHARTRES):
            row = {"id": one.id, "name": one.name, "department": one.department}
            await tx.execute(sa.insert(centres).values(row | {"latitude": one.latitude, "longitude": one.longitude}))
    return service


@pytest.mark.req("R-17")
async def test_each_lines_own_people_are_looked_at_and_no_others(around: Service) -> None:
    ids = {
        kind: await unavailable(around, kind, subject, 10, 20)
        for kind, subject in (("candidate", "p1"), ("trainer", "t1"), ("vehicle", "v1"), ("school", ""))
    }
    await unavailable(around, "trainer", "t2", 10, 20)
    await unavailable(around, "trainer", "t1", 10, 20, school_id="school-2")
    everything, trainer, nobody, later = await ask(
        around,
        LineResources(slot(), "p1", "t1", "v1"),
        LineResources(slot(), trainer_id="t1"),
        LineResources(slot()),
        LineResources(slot(24 * 60), "p1", "t1", "v1"),
    )
    assert {one.whose: one.id for one in everything.conflicts} == ids
    assert {one.whose for one in trainer.conflicts} == {"trainer", "school"}
    assert {one.whose for one in nobody.conflicts} == {"school"}
    assert later.conflicts == ()


@pytest.mark.req("R-17")
@pytest.mark.parametrize(
    ("starts", "ends", "meets"),
    [(-90, -30, False), (-90, -29, True), (61, 90, True), (62, 90, False), (-10_000, 10_000, True)],
)
async def test_half_an_hour_is_kept_free_on_each_side(around: Service, starts: int, ends: int, meets: bool) -> None:  # noqa: FBT001 - a case's expectation
    await unavailable(around, "trainer", "t1", starts, ends)
    (found,) = await ask(around, LineResources(slot(), trainer_id="t1"))
    assert bool(found.conflicts) is meets


@pytest.mark.req("R-17")
async def test_pupils_follow_each_other_at_one_centre_and_the_road_counts_between_two(around: Service) -> None:
    await booked(around, "line-1", RUNGIS, 0, trainer_id="t1", vehicle_id="v1", candidate_id="p1")

    async def meets(minutes: float, centre: Centre) -> list[tuple[str, str, int]]:
        (found,) = await ask(around, LineResources(slot(minutes, centre), "p2", "t1", "v2"))
        return [(one.whose, one.id, one.travel_minutes) for one in found.conflicts]

    assert await meets(32, RUNGIS) == []
    assert await meets(31, RUNGIS) == [("trainer", "line-1", 0)]
    assert await meets(62, EVRY) == []  # the margin is longer than the drive
    assert await meets(61, EVRY) == [("trainer", "line-1", 24)]
    assert await meets(140, CHARTRES) == [("trainer", "line-1", 112)]
    assert await meets(-140, CHARTRES) == [("trainer", "line-1", 112)]
    assert await meets(32 + 112, CHARTRES) == []


@pytest.mark.req("R-17")
async def test_looking_further_around_than_a_place_needs_finds_no_other_conflict(around: Service) -> None:
    far_around = Parameters(available_margin_minutes=1440, exam_minutes=600, travel_kmh=1)
    await unavailable(around, "trainer", "t1", 62, 90)
    await booked(around, "line-1", RUNGIS, 0, trainer_id="t1")
    for want in (LineResources(slot(), trainer_id="t1"), LineResources(slot(140, CHARTRES), trainer_id="t1")):
        (usual,) = await ask(around, want)
        (wide,) = await ask(around, want, widest=far_around)
        assert usual == wide


@pytest.mark.req("R-17")
async def test_a_line_is_no_conflict_with_itself(around: Service) -> None:
    await booked(around, "line-1", RUNGIS, 0, trainer_id="t1", candidate_id="p1")
    own, other = await ask(
        around, LineResources(slot(), "p1", "t1", own_lines=frozenset({"line-1"})), LineResources(slot(), "p1", "t1")
    )
    assert own.conflicts == ()
    assert [(one.whose, one.what) for one in other.conflicts] == [("candidate", "booking"), ("trainer", "booking")]


@pytest.mark.req("R-17", "R-28")
async def test_trainer_and_vehicle_are_found_as_they_are_at_the_slots_hour(around: Service) -> None:
    term = {"school_id": "school-1", "id": "t1", "set_by": "a", "set_at": NOW, "categories": ["B"]}
    moved = NINE + timedelta(days=2)
    async with transaction(around.engine) as tx:
        for department, since, until in (("91", NOW - timedelta(days=9), moved), ("75", moved, None)):
            row = {"department": department, "active_from": since, "active_until": until, "authorised_until": None}
            await tx.execute(sa.insert(trainers).values(term | row))
        for vehicle_id, retired in (("v1", False), ("v2", True)):
            row = {"label": "Clio", "categories": ["B"], "gearbox": "manual", "retired": retired}
            await tx.execute(
                sa.insert(vehicles).values(row | {"school_id": "school-1", "id": vehicle_id, "set_at": NOW})
            )
    now, later, unknown, out_of_use, elsewhere = await ask(
        around,
        LineResources(slot(), trainer_id="t1", vehicle_id="v1"),
        LineResources(slot(3 * 24 * 60), trainer_id="t1"),
        LineResources(slot(), trainer_id="t9", vehicle_id="v9"),
        LineResources(slot(), vehicle_id="v2"),
        LineResources(slot()),
    )
    assert now.trainer is not None
    assert now.vehicle is not None
    assert (now.trainer.department, now.trainer.accompanies(slot()), now.vehicle.gearbox) == ("91", True, "manual")
    assert later.trainer is not None
    assert later.trainer.department == "75"
    assert (unknown.trainer, unknown.vehicle, out_of_use.vehicle, elsewhere.trainer) == (None,) * 4


@pytest.mark.req("R-17")
async def test_the_question_about_occurrences_is_one_indexed_range(around: Service) -> None:
    async with transaction(around.engine) as tx:
        await tx.execute(sa.text("SET LOCAL enable_seqscan = off"))
        plan = await tx.execute(
            sa.text(
                "EXPLAIN SELECT 1 FROM occurrence WHERE school_id = 's' AND kind = 'trainer' AND subject_id = 't' "
                "AND during && tstzrange(now(), now() + interval '1 hour')"
            )
        )
        assert "occurrence_conflict_idx" in "\n".join(plan.scalars())
