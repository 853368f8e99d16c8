"""NATS JetStream: connections, streams, how facts travel, and the relay that publishes the outbox. consumer.py hears them."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import nats.errors
import nats.js.errors
import sqlalchemy as sa
import structlog
from google.protobuf.message import DecodeError
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StorageType, StreamConfig
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis.events.v1 import events_pb2 as pb
from resapermis_kit import outbox
from resapermis_kit.clock import Clock
from resapermis_kit.db import single, transaction
from resapermis_kit.errors import Failure
from resapermis_kit.outbox import FACTS, RECORDS, Outbox, Waiting

KEPT_SECONDS = 7 * 24 * 3600
PACKED = 64
PACKED_BYTES = 256 * 1024
PACK = "resapermis-facts"
"""The header of a message with several facts: how many."""
GATHER_SECONDS = 0.05
"""How long the relay lets rows gather after the bell: a rush then costs few rounds, and nobody notices."""
ACKNOWLEDGED_WITHIN_SECONDS = 10.0
log = structlog.get_logger()


async def connect(url: str, tls_dir: Path, name: str, client: Client | None = None) -> Client:
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
        reconnect_time_wait=1,
        connect_timeout=3,
        error_cb=on_error,
        pending_size=8 * 1024 * 1024,
    )
    return connected


def stream_name(lane: str, source: str) -> str:
    """One stream per source and lane, e.g. "facts-basket"."""
    return f"{lane}-{source}"


async def ensure_streams(bus: Client, source: str, facts: Sequence[str], replicas: int) -> None:
    """Create or update this service's streams; `facts` are the full names of the facts it says."""
    js = bus.jetstream()
    wanted = {RECORDS: [outbox.subject_of(source, Record.DESCRIPTOR.full_name)], FACTS: list(facts)}
    for lane, subjects in wanted.items():
        if not subjects:
            continue
        config = StreamConfig(
            name=stream_name(lane, source),
            subjects=subjects,
            max_age=KEPT_SECONDS,
            storage=StorageType.FILE,
            discard=DiscardPolicy.NEW,  # a full stream makes the outbox wait instead of losing facts
            num_replicas=replicas,
            duplicate_window=120,
        )
        try:
            await js.add_stream(config)
        except nats.js.errors.BadRequestError:
            await js.update_stream(config)


async def relay(
    engine: AsyncEngine, bus: Client, box: Outbox, now: Clock, prepare: Callable[[], Awaitable[None]] | None = None
) -> None:
    """Publish the outbox for ever. Survives both the bus and the database. One replica of the service at a time.

    `prepare` makes streams and numbers fit each other: before the first number, and when a stream is found missing.
    """
    publisher = bus.jetstream()  # one for ever: each has a subscription for its acknowledgements
    prepared = prepare is None
    while True:
        try:
            if prepare is not None and not prepared and bus.is_connected:
                await prepare()
                prepared = True
            # Away: what is said waits in the outbox.
            full = (
                prepared and bus.is_connected and await relay_round(engine, publisher, box.source, now) >= outbox.BATCH
            )
            if not full:
                await box.bell.wait(0.5)
                await asyncio.sleep(GATHER_SECONDS)
        except (Failure, sa.exc.SQLAlchemyError, nats.errors.Error, OSError, TimeoutError) as error:
            log.warning("relay.paused", error_type=type(error).__qualname__)
            prepared = prepared and (prepare is None or not isinstance(error, nats.js.errors.NoStreamResponseError))
            await asyncio.sleep(0.5)


async def relay_round(engine: AsyncEngine, publisher: JetStreamContext, source: str, now: Clock) -> int:
    """Number, publish and mark one batch; return how many rows it had."""
    each = single(engine)
    async with transaction(each) as tx:
        rows = await outbox.number_waiting(tx)
    if not rows:
        return 0
    results = await _publish(publisher, source, rows)
    done = {row.id for row, result in zip(rows, results, strict=True) if not isinstance(result, BaseException)}
    if done:
        async with transaction(each) as tx:
            await outbox.mark_published(tx, rows, done, now())
    failed = [result for result in results if isinstance(result, BaseException)]
    if failed:
        raise failed[0]
    return len(rows)


async def _publish(publisher: JetStreamContext, source: str, rows: Sequence[Waiting]) -> list[Any]:
    """Send all, then wait for all acknowledgements; what failed or did not come stands in its row's place.

    The client gives no answer at all to a message that the server refuses (a full stream): it is waited for in vain, and
    those that were stored are marked all the same.
    """
    packs = _packs(rows)
    acknowledged: list[asyncio.Future[Any]] = []
    try:
        async with asyncio.timeout(ACKNOWLEDGED_WITHIN_SECONDS):
            for pack in packs:
                subject = outbox.subject_of(source, pack[0].type)
                headers, payload = _single(source, pack[0]) if len(pack) == 1 else _packed(source, pack)
                acknowledged.append(await publisher.publish_async(subject, payload, headers=headers))
        await asyncio.wait(acknowledged, timeout=ACKNOWLEDGED_WITHIN_SECONDS)
        outcomes = {pack[0].id: _outcome(future) for pack, future in zip(packs, acknowledged, strict=True)}
        found = {row.id: outcomes[pack[0].id] for pack in packs for row in pack}
        return [found[row.id] for row in rows]
    finally:
        for future in acknowledged:
            future.cancel()  # those that got no answer in time give their place to the next round's


def _packs(rows: Sequence[Waiting]) -> list[list[Waiting]]:
    """Rows that follow each other in a lane and have one type, so many and so large as one message may be.

    Each message costs the server a write to its disk, and every client a wake-up: at an opening hundreds wait.
    """
    packs: list[list[Waiting]] = []
    for row in sorted(rows, key=lambda row: (row.lane, row.number)):
        last = packs[-1] if packs else []
        fits = len(last) < PACKED and sum(len(one.payload) for one in last) + len(row.payload) <= PACKED_BYTES
        follows = bool(last) and (last[-1].lane, last[-1].type, last[-1].number + 1) == (row.lane, row.type, row.number)
        if fits and follows:
            last.append(row)
        else:
            packs.append([row])
    return packs


def _single(source: str, row: Waiting) -> tuple[dict[str, str], bytes]:
    """A message that is one fact, its CloudEvents attributes in the headers."""
    headers = {
        "Nats-Msg-Id": str(row.id),
        "ce-specversion": "1.0",
        "ce-id": str(row.id),
        "ce-source": source,
        "ce-type": row.type,
        "ce-time": row.occurred_at.isoformat(),
        "resapermis-number": str(row.number),
        "traceparent": row.traceparent,
    }
    return headers, row.payload


def _packed(source: str, pack: Sequence[Waiting]) -> tuple[dict[str, str], bytes]:
    """A message that is several facts. Known by its first and its size: sent again it may have another size."""
    batch = pb.Batch()
    for row in pack:
        outbox.envelope(batch.envelopes.add(), source, row)
    headers = {
        "Nats-Msg-Id": f"{pack[0].id}+{len(pack)}",
        "ce-source": source,
        "ce-type": pack[0].type,
        "resapermis-number": str(pack[-1].number),
        PACK: str(len(pack)),
    }
    return headers, batch.SerializeToString()


def payloads(headers: Mapping[str, str] | None, data: bytes) -> list[bytes]:
    """The facts of a message without what stands around them, for plain subscriptions; ValueError where it is broken."""
    if PACK not in (headers or {}):
        return [data]
    return [envelope.payload for envelope in batch(data).envelopes]


def batch(data: bytes) -> pb.Batch:
    """A message of several facts; ValueError where it is none."""
    try:
        return pb.Batch.FromString(data)
    except DecodeError as error:
        raise ValueError("not a batch of facts") from error


def _outcome(future: asyncio.Future[Any]) -> Any:
    return (future.exception() or future.result()) if future.done() else TimeoutError()
