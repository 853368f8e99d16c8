"""What audit answers: records of one's own school, checkpoints, proofs."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1 import audit_pb2 as pb
from resapermis.audit.v1 import audit_pb2_grpc
from resapermis.audit.v1.events_pb2 import Record
from resapermis_audit import store, tree
from resapermis_audit.seal import Seal
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import caller

DEFAULT_PAGE, LARGEST_PAGE = 50, 200


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """AuditService over the journal's tables."""

    def __init__(self, engine: AsyncEngine, seal: Seal, verifier_key: str) -> None:
        """`verifier_key` is the C2SP form of the signing key's public half."""
        self._engine, self._seal, self._verifier_key = engine, seal, verifier_key

    async def ListRecords(self, request: pb.ListRecordsRequest, context: Any) -> pb.ListRecordsResponse:
        """Newest first; the cursor is the last id of the page before."""
        limit = min(request.limit or DEFAULT_PAGE, LARGEST_PAGE)
        if limit < 1:
            raise malformed("limit", "1 to 200")
        async with transaction(self._engine) as tx:
            found = await store.page(
                tx,
                caller().school().school_id,
                _uuid("cursor", request.cursor) if request.cursor else None,
                limit + 1,
                candidate_id=request.candidate_id,
                action=request.action,
                object_id=request.object_id,
            )
        shown = found[:limit]
        return pb.ListRecordsResponse(
            records=[pb.LoggedRecord(record=self._open(kept), leaf_index=kept.leaf_index) for kept in shown],
            next_cursor=str(shown[-1].id) if len(found) > limit else "",
        )

    def _open(self, kept: store.Kept) -> Record:
        if kept.content is None:
            return Record(id=str(kept.id), action="erased")
        return Record.FromString(self._seal.open(kept.content, str(kept.id)))

    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, context: Any) -> pb.GetCheckpointResponse:
        """The newest note; NOT_FOUND before the first record."""
        async with transaction(self._engine) as tx:
            newest = await _newest(tx)
        return pb.GetCheckpointResponse(note=newest.note, verifier_key=self._verifier_key)

    async def GetInclusionProof(
        self, request: pb.GetInclusionProofRequest, context: Any
    ) -> pb.GetInclusionProofResponse:
        """Proof of a record of one's own school; UNAVAILABLE for the moment until it has its place."""
        async with transaction(self._engine) as tx:
            kept = await store.find(tx, _uuid("record_id", request.record_id), caller().school().school_id)
            if kept is None:
                raise Failure(Code.CODE_NOT_FOUND, "no such record")
            newest = await _newest(tx)
            if kept.leaf_index is None or kept.leaf_index >= newest.size:
                raise Failure(Code.CODE_UNAVAILABLE, "the record is not in the tree yet; ask again in a second")
            ranges = tree.inclusion_ranges(kept.leaf_index, newest.size)
            hashes = await _hashes(tx, ranges)
        response = pb.GetInclusionProofResponse(
            leaf_index=kept.leaf_index,
            tree_size=newest.size,
            leaf_hash=tree.leaf_hash(kept.leaf_data),
            hashes=hashes,
            checkpoint=newest.note,
            leaf_data=kept.leaf_data,
        )
        if kept.salt is not None and kept.content is not None:
            response.salt, response.content = kept.salt, self._seal.open(kept.content, str(kept.id))
        return response

    async def GetConsistencyProof(
        self, request: pb.GetConsistencyProofRequest, context: Any
    ) -> pb.GetConsistencyProofResponse:
        """Proof between two sizes that were signed."""
        async with transaction(self._engine) as tx:
            newest = await _newest(tx)
            if not 0 < request.first_size <= request.second_size <= newest.size:
                raise malformed("second_size", f"0 < first_size ≤ second_size ≤ {newest.size}")
            return pb.GetConsistencyProofResponse(
                hashes=await _hashes(tx, tree.consistency_ranges(request.first_size, request.second_size))
            )


async def _newest(tx: Tx) -> Any:
    newest = await store.newest_checkpoint(tx)
    if newest is None:
        raise Failure(Code.CODE_NOT_FOUND, "nothing has been recorded yet")
    return newest


async def _hashes(tx: Tx, ranges: Iterable[tuple[int, int]]) -> list[bytes]:
    wanted = list(ranges)
    nodes = await store.read_nodes(tx, tree.needs(wanted))
    return [tree.range_hash(nodes, begin, end) for begin, end in wanted]


def _uuid(field: str, text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise malformed(field, "not an id") from None
