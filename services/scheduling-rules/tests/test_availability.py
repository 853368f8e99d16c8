"""Who is not free: declared, repeated, imported; the conflicts that are published; trainers' private calendars."""

import asyncio
from collections.abc import Awaitable
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from icalendar import Calendar
from scheduling_peers import NOW, Service
from school_desk import Desk
from test_ical import calendar as ics

from resapermis.audit.v1.events_pb2 import Record
from resapermis.basket.v1 import basket_pb2 as basket
from resapermis.basket.v1.events_pb2 import LineChanged
from resapermis.scheduling.v1 import availability_pb2 as pb
from resapermis.scheduling.v1.events_pb2 import ConflictFound
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events.event import Event
from resapermis_scheduling_rules.availability.tables import feeds, occurrences, unavailabilities
from resapermis_scheduling_rules.mirror.tables import centres
from resapermis_testing.eventually import eventually

NINE = datetime(2026, 12, 9, 8, tzinfo=UTC)
"""Nine in the morning in Paris, on the day of the exam."""
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
SCHOOL = pb.Subject(kind=pb.SUBJECT_KIND_SCHOOL)


def trainer(trainer_id: str = "t1") -> pb.Subject:
    return pb.Subject(kind=pb.SUBJECT_KIND_TRAINER, id=trainer_id)


async def refused(call: Awaitable[Any]) -> grpc.StatusCode:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return caught.value.code()


async def line(service: Service, line_id: str = "line-1", **more: Any) -> None:
    """Basket says that a line of school-1 changed (see `event_of`), a second later."""
    service.clock.move(seconds=1)
    async with transaction(service.engine) as tx:
        await service.rooms.lines.on_lines_changed(tx, [event_of(service, line_id, **more)])


def event_of(
    service: Service, line_id: str = "line-1", to: basket.LineState.ValueType = basket.LINE_STATE_BOOKED, **more: Any
) -> tuple[LineChanged, Event]:
    """A line of school-1 changed to a state: at nine, in the centre c1, with t1 and v1."""
    values: dict[str, Any] = {
        "trainer_id": "t1",
        "vehicle_id": "v1",
        "candidate_id": "p1",
        "at": NINE,
        "before": "CONFIRMING",
    } | more
    event = LineChanged(line_id=line_id, school_id="school-1", slot_id=f"slot of {line_id}", to=to, centre_id="c1")
    event.department, event.month, event.category, event.kind = "91", "2026-12", "B", "CIRCULATION"
    event.trainer_id, event.vehicle_id = values["trainer_id"], values["vehicle_id"]
    event.candidate_id = values["candidate_id"]
    setattr(event, "from", basket.LineState.Value(f"LINE_STATE_{values['before']}"))
    event.starts_at.FromDatetime(values["at"])
    event.ends_at.FromDatetime(values["at"] + timedelta(minutes=32))
    return event, Event("id", "basket", 1, LineChanged.DESCRIPTOR.full_name, service.clock(), b"", "")


async def conflicts_published(desk: Desk) -> list[tuple[str, str]]:
    return [(one.line_id, one.whose) for one in await desk.published(ConflictFound)]


@pytest.mark.req("R-18")
async def test_what_is_declared_is_listed_and_taken_back(desk: Desk) -> None:
    added = (await desk.away(trainer(), NINE, NINE + HOUR)).unavailability
    await desk.away(SCHOOL, NINE + DAY, NINE + DAY + HOUR)
    found = await desk.listed(NOW, NOW + 100 * DAY)
    assert [(one.subject.kind, one.subject.id) for one in found] == [
        (pb.SUBJECT_KIND_TRAINER, "t1"),
        (pb.SUBJECT_KIND_SCHOOL, ""),
    ]
    assert (found[0].id, found[0].starts_at, found[0].time_zone) == (added.id, added.starts_at, "Europe/Paris")
    assert len(await desk.listed(NOW, NOW + 100 * DAY, trainer())) == 1
    assert await desk.listed(NOW, NINE) == []
    other = desk.who("school_manager", school_id="school-2")
    remove = pb.RemoveUnavailabilityRequest(id=added.id)
    assert await refused(desk.availability.RemoveUnavailability(remove, metadata=other)) is grpc.StatusCode.NOT_FOUND
    await desk.availability.RemoveUnavailability(remove, metadata=desk.who())
    assert len(await desk.listed(NOW, NOW + 100 * DAY)) == 1
    assert [action for _, action, _ in await desk.acts()] == [
        "availability.add",
        "availability.add",
        "availability.remove",
    ]


@pytest.mark.req("R-18")
async def test_a_retry_declares_nothing_more(desk: Desk) -> None:
    first, second = await asyncio.gather(
        *(desk.away(trainer(), NINE, NINE + HOUR, request_id="same") for _ in range(2))
    )
    assert first == second
    assert len(await desk.listed(NOW, NOW + 100 * DAY)) == 1
    assert await refused(desk.away(trainer(), NINE, NINE + 2 * HOUR, request_id="same")) is (
        grpc.StatusCode.INVALID_ARGUMENT
    )


@pytest.mark.req("R-18")
async def test_a_recurrence_keeps_its_hour_in_its_zone_and_stands_once_each_time(desk: Desk) -> None:
    monday = datetime(2027, 3, 22, 8, tzinfo=UTC)
    added = await desk.away(
        trainer(), monday, monday + HOUR, rrule="FREQ=WEEKLY;BYDAY=MO;COUNT=3", time_zone="Europe/Paris"
    )
    found = await desk.listed(monday - DAY, monday + 60 * DAY)
    assert [one.starts_at.ToDatetime(UTC).strftime("%d %H") for one in found] == ["22 08", "29 07", "05 07"]
    assert {one.id for one in found} == {added.unavailability.id}
    assert found[0].rrule == "FREQ=WEEKLY;BYDAY=MO;COUNT=3"


@pytest.mark.req("R-18")
@pytest.mark.parametrize(
    "change",
    [
        {"rrule": "FREQ=SECONDLY"},
        {"rrule": "FREQ=HOURLY;COUNT=2"},
        {"rrule": "FREQ=DAILY\r\nEXDATE:20270101T000000Z"},
        {"rrule": "FREQ=DAILY;UNTIL=20200101T000000Z"},
        {"rrule": "FREQ=DAILY;INTERVAL=0"},
        {"rrule": "BYDAY=MO"},
        {"time_zone": "../etc/passwd"},
        {"time_zone": "Mars/Olympus"},
        {"subject": pb.Subject()},
        {"subject": pb.Subject(kind=pb.SUBJECT_KIND_SCHOOL, id="school-2")},
        {"subject": pb.Subject(kind=pb.SUBJECT_KIND_TRAINER)},
        {"ends": NINE},
        {"ends": NINE + 401 * DAY},
        {"starts": NOW - 2 * DAY, "ends": NOW - DAY},
        {"starts": NOW + 2000 * DAY, "ends": NOW + 2001 * DAY},
    ],
)
async def test_a_declaration_that_cannot_be_is_refused(desk: Desk, change: dict[str, Any]) -> None:
    values: dict[str, Any] = {"subject": trainer(), "starts": NINE, "ends": NINE + HOUR} | change
    assert await refused(desk.away(**values)) is grpc.StatusCode.INVALID_ARGUMENT
    assert await desk.acts() == []


@pytest.mark.req("R-18")
async def test_a_window_of_more_than_a_hundred_days_is_refused(desk: Desk) -> None:
    assert await refused(desk.listed(NOW, NOW + 101 * DAY)) is grpc.StatusCode.INVALID_ARGUMENT
    assert await refused(desk.listed(NOW, NOW)) is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.req("R-17", "R-18")
async def test_bookings_that_a_declaration_meets_are_published_and_not_changed(desk: Desk) -> None:
    await line(desk.around)
    await line(desk.around, "line-2", at=NINE + DAY)
    await line(desk.around, "line-3", to=basket.LINE_STATE_HELD)
    met = await desk.away(trainer(), NINE - HOUR, NINE - timedelta(minutes=29))
    assert met.met_line_ids == ["line-1"]
    assert (await desk.away(trainer(), NINE - HOUR, NINE - timedelta(minutes=30))).met_line_ids == []
    assert (await desk.away(trainer("t2"), NINE, NINE + HOUR)).met_line_ids == []
    assert (await desk.away(SCHOOL, NINE, NINE + 2 * DAY)).met_line_ids == ["line-1", "line-2"]
    assert await conflicts_published(desk) == [("line-1", "trainer"), ("line-1", "school"), ("line-2", "school")]
    event = (await desk.published(ConflictFound))[0]
    assert (event.slot_id, event.candidate_id, event.time_zone) == ("slot of line-1", "p1", "Europe/Paris")
    assert event.starts_at.ToDatetime(UTC) == NINE


@pytest.mark.req("R-17", "R-18")
async def test_a_booking_that_arrives_upon_what_is_declared_is_published_once(desk: Desk) -> None:
    await desk.away(pb.Subject(kind=pb.SUBJECT_KIND_VEHICLE, id="v1"), NINE, NINE + HOUR)
    await desk.away(pb.Subject(kind=pb.SUBJECT_KIND_CANDIDATE, id="p1"), NINE, NINE + HOUR, rrule="FREQ=DAILY")
    await line(desk.around, to=basket.LINE_STATE_HELD)
    assert await conflicts_published(desk) == []
    await line(desk.around, before="UNSPECIFIED")  # found at RdvPermis
    await line(desk.around, before="BOOKED")
    await line(desk.around, "line-2", at=NINE + 40 * DAY, vehicle_id="")
    assert await conflicts_published(desk) == [("line-1", "candidate"), ("line-1", "vehicle"), ("line-2", "candidate")]


@pytest.mark.req("R-17", "R-18")
async def test_what_is_declared_and_what_is_booked_at_the_same_moment_meet(desk: Desk) -> None:
    engine = desk.around.engine

    async def waits() -> bool:
        waiting = sa.text("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted")
        async with transaction(engine) as tx:
            return adding.done() or (await tx.execute(waiting)).scalar_one() > 0

    async with transaction(engine) as tx:
        await desk.around.rooms.lines.on_lines_changed(tx, [event_of(desk.around)])
        adding = asyncio.create_task(desk.away(trainer(), NINE, NINE + HOUR))
        await eventually(waits)
    assert (await adding).met_line_ids == ["line-1"]
    assert await conflicts_published(desk) == [("line-1", "trainer")]


@pytest.mark.req("R-18")
async def test_an_import_replaces_the_one_before_of_its_subject_alone(desk: Desk) -> None:
    first = ics("UID:1\nSUMMARY:Dentist\nDTSTART:20261209T080000Z\nDTEND:20261209T090000Z", "UID:2\nSUMMARY:x")
    answer = await desk.bring(trainer(), first)
    assert (answer.kept, dict(answer.left_out)) == (1, {"unreadable": 1})
    await desk.bring(trainer("t2"), first)
    await desk.away(trainer(), NINE + DAY, NINE + DAY + HOUR)
    second = ics("UID:1\nDTSTART:20261211T080000\nDTEND:20261211T090000\nRRULE:FREQ=DAILY;COUNT=2")
    assert (await desk.bring(trainer(), second)).kept == 2
    found = await desk.listed(NOW, NOW + 100 * DAY, trainer())
    assert [(one.starts_at.ToDatetime(UTC).strftime("%d %H"), one.imported) for one in found] == [
        ("10 08", False),
        ("11 07", True),  # floating: the school's hour
        ("12 07", True),
    ]
    assert len(await desk.listed(NOW, NOW + 100 * DAY, trainer("t2"))) == 1
    async with transaction(desk.around.engine) as tx:
        kept = (await tx.execute(sa.select(unavailabilities.c.calendar))).scalars().all()
    assert not [one for one in kept if one and b"Dentist" in one]
    assert all("Dentist" not in str(record) for record in await desk.published(Record))
    assert await refused(desk.bring(trainer(), b"not a calendar")) is grpc.StatusCode.INVALID_ARGUMENT
    assert len(await desk.listed(NOW, NOW + 100 * DAY, trainer())) == 3


@pytest.mark.req("R-17", "R-18")
async def test_the_same_calendar_again_publishes_nothing_again(desk: Desk) -> None:
    await line(desk.around)
    busy = "UID:1\nDTSTART:20261209T080000Z\nDTEND:20261209T090000Z"
    await desk.bring(trainer(), ics(busy))
    await desk.bring(trainer(), ics(busy))
    assert await conflicts_published(desk) == [("line-1", "trainer")]
    await line(desk.around, "line-2", at=NINE + DAY)
    await desk.bring(trainer(), ics(busy, "UID:2\nDTSTART:20261210T080000Z\nDTEND:20261210T090000Z"))
    assert await conflicts_published(desk) == [("line-1", "trainer"), ("line-2", "trainer")]


@pytest.mark.req("R-18")
async def test_two_imports_at_once_leave_one(desk: Desk) -> None:
    busy = "UID:1\nDTSTART:20261209T080000Z\nDTEND:20261209T090000Z"
    await asyncio.gather(*(desk.bring(trainer(), ics(busy)) for _ in range(3)))
    assert len(await desk.listed(NOW, NOW + 100 * DAY)) == 1


@pytest.mark.req("R-18")
async def test_recurrences_are_written_on_so_that_a_year_lies_ahead(desk: Desk) -> None:
    await desk.away(trainer(), NINE, NINE + HOUR, rrule="FREQ=WEEKLY")
    await desk.bring(SCHOOL, ics("UID:1\nDTSTART;VALUE=DATE:20270801\nRRULE:FREQ=YEARLY"))

    async def ahead() -> tuple[int, datetime]:
        async with transaction(desk.around.engine) as tx:
            upper = sa.func.max(sa.func.upper(occurrences.c.during))
            row = (await tx.execute(sa.select(sa.func.count(), upper))).one()
            return row[0], row[1]

    written = await ahead()
    await desk.unavailabilities.extend_recurrences()
    assert await ahead() == written
    desk.around.clock.move(days=300)
    await desk.unavailabilities.extend_recurrences()
    count, until = await ahead()
    assert count > written[0]
    assert until > desk.around.clock() + timedelta(days=355)
    await desk.unavailabilities.extend_recurrences()
    assert await ahead() == (count, until)


@pytest.mark.req("R-18")
async def test_what_is_long_past_is_forgotten(desk: Desk) -> None:
    await desk.away(trainer(), NINE, NINE + HOUR)
    await desk.away(trainer(), NINE, NINE + HOUR, rrule="FREQ=MONTHLY")
    desk.around.clock.move(days=400)
    await desk.unavailabilities.forget()
    async with transaction(desk.around.engine) as tx:
        assert (await tx.execute(sa.select(unavailabilities.c.rrule))).scalars().all() == ["FREQ=MONTHLY"]
        first = (await tx.execute(sa.select(sa.func.min(sa.func.upper(occurrences.c.during))))).scalar_one()
    assert first >= NINE + timedelta(days=30)


async def feed(desk: Desk, token: str) -> bytes:
    answer = await desk.availability.GetFeed(pb.GetFeedRequest(token=token))
    return answer.calendar


@pytest.fixture
async def rungis(desk: Desk) -> Desk:
    """The centre c1 is called something that would break a naive file; t1 works at the school."""
    name = "Rungis\r\nATTENDEE:mailto:x@example.org, " + "é" * 80
    async with transaction(desk.around.engine) as tx:
        await tx.execute(sa.insert(centres).values(id="c1", name=name, department="94"))
    await desk.trainer()
    return desk


@pytest.mark.req("R-18", "B5")
async def test_a_trainers_exams_can_be_subscribed_to(rungis: Desk) -> None:
    token = (await rungis.availability.CreateFeed(pb.CreateFeedRequest(trainer_id="t1"), metadata=rungis.who())).token
    await line(rungis.around)
    await line(rungis.around, "line-2", at=NINE + DAY, trainer_id="t2")
    await line(rungis.around, "line-3", to=basket.LINE_STATE_HELD, at=NINE + 2 * DAY)
    await line(rungis.around, "line-4", at=NOW - 29 * DAY)
    await line(rungis.around, "line-5", at=NOW - 31 * DAY)
    body = await feed(rungis, token)
    read = Calendar.from_ical(body.decode())
    assert isinstance(read, Calendar)
    assert [str(one["UID"]) for one in read.walk("VEVENT")] == ["line-4", "line-1"]
    exam = read.walk("VEVENT")[1]
    assert str(exam["SUMMARY"]).startswith("Examen B, Rungis ATTENDEE:mailto:x@example.org, é")
    assert (exam.start, exam.end) == (NINE, NINE + timedelta(minutes=32))  # type: ignore[attr-defined]
    assert "METHOD" not in read
    lines = body.split(b"\r\n")
    assert max(len(one) for one in lines) <= 75
    assert not [one for one in lines if one.startswith(b"ATTENDEE")]
    assert b"\n" not in body.replace(b"\r\n", b"")
    assert b"p1" not in body
    assert await feed(rungis, token) == body


@pytest.mark.req("R-18")
async def test_an_address_is_kept_hashed_and_ends_when_revoked_or_made_anew(rungis: Desk) -> None:
    create = pb.CreateFeedRequest(trainer_id="t1")
    first = (await rungis.availability.CreateFeed(create, metadata=rungis.who())).token
    async with transaction(rungis.around.engine) as tx:
        (kept,) = (await tx.execute(sa.select(feeds.c.token_hash))).scalars()
    assert len(kept) == 32
    assert first.encode() not in kept
    second = (await rungis.availability.CreateFeed(create, metadata=rungis.who())).token
    assert await refused(feed(rungis, first)) is grpc.StatusCode.NOT_FOUND
    assert await feed(rungis, second)
    revoke = pb.RevokeFeedRequest(trainer_id="t1")
    other = rungis.who("school_manager", school_id="school-2")
    assert await refused(rungis.availability.RevokeFeed(revoke, metadata=other)) is grpc.StatusCode.NOT_FOUND
    await rungis.availability.RevokeFeed(revoke, metadata=rungis.who())
    assert await refused(feed(rungis, second)) is grpc.StatusCode.NOT_FOUND
    assert await refused(rungis.availability.RevokeFeed(revoke, metadata=rungis.who())) is grpc.StatusCode.NOT_FOUND
    assert await refused(feed(rungis, "")) is grpc.StatusCode.NOT_FOUND
    assert await refused(feed(rungis, "x" * 100_000)) is grpc.StatusCode.NOT_FOUND
    acts = [action for _, action, _ in await rungis.acts() if action.startswith("feed")]
    assert acts == ["feed.create", "feed.create", "feed.revoke"]
    assert all(first not in str(record) and second not in str(record) for record in await rungis.published(Record))


@pytest.mark.req("R-18")
async def test_only_trainers_of_the_school_have_an_address_and_no_person_reads_one(rungis: Desk) -> None:
    unknown = pb.CreateFeedRequest(trainer_id="t9")
    assert await refused(rungis.availability.CreateFeed(unknown, metadata=rungis.who())) is grpc.StatusCode.NOT_FOUND
    token = (await rungis.availability.CreateFeed(pb.CreateFeedRequest(trainer_id="t1"), metadata=rungis.who())).token
    as_person = rungis.availability.GetFeed(pb.GetFeedRequest(token=token), metadata=rungis.who())
    assert await refused(as_person) is grpc.StatusCode.PERMISSION_DENIED
    create = pb.CreateFeedRequest(trainer_id="t1")
    as_trainer = rungis.availability.CreateFeed(create, metadata=rungis.who("trainer"))
    assert await refused(as_trainer) is grpc.StatusCode.PERMISSION_DENIED
