"""The run loop of a process: start in order, report ready; on SIGTERM leave, take nothing new, finish, close."""

import asyncio
import gc
import signal
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack

import structlog
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.events.v1 import events_pb2_grpc
from resapermis_kit.clock import utc_now
from resapermis_kit.database import durability, idempotency, transaction
from resapermis_kit.database.engine import make_engine, open_connections
from resapermis_kit.database.revision import require_head, require_serving_role
from resapermis_kit.denials.journal import DenialJournal
from resapermis_kit.errors import Failure
from resapermis_kit.events import backlog, replay, streams
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.events.relay import relay as relay_outbox
from resapermis_kit.events.streams import EVENTS, RECORDS, stream_name
from resapermis_kit.process import invariants, leader
from resapermis_kit.process.bus import check_found, join_bus, prepare_numbers
from resapermis_kit.process.http import serving_probes
from resapermis_kit.process.process import Process
from resapermis_kit.process.settings import ServiceSettings
from resapermis_kit.process.telemetry import Health, configure
from resapermis_kit.rpc.auth import Verifier
from resapermis_kit.rpc.authorization import Authorizer
from resapermis_kit.rpc.server import Server
from resapermis_kit.tls.certificates import Certificates

YOUNG = 10_000
"""Objects made, less those gone, before the youngest are looked through: a request makes hundreds."""
log = structlog.get_logger()


async def serve(
    name: str,
    package: str,
    settings: ServiceSettings,
    build: Callable[[Process], Awaitable[None]],
    *,
    source: str = "",
) -> None:
    """Run the service until SIGTERM or SIGINT. `build` adds servicers, consumers and workers to the process.

    `source`: whose outbox the database's is, where another process publishes it (egress: auth-gateway's).
    """
    certificates = Certificates(settings.tls_dir, settings.tls_denied_serials)
    configure(name, settings, certificates)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    health = Health()
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(serving_probes(settings.metrics_listen, health))
        engine = make_engine(settings.database_url, pool=settings.database_pool, name=name, certificates=certificates)
        stack.push_async_callback(engine.dispose)
        await _wait_for_database(engine, package)
        await require_serving_role(engine)
        await durability.require_commits(engine)
        await durability.require_synced(settings.nats_monitor, certificates)
        bus = Client()
        stack.push_async_callback(bus.close)
        process = _made(name, settings, certificates, engine, bus, Outbox(source or name), health)
        server, denials = process.server, process.denials
        if not source:
            process.own_streams += [stream_name(stream, name) for stream in (EVENTS, RECORDS)]
            process.leader_tasks.append(
                lambda: relay_outbox(engine, bus, process.outbox, process.now, lambda: prepare_numbers(process))
            )
            process.every(5, "backlog", lambda: backlog.measure(engine))
            process.every(invariants.EVERY_SECONDS, "invariants", lambda: invariants.check(engine, process.invariants))
            process.every(600, "prune", lambda: _prune(process))
        await build(process)
        process.warm_up()
        process.closers.append(denials.close)  # last: what closes may refuse
        health.checks["database"] = lambda: transaction.check(engine)
        health.checks["bus"] = lambda: check_found(process)
        await server.start()
        freeze_startup_objects()
        locks = leader.lock_engine(settings.database_url, name, certificates)
        stack.push_async_callback(locks.dispose)
        tasks = _begin(process, locks)
        await health.check()
        tasks.append(asyncio.create_task(leader.run_forever(lambda: health.watch(server.say_health))))
        health.started = True
        log.info("ready", grpc=settings.grpc_listen)
        await stop.wait()
        health.started = False
        log.info("leaving", seconds=settings.leave_seconds)
        await asyncio.sleep(settings.leave_seconds)
        log.info("draining")
        await server.stop(settings.drain_seconds)
        for closer in process.closers:
            await closer()
        await leader.cancel_all(tasks)
        for opened in process.channels.values():
            await opened.close()
    log.info("stopped")


def _begin(process: Process, locks: AsyncEngine) -> list["asyncio.Task[None]"]:
    """Begin what goes on beside the server, and have the process say what the first acts need of it."""
    led = asyncio.Event()
    pool = asyncio.create_task(open_connections(process.engine, process.settings.database_pool))
    process.health.warm |= {
        "connections to the database": pool.done,
        "bus": lambda: process.joined,
        "leader": led.is_set,
    }
    return [
        *(asyncio.create_task(leader.run_forever(worker)) for worker in process.workers),
        pool,
        asyncio.create_task(join_bus(process)),
        asyncio.create_task(leader.lead(locks, process.name, process.leader_tasks, led)),
    ]


def _made(
    name: str,
    settings: ServiceSettings,
    certificates: Certificates,
    engine: AsyncEngine,
    bus: Client,
    outbox: Outbox,
    health: Health,
) -> Process:
    """The process with its gRPC server, which repeats the outbox and has what it refuses recorded there."""
    denials = DenialJournal(lambda records: outbox.emit(engine, utc_now(), *records), utc_now, name)
    verifier, authorizer = Verifier(settings.principal_jwks, name), Authorizer(settings.policies)
    server = Server(settings.grpc_listen, certificates, verifier, authorizer, denials.add, settings.clients)
    server.add(
        events_pb2_grpc.add_EventsServiceServicer_to_server,
        replay.EventsServicer(engine, name),
        "resapermis.events.v1.EventsService",
    )
    process = Process(name, settings, certificates, engine, bus, outbox, server, health, denials)
    process.workers += [denials.run, lambda: certificates.watch(lambda: streams.renew(bus, certificates))]
    return process


def freeze_startup_objects() -> None:
    """What exists once a process has started lives as long as it: Python's collector need not walk it again and again.

    A full walk of modules, messages and tables is a pause of 80 ms, at an opening for everybody.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)


async def _wait_for_database(engine: AsyncEngine, package: str) -> None:
    while True:
        try:
            await require_head(engine, package)
        except Failure as failure:
            log.warning("database.waiting", code=failure.name)
            await asyncio.sleep(1)
        else:
            return


async def _prune(process: Process) -> None:
    await replay.prune(process.engine, process.now)
    async with transaction.transaction(process.engine) as tx:
        await idempotency.forget_old(tx, process.now())
