"""NATS JetStream: what things are called, the connection, what a service may ask of its streams. bus-admin alone makes them."""

import json
from collections.abc import Mapping, Sequence

import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext

from resapermis_kit.tls.certificates import Certificates

EVENTS, RECORDS = "events", "records"
"""The two streams of a source: what happened, and the journal of who did it."""
RECORD = "resapermis.audit.v1.Record"
API = "bus.API"
"""Where a service finds that part of JetStream's API which it was given: an account of its own has no other (ADR 33)."""
PEER, TLS = "bus", "tls"
"""What metrics call the bus, and nats-py its context."""
READ_AT_ONCE, BYTES_AT_ONCE, READ_SECONDS = 500, 8 * 1024 * 1024, 5.0
END_OF_BATCH, NO_MESSAGES = "204", "404"
log = structlog.get_logger()


def stream_name(stream: str, source: str) -> str:
    """One stream of the bus for each stream of a source, e.g. "events-basket"."""
    return f"{stream}-{source}"


def durable_name(service: str, stream: str, source: str) -> str:
    """The durable consumer of a service on a stream of a source, e.g. "basket-events-mandate"."""
    return f"{service}-{stream}-{source}"


def subject_of(source: str, row_type: str) -> str:
    """The bus subject: the type's full name; records carry their source, so that the server can tell publishers apart."""
    return f"{row_type}.{source}" if row_type == RECORD else row_type


def subjects_of(context: str) -> str:
    """All events of a context. One `*` is one word: those of audit leave out its records."""
    return f"resapermis.{context}.v1.*"


async def connect(
    url: str, certificates: Certificates, name: str, client: Client | None = None, *, reconnect_seconds: float = 1.0
) -> Client:
    """Connect to NATS with mutual TLS, trying until it is there, and keep reconnecting for ever.

    `client` may be one that others hold already; until it is connected their calls raise nats.errors.Error.
    """

    async def on_error(error: Exception) -> None:
        log.warning("bus.error", error_type=type(error).__qualname__)

    connected = client or Client()
    await connected.connect(
        url.split(","),
        name=name,
        inbox_prefix=f"_INBOX.{name}",  # nobody else's answers
        tls=certificates.client_context(PEER),
        tls_handshake_first=True,  # nothing in clear; and an upgraded asyncio transport never says that it closed
        allow_reconnect=True,
        max_reconnect_attempts=-1,
        reconnect_time_wait=reconnect_seconds,  # type: ignore[arg-type] # sleeps so long; typed for whole seconds
        connect_timeout=3,
        error_cb=on_error,
        pending_size=8 * 1024 * 1024,
    )
    return connected


async def renew(bus: Client, certificates: Certificates) -> None:
    """Connect anew with the certificates of now; what was asked meanwhile is asked again, as after a restart of the server."""
    bus.options[TLS] = certificates.client_context(PEER)  # the client reads it at each connection
    await bus.force_reconnect()


def jetstream(bus: Client) -> JetStreamContext:
    """JetStream as a service has it: its own streams and durables, nothing else."""
    return bus.jetstream(prefix=API)


async def missing(bus: Client, streams: Sequence[str], durables: Sequence[tuple[str, str]]) -> list[str]:
    """Names of what bus-admin has not made yet: streams, and durables given as (stream, durable)."""
    js, absent = jetstream(bus), []
    for stream in streams:
        try:
            await js.stream_info(stream)
        except nats.js.errors.NotFoundError:
            absent.append(stream)
    for stream, durable in durables:
        try:
            await js.consumer_info(stream, durable)
        except nats.js.errors.NotFoundError:
            absent.append(durable)
    return absent


async def read(bus: Client, stream: str, begin: Mapping[str, object]) -> list[Msg]:
    """Some messages of our own stream, in order, from `begin` on: {"seq": number} or {"start_time": RFC 3339}; [] behind the last.

    Each has the header Nats-Sequence. Any replica answers, also one that is behind: ask again for what must be there.
    """
    inbox = bus.new_inbox()
    subscription = await bus.subscribe(inbox)
    try:
        question = {"batch": READ_AT_ONCE, "max_bytes": BYTES_AT_ONCE, **begin}
        await bus.publish(f"{API}.DIRECT.GET.{stream}", json.dumps(question).encode(), reply=inbox)
        found: list[Msg] = []
        while True:
            message = await subscription.next_msg(timeout=READ_SECONDS)
            status = (message.headers or {}).get("Status")
            if status is None:
                found.append(message)
            elif status in {END_OF_BATCH, NO_MESSAGES}:
                return found
            else:
                nats.js.errors.APIError.from_msg(message)
    finally:
        await subscription.unsubscribe()
