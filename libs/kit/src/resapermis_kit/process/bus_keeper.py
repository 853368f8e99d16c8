"""What bus-admin does, the one process that makes streams and durable consumers, with the operator's identity.

Services find what is there, and wait where it is not. What is lost is made again
within a round of ten seconds; what differs is changed where the server allows that, and told in words where it does not.
Any number of these may run: each step finds what it would make, or makes it.
"""

import asyncio
import signal
from collections.abc import Sequence
from typing import Any

import nats.errors
import nats.js.errors
import structlog
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import ConsumerConfig, StreamConfig
from prometheus_client import Counter, Gauge

from resapermis_kit.events.streams import connect, renew
from resapermis_kit.process.http import serving_probes
from resapermis_kit.process.settings import BusSettings
from resapermis_kit.process.telemetry import Health, configure
from resapermis_kit.process.topology import Durable, Topology
from resapermis_kit.tls.bus_monitor import RefusedConnections
from resapermis_kit.tls.certificates import Certificates

NAME = "bus-admin"
ROUND_SECONDS, AGAIN_SECONDS = 10.0, 1.0
OF_A_STREAM = ("subjects", "max_age", "storage", "discard", "num_replicas", "duplicate_window", "allow_direct")
OF_A_CONSUMER = ("deliver_policy", "ack_policy", "ack_wait", "max_ack_pending")
"""What we set, so what must be as we set it; all else is the server's."""
MADE = Counter("resapermis_bus_made_total", "Streams and consumers made; after the first start: made again", ["kind"])
for _kind in ("stream", "consumer"):
    MADE.labels(_kind)  # there from the start, at 0: Prometheus sees no increase in what begins at 1
CHANGED = Counter("resapermis_bus_changed_total", "Streams and consumers brought to their configuration", ["kind"])
REFUSED = Gauge("resapermis_bus_refused", "Streams and consumers that the server does not let be as they must")
ROUNDED = Gauge("resapermis_bus_checked_seconds", "When all was last looked through, in seconds since 1970")
PENDING = Gauge(
    "resapermis_bus_pending",
    "Messages that a durable consumer has not acknowledged yet, when bus-admin last looked",
    ["consumer", "source", "stream"],
)
log = structlog.get_logger()


async def ensure(js: JetStreamContext, topology: Topology, replicas: int) -> list[str]:
    """Make what is missing, change what differs; return in words what the server refused."""
    refused = []
    for config in topology.streams(replicas):
        refused += await _allowed("stream", str(config.name), _ensure_stream(js, config))
    for durable in topology.durables:
        refused += await _allowed("consumer", durable.name, _ensure_consumer(js, durable, topology.consumer(durable)))
    REFUSED.set(len(refused))
    ROUNDED.set_to_current_time()
    return refused


async def _allowed(kind: str, name: str, work: Any) -> list[str]:
    try:
        await work
    except (nats.js.errors.BadRequestError, nats.js.errors.ServerError) as error:
        log.error("bus.refused", kind=kind, which=name, reason=error.description)
        return [f"{kind} {name}: {error.description}"]
    return []


async def _ensure_stream(js: JetStreamContext, wanted: StreamConfig) -> None:
    name = str(wanted.name)
    try:
        found = (await js.stream_info(name)).config
    except nats.js.errors.NotFoundError:
        await js.add_stream(wanted)
        _made("stream", name)
        return
    if differing := [field for field in OF_A_STREAM if getattr(found, field) != getattr(wanted, field)]:
        await js.update_stream(found.evolve(**{field: getattr(wanted, field) for field in differing}))
        _changed("stream", name, differing)


async def _ensure_consumer(js: JetStreamContext, durable: Durable, wanted: ConsumerConfig) -> None:
    try:
        info = await js.consumer_info(durable.stream_name, durable.name)
    except nats.js.errors.NotFoundError:
        await js.add_consumer(durable.stream_name, wanted)
        _made("consumer", durable.name)
        return
    waiting = PENDING.labels(durable.service, durable.source, durable.stream)
    waiting.set((info.num_pending or 0) + (info.num_ack_pending or 0))
    found = info.config
    differing = [field for field in OF_A_CONSUMER if getattr(found, field) != getattr(wanted, field)]
    # A single one the server gives back as `filter_subject`.
    if sorted(found.filter_subjects or [found.filter_subject or ">"]) != sorted(wanted.filter_subjects or []):
        differing.append("filter_subjects")
    if differing:
        await js.add_consumer(durable.stream_name, wanted)
        _changed("consumer", durable.name, differing)


def _made(kind: str, name: str) -> None:
    MADE.labels(kind).inc()
    log.info("bus.made", kind=kind, which=name)


def _changed(kind: str, name: str, fields: Sequence[str]) -> None:
    CHANGED.labels(kind).inc()
    log.info("bus.changed", kind=kind, which=name, fields=list(fields))


class Keeper:
    """Keeps the bus as the topology says, for ever."""

    def __init__(self, bus: Client, topology: Topology, replicas: int) -> None:
        """Nothing is known of the bus yet. `replicas`: copies of each stream."""
        self._bus, self._topology, self._replicas = bus, topology, replicas
        self._problem = "nothing was looked at yet"

    async def check(self) -> None:
        """OSError while the bus is away or refuses something."""
        if self._problem:
            raise OSError(self._problem)

    async def run(self) -> None:
        """A round every ten seconds, a second after one that failed."""
        while True:
            try:
                self._problem = "; ".join(await ensure(self._bus.jetstream(), self._topology, self._replicas))
            except (OSError, TimeoutError, nats.errors.Error) as error:
                self._problem = "the bus does not answer"
                log.warning("bus.waiting", error_type=type(error).__qualname__)
            await asyncio.sleep(AGAIN_SECONDS if self._problem else ROUND_SECONDS)


async def _join_and_keep(bus: Client, settings: BusSettings, certificates: Certificates, keeper: Keeper) -> None:
    while True:
        try:
            await connect(settings.nats_url, certificates, NAME, bus)
        except (OSError, TimeoutError, nats.errors.Error) as error:
            log.warning("bus.waiting", error_type=type(error).__qualname__)
            await asyncio.sleep(AGAIN_SECONDS)
        else:
            await keeper.run()


async def _watch(bus: Client, certificates: Certificates, refused: RefusedConnections) -> None:
    while True:
        await refused.count()
        await asyncio.sleep(ROUND_SECONDS)
        if certificates.look():
            await renew(bus, certificates)


async def serve() -> None:
    """Keep the bus until SIGTERM or SIGINT; ready once all is as it must be."""
    settings = BusSettings()
    certificates = Certificates(settings.tls_dir, settings.tls_denied_serials)
    configure(NAME, settings, certificates)
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    health, bus = Health(), Client()
    keeper = Keeper(bus, Topology.load(settings.policies), settings.nats_replicas)
    health.checks["bus"] = keeper.check
    async with serving_probes(settings.metrics_listen, health):
        health.started = True
        refused = RefusedConnections(settings.nats_monitor, certificates)
        working = {
            asyncio.create_task(_join_and_keep(bus, settings, certificates, keeper)),
            asyncio.create_task(_watch(bus, certificates, refused)),
        }
        stopping = asyncio.create_task(stop.wait())
        await asyncio.wait({*working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        for task in working:
            if task.done():
                task.result()  # it ends by an error alone: better a restart in sight than a bus that nobody keeps
            task.cancel()
        await asyncio.gather(*working, return_exceptions=True)
        if bus.is_connected:
            await bus.close()
    log.info("stopped")
