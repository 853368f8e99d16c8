"""Bookings: seen, cancelled, given to another candidate, swapped; and how the exams went."""

from datetime import datetime
from typing import Literal

from resapermis.booking.v1 import booking_pb2
from resapermis_auth_gateway.web.wire.base import Body, Id, View, optional_instant
from resapermis_auth_gateway.web.wire.basket import LineView


class Cancellation(Body):
    """Why a booking is given up."""

    reason: Literal["candidate_ill", "not_ready", "school", "other"]


class Replacement(Body):
    """Who takes the exam instead."""

    candidate_id: Id


class Swap(Body):
    """The other booking, which takes this one's place."""

    other_booking_id: Id


class ReplacementsView(View):
    """What RdvPermis still allows this month."""

    left: int
    per_month: int


class BookingPage(View):
    """Bookings."""

    items: list[LineView]
    next_cursor: str | None = None
    replacements: ReplacementsView | None = None
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
        """From basket."""
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
        """From basket."""
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
    """The school's results."""

    items: list[ResultCountView]
