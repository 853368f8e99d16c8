"""A school as its administrator keeps it: licence, trainers, vehicles, hours; the FTE and the warnings that follow."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from scheduling_peers import NOW
from school_desk import FULL, Desk, stamp

from resapermis.audit.v1.events_pb2 import Record
from resapermis.scheduling.v1 import scheduling_pb2
from resapermis.scheduling.v1 import school_pb2 as pb
from resapermis.scheduling.v1.events_pb2 import AuthorisationEnding
from resapermis_kit.database.transaction import transaction
from resapermis_scheduling_rules.school import queries as standings
from resapermis_scheduling_rules.school.tables import hours, trainers


async def refused(call: Awaitable[Any]) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


@pytest.mark.req("R-28", "R-34")
async def test_a_school_is_what_rdvpermis_says_and_what_its_administrator_keeps(desk: Desk) -> None:
    found = desk.around.state.schools["school-1"]
    found.latitude_degrees, found.longitude_degrees = 48.63, 2.43
    answer = await desk.school.SetLicence(pb.SetLicenceRequest(licensed_until=stamp(2028, 6, 30)), metadata=desk.who())
    school = answer.school
    assert (school.id, school.department, school.declared_fte) == ("school-1", "91", 2.0)
    assert (school.latitude_degrees, school.longitude_degrees) == (48.63, 2.43)
    assert school.licensed_until.ToDatetime(UTC) == datetime(2028, 6, 30, tzinfo=UTC)
    desk.around.clock.move(hours=2)
    desk.around.rooms.schools.forget("school-1")
    again = (await desk.school.GetSchool(pb.GetSchoolRequest(), metadata=desk.who("trainer"))).school
    assert again.licensed_until == school.licensed_until  # RdvPermis says nothing of it
    answer = await desk.school.SetLicence(pb.SetLicenceRequest(), metadata=desk.who())
    assert not answer.school.HasField("licensed_until")
    assert ("account-1", "school.licence", "school-1") in await desk.acts()


@pytest.mark.req("R-28")
async def test_only_the_administrator_changes_a_school(desk: Desk) -> None:
    manager = desk.who("school_manager")
    trainer = pb.Trainer(id="t1", department="91", categories=["B"])
    assert await refused(desk.school.SetTrainer(pb.SetTrainerRequest(trainer=trainer), metadata=manager)) is (
        grpc.StatusCode.PERMISSION_DENIED
    )
    assert await refused(desk.school.SetLicence(pb.SetLicenceRequest(), metadata=manager)) is (
        grpc.StatusCode.PERMISSION_DENIED
    )
    assert await desk.acts() == []


@pytest.mark.req("R-28")
async def test_a_term_begins_at_midnight_and_ends_the_one_before(desk: Desk) -> None:
    first = await desk.trainer(authorised_until=stamp(2027, 1, 1))
    assert first.active_from.ToDatetime(UTC) == datetime(2025, 12, 31, 23, tzinfo=UTC)
    assert first.may_accompany
    await desk.trainer(department="75", categories=["B", "A"], active_from=stamp(2026, 12, 15, 13))
    found = (await desk.school.ListTrainers(pb.ListTrainersRequest(), metadata=desk.who())).trainers
    moved = datetime(2026, 12, 14, 23, tzinfo=UTC)
    assert [(one.department, list(one.categories), one.may_accompany) for one in found] == [
        ("91", ["B"], True),
        ("75", ["A", "B"], False),
    ]
    assert found[0].active_until.ToDatetime(UTC) == moved == found[1].active_from.ToDatetime(UTC)
    await desk.trainer(active_from=stamp(2026, 12, 1), active_until=stamp(2027, 1, 1))  # plans anew
    found = (await desk.school.ListTrainers(pb.ListTrainersRequest(), metadata=desk.who())).trainers
    assert [one.active_from.ToDatetime(UTC).month for one in found] == [12, 11]


@pytest.mark.req("R-28")
async def test_who_lost_their_authorisation_may_not_accompany(desk: Desk) -> None:
    lapsed = await desk.trainer(authorised_until=stamp(at=NOW))
    still = await desk.trainer("t2", authorised_until=stamp(at=NOW + timedelta(seconds=1)))
    assert (lapsed.may_accompany, still.may_accompany) == (False, True)


@pytest.mark.req("R-28")
async def test_the_database_lets_no_two_terms_of_a_trainer_overlap(desk: Desk) -> None:
    await desk.trainer()
    row = {"school_id": "school-1", "id": "t1", "department": "75", "categories": ["B"], "active_from": NOW}
    with pytest.raises(sa.exc.IntegrityError, match="one_term_of_a_trainer_at_a_time"):
        async with transaction(desk.around.engine) as tx:
            await tx.execute(sa.insert(trainers).values(row | {"set_by": "a", "set_at": NOW}))


@pytest.mark.req("R-28")
async def test_vehicles_are_added_and_changed(desk: Desk) -> None:
    clio = pb.Vehicle(label="Clio 2", categories=["B"], gearbox="manual")
    added = (
        await desk.school.SetVehicle(pb.SetVehicleRequest(vehicle=clio, request_id="1"), metadata=desk.who())
    ).vehicle
    again = await desk.school.SetVehicle(pb.SetVehicleRequest(vehicle=clio, request_id="1"), metadata=desk.who())
    assert again.vehicle == added
    added.retired = True
    await desk.school.SetVehicle(pb.SetVehicleRequest(vehicle=added), metadata=desk.who())
    known = (await desk.school.ListVehicles(pb.ListVehiclesRequest(), metadata=desk.who("trainer"))).vehicles
    assert [(one.id, one.label, one.gearbox, one.retired) for one in known] == [(added.id, "Clio 2", "manual", True)]
    other = desk.who(school_id="school-2")
    assert await refused(desk.school.SetVehicle(pb.SetVehicleRequest(vehicle=added), metadata=other)) is (
        grpc.StatusCode.NOT_FOUND
    )
    assert [(action, thing) for _, action, thing in await desk.acts()] == [("vehicle.set", added.id)] * 2
    assert all("Clio" not in str(record) for record in await desk.published(Record))


@pytest.mark.req("D-17", "R-10")
async def test_declared_hours_become_fte_at_once(desk: Desk) -> None:
    await desk.trainer()
    assert await desk.ftes() == {}
    await desk.declare(*FULL)
    assert await desk.ftes() == {("91", "B"): 100}
    await desk.declare(
        ("2026-09", "B", "accompanied", 100), ("2026-09", "B", "practical", 51.67)
    )  # the second replaces
    assert await desk.ftes() == {("91", "B"): 104}  # (303.34 + 51.67 + 100 x 1.2) / 455.01
    standing = await standings.of_school(desk.around.engine, "school-1", NOW)
    assert standing is not None
    assert {place: one.fte for place, one in standing.ftes.items()} == {("91", "B"): Decimal("1.04")}


@pytest.mark.req("D-17", "R-10", "R-28")
async def test_thresholds_follow_hours_and_trainers_at_once(desk: Desk) -> None:
    desk.around.state.slot("s1")
    await desk.around.poll()  # a category is known by its centres

    async def december() -> tuple[int, float]:
        answer = await desk.around.stub().ListThresholds(
            scheduling_pb2.ListThresholdsRequest(), metadata=desk.around.who()
        )
        found = next(one for one in answer.thresholds if (one.month, one.category) == ("2026-12", "B"))
        return found.limit, found.fte

    assert await december() == (9, 2.0)  # RdvPermis' number of trainers x 4.5
    await desk.trainer()
    await desk.declare(*FULL)
    assert await december() == (4, 1.0)
    await desk.trainer("t2")
    await desk.declare(*FULL, trainer_id="t2")
    assert await december() == (9, 2.0)
    await desk.trainer("t2", active_until=stamp(at=NOW - timedelta(days=1)))
    assert await december() == (4, 1.0)


@pytest.mark.req("D-17", "R-10", "R-28")
async def test_a_change_of_trainers_changes_the_fte_at_once(desk: Desk) -> None:
    await desk.trainer()
    await desk.trainer("t2")
    await desk.declare(*FULL)
    await desk.declare(*FULL, trainer_id="t2")
    assert await desk.ftes() == {("91", "B"): 200}
    await desk.trainer("t2", department="75", active_from=stamp(at=NOW))
    assert await desk.ftes() == {("75", "B"): 100, ("91", "B"): 100}
    await desk.trainer("t2", department="75", active_from=stamp(at=NOW - timedelta(days=1)), active_until=stamp(at=NOW))
    assert await desk.ftes() == {("91", "B"): 100}
    await desk.trainer(active_from=stamp(2026, 1, 1), active_until=stamp(2026, 11, 1))
    assert await desk.ftes() == {("91", "B"): 0}
    records = [one for one in await desk.published(Record) if one.action == "fte.compute"]
    assert [one.facts["hundredths"] for one in records] == ["100", "200", "100", "100", "0"]


@pytest.mark.req("R-10", "D-17")
async def test_a_threshold_shows_wherever_there_are_hours(desk: Desk) -> None:
    await desk.trainer()
    await desk.trainer("t2", department="75")
    await desk.declare(*FULL)
    await desk.declare(*FULL, trainer_id="t2")
    answer = await desk.around.stub().ListThresholds(scheduling_pb2.ListThresholdsRequest(), metadata=desk.around.who())
    assert [(one.department, one.category, one.limit) for one in answer.thresholds if one.month == "2026-12"] == [
        ("91", "B", 4),
        ("75", "B", 4),
    ]


@pytest.mark.req("D-17")
async def test_the_night_computes_what_it_brings_and_only_once(desk: Desk) -> None:
    await desk.trainer()
    await desk.declare(*FULL, ("2026-10", "B", "practical", 303.34))
    assert await desk.ftes() == {("91", "B"): 100}
    answer = await desk.school.ListHours(pb.ListHoursRequest(), metadata=desk.who())
    night = datetime(2026, 11, 24, 23, tzinfo=UTC)
    assert answer.next_at.ToDatetime(UTC) == night
    assert (answer.fte[0].first_month, answer.fte[0].last_month) == ("2026-07", "2026-09")
    desk.around.clock.at = night - timedelta(seconds=1)
    await desk.school_tasks.compute()
    assert await desk.ftes() == {("91", "B"): 100}
    desk.around.clock.at = night
    await desk.school_tasks.compute()
    assert await desk.ftes() == {("91", "B"): 133}
    computed = len(await desk.published(Record))
    desk.around.clock.move(hours=1)
    await desk.school_tasks.compute()
    assert len(await desk.published(Record)) == computed


@pytest.mark.req("R-10", "R-28")
async def test_a_change_that_was_planned_counts_from_its_day(desk: Desk) -> None:
    await desk.trainer(active_until=stamp(2026, 11, 28))
    await desk.declare(*FULL, ("2026-10", "B", "practical", 151.67))
    desk.around.clock.at = datetime(2026, 11, 27, 12, tzinfo=UTC)
    await desk.school_tasks.compute()
    assert await desk.ftes() == {("91", "B"): 100}
    desk.around.clock.at = datetime(2026, 11, 27, 23, tzinfo=UTC)  # midnight in Paris
    await desk.school_tasks.compute()
    assert await desk.ftes() == {("91", "B"): 0}
    computed = len(await desk.published(Record))
    await desk.school_tasks.compute()
    assert len(await desk.published(Record)) == computed


@pytest.mark.req("D-17")
async def test_two_who_declare_at_once_both_count(desk: Desk) -> None:
    for trainer_id in ("t1", "t2", "t3", "t4"):
        await desk.trainer(trainer_id)
    await asyncio.gather(*(desk.declare(*FULL, trainer_id=trainer_id) for trainer_id in ("t1", "t2", "t3", "t4")))
    assert await desk.ftes() == {("91", "B"): 400}


@pytest.mark.req("D-17")
@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"month": "2026-12"}, "hours[0].month"),
        ({"month": "2026-06"}, "hours[0].month"),
        ({"month": "2026-13"}, "hours[0].month"),
        ({"kind": "simulator"}, "hours[0].kind"),
        ({"category": "b"}, "hours[0].category"),
        ({"hundredths": -1}, "hours[0].hundredths"),
        ({"hundredths": 74_401}, "hours[0].hundredths"),
        ({"trainer_id": "unknown"}, "hours[0].trainer_id"),
    ],
)
async def test_hours_that_cannot_be_are_refused(desk: Desk, change: dict[str, Any], field: str) -> None:
    await desk.trainer()
    good: dict[str, Any] = {
        "trainer_id": "t1",
        "month": "2026-10",
        "category": "B",
        "kind": "practical",
        "hundredths": 100,
    }
    request = pb.DeclareHoursRequest(hours=[pb.Hours(**(good | change))])
    with pytest.raises(grpc.aio.AioRpcError, match=field.replace("[", r"\[").replace("]", r"\]")) as caught:
        await desk.school.DeclareHours(request, metadata=desk.who())
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.req("R-28")
@pytest.mark.parametrize(
    "change",
    [
        {"department": "99"},
        {"department": "1"},
        {"categories": []},
        {"categories": ["b"]},
        {"active_until": stamp(2026, 1, 1)},
        {"active_from": stamp(1, 1, 1)},
        {"authorised_until": stamp(9999, 12, 31)},
    ],
)
async def test_a_trainer_who_cannot_be_is_refused(desk: Desk, change: dict[str, Any]) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await desk.trainer(**change)
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.req("R-28")
async def test_an_end_is_published_30_7_and_1_days_before_and_when_it_has_come_once_each(desk: Desk) -> None:
    ends = NOW + timedelta(days=40)
    await desk.trainer(authorised_until=stamp(at=ends))
    await desk.school.SetLicence(pb.SetLicenceRequest(licensed_until=stamp(at=ends)), metadata=desk.who())
    warned = []
    for hour in range(0, 42 * 24, 24):
        desk.around.clock.at = NOW + timedelta(hours=hour)
        before = len(await desk.published(AuthorisationEnding))
        await desk.school_tasks.warn()
        new = (await desk.published(AuthorisationEnding))[before:]
        warned += [(one.what, one.trainer_id, (ends - desk.around.clock()).days) for one in new]
    assert sorted(warned) == sorted(
        (what, trainer, days) for what, trainer in (("licence", ""), ("trainer", "t1")) for days in (30, 7, 1, 0)
    )


@pytest.mark.req("R-28")
async def test_who_sets_an_end_late_is_warned_once_of_the_nearest(desk: Desk) -> None:
    await desk.trainer(authorised_until=stamp(at=NOW + timedelta(days=3)))
    await desk.school_tasks.warn()
    await desk.school_tasks.warn()
    assert [one.trainer_id for one in await desk.published(AuthorisationEnding)] == ["t1"]
    await desk.trainer(authorised_until=stamp(2028, 1, 1))  # renewed: nothing more to say
    desk.around.clock.move(days=5)
    await desk.school_tasks.warn()
    assert len(await desk.published(AuthorisationEnding)) == 1


@pytest.mark.req("R-28")
async def test_a_term_that_ends_before_its_authorisation_warns_of_nothing(desk: Desk) -> None:
    await desk.trainer(authorised_until=stamp(at=NOW + timedelta(days=20)))
    await desk.trainer(active_from=stamp(at=NOW + timedelta(days=10)), authorised_until=stamp(2030, 1, 1))
    await desk.school_tasks.warn()
    assert await desk.published(AuthorisationEnding) == []


@pytest.mark.req("D-17")
async def test_hours_that_no_fte_counts_any_more_are_forgotten_and_no_others(desk: Desk) -> None:
    await desk.trainer()
    await desk.declare(*FULL)
    for now, left in (
        (NOW, ["2026-07", "2026-08", "2026-09"]),
        (datetime(2026, 12, 24, 22, tzinfo=UTC), ["2026-08", "2026-09"]),
        (datetime(2027, 2, 3, tzinfo=UTC), []),
    ):
        desk.around.clock.at = now
        await desk.school_tasks.forget()
        async with transaction(desk.around.engine) as tx:
            assert (await tx.execute(sa.select(hours.c.month).order_by(hours.c.month))).scalars().all() == left
