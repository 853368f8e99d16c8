"""One function a question to the database, given a transaction."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_audit.domain import NewEntry, StoredCheckpoint, StoredEntry
from resapermis_audit.tables import checkpoints, entries, nodes, signing_keys
from resapermis_audit.tree import Node
from resapermis_kit.database.transaction import Tx

_ADD_ENTRIES = sa.text(
    "INSERT INTO entry (id, leaf_data, salt, content, occurred_at, source, action, school_id, candidate_id, object_id) "
    "SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:leaf_data AS bytea[]), CAST(:salt AS bytea[]), "
    "CAST(:content AS bytea[]), CAST(:occurred_at AS timestamptz[]), CAST(:source AS text[]), CAST(:action AS text[]), "
    "CAST(:school_id AS text[]), CAST(:candidate_id AS text[]), CAST(:object_id AS text[])) ON CONFLICT DO NOTHING"
)


async def add_entries(tx: Tx, fresh: Sequence[NewEntry]) -> None:
    """Insert records, in one statement however many; one that is there already stays as it is."""
    await tx.execute(
        _ADD_ENTRIES, {column.name: [getattr(one, column.name) for one in fresh] for column in fields(NewEntry)}
    )


async def not_integrated(tx: Tx, limit: int) -> Sequence[tuple[UUID, bytes, datetime]]:
    """Records that are not in the tree yet, oldest id first: (id, leaf data, when it happened)."""
    statement = (
        sa.select(entries.c.id, entries.c.leaf_data, entries.c.occurred_at)
        .where(entries.c.leaf_index.is_(None))
        .order_by(entries.c.id)
        .limit(limit)
    )
    return [(row.id, row.leaf_data, row.occurred_at) for row in await tx.execute(statement)]


_SET_INDEXES = sa.text(
    "UPDATE entry SET leaf_index = leaf.leaf_index "
    "FROM unnest(CAST(:ids AS uuid[]), CAST(:indexes AS bigint[])) AS leaf (id, leaf_index) WHERE entry.id = leaf.id"
)
_ADD_NODES = sa.text(
    "INSERT INTO node (level, index, hash) "
    "SELECT * FROM unnest(CAST(:levels AS smallint[]), CAST(:indexes AS bigint[]), CAST(:hashes AS bytea[]))"
)


async def add_leaves(tx: Tx, indexes: Mapping[UUID, int], made: Mapping[Node, bytes]) -> None:
    """Give records their leaf indexes and insert the nodes that this made."""
    await tx.execute(_SET_INDEXES, {"ids": list(indexes), "indexes": list(indexes.values())})
    nodes_made = {
        "levels": [level for level, _ in made],
        "indexes": [index for _, index in made],
        "hashes": list(made.values()),
    }
    await tx.execute(_ADD_NODES, nodes_made)


async def read_nodes(tx: Tx, wanted: Iterable[Node]) -> dict[Node, bytes]:
    """The hashes of complete subtrees, in one round trip."""
    keys = list(wanted)
    if not keys:
        return {}
    statement = sa.select(nodes).where(sa.tuple_(nodes.c.level, nodes.c.index).in_(keys))
    return {(row[0], row[1]): row[2] for row in await tx.execute(statement)}


async def newest_checkpoint(tx: Tx) -> StoredCheckpoint | None:
    """The signed checkpoint of the largest tree; None before the first."""
    statement = sa.select(checkpoints.c.size, checkpoints.c.note).order_by(checkpoints.c.size.desc()).limit(1)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else StoredCheckpoint(*row)


async def add_checkpoint(tx: Tx, size: int, root: bytes, note: str, now: datetime) -> None:
    """Insert a signed checkpoint; IntegrityError when this size already has one."""
    await tx.execute(sa.insert(checkpoints).values(size=size, root=root, note=note, signed_at=now))


async def find_entry(tx: Tx, entry_id: UUID, school_id: str) -> StoredEntry | None:
    """A record of the school; None when absent or another's."""
    statement = _columns().where(entries.c.id == entry_id, entries.c.school_id == school_id)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else StoredEntry(*row)


async def find_entry_of(tx: Tx, entry_id: UUID, actions: Sequence[str]) -> StoredEntry | None:
    """A record of one of these actions, of whatever school; None when absent or of another action."""
    statement = _columns().where(entries.c.id == entry_id, entries.c.action.in_(actions))
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else StoredEntry(*row)


def _columns() -> sa.Select[Any]:
    return sa.select(entries.c.id, entries.c.leaf_index, entries.c.leaf_data, entries.c.salt, entries.c.content)


async def page_entries(
    tx: Tx,
    school_id: str,
    before: UUID | None,
    limit: int,
    *,
    candidate_id: str,
    actions: Sequence[str],
    object_id: str,
) -> list[StoredEntry]:
    """Records of the school, newest first, older than `before`; empty filters match all."""
    statement = _columns().where(entries.c.school_id == school_id).order_by(entries.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(entries.c.id < before)
    for column, wanted in (
        (entries.c.candidate_id, candidate_id),
        (entries.c.object_id, object_id),
    ):
        if wanted:
            statement = statement.where(column == wanted)
    if actions:
        statement = statement.where(entries.c.action.in_(actions))
    return [StoredEntry(*row) for row in await tx.execute(statement)]


async def signing_key(tx: Tx, origin: str, sealed: bytes) -> bytes:
    """The log's sealed signing key; `sealed` becomes it when there is none yet."""
    await tx.execute(insert(signing_keys).values(origin=origin, sealed=sealed).on_conflict_do_nothing())
    found: bytes = (
        await tx.execute(sa.select(signing_keys.c.sealed).where(signing_keys.c.origin == origin))
    ).scalar_one()
    return found
