"""Which polls a search is worth, and what the planner does about the rest."""

import asyncio
from datetime import UTC, date, datetime, timedelta

import pytest
from scheduling_peers import DAY, NOW, MakeService, Service

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_scheduling_rules.domain.days import is_working_day
from resapermis_scheduling_rules.domain.polls import Poll, PollRecord, is_due, polls_for
from resapermis_scheduling_rules.domain.slots import Centre
from resapermis_scheduling_rules.mirror import queries
from resapermis_scheduling_rules.mirror.planner import PollPlanner
from resapermis_scheduling_rules.peers import Asker
from resapermis_scheduling_rules.school.queries import note_granted
from resapermis_scheduling_rules.watchlist import queries as watchlist
from resapermis_scheduling_rules.watchlist.poll_demand import PollDemandReader
from resapermis_testing.eventually import eventually

FRESH = timedelta(seconds=60)
CENTRES = {("91", "B"): [Centre("c1", "C1", "91"), Centre("c2", "C2", "91")], ("33", "B"): [Centre("c3", "C3", "33")]}


def test_working_days_are_polled_first() -> None:
    until = datetime(2026, 12, 28, tzinfo=UTC)
    days = [poll.day for poll in polls_for(CENTRES["33", "B"], "B", datetime(2026, 12, 24, tzinfo=UTC), until)]
    assert days == [date(2026, 12, day) for day in (24, 25, 26, 27, 28)][:1] + [
        date(2026, 12, d) for d in (28, 25, 26, 27)
    ]


@pytest.mark.parametrize(
    ("day", "department", "working"),
    [
        (date(2026, 12, 26), "91", False),
        (date(2025, 12, 26), "91", True),
        (date(2025, 12, 26), "67", False),  # Saint-Étienne, in Alsace
        (date(2026, 5, 27), "971", False),  # abolition of slavery, in Guadeloupe
        (date(2026, 5, 27), "91", True),
    ],
)
def test_days_off_are_the_departments(day: date, department: str, working: bool) -> None:  # noqa: FBT001
    assert is_working_day(day, department) is working


def test_a_stale_day_is_due_an_empty_one_later_a_failed_one_after_a_rest() -> None:
    poll = Poll(DAY, "c1", "B", "91")
    minute_ago, now = NOW - FRESH, NOW
    assert is_due(poll, None, now, FRESH)
    assert is_due(poll, PollRecord(minute_ago, minute_ago, 3), now, FRESH)
    assert not is_due(poll, PollRecord(minute_ago, minute_ago, 0), now, FRESH)
    assert is_due(poll, PollRecord(now - 10 * FRESH, now - 10 * FRESH, 0), now, FRESH)
    assert not is_due(poll, PollRecord(minute_ago, now - timedelta(seconds=4), 3), now, FRESH)
    assert is_due(poll, PollRecord(minute_ago, now - timedelta(seconds=5), 3), now, FRESH)


async def watched(service: Service) -> None:
    """A person of school-1 looked at one day of department 91, two minutes ago."""
    service.state.slot("s1")
    request = pb.SearchSlotsRequest(department="91", category="B")
    getattr(request, "from").FromDatetime(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC))
    request.to.FromDatetime(datetime(DAY.year, DAY.month, DAY.day, 20, tzinfo=UTC))
    await service.stub().SearchSlots(request, metadata=service.who())

    async def noted() -> bool:
        async with transaction(service.engine) as tx:
            return bool(await queries.interests_since(tx, NOW - timedelta(hours=1)))

    await eventually(noted)
    service.clock.move(minutes=2)
    service.state.asked.clear()


def connect(service: Service, left: int = 210) -> None:
    service.state.budget.connected = service.state.budget.reachable = True
    service.state.budget.calls_per_minute, service.state.budget.calls_left = 210, left


@pytest.mark.req("R-27")
async def test_a_round_polls_on_behalf_of_a_connected_school_and_spends_half(service: Service) -> None:
    await watched(service)
    await service.rooms.planner.round()
    assert service.state.asked == []  # not connected: nothing is asked
    service.clock.move(minutes=6)
    connect(service, left=110)
    await service.rooms.planner.round()
    assert len(service.state.asked) == 5
    # What a person looked at is among them; polls leave side by side, so which arrives first says nothing.
    assert ("school-1", "c1", DAY.isoformat()) in service.state.asked


@pytest.mark.req("R-27")
async def test_no_round_after_round_spends_more_than_its_share_of_a_tokens_minute(make_service: MakeService) -> None:
    service = await make_service(most=500)
    for n in range(2, 9):
        service.state.centre(f"c{n}")
    await watched(service)
    connect(service)
    for _ in range(12):
        await service.rooms.planner.round()
        service.clock.move(seconds=5)
    assert 56 <= len(service.state.asked) <= 84  # 21 of the half that nobody waits for are left to comparisons


async def test_a_poll_of_somebody_else_is_not_repeated(service: Service) -> None:
    await watched(service)
    connect(service)
    await service.rooms.planner.round()
    service.clock.move(seconds=20)
    await service.poll(day=DAY)  # somebody looks, here or in another replica
    service.clock.move(seconds=45)
    service.state.asked.clear()
    await service.rooms.planner.round()
    assert ("school-1", "c1", DAY.isoformat()) not in service.state.asked
    service.clock.move(seconds=20)
    await service.rooms.planner.round()
    assert ("school-1", "c1", DAY.isoformat()) in service.state.asked


@pytest.mark.req("R-27")
@pytest.mark.parametrize("code", [Code.CODE_RDVPERMIS_BUDGET, Code.CODE_RECONNECT_NEEDED, Code.CODE_RDVPERMIS_DOWN])
async def test_a_refused_token_rests_and_rdvpermis_down_stops_everything(
    service: Service, code: Code.ValueType
) -> None:
    await watched(service)
    connect(service)
    service.state.failure = Failure(code, "no")
    await service.rooms.planner.round()
    tried = len(service.state.asked)
    assert 1 <= tried <= 16  # those side by side when the first refusal came
    service.clock.move(seconds=4)
    await service.rooms.planner.round()
    assert len(service.state.asked) == tried
    service.state.failure = None
    service.clock.move(minutes=6)
    await service.rooms.planner.round()
    assert len(service.state.asked) > tried


async def test_a_new_replica_knows_what_others_saw(service: Service) -> None:
    await watched(service)
    connect(service)
    await service.rooms.planner.round()
    service.clock.move(seconds=30)
    service.state.asked.clear()
    other = PollPlanner(
        service.engine,
        service.egress,
        service.rooms.poller,
        service.clock,
        PollDemandReader(service.engine),
        note_granted,
        most=20,
    )
    await other.round()
    assert ("school-1", "c1", DAY.isoformat()) not in service.state.asked


@pytest.mark.req("R-20", "S-24")
@pytest.mark.parametrize("granted", [False, True])
async def test_with_a_grant_a_saved_search_is_followed_for_weeks_without_anybody(
    service: Service,
    granted: bool,  # noqa: FBT001
) -> None:
    await service.poll()  # the department's centres are known
    search = pb.SearchSlotsRequest(department="91", category="B")
    saving = pb.SaveSearchRequest(request_id="r1", label="Mardi", alert=True, search=search)
    await service.stub().SaveSearch(saving, metadata=service.who())
    connect(service)
    service.state.budget.granted = granted
    for _ in range(7):
        service.clock.move(days=1)
        service.state.asked.clear()
        await service.rooms.planner.round()
    assert {school for school, _, _ in service.state.asked} == ({"school-1"} if granted else set())


async def test_favourites_are_read_for_connected_schools_and_tried_again_half_a_day_later(service: Service) -> None:
    await service.rooms.schools.standing(Asker("school-1"))
    favourites = service.rooms.favourites
    service.state.away = Failure(Code.CODE_RECONNECT_NEEDED, "no")
    await favourites.round()
    service.state.away = None
    service.state.favourites["B"] = [rdv.RdvFavourite(category="B", centre_id="c1", priority=2)]
    await favourites.round()
    async with transaction(service.engine) as tx:
        assert await watchlist.favourites_of(tx, "school-1") == ([], None)
    service.clock.move(hours=12, seconds=1)
    await favourites.round()
    async with transaction(service.engine) as tx:
        found, seen_at = await watchlist.favourites_of(tx, "school-1")
    assert ([one.centre_id for one in found], seen_at) == (["c1"], service.clock())


@pytest.mark.req("R-27")
async def test_while_peoples_polls_wait_none_of_the_planners_begins(service: Service) -> None:
    await watched(service)
    connect(service)
    service.state.gate = asyncio.Event()
    request = pb.SearchSlotsRequest(
        department="91", category="B", poll_now=True
    )  # eight weeks: far more than eight polls
    waiting = asyncio.ensure_future(service.stub().SearchSlots(request, metadata=service.who()))

    async def all_under_way() -> bool:
        return len(service.state.asked) == 8

    await eventually(all_under_way)
    await service.rooms.planner.round()
    assert len(service.state.asked) == 8
    service.state.gate.set()
    await waiting
