"""A process's HTTP under its own run loop: the server, and what probes and Prometheus ask on a port of their own."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator, Iterator

import uvicorn
from prometheus_client import make_asgi_app
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from resapermis_kit.process.telemetry import Health

PLATFORM = "/healthz/platform"


class HttpServer(uvicorn.Server):
    """uvicorn under the run loop, which handles the signals."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Do nothing: the run loop handles SIGTERM and SIGINT."""
        yield


def bind(listen: str) -> socket.socket:
    """A socket that listens on "host:port", "[::]:port" too; OSError for a busy port."""
    host, _, port = listen.rpartition(":")
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.create_server((host.strip("[]"), int(port)), family=family, backlog=2048)


def probes(health: Health) -> ASGIApp:
    """Answer /metrics, /healthz, /readyz (503 with what is not ready) and /healthz/platform (503 with what does not serve yet).

    No data, no session. The last asks the services that this one calls: of auth-gateway that is all of them.
    """
    metrics = make_asgi_app()

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/metrics":
            await metrics(scope, receive, send)
            return
        if scope["path"] == "/healthz":
            response = PlainTextResponse("ok\n")
        elif scope["path"] == "/readyz":
            problems = await health.problems()
            response = PlainTextResponse((", ".join(problems) or "ready") + "\n", 503 if problems else 200)
        elif scope["path"] == PLATFORM:
            cold = await health.platform()
            response = PlainTextResponse((", ".join(cold) or "the platform serves") + "\n", 503 if cold else 200)
        else:
            response = PlainTextResponse(f"/metrics /healthz /readyz {PLATFORM}\n", 404)
        await response(scope, receive, send)

    return answer


@contextlib.asynccontextmanager
async def serving_probes(listen: str, health: Health) -> AsyncIterator[None]:
    """Answer `probes` over plain HTTP on the service's own port (cluster-internal); OSError for a busy one."""
    bound = bind(listen)
    config = uvicorn.Config(
        probes(health),
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
    )
    server = HttpServer(config)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving
        bound.close()
