"""The process of audit: it takes in the records of every service, and grows and signs the tree; where everything meets."""

import secrets
from collections.abc import Callable, Sequence
from datetime import datetime

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from prometheus_client import Gauge, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1 import audit_pb2_grpc
from resapermis.audit.v1.events_pb2 import Record
from resapermis_audit import events, queries, tree
from resapermis_audit.checkpoint import Checkpoint, sign, verifier_key
from resapermis_audit.domain import sealing_row
from resapermis_audit.servicer import AuditServicer
from resapermis_audit.settings import Settings
from resapermis_audit.wire import parse_record
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.events.event import BatchHandler, Event
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.events.streams import RECORDS
from resapermis_kit.process import run_loop
from resapermis_kit.process.process import Process
from resapermis_vault.kek import KeyEncryption
from resapermis_vault.keyset import Keyset

SOURCES = ("auth-gateway", "mandate", "scheduling-rules", "basket", "notification", "audit")
BATCH = 1000
SALT_BYTES = 16
LAG = Histogram(
    "resapermis_journal_lag_seconds",
    "Age of records when the checkpoint that proves them was signed",
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 3600),
)
SIZE = Gauge("resapermis_journal_records", "Records in the tree when this replica last signed a checkpoint")
SIGNED = Gauge("resapermis_journal_checkpoint_timestamp_seconds", "When this replica last signed a checkpoint")


class ForeignSource(Exception):
    """A record that names another source than the one whose stream brought it: nobody but that one can have written it."""


class Journal:
    """Stores records and integrates them into the tree; one integrator at a time."""

    def __init__(
        self,
        engine: AsyncEngine,
        kek: KeyEncryption,
        key: Ed25519PrivateKey,
        origin: str,
        box: Outbox,
        now: Clock,
        randomness: Callable[[int], bytes],
    ) -> None:
        """`kek` seals records at rest; `key` signs checkpoints of the log `origin`; `randomness` gives salts."""
        self._engine, self._kek, self._key, self._origin = engine, kek, key, origin
        self._box, self._now, self._random = box, now, randomness

    async def on_records(self, tx: Tx, received: Sequence[tuple[Record, Event]]) -> None:
        """Store the records that a service published; the next round of integration puts them into the tree.

        ForeignSource where one says that another service wrote it: every release wrote its own name into each.
        """
        for record, event in received:
            if record.source != event.source:
                raise ForeignSource
        fresh = [parse_record(record, event.source, self._random(SALT_BYTES), self._kek) for record, event in received]
        await queries.add_entries(tx, fresh)

    async def integrate(self) -> int:
        """Put waiting records into the tree and sign the new checkpoint, in one commit; return how many."""
        async with transaction(self._engine) as tx:
            # In this order: who read a checkpoint of before meets its leaves in the tables' keys; the other way round, records
            # that another integrator has just put into the tree would be put there once more, behind its checkpoint.
            newest = await queries.newest_checkpoint(tx)
            fresh = await queries.not_integrated(tx, BATCH)
            if not fresh:
                return 0
            size = newest.size if newest is not None else 0
            edge = await queries.read_nodes(tx, tree.subtrees(0, size))
            made = tree.append(edge, size, [tree.leaf_hash(data) for _, data, _ in fresh])
            grown = size + len(fresh)
            root = tree.root(edge | made, grown)
            await queries.add_leaves(tx, {entry_id: size + n for n, (entry_id, _, _) in enumerate(fresh)}, made)
            checkpoint = Checkpoint(self._origin, grown, root)
            note = sign(checkpoint, self._key)
            await queries.add_checkpoint(tx, grown, root, note, self._now())
            await self._box.add(tx, self._now(), events.checkpoint_signed(checkpoint))
        self._measure(grown, [occurred_at for _, _, occurred_at in fresh])
        return len(fresh)

    def _measure(self, size: int, occurred: Sequence[datetime]) -> None:
        now = self._now()
        for at in occurred:
            LAG.observe(max(0.0, (now - at).total_seconds()))
        SIZE.set(size)
        SIGNED.set(now.timestamp())

    async def integrate_all(self) -> None:
        """Repeat `integrate` until no record waits outside of the tree."""
        while await self.integrate() == BATCH:
            pass


async def build(process: Process, settings: Settings) -> None:
    """Put AuditServicer, the consumers of every service's records and the leader tasks into the process."""
    keyset, row = Keyset.load(settings.keyset_file), sealing_row(settings.audit_origin)
    fresh = Ed25519PrivateKey.from_private_bytes(secrets.token_bytes(32)).private_bytes_raw()
    async with transaction(process.engine) as tx:
        sealed = await queries.signing_key(tx, settings.audit_origin, keyset.wrap(fresh, row))
    key = Ed25519PrivateKey.from_private_bytes(keyset.unwrap(sealed, row))
    journal = Journal(
        process.engine, keyset, key, settings.audit_origin, process.outbox, process.now, secrets.token_bytes
    )
    for source in SOURCES:
        process.consume(source, {Record: BatchHandler(journal.on_records)}, stream=RECORDS)
    process.every(settings.integrate_seconds, "integrate", journal.integrate_all)
    servicer = AuditServicer(process.engine, keyset, verifier_key(settings.audit_origin, key.public_key()))
    process.server.add(audit_pb2_grpc.add_AuditServiceServicer_to_server, servicer, "resapermis.audit.v1.AuditService")


async def serve() -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings = Settings()
    await run_loop.serve("audit", "resapermis_audit", settings, lambda process: build(process, settings))
