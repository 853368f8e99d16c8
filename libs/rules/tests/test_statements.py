"""The shared rules as arithmetic: what each allows, what it refuses, and what it advises."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from resapermis_rules import statements
from resapermis_rules.verdict import Statement, Verdict
from resapermis_rules.words import REMEDIES, RULE_IDS

STATED = [one for one in vars(statements).values() if isinstance(one, Statement)]
TICK = timedelta(microseconds=1)
facts = st.dictionaries(st.sampled_from(["slot", "line", "busy"]), st.text(max_size=5), max_size=3)
zones = st.integers(-720, 720).map(lambda minutes: timezone(timedelta(minutes=minutes)))
moments = st.datetimes(datetime(2020, 1, 1), datetime(2040, 1, 1), timezones=zones)  # noqa: DTZ001 - Hypothesis adds the zone
whose = st.sampled_from(["candidate", "trainer", "vehicle", "school", statements.TRAINER_OR_VEHICLE])
verdicts = st.one_of(
    st.builds(statements.group, st.integers(-1, 50), st.integers(1, 4)),
    st.builds(statements.replacements, st.integers(1, 4), st.none() | st.integers(0, 5), st.integers(0, 5)),
    st.builds(statements.past, moments, moments, booked=st.booleans(), facts=facts),
    st.builds(statements.named, named=st.booleans(), needed=st.booleans(), other_lines=st.integers(0, 3), facts=facts),
    st.builds(statements.mandate, active=st.booleans()),
    st.builds(statements.one_active, busy=st.booleans(), facts=facts),
    st.builds(statements.available, st.none() | whose, facts),
)


@given(verdicts)
def test_a_verdict_has_a_known_rule_its_source_and_a_remedy_only_where_it_refuses(verdict: Verdict) -> None:
    assert Statement(verdict.rule, verdict.source) in STATED
    assert verdict.allowed == (verdict.remedy == "")
    assert verdict.remedy in REMEDIES | {""}
    assert verdict.opens_at is None


def test_each_rule_is_stated_once_under_an_id_of_the_closed_list_with_its_source() -> None:
    ids = [one.rule for one in STATED]
    assert len(set(ids)) == len(ids) == 7
    assert set(ids) <= set(RULE_IDS)
    assert all(one.source.startswith("RdvPermis") for one in STATED)


@given(st.sampled_from(STATED), facts)
def test_what_a_rule_does_not_apply_to_is_allowed_with_the_same_facts(
    statement: Statement, shown: Mapping[str, str]
) -> None:
    assert statement.allows(shown) == statement.judges(shown, allowed=True, remedy="wait")
    assert statement.judges(shown, allowed=False, remedy="wait").remedy == "wait"


@pytest.mark.req("R-14")
@given(st.integers(-5, 50), st.integers(1, 4))
def test_an_action_takes_one_slot_up_to_its_limit(asked: int, limit: int) -> None:
    verdict = statements.group(asked, limit)
    assert verdict.allowed == (asked in range(1, limit + 1))
    assert verdict.facts == {"asked": str(asked), "limit": str(limit)}


@pytest.mark.req("R-13")
@given(st.integers(1, 4), st.integers(0, 10), st.integers(0, 10))
def test_so_many_are_replaced_as_are_left_and_what_is_not_known_is_rdvpermis_to_decide(
    lines: int, left: int, per_month: int
) -> None:
    assert statements.replacements(lines, left, per_month).allowed == (left - lines >= 0)
    unknown = statements.replacements(lines, None, per_month)
    assert (unknown.allowed, unknown.facts["left"]) == (True, "unknown")


@pytest.mark.req("R-12", "R-13")
@given(moments, zones, st.booleans(), facts)
def test_a_slot_is_past_from_its_very_first_moment_whatever_the_clock(
    starts_at: datetime,
    zone: timezone,
    booked: bool,  # noqa: FBT001 - drawn by Hypothesis
    shown: Mapping[str, str],
) -> None:
    begun = statements.past(starts_at, starts_at.astimezone(zone), booked=booked, facts=shown)
    assert not begun.allowed
    assert begun.remedy == ("see_bookings" if booked else "choose_another_slot")
    assert statements.past(starts_at, (starts_at - TICK).astimezone(zone), booked=booked, facts=shown).allowed


@pytest.mark.req("R-12")
@given(moments, moments)
def test_what_is_past_stays_past(starts_at: datetime, now: datetime) -> None:
    assume(not statements.past(starts_at, now, booked=False, facts={}).allowed)
    assert not statements.past(starts_at, now.astimezone(UTC) + TICK, booked=False, facts={}).allowed


@pytest.mark.req("R-04")
@pytest.mark.parametrize(
    ("named", "needed", "other_lines", "remedy"),
    [
        (True, True, 0, ""),
        (False, False, 0, ""),
        (True, False, 0, ""),
        (False, True, 0, "name_candidate"),
        (False, True, 1, "name_candidate"),
        (True, True, 1, "choose_another_candidate"),
        (True, False, 2, "choose_another_candidate"),
    ],
)
def test_a_line_is_named_where_it_must_be_and_a_candidate_stands_on_one_line(
    *, named: bool, needed: bool, other_lines: int, remedy: str
) -> None:
    verdict = statements.named(named=named, needed=needed, other_lines=other_lines, facts={})
    assert (verdict.allowed, verdict.remedy) == (remedy == "", remedy)


@pytest.mark.req("R-04")
def test_only_who_is_under_mandate_and_free_of_other_bookings_is_booked() -> None:
    assert statements.mandate(active=True).allowed
    refused = statements.mandate(active=False)
    assert (refused.allowed, refused.facts, refused.remedy) == (False, {"active": "false"}, "ask_mandate")
    assert statements.one_active(busy=False, facts={}).allowed
    busy = statements.one_active(busy=True, facts={"busy": "true"})
    assert (busy.allowed, busy.facts, busy.remedy) == (False, {"busy": "true"}, "choose_another_candidate")


@pytest.mark.req("R-17")
@pytest.mark.parametrize(
    ("whose", "remedy"),
    [
        ("candidate", "choose_another_slot"),
        ("trainer", "choose_another_trainer"),
        ("vehicle", "choose_another_vehicle"),
        ("school", "choose_another_slot"),
        (statements.TRAINER_OR_VEHICLE, "choose_another_trainer_or_vehicle"),
    ],
)
def test_who_is_elsewhere_is_changed_or_the_slot_is(whose: str, remedy: str) -> None:
    verdict = statements.available(whose, {"whose": whose})
    assert (verdict.allowed, verdict.remedy) == (False, remedy)
    assert statements.available(None, {}).allowed
