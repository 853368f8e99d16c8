"""How a record becomes a leaf, and leaves a signed tree."""

from collections.abc import Callable, Sequence
from datetime import UTC
from hashlib import sha256
from uuid import UUID

import structlog
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import CheckpointSigned, Record
from resapermis_audit import store, tree
from resapermis_audit.checkpoint import Checkpoint, sign
from resapermis_audit.seal import Seal
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.events.event import Event
from resapermis_kit.events.outbox import Outbox

BATCH = 1000
SALT_BYTES = 16
log = structlog.get_logger()


def commitment(salt: bytes, content: bytes) -> bytes:
    """What the leaf holds of a record: SHA-256(salt || content). Says nothing once the salt is gone."""
    return sha256(salt + content).digest()


class Journal:
    """Keeps records and integrates them into the tree; one integrator at a time."""

    def __init__(
        self,
        engine: AsyncEngine,
        seal: Seal,
        key: Ed25519PrivateKey,
        origin: str,
        box: Outbox,
        now: Clock,
        randomness: Callable[[int], bytes],
    ) -> None:
        """`randomness` gives salts; `key` signs checkpoints of the log `origin`."""
        self._engine, self._seal, self._key, self._origin = engine, seal, key, origin
        self._box, self._now, self._random = box, now, randomness

    async def on_records(self, tx: Tx, said: Sequence[tuple[Record, Event]]) -> None:
        """Keep records that a service said; they get their places in the tree in the next round."""
        await store.keep(tx, [self._entry(record, fact.source) for record, fact in said])

    def _entry(self, record: Record, source: str) -> store.Entry:
        content = record.SerializeToString(deterministic=True)
        salt = self._random(SALT_BYTES)
        return store.Entry(
            id=UUID(record.id),
            leaf_data=commitment(salt, content),
            salt=salt,
            content=self._seal.close(content, record.id),
            occurred_at=record.occurred_at.ToDatetime(UTC),
            source=source,
            action=record.action,
            school_id=record.school_id,
            candidate_id=record.candidate_id,
            object_id=record.object_id,
        )

    async def integrate(self) -> int:
        """Place waiting records in the tree and sign the new checkpoint, in one commit; return how many."""
        async with transaction(self._engine) as tx:
            fresh = await store.waiting(tx, BATCH)
            if not fresh:
                return 0
            newest = await store.newest_checkpoint(tx)
            size = newest.size if newest is not None else 0
            edge = await store.read_nodes(tx, tree.parts(0, size))
            made = tree.append(edge, size, [tree.leaf_hash(data) for _, data in fresh])
            grown = size + len(fresh)
            root = tree.root(edge | made, grown)
            await store.place(tx, {entry_id: size + n for n, (entry_id, _) in enumerate(fresh)}, made)
            note = sign(Checkpoint(self._origin, grown, root), self._key)
            await store.keep_checkpoint(tx, grown, root, note, self._now())
            await self._box.add(tx, self._now(), CheckpointSigned(tree_size=grown, root_hash=root))
        return len(fresh)

    async def integrate_all(self) -> None:
        """Integrate until nothing waits."""
        while await self.integrate() == BATCH:
            pass
