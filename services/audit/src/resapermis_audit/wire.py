"""Protobuf ↔ domain: parsed once on the way in, written once on the way out."""

from collections.abc import Sequence
from datetime import UTC
from uuid import UUID

from resapermis.audit.v1 import audit_pb2 as pb
from resapermis.audit.v1.events_pb2 import Record
from resapermis_audit.domain import NewEntry, StoredCheckpoint, StoredEntry, commitment, sealing_row
from resapermis_audit.tree import leaf_hash
from resapermis_vault.kek import KeyEncryption


def parse_record(record: Record, source: str, salt: bytes, kek: KeyEncryption) -> NewEntry:
    """A received record with its commitment under `salt`, its content sealed."""
    content = record.SerializeToString(deterministic=True)
    return NewEntry(
        id=UUID(record.id),
        leaf_data=commitment(salt, content),
        salt=salt,
        content=kek.wrap(content, sealing_row(record.id)),
        occurred_at=record.occurred_at.ToDatetime(UTC),
        source=source,
        action=record.action,
        school_id=record.school_id,
        candidate_id=record.candidate_id,
        object_id=record.object_id,
    )


def record_message(entry: StoredEntry, kek: KeyEncryption) -> pb.LoggedRecord:
    """A record as it was received; an erased one is its id and the action "erased"."""
    content = _content(entry, kek)
    record = Record(id=str(entry.id), action="erased") if content is None else Record.FromString(content)
    return pb.LoggedRecord(record=record, leaf_index=entry.leaf_index)


def proof_message(
    entry: StoredEntry, leaf_index: int, checkpoint: StoredCheckpoint, hashes: Sequence[bytes], kek: KeyEncryption
) -> pb.GetInclusionProofResponse:
    """All that an offline check needs: commitment, path and signed root; salt and content unless erased."""
    return pb.GetInclusionProofResponse(
        leaf_index=leaf_index,
        tree_size=checkpoint.size,
        leaf_hash=leaf_hash(entry.leaf_data),
        hashes=hashes,
        checkpoint=checkpoint.note,
        leaf_data=entry.leaf_data,
        salt=entry.salt or b"",
        content=_content(entry, kek) or b"",
    )


def _content(entry: StoredEntry, kek: KeyEncryption) -> bytes | None:
    return None if entry.content is None else kek.unwrap(entry.content, sealing_row(str(entry.id)))
