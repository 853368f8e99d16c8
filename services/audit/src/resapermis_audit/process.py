"""The process of audit."""

import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from resapermis.audit.v1 import audit_pb2_grpc
from resapermis.audit.v1.events_pb2 import CheckpointSigned, Record
from resapermis_audit import queries
from resapermis_audit.checkpoint import verifier_key
from resapermis_audit.domain import sealing_row
from resapermis_audit.servicer import AuditServicer
from resapermis_audit.settings import Settings
from resapermis_audit.workers import Journal
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events.event import BatchHandler
from resapermis_kit.events.outbox import RECORDS
from resapermis_kit.process import run_loop
from resapermis_kit.process.process import Process
from resapermis_vault.keyset import Keyset

SOURCES = ("auth-gateway", "mandate", "scheduling-rules", "basket", "notification", "audit")


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
    await run_loop.serve(
        "audit", "resapermis_audit", settings, [CheckpointSigned.DESCRIPTOR], lambda process: build(process, settings)
    )
