"""The web process: `python -m resapermis_auth_gateway web`. Where its rooms meet."""

import asyncio
import resource
import socket
from collections.abc import Callable
from functools import partial
from typing import cast
from urllib.parse import urlsplit

import uvicorn
from nats.aio.client import Client
from starlette.types import ASGIApp

from resapermis.iam.v1.iam_pb2_grpc import add_IamServiceServicer_to_server
from resapermis_auth_gateway.iam.servicer import IamServicer
from resapermis_auth_gateway.replicas import join_replicas
from resapermis_auth_gateway.settings import SERVICE
from resapermis_auth_gateway.web import app
from resapermis_auth_gateway.web.dependencies import Dependencies, Peers, assemble
from resapermis_auth_gateway.web.feed.live import Live
from resapermis_auth_gateway.web.security.connection import BoundedProtocol, Bounds
from resapermis_auth_gateway.web.security.shown_certificate import ShownCertificate
from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Code, Failure
from resapermis_kit.process import run_loop
from resapermis_kit.process.http import HttpServer, bind
from resapermis_kit.process.process import Process
from resapermis_kit.rpc.authorization import Authorizer

PACKAGE = "resapermis_auth_gateway"
OVERDUE_EVERY_SECONDS = 5.0
FORGET_COUNTS_EVERY_SECONDS = 30.0
OWN_FILES = 512
"""Files that the process has open beside its browsers' connections: pages, database, bus, peers; with room to spare."""


def http_server(
    application: ASGIApp, settings: WebSettings, denied: Callable[[Denial], None]
) -> tuple[HttpServer, socket.socket]:
    """A server and its bound socket; OSError for a busy port. `denied` is told of connections that are refused."""
    bound = bind(settings.web_listen)
    bounds = Bounds.of(settings, _connections(settings.connections), denied)
    config = uvicorn.Config(
        application,
        http=cast("type[asyncio.Protocol]", partial(BoundedProtocol, bounds)),  # uvicorn only calls it
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=settings.trusted_proxies or "",
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=int(settings.drain_seconds),
    )
    return HttpServer(config), bound


def _connections(wanted: int) -> int:
    """So many of `wanted` as this process may open files for, beside its own; its limit is raised as far as it may be."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = wanted + OWN_FILES
    if soft != resource.RLIM_INFINITY and soft < needed:
        soft = needed if hard == resource.RLIM_INFINITY else min(needed, hard)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    return wanted if soft == resource.RLIM_INFINITY else max(1, min(wanted, soft - OWN_FILES))


async def build(process: Process, settings: WebSettings) -> Dependencies:
    """Wire servicer, feeds, workers and the HTTP server into the process."""
    dependencies = assemble(
        settings,
        process.engine,
        process.outbox,
        Peers.over(process.peer),
        Authorizer(settings.policies),
        process.denials,
        process.health,
        process.now,
    )
    process.server.add(
        add_IamServiceServicer_to_server,
        IamServicer(process.engine, dependencies.profiles, process.now),
        "resapermis.iam.v1.IamService",
    )
    process.workers.append(lambda: _listen(process.bus, dependencies.live))
    process.every(OVERDUE_EVERY_SECONDS, "end overdue sessions", dependencies.sessions.end_overdue)
    process.every(60, "forget sign-ins", dependencies.attempts.forget_old)
    process.every(60, "forget challenges", dependencies.passkeys.forget_old)
    process.every(3600, "forget old sessions", dependencies.sessions.forget_old)
    process.every(FORGET_COUNTS_EVERY_SECONDS, "forget counts of addresses", dependencies.rates.forget)
    if settings.reverse_proxy:
        name = urlsplit(settings.public_url).hostname or ""
        shown = ShownCertificate(settings.reverse_proxy, name, settings.reverse_proxy_ca_file)
        process.workers.append(shown.watch)
    await join_replicas(process, dependencies.rates.divide, dependencies.rates.within)
    server, bound = http_server(app.build(dependencies), settings, process.denials.add)
    serving = asyncio.create_task(server.serve(sockets=[bound]))

    async def check() -> None:
        if serving.done():
            raise Failure(Code.CODE_UNAVAILABLE, "the HTTP server has stopped")

    async def close() -> None:
        dependencies.live.close()
        server.should_exit = True
        await serving

    process.health.checks["web"] = check
    process.closers.insert(0, close)  # answers what it has before this replica gives up its part of the limits
    return dependencies


async def _listen(bus: Client, live: Live) -> None:
    """Subscribe once the bus is there. Events published while it was away do not come again: have pages read again."""
    while not bus.is_connected:  # noqa: ASYNC110 - nats-py has no event for it
        await asyncio.sleep(0.2)
    await live.listen(bus)
    live.resync_all()
    seen = bus.stats["reconnects"]
    while True:
        await asyncio.sleep(1)
        if bus.stats["reconnects"] != seen:
            seen = bus.stats["reconnects"]
            live.resync_all()


async def serve() -> None:
    """Run the web face until SIGTERM or SIGINT, with the relay of the shared database."""
    settings = WebSettings()
    _ = settings.secure  # refuses plain http beyond loopback before anything listens

    async def wire(process: Process) -> None:
        await build(process, settings)

    await run_loop.serve(SERVICE, PACKAGE, settings, wire)
