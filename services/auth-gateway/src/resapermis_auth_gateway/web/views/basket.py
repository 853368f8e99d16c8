"""Lines, groups, bookings."""

from datetime import datetime
from typing import Annotated

from resapermis.basket.v1 import basket_pb2
from resapermis.booking.v1 import booking_pb2
from resapermis_auth_gateway.web.sentences import Language
from resapermis_auth_gateway.web.views.base import CandidateNameView, Names, ReasonView, View, known, maybe, word, words
from resapermis_auth_gateway.web.views.slots import SlotView

State = Annotated[str, words(basket_pb2.LineState, "LINE_STATE_")]
Outcome = Annotated[str, words(basket_pb2.Result.Outcome, "OUTCOME_")]


class ResultView(View):
    """How an exam went, as found at RdvPermis; points are of 31."""

    outcome: Outcome
    points: int | None = None
    found_at: datetime | None = None

    @classmethod
    def of(cls, result: basket_pb2.Result) -> "ResultView":
        """From basket."""
        return cls(
            outcome=word(basket_pb2.Result.Outcome, result.outcome, "OUTCOME_"),
            points=known(result, "points"),
            found_at=maybe(result, "found_at"),
        )


class LineView(View):
    """A slot asked for, held, booked or refused; booked there by hand, it was `foundElsewhere`."""

    id: str
    group_id: str
    slot: SlotView
    candidate: CandidateNameView | None = None
    state: State
    since: datetime | None = None
    expires_at: datetime | None = None
    reason: ReasonView | None = None
    exam_id: str | None = None
    changing: bool = False
    trainer_id: str | None = None
    vehicle_id: str | None = None
    found_elsewhere: bool = False
    result: ResultView | None = None

    @classmethod
    def of(cls, line: basket_pb2.Line, names: Names, language: Language) -> "LineView":
        """From basket, with the name that it does not know."""
        return cls(
            id=line.id,
            group_id=line.group_id,
            slot=SlotView.of(line.slot),
            candidate=CandidateNameView.of(line.candidate_id, names),
            state=state_of(line),
            since=maybe(line, "since"),
            expires_at=maybe(line, "expires_at"),
            reason=ReasonView.of(line.refusal, language) if line.HasField("refusal") else None,
            exam_id=line.exam_id or None,
            changing=line.changing,
            trainer_id=line.trainer_id or None,
            vehicle_id=line.vehicle_id or None,
            found_elsewhere=line.found_elsewhere,
            result=ResultView.of(line.result) if line.HasField("result") else None,
        )


def state_of(line: basket_pb2.Line) -> str:
    """Return "held", "booked" and so on."""
    return word(basket_pb2.LineState, line.state, "LINE_STATE_")


class GroupView(View):
    """One action: at most four lines, one basket at RdvPermis."""

    id: str
    created_at: datetime | None = None
    expires_at: datetime | None = None
    lines: list[LineView]

    @classmethod
    def of(cls, group: basket_pb2.Group, names: Names, language: Language) -> "GroupView":
        """Lines for a slot that nobody knows have nothing to show; the results of the action still say them."""
        return cls(
            id=group.id,
            created_at=maybe(group, "created_at"),
            expires_at=maybe(group, "expires_at"),
            lines=[LineView.of(line, names, language) for line in group.lines if line.slot.HasField("starts_at")],
        )


class LimitsView(View):
    """Parameters in force."""

    group: int
    basket: int
    hold_ttl_seconds: int


class BasketView(View):
    """The school's live groups."""

    groups: list[GroupView]
    limits: LimitsView
    server_time: datetime


class ItemResultView(View):
    """What became of one slot of an action."""

    line_id: str
    slot_id: str
    state: State
    problem: ReasonView | None = None


class GroupOutcomeView(View):
    """The answer to a hold or a validation, line by line."""

    group: GroupView
    results: list[ItemResultView]
    server_time: datetime

    @classmethod
    def of(cls, group: basket_pb2.Group, names: Names, language: Language, now: datetime) -> "GroupOutcomeView":
        """From basket."""
        results = [
            ItemResultView(
                line_id=line.id,
                slot_id=line.slot.id,
                state=state_of(line),
                problem=ReasonView.of(line.refusal, language) if line.HasField("refusal") else None,
            )
            for line in group.lines
        ]
        return cls(group=GroupView.of(group, names, language), results=results, server_time=now)


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
            restricted_until=maybe(preview, "restricted_until"),
            free_until=maybe(preview, "free_until"),
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
