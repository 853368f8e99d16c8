"""Candidates, their mandates, and what restricts their booking."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from resapermis.mandate.v1 import mandate_pb2
from resapermis.scheduling.v1 import school_pb2
from resapermis_auth_gateway.web.texts.rule_sentences import restriction_reason
from resapermis_auth_gateway.web.texts.sentences import Language
from resapermis_auth_gateway.web.wire.base import (
    Body,
    Category,
    CursorText,
    Email,
    Id,
    PersonName,
    Text,
    View,
    enum_field,
    enum_word,
    instant,
    optional_instant,
)

MandateState = Annotated[str, enum_field(mandate_pb2.MandateState, "MANDATE_STATE_")]


class NewCandidate(Body):
    """A candidate to register at the school; RdvPermis is not asked."""

    last_name: Annotated[PersonName, Field(min_length=1, max_length=200)]
    first_name: Annotated[PersonName, Field(min_length=1, max_length=200)]
    neph: Annotated[Text, Field(min_length=1, max_length=40, description="NEPH as printed; leading zeros count.")]
    email: Annotated[Email, Field(min_length=3, max_length=254)] | None = None


class CandidateCorrection(Body):
    """What to correct of a candidate: the fields that are given; an `email` of null takes the address away."""

    last_name: Annotated[PersonName, Field(min_length=1, max_length=200)] | None = None
    first_name: Annotated[PersonName, Field(min_length=1, max_length=200)] | None = None
    neph: Annotated[Text, Field(min_length=1, max_length=40)] | None = None
    email: Annotated[Email, Field(min_length=3, max_length=254)] | None = None
    version: Annotated[int, Field(ge=1, le=2**31 - 1, description="As read; another one now is 412.")] | None = None

    def command(self, key: str, candidate_id: str) -> mandate_pb2.UpdateCandidateRequest:
        """The command; a field is absent where the body has none."""
        email = (self.email or "") if "email" in self.model_fields_set else None
        return mandate_pb2.UpdateCandidateRequest(
            request_id=key,
            candidate_id=candidate_id,
            last_name=self.last_name,
            first_name=self.first_name,
            neph=self.neph,
            email=email,
            version=self.version or 0,
        )


class CandidateQuery(Body):
    """Whole words of a name, or a NEPH: never in an address."""

    query: Annotated[PersonName, Field(min_length=1, max_length=200)]
    cursor: CursorText = ""


class NewMandate(Body):
    """The candidate and licence group for which to request a mandate of RdvPermis."""

    candidate_id: Id
    category: Category
    gearbox: Literal["manual", "automatic"] | None = None


class Waiver(Body):
    """The ground of force majeure on which a waiver is proposed."""

    reason: Literal["illness", "accident", "bereavement", "centre_closed", "other_force_majeure"]


class MandateView(View):
    """A mandate, as last read at RdvPermis."""

    id: str
    candidate_id: str
    category: str
    gearbox: str | None = None
    state: MandateState
    since: datetime | None = None
    expires_at: datetime | None = None
    rdvpermis_code: str | None = None
    seen_at: datetime | None = None

    @classmethod
    def of(cls, mandate: mandate_pb2.Mandate) -> "MandateView":
        """From mandate.v1.Mandate; empty texts are null."""
        return cls(
            id=mandate.id,
            candidate_id=mandate.candidate_id,
            category=mandate.category,
            gearbox=mandate.gearbox or None,
            state=enum_word(mandate_pb2.MandateState, mandate.state, "MANDATE_STATE_"),
            since=optional_instant(mandate, "since"),
            expires_at=optional_instant(mandate, "expires_at"),
            rdvpermis_code=mandate.rdvpermis_code or None,
            seen_at=optional_instant(mandate, "seen_at"),
        )


class CandidateView(View):
    """A candidate of the school with all their mandates; `nephUnusual`: not 12 or 14 digits; `version`: for corrections."""

    id: str
    last_name: str
    first_name: str
    neph: str
    email: str | None = None
    created_at: datetime | None = None
    neph_unusual: bool = False
    version: int = 0
    mandates: list[MandateView]

    @classmethod
    def of(cls, candidate: mandate_pb2.Candidate) -> "CandidateView":
        """From mandate.v1.Candidate, its mandates included; empty texts are null."""
        return cls(
            id=candidate.id,
            last_name=candidate.last_name,
            first_name=candidate.first_name,
            neph=candidate.neph,
            email=candidate.email or None,
            created_at=optional_instant(candidate, "created_at"),
            neph_unusual=candidate.neph_unusual,
            version=candidate.version,
            mandates=[MandateView.of(mandate) for mandate in candidate.mandates],
        )


class CandidatePage(View):
    """One page of candidates, newest first; `nextCursor` is null on the last."""

    items: list[CandidateView]
    next_cursor: str | None = None


class MandatePage(View):
    """One page of mandates, newest first; `nextCursor` is null on the last."""

    items: list[MandateView]
    next_cursor: str | None = None


class StandingRestrictionView(View):
    """Until when a candidate may not be booked, and why. One of RdvPermis' stands until RdvPermis waives it."""

    id: str
    category: str
    reason: str
    detail: str
    since: datetime | None = None
    until: datetime | None = None
    from_rdvpermis: bool
    waived: bool
    waiver_proposed: bool
    waiver_proposed_by_me: bool


class StandingView(View):
    """A candidate's restrictions, and from when on each licence group is free of them."""

    candidate_id: str
    restrictions: list[StandingRestrictionView]
    next_possible_at: dict[str, datetime]

    @classmethod
    def of(cls, standing: school_pb2.Standing, me: str, language: Language) -> "StandingView":
        """From scheduling.v1.Standing; `me` is the asker's account, who may not approve their own proposal."""
        restrictions = [
            StandingRestrictionView(
                id=one.id,
                category=one.category,
                reason=one.reason,
                detail=restriction_reason(one.reason, language),
                since=optional_instant(one, "since"),
                until=optional_instant(one, "until"),
                from_rdvpermis=one.from_rdvpermis,
                waived=one.waived,
                waiver_proposed=one.waiver_proposed,
                waiver_proposed_by_me=one.waiver_proposed and one.waiver_proposed_by == me,
            )
            for one in standing.restrictions
        ]
        free = {category: instant(moment) for category, moment in standing.next_possible_at.items()}
        return cls(candidate_id=standing.candidate_id, restrictions=restrictions, next_possible_at=free)
