"""SearchSlots: from the mirror at once, looked at again when stale, each slot with its verdict and its age."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY
from scheduling_peers import DAY, NOW, MakeService, Service

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1.events_pb2 import SlotWithdrawn
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure, from_rpc_error
from resapermis_kit.events.outbox import outbox
from resapermis_scheduling_rules.domain.polls import Poll
from resapermis_testing.eventually import eventually


def search(**changes: Any) -> pb.SearchSlotsRequest:
    """The day of DAY in department 91, category B, unless `changes` say otherwise."""
    start = datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC)
    since, until = changes.pop("since", start), changes.pop("until", start + timedelta(hours=20))
    request = pb.SearchSlotsRequest(**({"department": "91", "category": "B"} | changes))
    getattr(request, "from").FromDatetime(since)
    request.to.FromDatetime(until)
    return request


@pytest.mark.req("R-09")
async def test_a_first_search_polls_and_answers_with_verdicts(service: Service) -> None:
    service.state.slot("s1", hour=9)
    service.state.slot("s2", hour=10, word="RÉSERVÉ_PAR_AUTRE_AUTO_ÉCOLE")
    service.state.slot("s3", hour=11, word="BLOQUÉ_PAR_UN_MOT_NOUVEAU")
    answer = await service.stub().SearchSlots(search(), metadata=service.who())
    assert [(one.slot.id, one.slot.status, one.allowed) for one in answer.slots] == [
        ("s1", pb.SLOT_STATUS_FREE, True),
        ("s2", pb.SLOT_STATUS_TAKEN, False),
        ("s3", pb.SLOT_STATUS_OTHER, False),
    ]
    assert [verdict.rule for verdict in answer.slots[1].verdicts] == ["R-PUBLISHED"]
    assert not answer.incomplete
    assert answer.oldest_seen_at.ToDatetime(UTC) == NOW
    assert answer.threshold.limit == 9
    assert answer.threshold.paced_limit == 5


@pytest.mark.req("R-09")
async def test_a_slot_of_another_department_says_when_it_opens(service: Service) -> None:
    service.state.school("far", department="33")
    service.state.slot("s1", published=NOW - timedelta(hours=1))
    answer = await service.stub().SearchSlots(search(), metadata=service.who("far"))
    (entry,) = answer.slots
    assert not entry.allowed
    assert entry.opens_at.ToDatetime(UTC) == NOW + timedelta(hours=47)
    assert entry.slot.opens_to_all_at == entry.opens_at
    assert [verdict.rule for verdict in entry.verdicts] == ["R-TERRITORY"]


async def test_what_is_fresh_is_not_polled_again_and_what_is_stale_is_behind_the_answer(service: Service) -> None:
    service.state.slot("s1")
    stub = service.stub()
    await stub.SearchSlots(search(), metadata=service.who())
    service.clock.move(seconds=59)
    assert not (await stub.SearchSlots(search(), metadata=service.who())).incomplete
    assert len(service.state.asked) == 1
    service.clock.move(seconds=2)
    service.state.gate = asyncio.Event()
    before = REGISTRY.get_sample_value("resapermis_search_age_seconds_sum") or 0
    late = await stub.SearchSlots(search(), metadata=service.who())
    assert late.incomplete  # being looked at, and answered without waiting
    assert REGISTRY.get_sample_value("resapermis_search_age_seconds_sum") == pytest.approx(before + 61)
    assert late.oldest_seen_at.ToDatetime(UTC) == NOW
    service.state.gate.set()

    async def fresh() -> bool:
        again = await stub.SearchSlots(search(), metadata=service.who())
        return not again.incomplete and again.oldest_seen_at.ToDatetime(UTC) == service.clock()

    await eventually(fresh)
    assert len(service.state.asked) == 2


@pytest.mark.req("R-09", "R-27")
async def test_each_day_has_its_own_age_and_says_what_looking_again_costs(service: Service) -> None:
    service.state.centre("c2")
    service.state.slot("s1")
    await service.poll("c1")
    await service.poll("c2")
    service.clock.move(seconds=30)
    await service.poll("c1", DAY + timedelta(days=1))
    service.state.gate = asyncio.Event()
    stub, two_days = service.stub(), datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC) + timedelta(hours=44)
    answer = await stub.SearchSlots(search(until=two_days), metadata=service.who())
    shown = [(day.date, day.polls, day.oldest_seen_at.ToDatetime(UTC), day.unseen) for day in answer.days]
    assert shown == [("2026-12-09", 2, NOW, False), ("2026-12-10", 2, service.clock(), True)]
    assert answer.oldest_seen_at.ToDatetime(UTC) == NOW
    assert answer.polls_left == 999  # the centre that was not seen on the second day is being polled
    service.state.gate.set()

    async def seen() -> bool:
        again = await stub.SearchSlots(search(until=two_days), metadata=service.who())
        return not any(day.unseen for day in again.days)

    await eventually(seen)
    before = len(service.state.asked)
    answer = await stub.SearchSlots(search(until=two_days, poll_now=True), metadata=service.who())
    assert [day.oldest_seen_at.ToDatetime(UTC) for day in answer.days] == [service.clock()] * 2
    assert len(service.state.asked) - before == sum(day.polls for day in answer.days)
    assert answer.polls_left == 999 - 4


@pytest.mark.req("R-27")
async def test_what_is_left_of_a_minutes_polls_comes_back(make_service: MakeService) -> None:
    service = await make_service(per_minute=1)
    stub = service.stub()
    assert (await stub.SearchSlots(search(), metadata=service.who())).polls_left == 0
    service.clock.move(seconds=59)
    assert (await stub.SearchSlots(search(), metadata=service.who())).polls_left == 0
    service.clock.move(seconds=1)
    assert service.rooms.poller.polls_left("school-1") == 1


@pytest.mark.req("R-10")
async def test_a_window_over_months_has_the_threshold_of_each(service: Service) -> None:
    service.state.slot("s1")
    until = datetime(2027, 1, 2, tzinfo=UTC)
    answer = await service.stub().SearchSlots(search(until=until), metadata=service.who())
    assert [one.month for one in answer.thresholds] == ["2026-12", "2027-01"]
    assert answer.threshold == answer.thresholds[0]
    # Up to midnight of New Year is December alone, on the department's clock.
    until = datetime(2026, 12, 31, 23, tzinfo=UTC)
    answer = await service.stub().SearchSlots(search(until=until), metadata=service.who())
    assert [one.month for one in answer.thresholds] == ["2026-12"]


async def test_many_callers_share_one_poll(service: Service) -> None:
    service.state.slot("s1")
    service.state.school("school-2")
    service.state.gate = asyncio.Event()
    stub = service.stub()
    calls = [stub.SearchSlots(search(), metadata=service.who(f"school-{1 + n % 2}")) for n in range(10)]
    answers = asyncio.gather(*calls)

    async def asked() -> bool:
        return bool(service.state.asked)

    await eventually(asked)
    service.state.gate.set()
    assert {len(answer.slots) for answer in await answers} == {1}
    assert len(service.state.asked) == 1


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        (Code.CODE_RDVPERMIS_BUDGET, "budget"),
        (Code.CODE_RDVPERMIS_DOWN, "rdvpermis_down"),
        (Code.CODE_RECONNECT_NEEDED, "reconnect"),
    ],
)
async def test_when_polling_is_refused_it_answers_what_it_has_with_its_age(
    service: Service, code: Code.ValueType, reason: str
) -> None:
    service.state.slot("s1")
    stub = service.stub()
    await stub.SearchSlots(search(), metadata=service.who())
    service.clock.move(minutes=5)
    service.state.failure = Failure(code, "no")
    answer = await stub.SearchSlots(search(poll_now=True), metadata=service.who())
    assert [one.slot.id for one in answer.slots] == ["s1"]
    assert (answer.incomplete, answer.incomplete_reason) == (True, reason)
    assert answer.oldest_seen_at.ToDatetime(UTC) == NOW


async def test_where_no_centre_was_ever_seen_and_rdvpermis_is_down_it_says_so(service: Service) -> None:
    stub = service.stub()
    await stub.ListThresholds(pb.ListThresholdsRequest(), metadata=service.who())  # the school is known
    service.state.away = Failure(Code.CODE_RDVPERMIS_DOWN, "no")
    answer = await stub.SearchSlots(search(), metadata=service.who())
    assert (len(answer.slots), answer.incomplete, answer.incomplete_reason) == (0, True, "rdvpermis_down")
    service.state.away = None
    service.state.slot("s1")
    assert len((await stub.SearchSlots(search(), metadata=service.who())).slots) == 1


async def test_a_school_that_nobody_can_describe_is_not_judged(service: Service) -> None:
    service.state.away = Failure(Code.CODE_RDVPERMIS_DOWN, "no")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub().SearchSlots(search(), metadata=service.who())
    assert from_rpc_error(caught.value).code == Code.CODE_RDVPERMIS_DOWN


async def test_trouble_is_shown_until_a_poll_succeeds(service: Service) -> None:
    service.state.slot("s1")
    stub = service.stub()
    await stub.SearchSlots(search(), metadata=service.who())
    service.clock.move(minutes=5)
    service.state.failure = Failure(Code.CODE_RDVPERMIS_DOWN, "no")
    await stub.SearchSlots(search(poll_now=True), metadata=service.who())
    for seconds in (1, 7):  # while the poll rests, and while it is tried again behind the answer
        service.clock.move(seconds=seconds)
        answer = await stub.SearchSlots(search(), metadata=service.who())
        assert (answer.incomplete, answer.incomplete_reason) == (True, "rdvpermis_down")
    service.state.failure = None
    service.clock.move(minutes=2)

    async def healed() -> bool:  # what was tried behind the last answer may still be on its way to fail
        answer = await stub.SearchSlots(search(poll_now=True), metadata=service.who())
        return (answer.incomplete, answer.incomplete_reason) == (False, "")

    await eventually(healed)


async def test_a_failed_poll_of_one_school_is_run_again_with_the_budget_of_another(service: Service) -> None:
    service.state.slot("s1")
    service.state.school("school-2")
    service.state.gate = asyncio.Event()
    service.state.failure = Failure(Code.CODE_RDVPERMIS_BUDGET, "no")
    stub = service.stub()
    first = asyncio.ensure_future(stub.SearchSlots(search(), metadata=service.who()))

    async def asked(times: int) -> bool:
        return len(service.state.asked) >= times

    await eventually(lambda: asked(1))
    second = asyncio.ensure_future(stub.SearchSlots(search(), metadata=service.who("school-2")))
    service.state.gate.set()
    assert (await first).incomplete_reason == "budget"
    await second
    assert {school for school, _, _ in service.state.asked} == {"school-1", "school-2"}


async def test_who_comes_in_the_moment_in_which_anothers_poll_fails_polls_and_stops_nobody(service: Service) -> None:
    """Waiting for a task that is done lets nobody else run: who waited for it again and again stopped the whole process."""
    service.state.slot("s1")
    service.state.school("school-2")
    service.state.gate = asyncio.Event()
    service.state.failure = Failure(Code.CODE_RDVPERMIS_BUDGET, "no")
    poller, wanted = service.rooms.poller, Poll(DAY, "c1", "B", "91")
    first = asyncio.create_task(service.poll())

    async def under_way() -> bool:
        return wanted in poller._in_flight

    await eventually(under_way)
    (running,) = poller._in_flight.values()
    service.state.gate.set()
    while not running.done():  # noqa: ASYNC110 - each turn of the loop is looked at
        await asyncio.sleep(0)
    assert poller._in_flight == {wanted: running}, "its own end comes in the next turn of the loop"
    assert await poller.poll(wanted, "school-2") == "budget"
    assert await first == "budget"
    assert {school for school, _, _ in service.state.asked} == {"school-1", "school-2"}


async def test_a_school_causes_no_more_polls_than_its_share(make_service: MakeService) -> None:
    service = await make_service(per_minute=3)
    until = datetime(2026, 12, 20, tzinfo=UTC)
    answer = await service.stub().SearchSlots(search(until=until), metadata=service.who())
    assert (answer.incomplete, answer.incomplete_reason) == (True, "budget")
    assert sorted(day for _, _, day in service.state.asked) == ["2026-12-09", "2026-12-10", "2026-12-11"]


@pytest.mark.req("R-09")
async def test_a_slot_that_is_gone_is_withdrawn_and_published_once(service: Service) -> None:
    service.state.slot("s1", hour=9)
    service.state.slot("s2", hour=10)
    assert await service.poll() == ""
    service.state.slots["c1", DAY.isoformat()].pop()
    for _ in range(2):
        service.clock.move(minutes=2)
        assert await service.poll() == ""
    answer = await service.stub().SearchSlots(search(), metadata=service.who())
    assert [one.slot.id for one in answer.slots] == ["s1"]
    async with transaction(service.engine) as tx:
        rows = (await tx.execute(sa.select(outbox.c.type, outbox.c.payload).order_by(outbox.c.id))).all()
    assert [row.type.rpartition(".")[2] for row in rows] == ["SlotWithdrawn", "Record"]
    assert SlotWithdrawn.FromString(rows[0].payload).slot_id == "s2"
    service.clock.move(minutes=2)
    service.state.slot("s2", hour=10)  # and it may come back
    await service.poll()
    answer = await service.stub().SearchSlots(search(), metadata=service.who())
    assert [one.slot.id for one in answer.slots] == ["s1", "s2"]


@pytest.mark.req("R-10")
async def test_a_reached_threshold_is_the_askers_alone(service: Service) -> None:
    service.state.school("school-2")
    service.state.slot("s1", word="SEUIL_ATTEINT")
    mine = await service.stub().SearchSlots(search(), metadata=service.who())
    theirs = await service.stub().SearchSlots(search(), metadata=service.who("school-2"))
    assert [one.slot.status for one in mine.slots] == [pb.SLOT_STATUS_THRESHOLD_REACHED]
    assert [verdict.rule for verdict in mine.slots[0].verdicts] == ["R-THRESHOLD"]
    assert [one.slot.status for one in theirs.slots] == [pb.SLOT_STATUS_FREE]


async def test_pages_follow_each_other_without_gap_or_double(service: Service) -> None:
    for n in range(7):
        service.state.slot(f"s{n}", hour=9 + n // 2)
    seen, cursor = [], ""
    while True:
        answer = await service.stub().SearchSlots(search(limit=2, cursor=cursor), metadata=service.who())
        seen += [one.slot.id for one in answer.slots]
        cursor = answer.next_cursor
        if not cursor:
            break
    assert seen == [f"s{n}" for n in range(7)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"cursor": "garbage!"}, "cursor"),
        ({"cursor": "AAAA"}, "cursor"),
        ({"limit": 501}, "limit"),
        ({"department": ""}, "department"),
        ({"until": datetime(2027, 6, 1, tzinfo=UTC)}, "to"),
        ({"until": datetime(2026, 12, 8, tzinfo=UTC)}, "to"),
        ({"centre_ids": ["c1 "]}, "centre_ids[0]"),
    ],
)
async def test_a_search_that_cannot_be_read_names_the_field(
    service: Service, change: dict[str, Any], field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub().SearchSlots(search(**change), metadata=service.who())
    failure = from_rpc_error(caught.value)
    assert failure.code == Code.CODE_MALFORMED
    assert [violation[0] for violation in failure.violations] == [field]
