"""Lines and groups; what may be asked before a hold: why it would be refused, and what stands ready for an opening."""

from datetime import datetime
from typing import Annotated

from pydantic import Field

from resapermis.basket.v1 import basket_pb2
from resapermis.scheduling.v1 import scheduling_pb2
from resapermis_auth_gateway.web.texts.remedies import remedy_sentence
from resapermis_auth_gateway.web.texts.rule_sentences import refusal_sentence
from resapermis_auth_gateway.web.texts.sentences import Language
from resapermis_auth_gateway.web.wire.base import (
    Body,
    CandidateNameView,
    Category,
    Department,
    Flag,
    Id,
    Names,
    ReasonView,
    VerdictView,
    View,
    enum_field,
    enum_word,
    optional_figure,
    optional_instant,
)
from resapermis_auth_gateway.web.wire.slots import SlotView

LineState = Annotated[str, enum_field(basket_pb2.LineState, "LINE_STATE_")]
ExamOutcome = Annotated[str, enum_field(basket_pb2.Result.Outcome, "OUTCOME_")]


class Item(Body):
    """A slot to hold; for whom, who accompanies and in what, if that is known."""

    slot_id: Id
    candidate_id: Id | None = None
    trainer_id: Id | None = None
    vehicle_id: Id | None = None


class Hold(Body):
    """One action. How many slots it may have, R-GROUP decides; the limit here only bounds the work of checking it."""

    items: Annotated[list[Item], Field(min_length=1, max_length=50)]
    all_or_nothing: Flag = False


class Check(Body):
    """Slots and candidates to ask about, as a hold would name them."""

    items: Annotated[list[Item], Field(min_length=1, max_length=50)]


class Preparation(Body):
    """Whom to prepare an opening for, and where; `slotId` is one to ask RdvPermis about, where one is known."""

    category: Category
    department: Department
    candidate_ids: list[Id] = Field(default=[], max_length=12)
    slot_id: Id | None = None


class LineResources(Body):
    """Who accompanies a candidate, and in what; null where it is not set."""

    trainer_id: Id | None
    vehicle_id: Id | None


class Naming(Body):
    """Who takes the exam; null takes the name off."""

    candidate_id: Id | None


class Validation(Body):
    """The group to validate: each of its held lines."""

    group_id: Id


class ResultView(View):
    """How an exam went, as found at RdvPermis; points are of 31."""

    outcome: ExamOutcome
    points: int | None = None
    found_at: datetime | None = None

    @classmethod
    def of(cls, result: basket_pb2.Result) -> "ResultView":
        """From basket.v1.Result; points are null where RdvPermis gives none."""
        return cls(
            outcome=enum_word(basket_pb2.Result.Outcome, result.outcome, "OUTCOME_"),
            points=optional_figure(result, "points"),
            found_at=optional_instant(result, "found_at"),
        )


class LineView(View):
    """A slot asked for, held, booked or refused; booked there by hand, it was `foundElsewhere`."""

    id: str
    group_id: str
    slot: SlotView
    candidate: CandidateNameView | None = None
    state: LineState
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
        """From basket.v1.Line; basket knows ids only, so the candidate's name comes from `names`."""
        return cls(
            id=line.id,
            group_id=line.group_id,
            slot=SlotView.of(line.slot),
            candidate=CandidateNameView.of(line.candidate_id, names),
            state=state_of(line),
            since=optional_instant(line, "since"),
            expires_at=optional_instant(line, "expires_at"),
            reason=ReasonView.of(line.refusal, language) if line.HasField("refusal") else None,
            exam_id=line.exam_id or None,
            changing=line.changing,
            trainer_id=line.trainer_id or None,
            vehicle_id=line.vehicle_id or None,
            found_elsewhere=line.found_elsewhere,
            result=ResultView.of(line.result) if line.HasField("result") else None,
        )


def state_of(line: basket_pb2.Line) -> str:
    """The line's state in lower case: "held", "booked" and so on."""
    return enum_word(basket_pb2.LineState, line.state, "LINE_STATE_")


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
            created_at=optional_instant(group, "created_at"),
            expires_at=optional_instant(group, "expires_at"),
            lines=[LineView.of(line, names, language) for line in group.lines if line.slot.HasField("starts_at")],
        )


class LimitsView(View):
    """Limits in force: slots in one action, lines in a basket, seconds that a hold lasts."""

    group: int
    basket: int
    hold_ttl_seconds: int


class BasketView(View):
    """The school's groups that have a line in its basket, newest first, and the limits in force."""

    groups: list[GroupView]
    limits: LimitsView
    server_time: datetime


class ItemResultView(View):
    """What became of one slot of an action."""

    line_id: str
    slot_id: str
    state: LineState
    problem: ReasonView | None = None


class GroupOutcomeView(View):
    """The answer to a hold or a validation, line by line."""

    group: GroupView
    results: list[ItemResultView]
    server_time: datetime

    @classmethod
    def of(cls, group: basket_pb2.Group, names: Names, language: Language, now: datetime) -> "GroupOutcomeView":
        """From basket.v1.Group: the group as it now stands, and each line's state with its refusal."""
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


class NeedView(View):
    """One thing that stands against: what the rule says, what to do, and when it ends by itself."""

    rule: str
    source: str
    detail: str | None = None
    remedy: str | None = None
    action: str | None = None
    facts: dict[str, str]
    opens_at: datetime | None = None

    @classmethod
    def of(cls, need: scheduling_pb2.Need, language: Language) -> "NeedView":
        """From scheduling.v1.Need, with its sentences in the reader's language."""
        return cls(
            rule=need.rule,
            source=need.source,
            detail=refusal_sentence(need, language),
            remedy=need.remedy or None,
            action=remedy_sentence(need.remedy, language),
            facts=dict(need.facts),
            opens_at=optional_instant(need, "opens_at"),
        )


class CheckedLineView(View):
    """One slot asked about: allowed now, or when it opens with nothing but time, and what must change besides."""

    slot_id: str
    allowed: bool
    opens_at: datetime | None = None
    needs: list[NeedView]
    verdicts: list[VerdictView]


class CheckView(View):
    """What a hold would be answered, without a hold."""

    allowed: bool
    lines: list[CheckedLineView]
    action_needs: list[NeedView]
    server_time: datetime

    @classmethod
    def of(cls, explained: scheduling_pb2.ExplainResponse, language: Language, now: datetime) -> "CheckView":
        """From scheduling.v1.ExplainResponse, as basket passes it on; `now` is the server's time."""
        judged = {line.slot_id: line.verdicts for line in explained.verdicts.lines}
        lines = [
            CheckedLineView(
                slot_id=line.slot_id,
                allowed=line.allowed,
                opens_at=optional_instant(line, "opens_at"),
                needs=[NeedView.of(need, language) for need in line.needs],
                verdicts=[VerdictView.of(verdict) for verdict in judged.get(line.slot_id, ())],
            )
            for line in explained.lines
        ]
        return cls(
            allowed=explained.verdicts.allowed,
            lines=lines,
            action_needs=[NeedView.of(need, language) for need in explained.action_needs],
            server_time=now,
        )


class PreparedCandidateView(View):
    """Whether a candidate stands ready, and what stands against; `rdvpermisAsked` where RdvPermis itself answered."""

    candidate: CandidateNameView
    ready: bool
    needs: list[NeedView]
    rdvpermis_asked: bool


class PreparationView(View):
    """What is settled before an opening; `basketExpiresAt` is of RdvPermis' basket that the next hold will use."""

    basket_expires_at: datetime | None = None
    basket_problem: ReasonView | None = None
    candidates: list[PreparedCandidateView]
    calls_left: int
    wait_until: datetime | None = None
    rdvpermis_reachable: bool
    token_fresh: bool
    prepared_at: datetime | None = None
    server_time: datetime

    @classmethod
    def of(
        cls, prepared: basket_pb2.PrepareOpeningResponse, names: Names, language: Language, now: datetime
    ) -> "PreparationView":
        """From basket.v1.PrepareOpeningResponse, with the candidates' names from `names`."""
        candidates = [
            PreparedCandidateView(
                candidate=person,
                ready=one.ready,
                needs=[NeedView.of(need, language) for need in one.needs],
                rdvpermis_asked=one.rdvpermis_asked,
            )
            for one in prepared.candidates
            if (person := CandidateNameView.of(one.candidate_id, names)) is not None
        ]
        refusal = prepared.basket_refusal if prepared.HasField("basket_refusal") else None
        return cls(
            basket_expires_at=optional_instant(prepared, "basket_expires_at"),
            basket_problem=ReasonView.of(refusal, language) if refusal is not None else None,
            candidates=candidates,
            calls_left=prepared.calls_left,
            wait_until=optional_instant(prepared, "wait_until"),
            rdvpermis_reachable=prepared.rdvpermis_reachable,
            token_fresh=prepared.token_fresh,
            prepared_at=optional_instant(prepared, "prepared_at"),
            server_time=now,
        )
