"""The journal of the school, with what is needed to verify it without us."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from fastapi.responses import PlainTextResponse

from resapermis.audit.v1 import audit_pb2
from resapermis_auth_gateway.web.dependencies import Who
from resapermis_auth_gateway.web.wire.audit import CheckpointView, ProofView, RecordPage, RecordView, recorded_as
from resapermis_auth_gateway.web.wire.base import Cursor, Id, Limit, PathId

router = APIRouter(prefix="/audit", tags=["audit"])
NOTE: dict[int | str, dict[str, Any]] = {
    200: {"content": {"text/plain": {"schema": {"type": "string", "description": "C2SP signed note."}}}}
}
Action = Annotated[str, Query(pattern=r"^[a-z_]{1,40}(\.[a-z_]{1,40}){0,3}$", description="E.g. basket.hold.")]


@router.get("/records")
async def list_records(
    who: Who,
    cursor: Cursor = "",
    limit: Limit = 50,
    action: Action | None = None,
    candidate_id: Annotated[Id | None, Query(alias="candidateId")] = None,
    object_id: Annotated[Id | None, Query(alias="objectId")] = None,
) -> RecordPage:
    """List the acts of the school, newest first."""
    question = audit_pb2.ListRecordsRequest(
        cursor=cursor,
        limit=limit,
        actions=recorded_as(action) if action else [],
        candidate_id=candidate_id or "",
        object_id=object_id or "",
    )
    answer = await who.ask(who.peers.audit.ListRecords, question)
    return RecordPage(items=[RecordView.of(one) for one in answer.records], next_cursor=answer.next_cursor or None)


@router.get("/security-records")
async def list_security_records(
    who: Who,
    cursor: Cursor = "",
    limit: Limit = 50,
    action: Action | None = None,
    school_id: Annotated[Id | None, Query(alias="schoolId", description="Absent: records of no school.")] = None,
) -> RecordPage:
    """List refused access, sessions, token grants and calls of RdvPermis, newest first: for security officers and auditors."""
    question = audit_pb2.ListSecurityRecordsRequest(
        cursor=cursor, limit=limit, actions=[action] if action else [], school_id=school_id or ""
    )
    answer = await who.ask(who.peers.audit.ListSecurityRecords, question)
    return RecordPage(items=[RecordView.of(one) for one in answer.records], next_cursor=answer.next_cursor or None)


@router.get("/checkpoint", response_model=CheckpointView, responses=NOTE)
async def get_checkpoint(
    who: Who, accept: Annotated[str, Header(max_length=500, include_in_schema=False)] = "application/json"
) -> CheckpointView | Response:
    """Give the newest signed checkpoint: the note itself where text/plain is asked, else JSON with its key."""
    answer = await who.ask(who.peers.audit.GetCheckpoint, audit_pb2.GetCheckpointRequest())
    if accept.startswith("text/plain"):
        return PlainTextResponse(answer.note)
    return CheckpointView(note=answer.note, verifier_key=answer.verifier_key)


@router.get("/records/{record_id}/proof")
async def get_proof(who: Who, record_id: PathId) -> ProofView:
    """Prove that a record is in the tree of the newest checkpoint."""
    question = audit_pb2.GetInclusionProofRequest(record_id=record_id)
    return ProofView.of(await who.ask(who.peers.audit.GetInclusionProof, question))


@router.get("/security-records/{record_id}/proof")
async def get_security_proof(who: Who, record_id: PathId) -> ProofView:
    """The same of a record about security, of whatever school or of none: for security officers and auditors."""
    question = audit_pb2.GetSecurityInclusionProofRequest(record_id=record_id)
    return ProofView.of((await who.ask(who.peers.audit.GetSecurityInclusionProof, question)).proof)
