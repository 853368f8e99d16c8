"""Rules as arithmetic: equal facts, equal verdicts; what opens opens when it says; months, midnights and zones."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import permutations
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from rule_snapshots import actions, departments, moments, parameters, snapshots, waiting_snapshots

from resapermis_places.days import month_of
from resapermis_places.table import zone_of
from resapermis_rules.words import CATEGORY_FIELDS, REMEDIES, RULE_IDS
from resapermis_scheduling_rules.domain.days import month_start, next_month
from resapermis_scheduling_rules.domain.parameters import Parameter, Parameters, parameters_for
from resapermis_scheduling_rules.domain.quota import Quota, next_pace_change, pace_day, paced
from resapermis_scheduling_rules.domain.restrictions import Reason
from resapermis_scheduling_rules.domain.slots import Centre, School, Slot, Status, status_of
from resapermis_scheduling_rules.domain.snapshot import Action, EvaluationSnapshot, Purpose
from resapermis_scheduling_rules.evaluation import judge
from resapermis_scheduling_rules.rules import ACTION_RULES, LINE_RULES, SLOT_RULES
from resapermis_scheduling_rules.rules.basket import basket, group
from resapermis_scheduling_rules.rules.slot import notice, past, unknown
from resapermis_scheduling_rules.rules.territory import licensed, territory
from resapermis_scheduling_rules.rules.threshold import api_pace, threshold

SECOND = timedelta(seconds=1)


@pytest.mark.req("E-02")
@given(snapshots())
def test_equal_facts_get_equal_verdicts(snapshot: EvaluationSnapshot) -> None:
    other_school = replace(snapshot, school=replace(snapshot.school))
    assert judge.line(snapshot) == judge.line(other_school)


@pytest.mark.req("E-02")
@given(snapshots(), st.randoms(use_true_random=False))
def test_the_order_of_evaluation_changes_nothing(snapshot: EvaluationSnapshot, random: object) -> None:
    shuffled = list(LINE_RULES)
    random.shuffle(shuffled)  # type: ignore[attr-defined]
    assert {rule(snapshot).rule: rule(snapshot) for rule in shuffled} == {
        one.rule: one for one in judge.line(snapshot).verdicts
    }


@pytest.mark.req("E-02")
@given(snapshots())
def test_another_name_of_the_school_changes_no_verdict(snapshot: EvaluationSnapshot) -> None:
    free = replace(snapshot, slot=replace(snapshot.slot, holder=""))
    renamed = replace(free, school=replace(free.school, id="renamed"))
    assert judge.line(free) == judge.line(renamed)


@pytest.mark.req("R-09")
@given(snapshots() | waiting_snapshots())
def test_a_rule_opens_exactly_when_it_says(snapshot: EvaluationSnapshot) -> None:
    for rule in LINE_RULES:
        verdict = rule(snapshot)
        if verdict.opens_at is None:
            continue
        assert not verdict.allowed
        assert verdict.opens_at > snapshot.now
        assert rule(replace(snapshot, now=verdict.opens_at)).allowed
        assert not rule(replace(snapshot, now=verdict.opens_at - SECOND)).allowed


@pytest.mark.req("R-09")
@given(snapshots() | waiting_snapshots())
def test_a_line_opens_at_the_very_first_moment_that_allows_it(snapshot: EvaluationSnapshot) -> None:
    judged = judge.explained(snapshot)
    if judged.opens_at is None:
        return
    assert not judged.allowed
    assert judge.line(replace(snapshot, now=judged.opens_at)).allowed
    moments = {snapshot.now, judged.opens_at - SECOND}
    moments |= {restriction.until for restriction in snapshot.restrictions if restriction.until is not None}
    moments |= {restriction.since for restriction in snapshot.restrictions}
    moments |= {verdict.opens_at for verdict in judged.verdicts if verdict.opens_at is not None}
    for at in moments:
        if snapshot.now <= at < judged.opens_at:
            assert not judge.line(replace(snapshot, now=at)).allowed


@given(snapshots())
def test_what_opens_by_itself_has_only_openings_against_it(snapshot: EvaluationSnapshot) -> None:
    judged = judge.explained(snapshot)
    if judged.opens_at is not None:
        assert all(verdict.opens_at is not None for verdict in judged.verdicts if not verdict.allowed)


@pytest.mark.req("E-02")
@given(snapshots())
def test_asking_again_improves_nothing(snapshot: EvaluationSnapshot) -> None:
    first, second = judge.line(snapshot), judge.line(replace(snapshot))
    assert first == second
    assert judge.explained(snapshot).verdicts == first.verdicts


@given(snapshots(), actions)
def test_verdicts_use_the_words_of_the_closed_lists(snapshot: EvaluationSnapshot, action: Action) -> None:
    for verdict in [*judge.line(snapshot).verdicts, *judge.action(action).verdicts, unknown("slot")]:
        assert verdict.rule in RULE_IDS
        assert verdict.allowed == (verdict.remedy == "")
        assert verdict.remedy in REMEDIES | {""}
        if verdict.rule == "R-CATEGORY" and not verdict.allowed:
            assert verdict.facts["field"] in CATEGORY_FIELDS


def test_the_glossary_lists_every_word_that_verdicts_use() -> None:
    glossary = (Path(__file__).parents[3] / "docs" / "glossary.md").read_text()
    for word in [*RULE_IDS, *REMEDIES, *CATEGORY_FIELDS, *Reason]:
        assert f"`{word}`" in glossary


@pytest.mark.req("R-09")
@given(snapshots() | waiting_snapshots())
def test_a_slot_opens_exactly_when_it_says(snapshot: EvaluationSnapshot) -> None:
    judged = judge.slot(snapshot)
    if judged.opens_at is not None:
        assert not judged.allowed
        assert judge.slot(replace(snapshot, now=judged.opens_at)).allowed
        assert not judge.slot(replace(snapshot, now=judged.opens_at - SECOND)).allowed


@given(snapshots())
def test_each_rule_answers_once_under_its_own_name(snapshot: EvaluationSnapshot) -> None:
    names = [verdict.rule for verdict in judge.line(snapshot).verdicts]
    assert len(names) == len(set(names)) == len(LINE_RULES)


@given(snapshots())
def test_no_fact_is_a_person(snapshot: EvaluationSnapshot) -> None:
    if snapshot.candidate is not None:
        assert all(snapshot.candidate.id not in verdict.facts.values() for verdict in judge.line(snapshot).verdicts)


@pytest.mark.req("R-14")
@given(st.sampled_from([Purpose.HOLD, Purpose.VALIDATE]), st.integers(0, 50))
def test_an_action_takes_one_to_four_slots(purpose: Purpose, lines: int) -> None:
    verdict = group(Action(purpose, lines, 0, Parameters()))
    assert verdict.allowed == (1 <= lines <= 4)


@pytest.mark.req("R-14")
@given(st.integers(0, 20), st.integers(1, 4))
def test_a_basket_holds_its_limit_and_validation_adds_nothing(inside: int, lines: int) -> None:
    assert basket(Action(Purpose.HOLD, lines, inside, Parameters())).allowed == (inside + lines <= 12)
    assert basket(Action(Purpose.VALIDATE, lines, inside, Parameters())).allowed


@given(actions)
def test_all_rules_of_an_action_answer_in_any_order(action: Action) -> None:
    verdicts = {verdict.rule: verdict for verdict in judge.action(action).verdicts}
    for order in permutations(ACTION_RULES):
        assert {rule(action).rule: rule(action) for rule in order} == verdicts


@pytest.mark.req("R-10")
@given(snapshots())
def test_the_lower_threshold_blocks(snapshot: EvaluationSnapshot) -> None:
    free = replace(snapshot, purpose=Purpose.HOLD, quota=replace(snapshot.quota, rdvpermis_says_reached=False))
    allowed = threshold(free).allowed
    quota = free.quota
    known = [limit for limit in (quota.own_limit, quota.rdvpermis_limit) if limit is not None]
    assert allowed == (bool(known) and all(quota.counted + free.asked <= limit for limit in known))


@pytest.mark.req("R-10")
@given(st.decimals("0", "10", places=2), st.decimals("0", "30", places=2))
@example(Decimal("2.40"), Decimal("2.50"))
@example(Decimal("4.5"), Decimal("1.99"))
def test_the_threshold_is_rounded_down_without_binary_dust(rate: Decimal, fte: Decimal) -> None:
    limit = Quota(rate=rate, fte=fte).limit
    assert limit <= rate * fte < limit + 1


@pytest.mark.req("R-10")
@given(st.integers(0, 200), parameters)
def test_the_pace_rises_from_the_first_share_to_all_of_it(limit: int, values: Parameters) -> None:
    by_day = [paced(limit, day, values) for day in range(1, 32)]
    assert by_day == sorted(by_day)
    assert by_day[values.pace_full_day - 1] == limit
    if values.pace_full_day > 1:
        assert by_day[0] == limit * values.pace_first_percent // 100


def test_the_pace_before_in_and_after_its_month() -> None:
    paris = ZoneInfo("Europe/Paris")
    assert pace_day("2026-12", "91", datetime(2026, 11, 30, 23, 59, tzinfo=paris)) == 1
    assert pace_day("2026-12", "91", datetime(2026, 12, 2, 0, 0, tzinfo=paris)) == 2
    assert pace_day("2026-12", "91", datetime(2027, 1, 1, 0, 0, tzinfo=paris)) == 99
    assert pace_day("2026-12", "971", datetime(2026, 12, 2, 0, 0, tzinfo=paris)) == 1  # still the 1st in Guadeloupe


@given(moments, departments, st.integers(0, 100), parameters)
def test_the_next_change_of_the_pace_is_the_first(
    at: datetime, department: str, limit: int, values: Parameters
) -> None:
    month = month_of(at.astimezone(ZoneInfo(zone_of(department))).date())
    change = next_pace_change(limit, month, department, at, values)
    assert change > at
    before = paced(limit, pace_day(month, department, change - SECOND), values)
    assert before == paced(limit, pace_day(month, department, at), values)
    if change < month_start(next_month(month), department):
        assert paced(limit, pace_day(month, department, change), values) > before


@pytest.mark.parametrize(
    ("department", "local", "month"),
    [
        ("91", datetime(2026, 10, 31, 23, 30), "2026-10"),  # noqa: DTZ001
        ("91", datetime(2026, 11, 1, 0, 0), "2026-11"),  # noqa: DTZ001
        ("971", datetime(2026, 10, 31, 23, 30), "2026-10"),  # noqa: DTZ001
        ("974", datetime(2026, 11, 1, 0, 30), "2026-11"),  # noqa: DTZ001
    ],
)
def test_a_slot_counts_for_the_month_of_its_own_wall_clock(department: str, local: datetime, month: str) -> None:
    starts = local.replace(tzinfo=ZoneInfo(zone_of(department))).astimezone(UTC)
    slot = Slot("s", Centre("c", "C", department), starts, starts + SECOND, "B", "PLATEAU", starts, Status.FREE, starts)
    assert slot.month == month


def test_territory_ends_after_48_hours_of_real_time_over_a_change_of_clocks() -> None:
    published = datetime(2026, 3, 28, 15, 0, tzinfo=ZoneInfo("Europe/Paris"))  # clocks change on the 29th
    snapshot = _snapshot(published_at=published.astimezone(UTC), now=published.astimezone(UTC), department="75")
    opens = territory(snapshot).opens_at
    assert opens is not None
    assert opens.astimezone(ZoneInfo("Europe/Paris")) == datetime(2026, 3, 30, 16, 0, tzinfo=ZoneInfo("Europe/Paris"))


@given(departments, st.integers(1, 12), st.integers(1, 28))
def test_midnight_exists_in_every_zone(department: str, month: int, day: int) -> None:
    start = month_start(f"2026-{month:02d}", department, day).astimezone(ZoneInfo(zone_of(department)))
    assert (start.date(), start.hour, start.minute) == (date(2026, month, day), 0, 0)


@pytest.mark.req("R-12", "R-28")
def test_a_slot_that_has_begun_is_past_and_a_lapsed_licence_takes_nothing() -> None:
    snapshot = _snapshot()
    assert past(replace(snapshot, now=snapshot.slot.starts_at - SECOND)).allowed
    assert not past(replace(snapshot, now=snapshot.slot.starts_at)).allowed
    lapsed = replace(snapshot, school=replace(snapshot.school, licensed_until=snapshot.now))
    assert not licensed(lapsed).allowed
    assert notice(replace(snapshot, now=snapshot.slot.starts_at)).allowed


@pytest.mark.req("R-10")
def test_a_pace_that_will_never_suffice_does_not_promise() -> None:
    snapshot = replace(_snapshot(), quota=Quota(rate=Decimal("4.5"), fte=Decimal(1), taken=4))
    verdict = api_pace(snapshot)
    assert (verdict.allowed, verdict.opens_at, verdict.remedy) == (False, None, "choose_another_month")


@pytest.mark.req("R-24")
def test_a_parameter_for_a_place_goes_before_one_for_everywhere() -> None:
    rows = [
        Parameter("threshold_rate", None, None, Decimal("4.5")),
        Parameter("threshold_rate", "91", None, Decimal("5.1")),
        Parameter("threshold_rate", "91", "A", Decimal("2.4")),
        Parameter("threshold_rate", None, "CE", Decimal("3.0")),
        Parameter("group", None, None, Decimal(3)),
    ]
    for order in (rows, rows[::-1]):
        assert parameters_for(order, "91", "B").threshold_rate == Decimal("5.1")
        assert parameters_for(order, "91", "A").threshold_rate == Decimal("2.4")
        assert parameters_for(order, "33", "CE").threshold_rate == Decimal("3.0")
        assert parameters_for(order).threshold_rate == Decimal("4.5")
        assert parameters_for(order).group == 3


def test_a_word_of_rdvpermis_that_nobody_knows_is_not_bookable() -> None:
    assert status_of("DISPONIBLE") is Status.FREE
    assert status_of("") is Status.OTHER
    assert status_of("disponible") is Status.OTHER


def test_a_search_says_what_the_slot_rules_say() -> None:
    assert [one.rule for one in judge.slot(_snapshot()).verdicts] == [rule(_snapshot()).rule for rule in SLOT_RULES]


def _snapshot(
    *, published_at: datetime | None = None, now: datetime | None = None, department: str = "91"
) -> EvaluationSnapshot:
    starts = datetime(2026, 12, 9, 8, 0, tzinfo=UTC)
    published = published_at or starts - timedelta(days=20)
    slot = Slot(
        "slot",
        Centre("c", "C", "91"),
        starts,
        starts + timedelta(minutes=32),
        "B",
        "CIRCULATION",
        published,
        Status.FREE,
        published,
    )
    quota = Quota(rate=Decimal("4.5"), fte=Decimal(4))
    school = School("school", department)
    return EvaluationSnapshot(now or starts - timedelta(days=10), Purpose.HOLD, school, slot, Parameters(), quota)
