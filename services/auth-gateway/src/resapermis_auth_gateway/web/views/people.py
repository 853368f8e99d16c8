"""Candidates and mandates."""

from datetime import datetime
from typing import Annotated

from resapermis.mandate.v1 import mandate_pb2
from resapermis_auth_gateway.web.views.base import View, maybe, word, words

State = Annotated[str, words(mandate_pb2.MandateState, "MANDATE_STATE_")]


class MandateView(View):
    """A mandate, as last read at RdvPermis."""

    id: str
    candidate_id: str
    category: str
    gearbox: str | None = None
    state: State
    since: datetime | None = None
    expires_at: datetime | None = None
    rdvpermis_code: str | None = None
    seen_at: datetime | None = None

    @classmethod
    def of(cls, mandate: mandate_pb2.Mandate) -> "MandateView":
        """From mandate."""
        return cls(
            id=mandate.id,
            candidate_id=mandate.candidate_id,
            category=mandate.category,
            gearbox=mandate.gearbox or None,
            state=word(mandate_pb2.MandateState, mandate.state, "MANDATE_STATE_"),
            since=maybe(mandate, "since"),
            expires_at=maybe(mandate, "expires_at"),
            rdvpermis_code=mandate.rdvpermis_code or None,
            seen_at=maybe(mandate, "seen_at"),
        )


class CandidateView(View):
    """A candidate of the school, with mandates."""

    id: str
    last_name: str
    first_name: str
    neph: str
    email: str | None = None
    created_at: datetime | None = None
    neph_unusual: bool = False
    mandates: list[MandateView]

    @classmethod
    def of(cls, candidate: mandate_pb2.Candidate) -> "CandidateView":
        """From mandate."""
        return cls(
            id=candidate.id,
            last_name=candidate.last_name,
            first_name=candidate.first_name,
            neph=candidate.neph,
            email=candidate.email or None,
            created_at=maybe(candidate, "created_at"),
            neph_unusual=candidate.neph_unusual,
            mandates=[MandateView.of(mandate) for mandate in candidate.mandates],
        )


class CandidatePage(View):
    """Candidates, newest first."""

    items: list[CandidateView]
    next_cursor: str | None = None


class MandatePage(View):
    """Mandates, newest first."""

    items: list[MandateView]
    next_cursor: str | None = None
