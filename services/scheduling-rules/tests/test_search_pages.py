"""Pages of a search lose no slot and repeat none, whatever is filtered: held against a reference that knows no index."""

import gc
import weakref
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from hypothesis import given, settings
from hypothesis import strategies as st
from scheduling_peers import NOW
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.sql_file import sql_file
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import transaction
from resapermis_scheduling_rules.domain.distance import distance_km, within
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import Quota, ThresholdKey
from resapermis_scheduling_rules.domain.slots import Centre, Point, School, Slot, Status
from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot, Purpose
from resapermis_scheduling_rules.evaluation import judge
from resapermis_scheduling_rules.mirror.tables import centres, slots
from resapermis_scheduling_rules.search.criteria import SearchCriteria, consecutive, hours, minute_of_day
from resapermis_scheduling_rules.search.page import PageJudge
from resapermis_scheduling_rules.search.queries import SearchShape
from resapermis_scheduling_rules.search.search import Finder
from resapermis_testing.databases import as_owner, vacuum_analyze
from resapermis_testing.postgres import MakeEngine
from resapermis_testing.profile import tries

PACKAGE = "resapermis_scheduling_rules"
SCHOOL = School("school-1", "91", latitude=48.6, longitude=2.4)
HERE = Point(48.6, 2.4)
CENTRES = {
    "c1": Centre("c1", "Évry", "91", 48.63, 2.44),
    "c2": Centre("c2", "Massy", "91", 48.73, 2.28),
    "c3": Centre("c3", "Créteil", "94", 48.79, 2.46),
    "c4": Centre("c4", "Bordeaux", "33", 44.84, -0.58),
    "c5": Centre("c5", "Quelque part", "91"),
}
QUOTA = Quota(Parameters().threshold_rate, None, rdvpermis_limit=9)
FULL = replace(QUOTA, taken=9)


def quota_of(place: ThresholdKey) -> Quota:
    """January is used up."""
    return FULL if place.month == "2027-01" else QUOTA


@st.composite
def mirrors(draw: st.DrawFn) -> list[Slot]:
    """Slots on few days and at few hours, so that they meet, follow each other and share a moment."""
    count = draw(st.integers(0, 20) | st.integers(30, 70))
    found = []
    for n in range(count):
        day = draw(st.sampled_from([0, 1, 1, 2, 3, 3, 8, 9, 20, 45]))
        starts = datetime(2026, 11, 24, 8, tzinfo=UTC) + timedelta(days=day, minutes=32 * draw(st.integers(0, 12)))
        found.append(
            Slot(
                f"s{n:02d}",
                CENTRES[draw(st.sampled_from(sorted(CENTRES)))],
                starts,
                starts + timedelta(minutes=draw(st.sampled_from([32, 40, 64]))),
                draw(st.sampled_from(["B"] * 5 + ["A"])),
                draw(st.sampled_from(["CIRCULATION", "PLATEAU"])),
                NOW - timedelta(hours=draw(st.sampled_from([1, 47, 48, 100, -2]))),
                draw(st.sampled_from([Status.FREE, Status.FREE, Status.TAKEN, Status.OTHER, Status.WITHDRAWN])),
                NOW,
            )
        )
    return found


FILTERS: dict[str, st.SearchStrategy[Any]] = {
    "until": st.sampled_from([NOW + timedelta(days=3), NOW + timedelta(days=9)]),
    "centre_ids": st.sampled_from([("c1",), ("c1", "c3", "nowhere")]),
    "within_km": st.sampled_from([1, 20, 300]),
    "day_to": st.sampled_from([10 * 60, 11 * 60 + 30]),
    "day_from": st.sampled_from([8 * 60, 9 * 60 + 35]),
    "weekdays": st.sampled_from([frozenset({1, 2, 3}), frozenset({6}), frozenset({2, 7})]),
    "kind": st.sampled_from(["CIRCULATION", "PLATEAU"]),
    "consecutive": st.sampled_from([1, 2, 2, 3]),
    "open_now": st.just(value=True),
    "opens_before": st.sampled_from([NOW + timedelta(hours=3), NOW + timedelta(days=3)]),
}


@st.composite
def searches(draw: st.DrawFn) -> SearchCriteria:
    """One place or all around, and at most three filters at once: more would leave nothing to page through."""
    since = NOW + timedelta(hours=draw(st.sampled_from([0, 0, 30])))
    chosen = draw(st.sets(st.sampled_from(sorted(FILTERS)), max_size=3))
    filters = {name: draw(FILTERS[name]) for name in sorted(chosen)}
    department = draw(st.sampled_from(["", "91", "91", "33"]))
    if not department:
        filters.setdefault("within_km", 300)
    filters.setdefault("until", since + timedelta(days=56))
    limit = draw(st.sampled_from([1, 3, 5, 7, 10, 200]))
    return SearchCriteria(department, "B", since, filters.pop("until"), limit=limit, **filters)


OPENINGS: list[dict[str, Any]] = [{"open_now": True}, {"opens_before": NOW + timedelta(hours=1)}, {}]


@st.composite
def crowded_days(draw: st.DrawFn) -> tuple[list[Slot], list[SearchCriteria]]:
    """Days of slots one after the other, most of them open, and searches for several in a row, of any or of open ones.

    Their pages end within a day, and what is not open cuts rows: `searches` and `mirrors` hardly ever draw all of that.
    """
    first = datetime(2026, 12, 1, 8, tzinfo=UTC)
    mirror = [
        Slot(
            f"{centre}-{day}-{n:02d}",
            CENTRES[centre],
            starts,
            starts + timedelta(minutes=32),
            "B",
            "CIRCULATION",
            NOW - timedelta(hours=draw(st.sampled_from([100, 100, 100, 100, -2]))),
            draw(st.sampled_from([Status.FREE] * 6 + [Status.TAKEN])),
            NOW,
        )
        for day in range(draw(st.integers(1, 2)))
        for centre in ("c1", "c2")
        for n in range(draw(st.integers(3, 8)))
        for starts in [first + timedelta(days=day, minutes=32 * n)]
    ]
    searches = [
        SearchCriteria(
            "91",
            "B",
            NOW,
            NOW + timedelta(days=56),
            limit=draw(st.integers(1, 4)),
            centre_ids=draw(st.sampled_from([(), ("c1",)])),
            consecutive=consecutive,
            **draw(st.sampled_from(OPENINGS)),
        )
        for consecutive in (2, 3)
    ]
    return mirror, searches


def naively(wanted: SearchCriteria, mirror: list[Slot]) -> list[str]:
    """What a search means, without any index: one condition after the other on every slot."""
    found = []
    for slot in mirror:
        centre = slot.centre
        judged = judge.slot(snapshot_of(slot))
        near = centre.point is not None and distance_km(HERE, centre.point) <= (wanted.within_km or 0)
        local = slot.starts_at.astimezone(ZoneInfo("Europe/Paris"))
        conditions = [
            slot.status is not Status.WITHDRAWN,
            slot.category == "B",
            wanted.since <= slot.starts_at < wanted.until,
            wanted.department in ("", slot.department),
            not wanted.centre_ids or centre.id in wanted.centre_ids,
            wanted.within_km is None or near,
            not wanted.weekdays or local.isoweekday() in wanted.weekdays,
            wanted.day_from <= local.hour * 60 + local.minute < wanted.day_to,
            wanted.kind in ("", slot.kind),
            wanted.consecutive <= 1 or slot.status is Status.FREE,
            not wanted.open_now or judged.allowed,
            wanted.opens_before is None
            or judged.allowed
            or (judged.opens_at is not None and judged.opens_at < wanted.opens_before),
        ]
        if all(conditions):
            found.append(slot)
    if wanted.consecutive > 1:
        found = [slot for slot in found if longest_row_with(slot, found) >= wanted.consecutive]
    return [slot.id for slot in sorted(found, key=lambda slot: (slot.starts_at, slot.id))]


def longest_row_with(slot: Slot, among: list[Slot]) -> int:
    """By trying every chain."""

    def longest(one: Slot, *, forward: bool) -> int:
        following = [
            other
            for other in among
            if other.centre == one.centre
            and timedelta(0)
            <= ((other.starts_at - one.ends_at) if forward else (one.starts_at - other.ends_at))
            < timedelta(minutes=15)
        ]
        return 1 + max((longest(other, forward=forward) for other in following), default=0)

    return longest(slot, forward=True) + longest(slot, forward=False) - 1


def page_judge() -> PageJudge:
    return PageJudge(SCHOOL, NOW, lambda _: Parameters(), quota_of)


def snapshot_of(slot: Slot) -> EvaluationSnapshot:
    quota = quota_of(ThresholdKey(slot.department, slot.month, slot.category))
    return EvaluationSnapshot(NOW, Purpose.SEARCH, SCHOOL, slot, Parameters(), quota)


def finder(wanted: SearchCriteria) -> Finder:
    """As `SlotSearch` would read it."""
    by_centre = bool(wanted.centre_ids) or wanted.within_km is not None
    streams = (
        {one.id: one.department for one in CENTRES.values()} if by_centre else {wanted.department: wanted.department}
    )
    return Finder(wanted, streams, by_centre, CENTRES, page_judge(), HERE)


async def fill(tx: Any, mirror: list[Slot]) -> None:
    await tx.execute(sa.text("TRUNCATE slot, centre CASCADE"))
    await tx.execute(
        sa.insert(centres),
        [
            {"id": c.id, "name": c.name, "department": c.department, "latitude": c.latitude, "longitude": c.longitude}
            for c in CENTRES.values()
        ],
    )
    rows = [
        {
            "id": slot.id,
            "centre_id": slot.centre.id,
            "department": slot.department,
            "category": slot.category,
            "kind": slot.kind,
            "starts_at": slot.starts_at,
            "ends_at": slot.ends_at,
            "published_at": slot.published_at,
            "status": slot.status.value,
            "seen_at": slot.seen_at,
            "withdrawn_at": NOW if slot.status is Status.WITHDRAWN else None,
        }
        for slot in mirror
    ]
    if rows:
        await tx.execute(sa.insert(slots), rows)


async def pages(engine: AsyncEngine, wanted: SearchCriteria) -> list[list[str]]:
    """Every page of a search, one after the other."""
    found: list[list[str]] = []
    while True:
        page = await finder(wanted).page(engine)
        found.append([judged.slot.id for judged in page.slots])
        if page.next is None:
            return found
        assert wanted.after is None or page.next > wanted.after  # it moves on
        wanted = replace(wanted, after=page.next)


@pytest.mark.long
@pytest.mark.timeout(300)  # thousands of pages, on a machine that does other things too
@pytest.mark.req("R-09", "R-34")
async def test_pages_are_the_naive_answer_cut_in_pieces(
    make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = await make_engine(PACKAGE)
    # Small bounds, so that small mirrors reach them.
    monkeypatch.setattr("resapermis_scheduling_rules.search.search.MOST_LOOKED_AT", 12)
    monkeypatch.setattr("resapermis_scheduling_rules.search.search.RUN_READING", 5)
    monkeypatch.setattr("resapermis_scheduling_rules.search.criteria.LEAST_EACH", 2)
    monkeypatch.setattr("resapermis_scheduling_rules.search.criteria.MOST_INDEX_RANGES", 9)
    examples: list[tuple[list[Slot], list[SearchCriteria]]] = []

    @settings(max_examples=tries(briefly=12, long=48), database=None)
    @given(mirrors(), st.lists(searches(), min_size=4, max_size=8))
    def generate(mirror: list[Slot], wanted: list[SearchCriteria]) -> None:
        examples.append((mirror, wanted))

    @settings(max_examples=tries(briefly=6, long=20), database=None)
    @given(crowded_days())
    def generate_crowded(days: tuple[list[Slot], list[SearchCriteria]]) -> None:
        examples.append(days)

    generate()
    generate_crowded()
    turned = 0
    for mirror, wanteds in examples:
        async with as_owner(engine) as tx:
            await fill(tx, mirror)
        for wanted in wanteds:
            found = await pages(engine, wanted)
            assert [one for page in found for one in page] == naively(wanted, mirror), wanted
            assert all(len(page) <= wanted.limit for page in found)
            turned += len(found)
    assert turned > 2 * sum(len(wanted) for _, wanted in examples)  # most searches had pages to turn


@pytest.mark.long
@settings(max_examples=tries(briefly=30, long=100))
@given(mirrors(), st.integers(2, 5))
def test_consecutive_slots_are_the_chains_that_can_be_walked(mirror: list[Slot], many: int) -> None:
    ordered = sorted(mirror, key=lambda slot: (slot.starts_at, slot.id))
    rows = [(1, slot.id, slot.centre.id, slot.kind, slot.starts_at, slot.ends_at) for slot in ordered]
    assert consecutive(rows, many) == {slot.id for slot in mirror if longest_row_with(slot, mirror) >= many}


@given(st.floats(-60, 60), st.floats(-2.8, 2.8), st.floats(-180, 180), st.integers(1, 300))
def test_a_centre_is_near_by_the_great_circle_alone(
    latitude: float, further: float, longitude: float, kilometres: int
) -> None:
    centre = Centre("c", "C", "91", latitude + further, longitude)
    here = Point(latitude, longitude)
    assert within(centre, here, kilometres) == (distance_km(here, Point(latitude + further, longitude)) <= kilometres)


@given(mirrors())
def test_a_page_is_judged_as_each_of_its_slots_alone(mirror: list[Slot]) -> None:
    page = page_judge()
    for slot in (slot for slot in mirror if slot.category == "B"):
        judged, alone = page.judge(slot), judge.slot(snapshot_of(slot))
        against = [verdict for verdict in alone.verdicts if not verdict.allowed]
        assert (judged.allowed, list(judged.against), judged.opens_at) == (alone.allowed, against, alone.opens_at)


def test_a_page_that_was_answered_is_gone_without_pythons_collector() -> None:
    page = page_judge()
    slot = Slot("s1", CENTRES["c3"], NOW, NOW + timedelta(hours=1), "B", "PLATEAU", NOW, Status.FREE, NOW)
    assert not page.judge(slot).allowed
    left, collects = weakref.ref(page), gc.isenabled()
    gc.disable()  # a circle of objects would wait for it: ten thousand of them were a pause of 6 ms
    try:
        del page
        assert left() is None
    finally:
        if collects:
            gc.enable()


@pytest.mark.parametrize("night", [datetime(2027, 3, 28, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
def test_hours_hold_on_the_night_when_clocks_change(night: datetime) -> None:
    wanted = SearchCriteria("91", "B", night - timedelta(hours=2), night + timedelta(hours=8), day_from=150, day_to=200)
    ranges = hours(wanted, "91")
    for minutes in range(0, 600, 10):
        at = wanted.since + timedelta(minutes=minutes)
        if 150 <= minute_of_day(at, "91") < 200:
            assert any(low <= at < high for low, high in ranges)
    assert all(before[1] < after[0] for before, after in pairwise(ranges))


@pytest.mark.parametrize("by_centre", [False, True])
@pytest.mark.parametrize("free_only", [False, True])
async def test_a_page_of_a_large_mirror_is_read_from_an_index(
    make_engine: MakeEngine,
    by_centre: bool,  # noqa: FBT001
    free_only: bool,  # noqa: FBT001
) -> None:
    engine = await make_engine(PACKAGE)
    async with transaction(engine) as tx:
        await tx.execute(
            sa.text("INSERT INTO centre SELECT 'k' || n, 'K', lpad(n::text, 2, '0') FROM generate_series(1, 50) n")
        )
        await tx.execute(
            sa.text(
                "INSERT INTO slot (id, centre_id, department, category, kind, starts_at, ends_at, published_at,"
                " status, seen_at) SELECT 's' || n, 'k' || 1 + n % 50, lpad((1 + n % 50)::text, 2, '0'), 'B', 'PLATEAU',"
                " at, at + interval '32 min', at, CASE WHEN n % 5 = 0 THEN 'FREE' ELSE 'TAKEN' END, at"
                " FROM generate_series(1, 20000) n,"
                " LATERAL (SELECT timestamptz '2026-12-01 08:00+00' + n * interval '3 min' AS at) t"
            )
        )
    await vacuum_analyze(engine, "slot")
    reading, since = SearchShape(by_centre, free_only, kind=False), datetime(2026, 12, 5, tzinfo=UTC)
    values = {
        "keys": ["k33" if by_centre else "33"],
        "lows": [since],
        "highs": [since + timedelta(days=56)],
        "category": "B",
        "ids": ["s"],
        "each": 201,
        "most": 201,
    }
    text = sql_file("resapermis_scheduling_rules.search", "statements.sql")[reading.name]
    explained = Statement(f"EXPLAIN {text}")
    plan = "\n".join(row[0] for row in await explained.run(engine, values))
    index = {
        (False, False): "slot_search_idx",
        (False, True): "slot_free_idx",
        (True, False): "slot_of_centre_idx",
        (True, True): "slot_centre_free_idx",
    }
    assert index[by_centre, free_only] in plan
    outermost = [line.strip(" ->").split("  ")[0] for line in plan.splitlines() if "cost=" in line]
    assert outermost[:3] == ["Limit", "Nested Loop", "Function Scan on part"]  # parts in turn, until the page is full
    assert "Seq Scan on slot" not in plan
