"""The run loop of a process: start in order, say ready, drain on SIGTERM."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field

import grpc
import nats.errors
import structlog
import uvloop
from google.protobuf.descriptor import Descriptor
from google.protobuf.message import Message
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.events.v1 import events_pb2, events_pb2_grpc
from resapermis_kit import backlog, db, durable, duties, invariants, lost, once, outbox, peers
from resapermis_kit import bus as kit_bus
from resapermis_kit import consumer as kit_consumer
from resapermis_kit.auth import Authorizer, Verifier
from resapermis_kit.clock import Clock, utc_now
from resapermis_kit.duties import Worker
from resapermis_kit.errors import Failure
from resapermis_kit.outbox import FACTS, Outbox
from resapermis_kit.server import EventsServicer, Server
from resapermis_kit.settings import ServiceSettings
from resapermis_kit.telemetry import Health, configure, serve_health

YOUNG = 10_000
"""Objects made, less those gone, before the youngest are looked through: a request makes hundreds."""
log = structlog.get_logger()


@dataclass
class Process:
    """What every service process has, made once and handed to the service's `build`."""

    name: str
    settings: ServiceSettings
    engine: AsyncEngine
    bus: Client
    outbox: Outbox
    server: Server
    health: Health
    now: Clock = utc_now
    workers: list[Worker] = field(default_factory=list)
    """What each replica does."""
    duties: list[Worker] = field(default_factory=list)
    """What one replica does for all."""
    invariants: dict[str, str] = field(default_factory=lambda: dict(invariants.KIT))
    """Queries of what breaks an invariant of this service's database, by name; see kit.invariants."""
    after_restore: list[Worker] = field(default_factory=list)
    """Done once when the database is found to have been restored to the past, before anything more is said."""
    closers: list[Callable[[], Awaitable[None]]] = field(default_factory=list)
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    def peer(self, name: str) -> grpc.aio.Channel:
        """One channel to each service we call."""
        if name not in self.channels:
            self.channels[name] = peers.channel(self.settings.peer(name), self.settings.tls_dir, name)
        return self.channels[name]

    async def repeat(self, source: str, request: events_pb2.ReplayRequest) -> events_pb2.ReplayResponse:
        """Ask a source to repeat facts, as this service itself."""
        stub = events_pb2_grpc.EventsServiceStub(self.peer(source))
        answer: events_pb2.ReplayResponse = await peers.ask(stub.Replay, request, timeout=5, principal="")
        return answer

    def consume(
        self,
        source: str,
        handlers: Mapping[type[Message], kit_consumer.Handle | kit_consumer.Together],
        lane: str = FACTS,
    ) -> None:
        """Handle the facts of `source`, each once."""
        consumer = kit_consumer.Consumer(self.engine, self.name, source, handlers, self.repeat, self.now, lane)
        self.duties.append(lambda: consumer.run(self.bus))

    def every(self, seconds: float, name: str, work: Worker) -> None:
        """Run `work` about every `seconds`, in one replica at a time; a failure is logged and tried again."""
        self.duties.append(lambda: duties.every(seconds, name, work))


async def _prepare_bus(process: Process, facts: Sequence[Descriptor]) -> None:
    """Make our streams where they are missing, and go on after the newest number in them."""
    names = [fact.full_name for fact in facts]
    await kit_bus.ensure_streams(process.bus, process.name, names, process.settings.nats_replicas)
    if await lost.align(process.engine, process.bus, process.name):
        for work in process.after_restore:
            await work()


async def _join_bus(bus: Client, settings: ServiceSettings, name: str, facts: Sequence[Descriptor] | None) -> None:
    """Connect and make our streams, however long NATS is away: people's acts do not wait for it, their outbox does."""
    while True:
        try:
            await durable.require_synced(settings.nats_monitor)
            if not bus.is_connected:
                await kit_bus.connect(settings.nats_url, settings.tls_dir, name, bus)
            if facts is not None:
                await kit_bus.ensure_streams(bus, name, [fact.full_name for fact in facts], settings.nats_replicas)
        except (OSError, TimeoutError, nats.errors.Error) as error:
            log.warning("bus.waiting", error_type=type(error).__qualname__)
            await asyncio.sleep(1)
        except durable.NotDurable as reason:  # it came up after us: what is said stays in the outbox
            log.error("bus.not_durable", reason=str(reason))
            await asyncio.sleep(5)
        else:
            log.info("bus.joined")
            return


async def serve(
    name: str,
    package: str,
    settings: ServiceSettings,
    facts: Sequence[Descriptor],
    build: Callable[[Process], Awaitable[None]],
    *,
    relay: bool = True,
) -> None:
    """Run the service until SIGTERM or SIGINT. `build` adds servicers, consumers and workers to the process.

    `relay=False` for a second process on a database whose outbox another process publishes (egress).
    """
    configure(name, settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    health = Health()
    async with AsyncExitStack() as stack:
        probe = await serve_health(settings.metrics_listen, health)
        stack.callback(probe.close)
        engine = db.make_engine(settings.database_url, pool=settings.database_pool, name=name)
        stack.push_async_callback(engine.dispose)
        await _wait_for_database(engine, package)
        await durable.require_commits(engine)
        await durable.require_synced(settings.nats_monitor)
        bus = Client()
        stack.push_async_callback(bus.close)
        server = Server(
            settings.grpc_listen, settings.tls_dir, Verifier(settings.principal_jwks), Authorizer(settings.policies)
        )
        process = Process(name, settings, engine, bus, Outbox(name), server, health)
        server.add(
            events_pb2_grpc.add_EventsServiceServicer_to_server,
            EventsServicer(engine, name),
            "resapermis.events.v1.EventsService",
        )
        if relay:
            process.duties.append(
                lambda: kit_bus.relay(engine, bus, process.outbox, process.now, lambda: _prepare_bus(process, facts))
            )
            process.every(5, "backlog", lambda: backlog.measure(engine))
            process.every(invariants.EVERY_SECONDS, "invariants", lambda: _check(process))
            process.every(600, "prune", lambda: _prune(process))
        await build(process)
        health.checks["database"] = lambda: db.check(engine)
        await server.start()
        keep_what_stays()
        locks = duties.lock_engine(settings.database_url, name)
        stack.push_async_callback(locks.dispose)
        tasks = [asyncio.create_task(duties.forever(worker)) for worker in process.workers]
        tasks.append(asyncio.create_task(db.warm(engine, settings.database_pool)))
        tasks.append(asyncio.create_task(_join_bus(bus, settings, name, facts if relay else None)))
        tasks.append(asyncio.create_task(duties.lead(locks, name, process.duties)))
        health.started = True
        log.info("ready", grpc=settings.grpc_listen)
        await stop.wait()
        log.info("draining")
        health.started = False
        await server.stop(settings.drain_seconds)
        for closer in process.closers:
            await closer()
        await duties.end(tasks)
        for opened in process.channels.values():
            await opened.close()
    log.info("stopped")


def keep_what_stays() -> None:
    """What exists once a process has started lives as long as it: Python's collector need not walk it again and again.

    A full walk of modules, messages and tables is a pause of 80 ms, at an opening for everybody.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)


async def _wait_for_database(engine: AsyncEngine, package: str) -> None:
    while True:
        try:
            await db.require_head(engine, package)
        except Failure as failure:
            log.warning("database.waiting", code=failure.name)
            await asyncio.sleep(1)
        else:
            return


async def _check(process: Process) -> None:
    await invariants.look(process.engine, process.invariants)


async def _prune(process: Process) -> None:
    await outbox.prune(process.engine, process.now)
    async with db.transaction(process.engine) as tx:
        await once.forget_old(tx, process.now())


def main(
    arguments: Sequence[str], package: str, database_url: Callable[[], str], serving: Callable[[], Awaitable[None]]
) -> int:
    """Command line of a service: `migrate`, or nothing to serve. Returns the exit status."""
    if list(arguments) == ["migrate"]:
        db.migrate(package, database_url())
        return 0
    if arguments:
        print(f"usage: python -m {package} [migrate]")  # noqa: T201 - a command line speaks on its terminal
        return 2
    uvloop.run(_awaited(serving))
    return 0


async def _awaited(serving: Callable[[], Awaitable[None]]) -> None:
    await serving()
