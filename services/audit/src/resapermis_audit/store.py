"""Tables of audit and one function a question."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_audit.tree import Node
from resapermis_kit.database.metadata import NAMING
from resapermis_kit.database.transaction import Tx

metadata = sa.MetaData(naming_convention=NAMING)

entries = sa.Table(
    "entry",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("leaf_index", sa.BigInteger, unique=True),
    sa.Column("leaf_data", sa.LargeBinary, nullable=False),
    sa.Column("salt", sa.LargeBinary),
    sa.Column("content", sa.LargeBinary),
    sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("source", sa.Text, nullable=False),
    sa.Column("action", sa.Text, nullable=False),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("candidate_id", sa.Text, nullable=False),
    sa.Column("object_id", sa.Text, nullable=False),
    sa.CheckConstraint("octet_length(leaf_data) = 32", name="leaf_data_is_a_commitment"),
    sa.CheckConstraint("(salt IS NULL) = (content IS NULL)", name="erased_whole"),
)
"""`content` is the sealed record, `salt` opens its commitment; both NULL once erased, the leaf stays."""
sa.Index("entry_waiting_idx", entries.c.id, postgresql_where=entries.c.leaf_index.is_(None))
sa.Index("entry_school_idx", entries.c.school_id, entries.c.id)
sa.Index("entry_candidate_idx", entries.c.candidate_id, entries.c.id)

nodes = sa.Table(
    "node",
    metadata,
    sa.Column("level", sa.SmallInteger, primary_key=True),
    sa.Column("index", sa.BigInteger, primary_key=True),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)
checkpoints = sa.Table(
    "checkpoint",
    metadata,
    sa.Column("size", sa.BigInteger, primary_key=True),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
)
"""One root a size: a second signer meets the primary key."""
signing_keys = sa.Table(
    "signing_key",
    metadata,
    sa.Column("origin", sa.Text, primary_key=True),
    sa.Column("sealed", sa.LargeBinary, nullable=False),
)


@dataclass(frozen=True)
class Entry:
    """A record as it is kept."""

    id: UUID
    leaf_data: bytes
    salt: bytes
    content: bytes
    occurred_at: datetime
    source: str
    action: str
    school_id: str
    candidate_id: str
    object_id: str


@dataclass(frozen=True)
class Kept:
    """A record as read back: sealed content and salt are None once erased."""

    id: UUID
    leaf_index: int | None
    leaf_data: bytes
    salt: bytes | None
    content: bytes | None


_KEEP = sa.text(
    "INSERT INTO entry (id, leaf_data, salt, content, occurred_at, source, action, school_id, candidate_id, object_id) "
    "SELECT * FROM unnest(CAST(:id AS uuid[]), CAST(:leaf_data AS bytea[]), CAST(:salt AS bytea[]), "
    "CAST(:content AS bytea[]), CAST(:occurred_at AS timestamptz[]), CAST(:source AS text[]), CAST(:action AS text[]), "
    "CAST(:school_id AS text[]), CAST(:candidate_id AS text[]), CAST(:object_id AS text[])) ON CONFLICT DO NOTHING"
)


async def keep(tx: Tx, fresh: Sequence[Entry]) -> None:
    """Keep records, in one statement however many; one already kept stays as it is."""
    await tx.execute(_KEEP, {column.name: [getattr(one, column.name) for one in fresh] for column in fields(Entry)})


async def waiting(tx: Tx, limit: int) -> Sequence[tuple[UUID, bytes]]:
    """Records without a place in the tree, oldest id first: (id, leaf data)."""
    statement = (
        sa.select(entries.c.id, entries.c.leaf_data)
        .where(entries.c.leaf_index.is_(None))
        .order_by(entries.c.id)
        .limit(limit)
    )
    return [(row.id, row.leaf_data) for row in await tx.execute(statement)]


_PLACE = sa.text(
    "UPDATE entry SET leaf_index = placed.leaf_index "
    "FROM unnest(CAST(:ids AS uuid[]), CAST(:indexes AS bigint[])) AS placed (id, leaf_index) WHERE entry.id = placed.id"
)
_MADE = sa.text(
    "INSERT INTO node (level, index, hash) "
    "SELECT * FROM unnest(CAST(:levels AS smallint[]), CAST(:indexes AS bigint[]), CAST(:hashes AS bytea[]))"
)


async def place(tx: Tx, indexes: Mapping[UUID, int], made: Mapping[Node, bytes]) -> None:
    """Give records their leaf indexes and keep the nodes that this made."""
    await tx.execute(_PLACE, {"ids": list(indexes), "indexes": list(indexes.values())})
    nodes_made = {
        "levels": [level for level, _ in made],
        "indexes": [index for _, index in made],
        "hashes": list(made.values()),
    }
    await tx.execute(_MADE, nodes_made)


async def read_nodes(tx: Tx, wanted: Iterable[Node]) -> dict[Node, bytes]:
    """The hashes of complete subtrees, in one round trip."""
    keys = list(wanted)
    if not keys:
        return {}
    statement = sa.select(nodes).where(sa.tuple_(nodes.c.level, nodes.c.index).in_(keys))
    return {(row[0], row[1]): row[2] for row in await tx.execute(statement)}


async def newest_checkpoint(tx: Tx) -> sa.Row[Any] | None:
    """(size, root, note) of the newest checkpoint; None before the first."""
    statement = sa.select(checkpoints).order_by(checkpoints.c.size.desc()).limit(1)
    return (await tx.execute(statement)).one_or_none()


async def keep_checkpoint(tx: Tx, size: int, root: bytes, note: str, now: datetime) -> None:
    """Keep a signed checkpoint; IntegrityError when this size already has one."""
    await tx.execute(sa.insert(checkpoints).values(size=size, root=root, note=note, signed_at=now))


async def find(tx: Tx, entry_id: UUID, school_id: str) -> Kept | None:
    """A record of the school; None when absent or another's."""
    statement = _columns().where(entries.c.id == entry_id, entries.c.school_id == school_id)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else Kept(*row)


def _columns() -> sa.Select[Any]:
    return sa.select(entries.c.id, entries.c.leaf_index, entries.c.leaf_data, entries.c.salt, entries.c.content)


async def page(
    tx: Tx, school_id: str, before: UUID | None, limit: int, *, candidate_id: str, action: str, object_id: str
) -> list[Kept]:
    """Records of the school, newest first, older than `before`; empty filters match all."""
    statement = _columns().where(entries.c.school_id == school_id).order_by(entries.c.id.desc()).limit(limit)
    if before is not None:
        statement = statement.where(entries.c.id < before)
    for column, wanted in (
        (entries.c.candidate_id, candidate_id),
        (entries.c.action, action),
        (entries.c.object_id, object_id),
    ):
        if wanted:
            statement = statement.where(column == wanted)
    return [Kept(*row) for row in await tx.execute(statement)]


async def signing_key(tx: Tx, origin: str, sealed: bytes) -> bytes:
    """The log's sealed signing key; `sealed` is kept when there is none yet."""
    await tx.execute(insert(signing_keys).values(origin=origin, sealed=sealed).on_conflict_do_nothing())
    found: bytes = (
        await tx.execute(sa.select(signing_keys.c.sealed).where(signing_keys.c.origin == origin))
    ).scalar_one()
    return found
