"""A person goes on beside hostile connections; `make bench ARGS=flood` measures it with 2,000 of them."""

import asyncio
import contextlib
from typing import Any

import httpx2
import pytest
from prometheus_client import REGISTRY

from resapermis_auth_gateway.web_process import http_server
from resapermis_testing.certificates import NOBODY
from resapermis_testing.eventually import eventually
from resapermis_testing.ports import free_port

pytestmark = pytest.mark.req("S-05")
OF_EACH_KIND = 30
REPORT = b"POST /csp-reports HTTP/1.1\r\nContent-Type: application/csp-report\r\nContent-Length: 60000\r\n\r\n"
ATTACKS = (b"GET / HTTP/1.1\r\nX-Slow: ", b"GET /" + b"a" * 2_000_000, b"", REPORT)
"""A head that drips, an address without end, silence, a body that drips."""


async def attack(port: int, begin: bytes) -> None:
    """Go on until the other side has had enough."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.66", 0))
    writer.write(begin)
    with contextlib.suppress(ConnectionError):
        ended = asyncio.create_task(reader.read())
        while not ended.done():
            if begin:
                writer.write(b"a")
            await asyncio.wait([ended], timeout=0.1)
        await ended
    writer.close()


async def test_a_person_is_answered_beside_hostile_connections_and_all_of_those_end(make_world: Any) -> None:
    port = free_port()
    world = await make_world(
        public_url=f"http://localhost:{port}",
        web_listen=f"127.0.0.1:{port}",
        drain_seconds=1,
        head_seconds=1.0,
        body_seconds=1.0,
        read_rate="100000/minute",
    )
    server, bound = http_server(world.app, world.dependencies.settings, world.dependencies.denials.add)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    cookie = {"Cookie": f"resapermis={(await world.session()).cookie}"}
    hostile = [asyncio.create_task(attack(port, begin)) for begin in ATTACKS * OF_EACH_KIND]
    statuses = []
    async with httpx2.AsyncClient(
        base_url=f"http://127.0.0.1:{port}", headers=cookie, trust_env=False, verify=NOBODY
    ) as person:
        async with asyncio.timeout(20):
            while not all(one.done() for one in hostile):
                statuses.append((await person.get("/auth/session")).status_code)
    assert set(statuses) == {200}
    assert len(statuses) > 10
    for one in hostile:
        await one

    async def none_left() -> bool:
        return REGISTRY.get_sample_value("resapermis_http_connections") == 0

    await eventually(none_left)
    server.should_exit = True
    await asyncio.wait_for(serving, 5)
