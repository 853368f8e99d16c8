"""What may be asked before it is asked: why a hold would be refused, and what stands ready for an opening."""

from datetime import datetime

from resapermis.basket.v1 import basket_pb2
from resapermis.scheduling.v1 import scheduling_pb2
from resapermis_auth_gateway.web.remedies import remedy_sentence
from resapermis_auth_gateway.web.rule_sentences import told
from resapermis_auth_gateway.web.sentences import Language
from resapermis_auth_gateway.web.views.base import CandidateNameView, Names, ReasonView, VerdictView, View, maybe


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
        """From scheduling-rules, in the reader's words."""
        return cls(
            rule=need.rule,
            source=need.source,
            detail=told(need, language),
            remedy=need.remedy or None,
            action=remedy_sentence(need.remedy, language),
            facts=dict(need.facts),
            opens_at=maybe(need, "opens_at"),
        )


class CheckedLineView(View):
    """One slot asked about: allowed now, or when it opens with nothing but time, and what must change besides."""

    slot_id: str
    allowed: bool
    opens_at: datetime | None = None
    needs: list[NeedView]
    verdicts: list[VerdictView]


class CheckView(View):
    """What a hold would be told, without a hold."""

    allowed: bool
    lines: list[CheckedLineView]
    action_needs: list[NeedView]
    server_time: datetime

    @classmethod
    def of(cls, explained: scheduling_pb2.ExplainResponse, language: Language, now: datetime) -> "CheckView":
        """From basket, which asked scheduling-rules."""
        judged = {line.slot_id: line.verdicts for line in explained.verdicts.lines}
        lines = [
            CheckedLineView(
                slot_id=line.slot_id,
                allowed=line.allowed,
                opens_at=maybe(line, "opens_at"),
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
    """Whether a candidate stands ready, and what stands against; `rdvpermisAsked` where RdvPermis said so itself."""

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
        """From basket, with the names that it does not know."""
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
            basket_expires_at=maybe(prepared, "basket_expires_at"),
            basket_problem=ReasonView.of(refusal, language) if refusal is not None else None,
            candidates=candidates,
            calls_left=prepared.calls_left,
            wait_until=maybe(prepared, "wait_until"),
            rdvpermis_reachable=prepared.rdvpermis_reachable,
            token_fresh=prepared.token_fresh,
            prepared_at=maybe(prepared, "prepared_at"),
            server_time=now,
        )
