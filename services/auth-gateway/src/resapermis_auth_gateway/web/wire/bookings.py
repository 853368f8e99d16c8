"""Bookings: seen, cancelled, given to another candidate, swapped; and how the exams went."""

from datetime import datetime
from typing import Literal

from resapermis.booking.v1 import booking_pb2
from resapermis_auth_gateway.web.wire.base import Body, Id, View, optional_instant
from resapermis_auth_gateway.web.wire.basket import LineView


class Cancellation(Body):
    """Why a booking is cancelled; kept in the journal."""

    reason: Literal["candidate_ill", "not_ready", "school", "other"]


class Replacement(Body):
    """The candidate who takes the exam instead."""

    candidate_id: Id


class Swap(Body):
    """The other booking, which takes this one's place."""

    other_booking_id: Id


class ReplacementsView(View):
    """RdvPermis' replacements for the first booking of a page: how many in all, how many are left."""

    left: int
    per_month: int


class MonthlyReplacementsView(View):
    """RdvPermis' replacements for exams of one month and licence group: how many in all, how many are left."""

    category: str
    month: str
    left: int
    per_month: int

    @classmethod
    def of(cls, known: booking_pb2.Replacements) -> "MonthlyReplacementsView":
        """From booking.v1.Replacements."""
        return cls(category=known.category, month=known.month, left=known.left, per_month=known.per_month)


class BookingPage(View):
    """A page of bookings by exam time; `nextCursor` is null on the last, `replacements` where they are not known.

    `replacementsByMonth` has what is known for coming bookings, by licence group and the exam's month.
    """

    items: list[LineView]
    next_cursor: str | None = None
    replacements: ReplacementsView | None = None
    replacements_by_month: list[MonthlyReplacementsView]
    server_time: datetime


class SwappedView(View):
    """The two new bookings, the first's place first; one still `changing` is not known yet."""

    items: list[LineView]


class SwappableView(View):
    """Bookings that may change places with one, as RdvPermis says."""

    items: list[LineView]
    server_time: datetime


class CancellationView(View):
    """What cancelling would cost now: whether late, and the days without a new booking that follow."""

    possible: bool
    late: bool
    restricted_days: int
    restricted_until: datetime | None = None
    free_until: datetime | None = None
    server_time: datetime

    @classmethod
    def of(cls, preview: booking_pb2.PreviewCancellationResponse, now: datetime) -> "CancellationView":
        """From booking.v1.PreviewCancellationResponse; `now` is the server's time."""
        return cls(
            possible=preview.possible,
            late=preview.late,
            restricted_days=preview.restricted_days,
            restricted_until=optional_instant(preview, "restricted_until"),
            free_until=optional_instant(preview, "free_until"),
            server_time=now,
        )


class ResultCountView(View):
    """Results of a month, licence group and kind of test; `awaited` has none published yet."""

    month: str
    category: str
    kind: str
    passed: int
    failed: int
    absent: int
    awaited: int

    @classmethod
    def of(cls, count: booking_pb2.ResultCount) -> "ResultCountView":
        """From booking.v1.ResultCount."""
        return cls(
            month=count.month,
            category=count.category,
            kind=count.kind,
            passed=count.passed,
            failed=count.failed,
            absent=count.absent,
            awaited=count.awaited,
        )


class ResultsView(View):
    """One count by month, licence group and kind of test."""

    items: list[ResultCountView]
