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
ANSWERED = 12
"""So often a person is answered while hostile connections are there. How fast, `make bench ARGS=flood` says."""
REPORT = b"POST /csp-reports HTTP/1.1\r\nContent-Type: application/csp-report\r\nContent-Length: 60000\r\n\r\n"
ENDLESS = b"GET /" + b"a" * 2_000_000
ATTACKS = (b"GET / HTTP/1.1\r\nX-Slow: ", ENDLESS, b"", REPORT)
"""A head that drips, an address without end, silence, a body that drips."""


async def attack(port: int, begin: bytes, enough: asyncio.Event) -> None:
    """Go on until the other side has had enough; then again, but for what is refused at once, until we have."""
    while True:
        reader, writer = await asyncio.open_connection("127.0.0.1", port, local_addr=("127.0.0.66", 0))
        ended = asyncio.create_task(reader.read())
        try:
            writer.write(begin)
            while not ended.done():
                if begin:
                    writer.write(b"a")
                await asyncio.wait([ended], timeout=0.1)
            with contextlib.suppress(ConnectionError):
                await ended
        finally:
            ended.cancel()
            writer.transport.abort()
        if begin == ENDLESS or enough.is_set():
            return


def connections() -> float:
    return REGISTRY.get_sample_value("resapermis_http_connections") or 0.0


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
    enough = asyncio.Event()
    hostile = [asyncio.create_task(attack(port, begin, enough)) for begin in ATTACKS * OF_EACH_KIND]

    async def begun() -> bool:
        return connections() > 0

    async def none_left() -> bool:
        return connections() == 0

    try:
        await eventually(begun)
        async with (
            asyncio.timeout(40),
            httpx2.AsyncClient(
                base_url=f"http://127.0.0.1:{port}", headers=cookie, trust_env=False, verify=NOBODY
            ) as person,
        ):
            statuses = [(await person.get("/auth/session")).status_code for _ in range(ANSWERED)]
            enough.set()
            await asyncio.gather(*hostile)
        assert set(statuses) == {200}
        await eventually(none_left)
    finally:
        for one in hostile:
            one.cancel()
        await asyncio.gather(*hostile, return_exceptions=True)
        server.should_exit = True
        await asyncio.wait_for(serving, 5)
