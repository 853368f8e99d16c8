"""The poll schedule: the latest poll first, all classes late alike, and nobody's token beyond its half (R-27)."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from random import Random
from time import process_time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_scheduling_rules.domain.days import is_working_day
from resapermis_scheduling_rules.domain.polls import PlaceInterest, Poll, PollRecord
from resapermis_scheduling_rules.domain.slots import Centre
from resapermis_scheduling_rules.mirror.poll_schedule import (
    EMPTY_FACTOR,
    OLD_AFTER,
    SOONEST,
    CentreGroup,
    PollDemand,
    PollReason,
    PollSchedule,
    Publication,
)
from resapermis_scheduling_rules.mirror.tokens import UNCONNECTED_RESTS, Tokens
from resapermis_scheduling_rules.watchlist.poll_demand import poll_demands_of
from resapermis_scheduling_rules.watchlist.queries import Scope

NOW = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
"""A Tuesday, ten in the morning in Paris."""
TODAY = NOW.date()
FOR_ALL = 10_000


def tokens(*schools: str, calls: int = FOR_ALL) -> Tokens:
    known = Tokens()
    for school in schools:
        known.update(school, NOW.timestamp(), connected=True, calls_left=calls, calls_per_minute=calls)
        known.tokens[school].known_until = float("inf")
    return known


def demand(why: PollReason = PollReason.REST, *payers: str, department: str = "91") -> PollDemand:
    return PollDemand(department, why, frozenset(payers or ("s1",)))


def schedule(demands: dict[CentreGroup, PollDemand], seconds_ago: float | None, slots: int = 5) -> PollSchedule:
    """Every poll of these centres answered so long ago."""
    made = PollSchedule()
    made.set_demands(demands, NOW)
    if seconds_ago is not None:
        for poll in polls(demands):
            made.learn(poll, seen(NOW - timedelta(seconds=seconds_ago), slots))
    return made


def polls(demands: dict[CentreGroup, PollDemand], days: int = 56) -> list[Poll]:
    return [
        Poll(TODAY + timedelta(days=n), centre_id, category, one.department)
        for (centre_id, category), one in demands.items()
        for n in range(days)
    ]


def seen(at: datetime, slots: int = 5) -> PollRecord:
    return PollRecord(at, at, slots)


def test_nothing_is_polled_while_it_is_quite_fresh() -> None:
    demands, soonest = {("c1", "B"): demand(PollReason.FAVOURITE)}, SOONEST * OLD_AFTER[PollReason.FAVOURITE]
    assert schedule(demands, soonest - 1).next(NOW, tokens("s1"), 99) == []
    assert len(schedule(demands, soonest).next(NOW, tokens("s1"), 99)) == 56


def test_the_latest_by_the_largest_factor_comes_first() -> None:
    demands = {
        ("rest", "B"): demand(),
        ("favourite", "B"): demand(PollReason.FAVOURITE),
        ("saved", "B"): demand(PollReason.SAVED),
    }
    made = schedule(demands, 1900)  # 1.06 times too old at home, 7.9 times for the others
    made.watch([PlaceInterest("s1", "91", "B", TODAY, TODAY, ("rest",))], NOW)
    chosen = [made.why(poll) for _, poll in made.next(NOW, tokens("s1"), 3 * 56)]
    assert chosen[0] is PollReason.WATCHED
    assert Counter(chosen[1:113]) == {PollReason.FAVOURITE: 56, PollReason.SAVED: 56}
    assert chosen[113:] == [PollReason.REST] * 55


def test_what_people_watch_is_soon_old_only_while_they_watch_and_where() -> None:
    demands = {("c1", "B"): demand(), ("c2", "B"): demand()}
    made, payers = schedule(demands, 61), tokens("s1", "s2")
    day = date(2026, 12, 9)
    watched = Poll(day, "c2", "B", "91")
    made.watch([PlaceInterest("s2", "91", "B", day, day, ("c2",))], NOW)
    assert [poll for _, poll in made.next(NOW, payers, 99)] == [watched]
    made.watch([], NOW)
    assert made.why(watched) is PollReason.REST


def test_empty_days_and_days_off_stay_fresh_for_longer() -> None:
    demands = {("c1", "B"): demand(PollReason.FAVOURITE)}
    ago = SOONEST * EMPTY_FACTOR * OLD_AFTER[PollReason.FAVOURITE]
    assert schedule(demands, ago - 1, slots=0).next(NOW, tokens("s1"), 99) == []
    chosen = {poll.day for _, poll in schedule(demands, ago, slots=0).next(NOW, tokens("s1"), 99)}
    assert chosen == {poll.day for poll in polls(demands) if is_working_day(poll.day, "91")}


@pytest.mark.parametrize(("weekday", "denser"), [(0, True), (1, True), (2, False)])
def test_working_days_are_polled_ten_times_as_often_around_publication(weekday: int, denser: bool) -> None:  # noqa: FBT001
    demands = {("c1", "B"): demand(PollReason.FAVOURITE)}
    monday = datetime(2026, 11, 30, 14, 1, tzinfo=UTC)  # 15:01 in Paris
    made = PollSchedule({("91", "B"): Publication(900, weekday)})
    made.set_demands(demands, monday)
    for poll in polls(demands, 63):
        made.learn(poll, seen(monday - timedelta(seconds=31), 0))
    chosen = {poll.day for _, poll in made.next(monday, tokens("s1"), 99)}
    assert bool(chosen) is denser
    assert all(is_working_day(day, "91") for day in chosen)


@pytest.mark.parametrize(
    ("at", "near"),
    [
        (datetime(2026, 11, 30, 13, 58, tzinfo=UTC), False),
        (datetime(2026, 11, 30, 13, 59, tzinfo=UTC), True),
        (datetime(2026, 11, 30, 14, 15, tzinfo=UTC), True),
        (datetime(2026, 11, 30, 14, 16, tzinfo=UTC), False),
        (datetime(2026, 12, 1, 14, 5, tzinfo=UTC), False),  # a Tuesday
        (datetime(2027, 3, 29, 13, 5, tzinfo=UTC), True),  # in summer time
    ],
)
def test_publication_is_by_the_departments_own_clock(at: datetime, near: bool) -> None:  # noqa: FBT001
    assert Publication(900, 1).is_near(at, "Europe/Paris") is near


def test_a_poll_under_way_is_not_chosen_again_and_a_failed_one_rests() -> None:
    demands = {("c1", "B"): demand()}
    made, payers = schedule(demands, None), tokens("s1")
    first = made.next(NOW, payers, 1)
    assert first[0][1] not in {poll for _, poll in made.next(NOW, payers, 99)}
    made.ended(first[0][1], NOW)
    assert made.next(NOW + timedelta(seconds=4), payers, 99) == []
    assert made.next(NOW + timedelta(seconds=5), payers, 99) == first


def test_a_poll_that_nobody_can_pay_waits_without_holding_up_others() -> None:
    demands = {("c1", "B"): demand(PollReason.FAVOURITE, "poor"), ("c2", "B"): demand(PollReason.REST, "s1")}
    made = schedule(demands, 7300)
    chosen = made.next(NOW, tokens("s1"), 99)
    assert {(payer, poll.centre_id) for payer, poll in chosen} == {("s1", "c2")}


def test_what_nobody_wants_any_more_is_forgotten_and_days_move_on() -> None:
    demands = {("c1", "B"): demand(), ("c2", "B"): demand()}
    made = schedule(demands, 7300)
    made.set_demands({("c2", "B"): demand()}, NOW + timedelta(days=1))
    chosen = [poll for _, poll in made.next(NOW + timedelta(days=1), tokens("s1"), 999)]
    assert {poll.centre_id for poll in chosen} == {"c2"}
    assert min(poll.day for poll in chosen) == TODAY + timedelta(days=1)
    assert max(poll.day for poll in chosen) == TODAY + timedelta(days=56)


def test_a_favourite_comes_before_a_saved_search_and_that_before_being_at_home() -> None:
    centres = {("91", "B"): [Centre(f"c{n}", "C", "91", 48.0 + n, 2.0) for n in range(3)]}
    saved = [("s2", Scope("B", "91", "", 150), 48.0, 2.0), ("gone", Scope("B", "91"), None, None)]
    demands = poll_demands_of(centres, {"s1": "91", "s2": "33"}, [("s1", "B", "c0"), ("gone", "B", "c2")], saved, [])
    assert {centre: (one.why, sorted(one.payers)) for (centre, _), one in demands.items()} == {
        "c0": (PollReason.FAVOURITE, ["s1", "s2"]),
        "c1": (PollReason.SAVED, ["s1", "s2"]),
        "c2": (PollReason.REST, ["s1"]),
    }


@pytest.mark.req("R-27")
@given(st.lists(st.tuples(st.floats(0, 20), st.integers(0, 80)), min_size=1, max_size=40), st.integers(1, 600))
def test_no_token_pays_more_than_two_fifths_of_any_minute(steps: list[tuple[float, int]], calls: int) -> None:
    known, now, paid = tokens("s1", "s2", calls=calls), NOW.timestamp(), []
    for pause, many in steps:
        now += pause
        paid += [(now, school) for _ in range(many) if (school := known.choose(["s1", "s2"], now))]
    for at, _ in paid:
        minute = Counter(school for when, school in paid if at <= when < at + 60)
        assert max(minute.values()) <= max(1, calls * 2 // 5)


def test_those_who_spent_least_of_their_share_pay() -> None:
    known = tokens("s1", "s2", calls=210)
    known.update("s3", NOW.timestamp(), connected=True, calls_left=600, calls_per_minute=600)
    paid = Counter(known.choose(["s1", "s2", "s3"], NOW.timestamp()) for _ in range(408))
    assert paid == {"s1": 84, "s2": 84, "s3": 240}


def test_a_token_of_which_people_used_more_than_half_is_left_alone() -> None:
    known = tokens("s1", calls=210)
    known.update("s1", NOW.timestamp(), connected=True, calls_left=107, calls_per_minute=210)
    assert [known.choose(["s1"], NOW.timestamp()) for _ in range(4)] == ["s1", "s1", None, None]


def test_a_refused_token_waits_twice_as_long_each_time_and_begins_anew_after_a_success() -> None:
    known, now = tokens("s1"), NOW.timestamp()
    waits = []
    for _ in range(6):
        known.refused("s1", now, reconnect=False)
        wait = next(seconds for seconds in range(100) if known.choose(["s1"], now + seconds))
        waits.append(wait)
        now += wait
    assert waits == [5, 10, 20, 40, 60, 60]
    known.seen("s1")
    known.refused("s1", now, reconnect=False)
    assert known.choose(["s1"], now + 5) == "s1"


def test_unknown_tokens_are_asked_about_once_and_the_unconnected_not_for_a_while() -> None:
    known, now = Tokens(), NOW.timestamp()
    assert known.choose(["s1", "s2"], now) is None
    assert (list(known.to_ask(1)), list(known.to_ask(9)), list(known.to_ask(9))) == (["s1"], ["s2"], [])
    known.update("s1", now, connected=False, calls_left=0, calls_per_minute=0)
    assert known.choose(["s1"], now + 239) is None
    assert list(known.to_ask(9)) == []
    known.choose(["s1"], now + 240)
    assert list(known.to_ask(9)) == ["s1"]


@pytest.mark.req("R-20", "S-24")
def test_a_school_without_a_token_is_asked_about_again_within_the_age_of_what_it_follows() -> None:
    assert UNCONNECTED_RESTS <= OLD_AFTER[PollReason.SAVED] <= OLD_AFTER[PollReason.REST]
    known, now = tokens("s1"), NOW.timestamp()
    known.refused("s1", now, reconnect=True)
    assert known.choose(["s1"], now + UNCONNECTED_RESTS) is None
    assert list(known.to_ask(9)) == ["s1"]
    known.update("s1", now + UNCONNECTED_RESTS, connected=True, calls_left=210, calls_per_minute=210)
    assert known.choose(["s1"], now + UNCONNECTED_RESTS) == "s1"


@pytest.mark.req("R-20", "S-24")
def test_with_a_grant_what_a_school_asked_to_be_followed_is_though_nobody_of_it_was_here() -> None:
    centres = {("91", "B"): [Centre(f"c{n}", "C", "91", 48.0 + n, 2.0) for n in range(3)]}
    saved = [("away", Scope("B", "91", "c1"), None, None), ("gone", Scope("B", "91"), None, None)]
    favourites = [("away", "B", "c0"), ("gone", "B", "c2")]
    demands = poll_demands_of(centres, {}, favourites, saved, [], {"away"})
    assert {centre: (one.why, sorted(one.payers)) for (centre, _), one in demands.items()} == {
        "c0": (PollReason.FAVOURITE, ["away"]),
        "c1": (PollReason.SAVED, ["away"]),
    }


def test_a_round_for_a_thousand_schools_is_planned_in_far_less_than_a_tenth_of_a_second() -> None:
    dice = Random(5)  # noqa: S311 - a world that repeats
    schools = [f"s{n}" for n in range(1000)]
    demands = {
        (f"c{n}", category): demand(
            dice.choice(list(PollReason)[1:]), *dice.sample(schools, 12), department=f"{10 + n % 80}"
        )
        for n in range(300)
        for category in ("B", "A")
    }
    made, payers = schedule(demands, 4000), tokens(*schools, calls=210)
    interests = [
        PlaceInterest(one, f"{10 + n % 80}", "B", TODAY, TODAY + timedelta(days=28))
        for n, one in enumerate(schools[:150])
    ]
    made.watch(interests, NOW)
    spent = []
    for n in range(15):
        now = NOW + timedelta(seconds=3 * n)
        since = process_time()
        made.watch(interests, now)
        chosen = made.next(now, payers, 60)
        for _, poll in chosen:
            made.learn(poll, seen(now))
            made.ended(poll, now)
        spent.append(process_time() - since)
        assert len(chosen) == 60
    assert sorted(spent)[len(spent) // 2] < 0.05
