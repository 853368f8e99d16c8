"""What audit answers: records of one's own school, security to those who watch over it, checkpoints, proofs."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1 import audit_pb2 as pb
from resapermis.audit.v1 import audit_pb2_grpc
from resapermis_audit import queries, tree
from resapermis_audit.domain import SECURITY_ACTIONS, StoredCheckpoint, StoredEntry
from resapermis_audit.wire import proof_message, record_message
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import caller
from resapermis_kit.rpc.fields import cut, page_limit, parse_id, parse_optional_id
from resapermis_vault.kek import KeyEncryption


class AuditServicer(audit_pb2_grpc.AuditServiceServicer):
    """audit.v1, for the caller's own school unless it says otherwise, read from the journal's tables; nothing is written here."""

    def __init__(self, engine: AsyncEngine, kek: KeyEncryption, verifier_key: str) -> None:
        """`kek` opens records; `verifier_key` is the C2SP form of the signing key's public half."""
        self._engine, self._kek, self._verifier_key = engine, kek, verifier_key

    async def ListRecords(self, request: pb.ListRecordsRequest, context: Any) -> pb.ListRecordsResponse:
        """Newest first; the cursor is the last id of the page before."""
        limit = page_limit(request.limit)
        async with transaction(self._engine) as tx:
            found = await queries.page_entries(
                tx,
                caller().school().school_id,
                parse_optional_id(request.cursor, "cursor"),
                limit + 1,
                candidate_id=request.candidate_id,
                actions=request.actions,
                object_id=request.object_id,
            )
        shown, cursor = cut(found, limit)
        return pb.ListRecordsResponse(records=self._shown(shown), next_cursor=cursor)

    async def ListSecurityRecords(
        self, request: pb.ListSecurityRecordsRequest, context: Any
    ) -> pb.ListSecurityRecordsResponse:
        """The same of a school's security, or of no school's, whatever the caller's own school."""
        limit = page_limit(request.limit)
        wanted = [action for action in SECURITY_ACTIONS if not request.actions or action in request.actions]
        if not wanted:
            return pb.ListSecurityRecordsResponse()
        async with transaction(self._engine) as tx:
            found = await queries.page_entries(
                tx,
                request.school_id,
                parse_optional_id(request.cursor, "cursor"),
                limit + 1,
                candidate_id="",
                actions=wanted,
                object_id="",
            )
        shown, cursor = cut(found, limit)
        return pb.ListSecurityRecordsResponse(records=self._shown(shown), next_cursor=cursor)

    async def GetCheckpoint(self, request: pb.GetCheckpointRequest, context: Any) -> pb.GetCheckpointResponse:
        """The newest note; NOT_FOUND before the first record."""
        async with transaction(self._engine) as tx:
            newest = await _newest(tx)
        return pb.GetCheckpointResponse(note=newest.note, verifier_key=self._verifier_key)

    async def GetInclusionProof(
        self, request: pb.GetInclusionProofRequest, context: Any
    ) -> pb.GetInclusionProofResponse:
        """Proof of a record of one's own school; UNAVAILABLE for the moment until it is in the tree."""
        entry_id, school_id = parse_id(request.record_id, "record_id"), caller().school().school_id
        async with transaction(self._engine) as tx:
            return await self._proof(tx, await queries.find_entry(tx, entry_id, school_id))

    async def GetSecurityInclusionProof(
        self, request: pb.GetSecurityInclusionProofRequest, context: Any
    ) -> pb.GetSecurityInclusionProofResponse:
        """The same of a record that ListSecurityRecords answers, and of no other."""
        entry_id = parse_id(request.record_id, "record_id")
        async with transaction(self._engine) as tx:
            proof = await self._proof(tx, await queries.find_entry_of(tx, entry_id, SECURITY_ACTIONS))
        return pb.GetSecurityInclusionProofResponse(proof=proof)

    async def _proof(self, tx: Tx, entry: StoredEntry | None) -> pb.GetInclusionProofResponse:
        if entry is None:
            raise Failure(Code.CODE_NOT_FOUND, "no such record")
        newest = await _newest(tx)
        if entry.leaf_index is None or entry.leaf_index >= newest.size:
            raise Failure(Code.CODE_UNAVAILABLE, "the record is not in the tree yet; ask again in a second")
        hashes = await _hashes(tx, tree.inclusion_ranges(entry.leaf_index, newest.size))
        return proof_message(entry, entry.leaf_index, newest, hashes, self._kek)

    def _shown(self, found: Sequence[StoredEntry]) -> list[pb.LoggedRecord]:
        return [record_message(entry, self._kek) for entry in found]

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


async def _newest(tx: Tx) -> StoredCheckpoint:
    newest = await queries.newest_checkpoint(tx)
    if newest is None:
        raise Failure(Code.CODE_NOT_FOUND, "nothing has been recorded yet")
    return newest


async def _hashes(tx: Tx, ranges: Iterable[tuple[int, int]]) -> list[bytes]:
    wanted = list(ranges)
    nodes = await queries.read_nodes(tx, tree.needed_nodes(wanted))
    return [tree.range_hash(nodes, begin, end) for begin, end in wanted]
