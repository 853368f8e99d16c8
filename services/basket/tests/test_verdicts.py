"""The shared rules on what basket knows: a line, mandate's answer, RdvPermis' allowance, its own database."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket.domain.line import Line, Slot, State
from resapermis_basket.judgement import verdicts
from resapermis_rules.verdict import Verdict
from resapermis_rules.words import REMEDIES

STARTS = datetime(2026, 12, 9, 8, 0, tzinfo=UTC)
SLOT = Slot("s1", "91", "B", "2026-12", STARTS, STARTS + timedelta(minutes=32), "Europe/Paris", "C", b"")


def line(state: State = State.BOOKED, candidate: UUID | None = None) -> Line:
    return Line(UUID(int=1), UUID(int=2), 0, "school", "account", SLOT, state, STARTS, candidate_id=candidate)


def test_a_message_says_all_that_was_stated() -> None:
    stated = Verdict("R-GROUP", False, {"asked": "5"}, "a source", remedy="ask_fewer")
    made = verdicts.message(stated)
    assert (made.rule, made.allowed, dict(made.facts), made.source, made.remedy, made.HasField("opens_at")) == (
        "R-GROUP",
        False,
        {"asked": "5"},
        "a source",
        "ask_fewer",
        False,
    )


@pytest.mark.req("R-12")
@pytest.mark.parametrize(
    ("state", "remedy"),
    [(State.HELD, "choose_another_slot"), (State.BOOKED, "see_bookings"), (State.DONE, "see_bookings")],
)
def test_a_line_that_has_begun_is_past_and_says_where_to_look(state: State, remedy: str) -> None:
    begun = verdicts.past(line(state), STARTS)
    assert (begun.allowed, begun.remedy, begun.facts["startsAt"]) == (False, remedy, STARTS.isoformat())
    assert verdicts.past(line(state), STARTS - timedelta(microseconds=1)).allowed


@pytest.mark.req("R-04")
def test_an_unnamed_line_is_refused_by_its_own_id() -> None:
    assert verdicts.named(line(candidate=UUID(int=3))).allowed
    refused = verdicts.named(line())
    assert (refused.allowed, refused.remedy) == (False, "name_candidate")
    assert dict(refused.facts) == {"line": str(UUID(int=1)), "slot": "s1"}


@pytest.mark.req("R-13")
@pytest.mark.parametrize(("left", "allowed"), [(0, False), (1, True), (5, True)])
def test_one_booking_takes_one_of_rdvpermis_replacements(left: int, *, allowed: bool) -> None:
    verdict = verdicts.replacements(rdv.GetReplacementsResponse(left=left, per_month=5))
    assert (verdict.allowed, dict(verdict.facts)) == (allowed, {"left": str(left), "perMonth": "5"})


@pytest.mark.req("R-17")
def test_what_the_database_refused_advises_something_that_readers_can_be_told() -> None:
    verdict = verdicts.line_resources_busy()
    assert (verdict.rule, verdict.allowed, verdict.facts["whose"]) == ("R-AVAILABLE", False, "trainer_or_vehicle")
    assert verdict.remedy in REMEDIES
