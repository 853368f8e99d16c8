"""Mandates: asked of RdvPermis, accepted there by the candidate."""

from typing import Literal

from fastapi import APIRouter

from resapermis.mandate.v1 import mandate_pb2
from resapermis_auth_gateway.web.dependencies import Key, Who
from resapermis_auth_gateway.web.wire.base import Cursor, Limit, PathId
from resapermis_auth_gateway.web.wire.candidates import MandatePage, MandateView, NewMandate

router = APIRouter(prefix="/mandates", tags=["mandates"])
MandateState = Literal["draft", "pending", "active", "refused", "cancelled", "revoked", "expired", "superseded"]


@router.get("")
async def list_mandates(
    who: Who, cursor: Cursor = "", limit: Limit = 50, state: MandateState | None = None
) -> MandatePage:
    """List the school's mandates, newest first."""
    question = mandate_pb2.ListMandatesRequest(cursor=cursor, limit=limit)
    if state is not None:
        question.state = mandate_pb2.MandateState.Value(f"MANDATE_STATE_{state.upper()}")
    answer = await who.ask(who.peers.mandate.ListMandates, question)
    return MandatePage(items=[MandateView.of(one) for one in answer.mandates], next_cursor=answer.next_cursor or None)


@router.post("", status_code=201)
async def request_mandate(who: Who, key: Key, body: NewMandate) -> MandateView:
    """Ask RdvPermis for a mandate; the candidate accepts there."""
    command = mandate_pb2.RequestMandateRequest(
        request_id=key, candidate_id=body.candidate_id, category=body.category, gearbox=body.gearbox or ""
    )
    return MandateView.of((await who.ask(who.peers.mandate.RequestMandate, command)).mandate)


@router.post("/{mandate_id}/refresh")
async def refresh_mandate(who: Who, mandate_id: PathId) -> MandateView:
    """Read the mandate again at RdvPermis now; spends a call of the school's budget."""
    question = mandate_pb2.RefreshMandateRequest(mandate_id=mandate_id)
    return MandateView.of((await who.ask(who.peers.mandate.RefreshMandate, question)).mandate)


@router.post("/{mandate_id}/revocation")
async def revoke_mandate(who: Who, key: Key, mandate_id: PathId) -> MandateView:
    """Give the mandate back at once; held slots of its candidate are released."""
    command = mandate_pb2.RevokeMandateRequest(request_id=key, mandate_id=mandate_id)
    return MandateView.of((await who.ask(who.peers.mandate.RevokeMandate, command)).mandate)
