"""Candidates: names and NEPH travel in bodies only; what restricts their booking, and how a restriction is waived."""

from fastapi import APIRouter, Response

from resapermis.mandate.v1 import mandate_pb2
from resapermis.scheduling.v1 import school_pb2
from resapermis_auth_gateway.web.dependencies import Key, Who
from resapermis_auth_gateway.web.wire.base import Cursor, Limit, PathId
from resapermis_auth_gateway.web.wire.candidates import (
    CandidateCorrection,
    CandidatePage,
    CandidateQuery,
    CandidateView,
    NewCandidate,
    StandingView,
    Waiver,
)

router = APIRouter(prefix="/candidates", tags=["candidates"])
restrictions = APIRouter(prefix="/restrictions", tags=["candidates"])


@router.get("")
async def list_candidates(who: Who, cursor: Cursor = "", limit: Limit = 50) -> CandidatePage:
    """List the school's candidates, newest first."""
    question = mandate_pb2.ListCandidatesRequest(cursor=cursor, limit=limit, purpose="follow_candidate")
    answer = await who.ask(who.peers.mandate.ListCandidates, question)
    return CandidatePage(
        items=[CandidateView.of(one) for one in answer.candidates], next_cursor=answer.next_cursor or None
    )


@router.post("", status_code=201)
async def create_candidate(who: Who, key: Key, body: NewCandidate) -> CandidateView:
    """Write down a candidate; nothing is asked of RdvPermis yet."""
    command = mandate_pb2.CreateCandidateRequest(
        request_id=key, last_name=body.last_name, first_name=body.first_name, neph=body.neph, email=body.email or ""
    )
    return CandidateView.of((await who.ask(who.peers.mandate.CreateCandidate, command)).candidate)


@router.post("/search")
async def search_candidates(who: Who, body: CandidateQuery) -> CandidatePage:
    """Find by whole words of a name, or by NEPH: newest first, 20 a page."""
    question = mandate_pb2.SearchCandidatesRequest(query=body.query, cursor=body.cursor, purpose="find_candidate")
    answer = await who.ask(who.peers.mandate.SearchCandidates, question)
    return CandidatePage(
        items=[CandidateView.of(one) for one in answer.candidates], next_cursor=answer.next_cursor or None
    )


@router.get("/{candidate_id}")
async def get_candidate(who: Who, candidate_id: PathId) -> CandidateView:
    """One candidate with all mandates; the read is recorded in the journal."""
    question = mandate_pb2.GetCandidateRequest(candidate_id=candidate_id, purpose="follow_candidate")
    return CandidateView.of((await who.ask(who.peers.mandate.GetCandidate, question)).candidate)


@router.patch("/{candidate_id}")
async def correct_candidate(who: Who, key: Key, candidate_id: PathId, body: CandidateCorrection) -> CandidateView:
    """Correct name, first name and NEPH until a mandate is in force, the e-mail address at any time; recorded."""
    answer = await who.ask(who.peers.mandate.UpdateCandidate, body.command(key, candidate_id))
    return CandidateView.of(answer.candidate)


@router.get("/{candidate_id}/standing")
async def get_standing(who: Who, candidate_id: PathId) -> StandingView:
    """Say what restricts a candidate, and from when on each licence group is free."""
    question = school_pb2.GetStandingRequest(candidate_ids=[candidate_id])
    found = (await who.ask(who.peers.school.GetStanding, question)).standings
    standing = found[0] if found else school_pb2.Standing(candidate_id=candidate_id)
    return StandingView.of(standing, str(who.session.account_id), who.language)


@restrictions.post("/{restriction_id}/waiver", status_code=204, response_class=Response)
async def propose_waiver(who: Who, restriction_id: PathId, body: Waiver) -> None:
    """Ask that a restriction be waived for force majeure; a second person approves."""
    command = school_pb2.ProposeWaiverRequest(restriction_id=restriction_id, reason=body.reason)
    await who.ask(who.peers.school.ProposeWaiver, command)


@restrictions.post("/{restriction_id}/waiver-approval", status_code=204, response_class=Response)
async def approve_waiver(who: Who, restriction_id: PathId) -> None:
    """Approve a proposed waiver; 403 for the person who proposed it."""
    await who.ask(who.peers.school.ApproveWaiver, school_pb2.ApproveWaiverRequest(restriction_id=restriction_id))
