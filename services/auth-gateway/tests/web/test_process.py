"""The web process as it is run: ready, answering, and drained on SIGTERM with its feeds closed."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx2
import pytest

from resapermis_testing.certificates import NOBODY
from resapermis_testing.eventually import eventually
from resapermis_testing.grpc_server import POLICIES
from resapermis_testing.nats import Nats, make_all_streams
from resapermis_testing.ports import free_port

pytestmark = pytest.mark.req("S-04", "S-05")


@pytest.fixture
async def process(
    make_world: Any, nats_server: Nats, make_bus: Callable[..., Any], tls: Path, principal_keys: tuple[Path, Path]
) -> AsyncIterator[tuple[Any, asyncio.subprocess.Process, int]]:
    """(the world whose database it uses, the process, its metrics port)."""
    await make_all_streams(await make_bus("auth-gateway"))
    port, metrics = free_port(), free_port()
    world = await make_world(public_url=f"http://localhost:{port}")
    settings = world.dependencies.settings
    url = world.dependencies.sessions.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    peers = {
        f"RESAPERMIS_PEER_{name}": "127.0.0.1:9"
        for name in ("MANDATE", "SCHEDULING_RULES", "BASKET", "AUDIT", "NOTIFICATION", "EGRESS")
    }
    environment = {
        "PATH": os.environ["PATH"],
        "RESAPERMIS_DATABASE_URL": url,
        "RESAPERMIS_NATS_URL": nats_server.url,
        "RESAPERMIS_TLS_DIR": str(tls / "auth-gateway"),
        "RESAPERMIS_GRPC_LISTEN": f"127.0.0.1:{free_port()}",
        "RESAPERMIS_METRICS_LISTEN": f"127.0.0.1:{metrics}",
        "RESAPERMIS_PRINCIPAL_JWKS": str(principal_keys[1]),
        "RESAPERMIS_PRINCIPAL_KEY_FILE": str(principal_keys[0]),
        "RESAPERMIS_KEYSET_FILE": str(settings.keyset_file),
        "RESAPERMIS_POLICIES": str(POLICIES),
        "RESAPERMIS_WEB_LISTEN": f"127.0.0.1:{port}",
        "RESAPERMIS_PUBLIC_URL": settings.public_url,
        "RESAPERMIS_WEB_ROOT": str(settings.web_root),
        "RESAPERMIS_OIDC_ISSUER": settings.oidc_issuer,
    }
    started = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "resapermis_auth_gateway", "web", env=environment | peers, stdout=asyncio.subprocess.PIPE
    )
    yield world, started, metrics
    if started.returncode is None:
        started.kill()
        await started.wait()


async def _ready(started: asyncio.subprocess.Process) -> list[dict[str, Any]]:
    assert started.stdout
    lines: list[dict[str, Any]] = []
    async with asyncio.timeout(30):
        while not lines or lines[-1].get("event") != "ready":
            text = await started.stdout.readline()
            assert text, lines
            lines.append(json.loads(text))
    return lines


async def test_it_serves_until_sigterm_and_then_drains(process: tuple[Any, Any, int]) -> None:
    world, started, metrics = process
    await _ready(started)
    signed = await world.session()
    cookie = {"Cookie": f"resapermis={signed.cookie}"}
    address = world.dependencies.settings.public_url
    async with httpx2.AsyncClient(base_url=address, trust_env=False, verify=NOBODY, headers=cookie) as browser:
        assert (await browser.get("/readyz")).text == "ready\n"
        assert (await browser.get("/auth/session")).json()["user"]["displayName"] == "Camille Martin"
        async with browser.stream("GET", "/api/v1/notifications/stream") as feed:
            texts = feed.aiter_text()
            assert "event: tick" in await anext(texts)
            metrics_page = await browser.get(f"http://127.0.0.1:{metrics}/metrics")
            assert (
                'resapermis_http_seconds_count{method="GET",route="/auth/session",status="200"} 1.0'
                in metrics_page.text
            )
            started.send_signal(signal.SIGTERM)
            rest = [text async for text in texts]
            assert not any("signed-out" in text for text in rest)
    async with asyncio.timeout(10):
        assert await started.wait() == 0
    assert started.stdout
    log = (await started.stdout.read()).decode()
    assert '"event": "stopped"' in log
    assert "worker.ended" not in log


async def test_a_sign_out_on_one_replica_reaches_another_through_the_outbox(process: tuple[Any, Any, int]) -> None:
    world, started, _ = process
    await _ready(started)
    signed = await world.session()
    address = world.dependencies.settings.public_url
    cookie = {"Cookie": f"resapermis={signed.cookie}"}
    async with (
        httpx2.AsyncClient(base_url=address, trust_env=False, verify=NOBODY, headers=cookie) as browser,
        browser.stream("GET", "/api/v1/notifications/stream") as feed,
    ):
        texts = feed.aiter_text()
        assert "event: tick" in await anext(texts)
        async with world.browser(signed) as elsewhere:  # this test's own gateway: another replica on the same database
            assert (await elsewhere.post("/auth/logout")).status_code == 200
        async with asyncio.timeout(2):  # within 0.5 s of the relay's own round, as nothing wakes it here
            assert any(["signed-out" in text async for text in texts])


async def _refuse(address: str, times: int) -> None:
    async with httpx2.AsyncClient(base_url=address, trust_env=False, verify=NOBODY) as browser:
        for _ in range(times):
            assert (await browser.get("/api/v1/basket")).status_code == 401


async def _refusals(world: Any) -> list[int]:
    records = [record for record in await world.records() if record.action == "access.denied"]
    return [int(record.facts["count"]) for record in records]


@pytest.mark.req("S-14")
async def test_what_it_refused_is_recorded_to_the_last_when_it_stops(process: tuple[Any, Any, int]) -> None:
    world, started, _ = process
    await _ready(started)
    await _refuse(world.dependencies.settings.public_url, 20)
    started.send_signal(signal.SIGTERM)
    async with asyncio.timeout(10):
        assert await started.wait() == 0
    counts = await _refusals(world)
    assert (sum(counts), len(counts) <= 2) == (20, True)


@pytest.mark.req("S-14")
async def test_what_it_refused_first_is_recorded_although_it_is_killed(process: tuple[Any, Any, int]) -> None:
    """ADR 35: what followed within the minute is lost with it; that somebody was refused is not."""
    world, started, _ = process
    await _ready(started)
    address = world.dependencies.settings.public_url
    await _refuse(address, 1)

    async def there() -> bool:
        return await _refusals(world) == [1]

    await eventually(there)
    await _refuse(address, 5)
    started.kill()
    await started.wait()
    assert await _refusals(world) == [1]


async def test_plain_http_beyond_loopback_and_missing_settings_stop_it_at_once(tmp_path: Path) -> None:
    for arguments in (["web"], ["nothing"], []):
        started = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "resapermis_auth_gateway",
            *arguments,
            env={},
            stderr=asyncio.subprocess.PIPE,
            cwd=tmp_path,
        )

        async def ended(one: asyncio.subprocess.Process = started) -> bool:
            return one.returncode is not None

        await eventually(ended, 20)
        assert started.returncode
        assert started.stderr
        assert await started.stderr.read()
