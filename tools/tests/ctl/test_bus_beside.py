"""The bus of an upgrade from 0.2.0: services of both releases publish to the same streams and take from the same durables."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, datetime
from pathlib import Path

import nats.errors
import pytest
from nats.aio.client import Client

import resapermisctl
from devstack.certificates import PLATFORM, ensure_certificates
from devstack.components import NATS, OPERATOR
from devstack.settings import ROOT
from resapermis_kit.events.streams import connect, jetstream, missing
from resapermis_kit.process import bus_keeper
from resapermis_kit.process.topology import Topology
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.nats import Nats
from resapermis_testing.ports import free_port

TOPOLOGY = Topology.load(ROOT / "policies")
EVENT = "resapermis.mandate.v1.MandateChanged"
STREAM, DURABLE = "events-mandate", "basket-events-mandate"
Connect = Callable[[str], Awaitable[Client]]


@pytest.fixture
async def connected(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> AsyncIterator[Connect]:
    """Function: whose certificate → a client of a server that runs as the command says."""
    port, tls, config = free_port(), tmp_path / "tls", tmp_path / "nats.conf"
    ensure_certificates(tls, PLATFORM, datetime.now(UTC))
    words = {"listen": f"127.0.0.1:{port}", "monitor": f"127.0.0.1:{free_port()}", "store": tmp_path, "tls": tls / NATS}
    given = [word for name, value in words.items() for word in (f"--{name}", str(value))]
    assert resapermisctl.main(["bus-beside-0.2.0", *given]) == 0
    config.write_text(capsys.readouterr().out, encoding="utf-8")
    server = Nats(port, tmp_path, config)
    server.start()
    clients: list[Client] = []

    async def make(name: str) -> Client:
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    clients.append(await connect(server.url, Certificates(tls / name), name))
                    return clients[-1]
                await asyncio.sleep(0.02)

    yield make
    for client in clients:
        await client.close()
    server.stop()


@pytest.mark.req("P-04")
async def test_both_releases_publish_to_one_stream_and_take_from_one_durable(connected: Connect) -> None:
    operator = await connected(OPERATOR)
    assert await bus_keeper.ensure(operator.jetstream(), TOPOLOGY, 1) == []
    # The names are those of either release; 0.2.0 asks for JetStream under the server's own name, this one under `bus.API`.
    mandate_of_before, mandate = (await connected("mandate")).jetstream(), jetstream(await connected("mandate"))
    basket_of_before, basket = (await connected("basket")).jetstream(), jetstream(await connected("basket"))
    await mandate_of_before.publish(EVENT, b"from 0.2.0")
    await mandate.publish(EVENT, b"from this")
    assert await missing(await connected("basket"), ["events-basket"], [(STREAM, DURABLE)]) == []
    first = await (await basket.pull_subscribe_bind(DURABLE, STREAM)).fetch(1)
    await first[0].ack()
    bound = await basket_of_before.pull_subscribe("", durable=DURABLE, stream=STREAM)  # as 0.2.0 does
    second = await bound.fetch(1)
    assert [one.data for one in (*first, *second)] == [b"from 0.2.0", b"from this"]


async def test_nobody_publishes_in_another_s_name(connected: Connect) -> None:
    operator, basket = await connected(OPERATOR), await connected("basket")
    await bus_keeper.ensure(operator.jetstream(), TOPOLOGY, 1)
    for subject in (EVENT, "resapermis.audit.v1.Record.mandate"):
        with pytest.raises(nats.errors.Error):
            await basket.jetstream().publish(subject, b"forged", timeout=0.3)
    assert (await operator.jetstream().stream_info(STREAM)).state.messages == 0
