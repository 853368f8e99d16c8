"""NATS JetStream: the connection, and the two streams of a source."""

import ssl
from collections.abc import Sequence
from pathlib import Path

import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StorageType, StreamConfig

from resapermis.audit.v1.events_pb2 import Record
from resapermis_kit.events.outbox import EVENTS, RECORDS
from resapermis_kit.events.wire import subject_of

KEPT_SECONDS = 7 * 24 * 3600
NAMED_BEFORE = {EVENTS: "facts"}
"""What release 0.1.0 called a stream."""
log = structlog.get_logger()


async def connect(
    url: str, tls_dir: Path, name: str, client: Client | None = None, *, reconnect_seconds: float = 1.0
) -> Client:
    """Connect to NATS with mutual TLS, trying until it is there, and keep reconnecting for ever.

    `client` may be one that others hold already; until it is connected their calls raise nats.errors.Error.
    """
    context = ssl.create_default_context(cafile=str(tls_dir / "ca.pem"))
    context.load_cert_chain(tls_dir / "tls.pem", tls_dir / "tls.key")

    async def on_error(error: Exception) -> None:
        log.warning("bus.error", error_type=type(error).__qualname__)

    connected = client or Client()
    await connected.connect(
        url.split(","),
        name=name,
        tls=context,
        tls_handshake_first=True,  # nothing in clear; and an upgraded asyncio transport never says that it closed
        allow_reconnect=True,
        max_reconnect_attempts=-1,
        reconnect_time_wait=reconnect_seconds,  # type: ignore[arg-type] # sleeps so long; typed for whole seconds
        connect_timeout=3,
        error_cb=on_error,
        pending_size=8 * 1024 * 1024,
    )
    return connected


def stream_name(stream: str, source: str) -> str:
    """One stream of the bus for each stream of a source, e.g. "events-basket"."""
    return f"{stream}-{source}"


def stream_names(stream: str, source: str) -> list[str]:
    """Its name, and the one that an earlier release gave it."""
    return [stream_name(name, source) for name in (stream, NAMED_BEFORE.get(stream)) if name is not None]


async def ensure_streams(bus: Client, source: str, events: Sequence[str], replicas: int) -> None:
    """Create or update this service's streams; `events` are the full names of the events that it publishes.

    A stream under its earlier name goes first: two cannot have the same subjects. What it held and nobody had handled yet
    is in the outbox still, where consumers catch up. Call `recovery.align` before.
    """
    js = bus.jetstream()
    wanted = {RECORDS: [subject_of(source, Record.DESCRIPTOR.full_name)], EVENTS: list(events)}
    for stream, subjects in wanted.items():
        name, *earlier = stream_names(stream, source)
        for old in earlier:
            await _delete(js, old)
        if not subjects:
            continue
        config = StreamConfig(
            name=name,
            subjects=subjects,
            max_age=KEPT_SECONDS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,  # a full stream makes the outbox wait instead of losing events
            num_replicas=replicas,
            duplicate_window=120,
        )
        try:
            await js.add_stream(config)
        except nats.js.errors.BadRequestError:
            await js.update_stream(config)


async def _delete(js: JetStreamContext, name: str) -> None:
    try:
        await js.delete_stream(name)
    except nats.js.errors.NotFoundError:
        return
    log.info("stream.renamed", earlier=name)
