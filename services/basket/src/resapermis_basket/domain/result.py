"""How an exam went, from what RdvPermis publishes of its candidate; and when to poll again."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from resapermis_basket.domain.line import ExamOutcome, Line, Result

PUBLISHED_WITHIN = timedelta(hours=48)
"""The State's own promise (service-public): so long we poll often."""
ABSENCE = "ABSENCE"
SHORTEST_ABSENCE, LONGEST_ABSENCE = timedelta(days=30), timedelta(days=60)
"""A restriction for absence ends 40 days after it; its end must fit this exam, and not an earlier one."""


@dataclass(frozen=True, slots=True)
class FoundResult:
    """A result as RdvPermis lists it under a candidate."""

    exam_id: str
    passed: bool
    points: int | None
    at: datetime | None


@dataclass(frozen=True, slots=True)
class FoundPenalty:
    """A penalty as RdvPermis lists it under a candidate."""

    reason: str
    until: datetime


def result_of_exam(
    line: Line, results: Sequence[FoundResult], penalties: Sequence[FoundPenalty], now: datetime
) -> Result | None:
    """How the line's exam went; None while nothing is published. A restriction for absence without a result is an absence."""
    mine = [one for one in results if one.exam_id == line.exam_id and one.exam_id]
    if not mine:
        day = line.slot.local_day
        mine = [one for one in results if not one.exam_id and one.at is not None and line.slot.day_of(one.at) == day]
    if mine:
        outcome = ExamOutcome.PASSED if mine[0].passed else ExamOutcome.FAILED
        return Result(outcome, mine[0].points, now)
    earliest, latest = line.slot.starts_at + SHORTEST_ABSENCE, line.slot.starts_at + LONGEST_ABSENCE
    absent = any(ABSENCE in one.reason.upper() and earliest <= one.until <= latest for one in penalties)
    return Result(ExamOutcome.ABSENT, None, now) if absent else None


@dataclass(frozen=True, slots=True)
class PollPauses:
    """How long and how often results are polled."""

    often: timedelta
    seldom: timedelta
    give_up: timedelta


def first_poll(line: Line, pauses: PollPauses) -> datetime | None:
    """When a result is first polled; None where RdvPermis named nobody."""
    return line.slot.ends_at + pauses.often if line.rdvpermis_candidate_id else None


def next_poll(line: Line, pauses: PollPauses, now: datetime) -> datetime | None:
    """When to poll again; None when it is given up: the result is then shown as awaited."""
    age = now - line.slot.ends_at
    if age >= pauses.give_up:
        return None
    return now + (pauses.often if age < PUBLISHED_WITHIN else pauses.seldom)
