"""A process says whether it is ready, whoever else is there, and whether it and those that it calls would serve the first acts."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from resapermis_kit.health import READY, WARM, cold_peers, connected
from resapermis_testing.eventually import eventually
from resapermis_testing.grpc_server import RunningServer, Serve

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@pytest.fixture
async def warm(serve: Serve) -> RunningServer:
    running = await serve("basket")
    running.server.health = lambda: {READY: True, WARM: True}
    return running


async def _status(running: RunningServer, service: str) -> int:
    stub = health_pb2_grpc.HealthStub(running.shared_channel("basket"))
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service), timeout=5)).status


@pytest.mark.req("P-04")
async def test_who_calls_is_told_what_is_so_when_it_asks(warm: RunningServer) -> None:
    assert (await _status(warm, READY), await _status(warm, WARM)) == (SERVING, SERVING)
    warm.server.health = lambda: {READY: True, WARM: False}
    assert (await _status(warm, READY), await _status(warm, WARM)) == (SERVING, NOT_SERVING)


@pytest.mark.req("P-04")
async def test_peers_that_are_cold_away_or_of_the_release_before_are_named(warm: RunningServer, serve: Serve) -> None:
    before = await serve("mandate")  # it knows of no warmth
    channels = {"basket": warm.shared_channel("basket"), "mandate": before.shared_channel("mandate")}
    assert await cold_peers(channels) == ["mandate: NOT_FOUND"]
    warm.server.health = lambda: {READY: True, WARM: False}
    assert await cold_peers(channels) == ["basket: not warm", "mandate: NOT_FOUND"]
    await before.server.stop(0)
    assert await cold_peers(channels) == ["basket: not warm", "mandate: UNAVAILABLE"]


@pytest.mark.req("P-04")
async def test_who_watches_hears_of_each_change(warm: RunningServer) -> None:
    stub = health_pb2_grpc.HealthStub(warm.shared_channel("basket"))
    watching = stub.Watch(health_pb2.HealthCheckRequest(service=WARM), timeout=20)
    heard = [(await watching.read()).status]
    for serves in (False, True):
        warm.server.health = lambda serves=serves: {READY: True, WARM: serves}
        await _until_said(warm.server.say_health)
        heard.append((await watching.read()).status)
    watching.cancel()
    assert heard[-2:] == [NOT_SERVING, SERVING]


async def _until_said(say: Callable[[], Awaitable[None]]) -> None:
    await asyncio.wait_for(say(), 5)


@pytest.mark.req("P-04")
async def test_a_connection_is_begun_when_it_is_asked_for_and_there_a_moment_later(warm: RunningServer) -> None:
    channel = warm.channel("basket")
    assert not connected(channel)

    async def there() -> bool:
        return connected(channel)

    await eventually(there)
    await channel.close()
