"""Restrictions: until when a candidate may not be booked, and why (R-PENALTY). Pure arithmetic on what was found."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from resapermis_places.days import local_day
from resapermis_scheduling_rules.domain.days import days_later
from resapermis_scheduling_rules.domain.parameters import Parameters


class Reason(StrEnum):
    """Why we restrict; RdvPermis' own restrictions carry its motif verbatim instead."""

    ABSENCE = "absence"
    LATE_CANCELLATION = "late_cancellation"
    FAILURE = "failure"
    PASSED = "passed"
    RESULT_PENDING = "result_pending"


class ReportedOutcome(StrEnum):
    """How an exam went, as RdvPermis publishes it; ABSENT: without a justification."""

    PASSED = "passed"
    FAILED = "failed"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class Restriction:
    """A candidate may not be booked in a category until a moment; None: for good."""

    id: str
    reason: str
    since: datetime
    until: datetime | None
    kind: str = ""
    """Kind of test that it restricts; empty: all of the category."""
    from_rdvpermis: bool = False
    waived: bool = False
    """For force majeure, by two persons. RdvPermis' own restriction stands until RdvPermis ends it."""

    def stands(self, now: datetime) -> bool:
        """Whether it restricts at `now`: from `since` on, before `until`, and not waived (RdvPermis' own cannot be, by us)."""
        in_time = self.since <= now and (self.until is None or now < self.until)
        return in_time and (self.from_rdvpermis or not self.waived)

    def restricts(self, kind: str, now: datetime) -> bool:
        """Whether it restricts a kind of test ("CIRCULATION", "PLATEAU"; "": not known, then only one of all kinds) at `now`."""
        return self.kind in {"", kind} and self.stands(now)


def failure_days(points: int | None, parameters: Parameters) -> int:
    """Days without booking after a failure, by its mark of 31: five steps, one parameter each (`failure_…_days`).

    Enough points and yet failed: an eliminatory error. Where RdvPermis does not state the mark, the shortest restriction, which
    is certain; what it restricts beyond, its own list states.
    """
    if points is None:
        return parameters.failure_17_days
    if points >= parameters.pass_points or points < 5:
        return parameters.failure_0_days
    if points >= 17:
        return parameters.failure_17_days
    if points >= 14:
        return parameters.failure_14_days
    return parameters.failure_10_days if points >= 10 else parameters.failure_5_days


@dataclass(frozen=True, slots=True)
class NewRestriction:
    """A restriction that follows from something that happened to one line."""

    reason: Reason
    since: datetime
    until: datetime | None
    kind: str = ""


def after_result(
    outcome: ReportedOutcome, points: int | None, exam_at: datetime, kind: str, department: str, parameters: Parameters
) -> NewRestriction | None:
    """What a result forbids: a pass this kind of test for good, a failure by its mark, an absence longest; from the exam on.

    A pass of a test whose kind nobody knows restricts nothing of ours: it may have been the plateau.
    """
    if outcome is ReportedOutcome.PASSED:
        return NewRestriction(Reason.PASSED, exam_at, None, kind) if kind else None
    if outcome is ReportedOutcome.ABSENT:
        return NewRestriction(Reason.ABSENCE, exam_at, days_later(exam_at, parameters.absence_days, department))
    days = failure_days(points, parameters)
    return NewRestriction(Reason.FAILURE, exam_at, days_later(exam_at, days, department))


def after_exam(starts_at: datetime, kind: str, parameters: Parameters) -> NewRestriction:
    """An exam whose result is awaited restricts its own kind of test until the result is there, for two days at most."""
    return NewRestriction(Reason.RESULT_PENDING, starts_at, starts_at + timedelta(hours=parameters.result_hours), kind)


def is_late(cancelled_at: datetime, exam_at: datetime, department: str, parameters: Parameters) -> bool:
    """Whether a cancellation comes `late_cancel_days` calendar days of the department (six) or less before the exam."""
    days = (local_day(exam_at, department) - local_day(cancelled_at, department)).days
    return days <= parameters.late_cancel_days


def after_cancellation(
    cancelled_at: datetime, exam_at: datetime, department: str, parameters: Parameters
) -> NewRestriction | None:
    """What follows from a cancellation: none when it is early, else `late_cancel_restriction_days` from the cancelling on.

    Source: Sécurité routière (six days or less before the exam: 30 days).
    """
    if not is_late(cancelled_at, exam_at, department, parameters):
        return None
    until = days_later(cancelled_at, parameters.late_cancel_restriction_days, department)
    return NewRestriction(Reason.LATE_CANCELLATION, cancelled_at, until)


def next_possible(restrictions: Iterable[Restriction], now: datetime) -> datetime | None:
    """First moment at which none of these restrictions stands; None when one stands for good.

    Restrictions that begin before an earlier one has ended are walked through: the answer has no restriction standing.
    """
    known = list(restrictions)
    at = now
    while True:
        standing = [restriction for restriction in known if restriction.stands(at)]
        if not standing:
            return at
        ends = [restriction.until for restriction in standing]
        if None in ends:
            return None
        at = max(end for end in ends if end is not None)
