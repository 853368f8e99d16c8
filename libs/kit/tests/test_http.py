"""What probes and Prometheus are answered on a process's own port, and how its server ends."""

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest

from devstack.components import SERVES
from resapermis_kit.errors import Code, Failure
from resapermis_kit.process import telemetry
from resapermis_kit.process.http import serving_probes
from resapermis_kit.process.telemetry import Health
from resapermis_testing.eventually import eventually
from resapermis_testing.ports import free_port

Ask = Callable[[str], Awaitable[tuple[int, str]]]


async def _fails() -> None:
    raise Failure(Code.CODE_UNAVAILABLE, "away")


@pytest.fixture
def health() -> Health:
    return Health()


@pytest.fixture
async def ask(health: Health) -> AsyncIterator[Ask]:
    port = free_port()

    async def get(path: str) -> tuple[int, str]:
        """Status and body, as a probe reads them."""
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(f"GET {path} HTTP/1.1\r\nHost: probe\r\nConnection: close\r\n\r\n".encode())
        head, _, body = (await asyncio.wait_for(reader.read(), 5)).decode().partition("\r\n\r\n")
        writer.close()
        return int(head.split(" ", 2)[1]), body

    async with serving_probes(f"127.0.0.1:{port}", health):
        yield get


async def test_a_process_is_ready_once_it_has_started_and_each_check_passes(health: Health, ask: Ask) -> None:
    health.checks["database"] = _fails
    assert await ask("/readyz") == (503, "starting, database\n")
    health.started = True
    assert await ask("/readyz") == (503, "database\n")
    health.checks.clear()
    assert await ask("/readyz") == (200, "ready\n")


async def test_a_process_serves_once_it_is_ready_warm_and_those_that_it_calls_are(health: Health, ask: Ask) -> None:
    health.warm["bus"] = lambda: joined
    joined, cold = False, ["basket: not warm"]

    async def peers() -> list[str]:
        return health.cold() + cold

    assert await ask(SERVES) == (503, "starting, bus\n")
    health.started = True
    assert (await ask("/readyz"))[0] == 200, "which depends on nobody else, or two that call each other would never be"
    assert await ask(SERVES) == (503, "bus\n")
    health.platform = peers
    assert await ask(SERVES) == (503, "bus, basket: not warm\n")
    joined = True
    cold.clear()
    assert await ask(SERVES) == (200, "the platform serves\n")


async def test_what_is_watched_is_known_without_asking(health: Health, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telemetry, "CHECK_SECONDS", 0)
    health.started = True
    away = True

    async def check() -> None:
        if away:
            await _fails()

    health.checks["database"] = check
    watching = asyncio.create_task(health.watch())

    async def known(expected: list[str]) -> bool:
        return health.known() == expected

    await eventually(lambda: known(["database"]))
    away = False
    await eventually(lambda: known([]))
    watching.cancel()


async def test_a_process_that_is_not_ready_is_alive(ask: Ask) -> None:
    assert await ask("/healthz") == (200, "ok\n")


async def test_figures_are_in_the_format_of_prometheus(ask: Ask) -> None:
    status, body = await ask("/metrics")
    assert status == 200
    assert "# TYPE process_cpu_seconds_total counter" in body


async def test_nothing_else_is_answered(ask: Ask) -> None:
    assert (await ask("/"))[0] == 404


async def test_a_busy_port_is_an_error_at_once(health: Health) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy, pytest.raises(OSError, match="in use"):
        async with serving_probes(f"127.0.0.1:{busy.getsockname()[1]}", health):
            pass


async def test_a_probe_that_says_nothing_holds_no_stop_up(health: Health) -> None:
    port = free_port()
    async with asyncio.timeout(5):
        async with serving_probes(f"127.0.0.1:{port}", health):
            _, silent = await asyncio.open_connection("127.0.0.1", port)
        silent.close()
