"""What a service may do on the bus, tried on a nats-server with the configuration that every deployment has.

A service is its certificate. basket here is taken over: it says what it likes, and what it has not must not be had. Each
refusal stands beside what shows that the same question is answered where it may be asked.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import nats.errors
import nats.js.errors
import pytest
from nats.aio.client import Client

from devstack import nats as configured
from devstack.certificates import PLATFORM, ensure_certificates
from devstack.components import NATS, OPERATOR
from devstack.settings import ROOT
from resapermis_kit.events.streams import API, connect, jetstream, missing, read
from resapermis_kit.process import bus_keeper
from resapermis_kit.process.topology import Topology
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.eventually import eventually
from resapermis_testing.nats import Nats
from resapermis_testing.ports import free_port

TOPOLOGY = Topology.load(ROOT / "policies")
HOLD = "resapermis.basket.v1.LineChanged"
MANDATE = "resapermis.mandate.v1.MandateChanged"
FORGED = {"ce-id": "x", "ce-source": "mandate", "ce-type": MANDATE, "resapermis-number": "999"}
THEIRS = "notification-events-mandate"
OURS = "events-mandate.basket-events-mandate"
SECONDS = 0.2
Connect = Callable[[str], Awaitable[Client]]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Nats, Path]]:
    """A nats-server as `make up` runs it, and the folder of certificates."""
    home, port = tmp_path_factory.mktemp("bus"), free_port()
    tls = home / "tls"
    ensure_certificates(tls, PLATFORM, datetime.now(UTC))
    config = home / "nats.conf"
    addresses = f"127.0.0.1:{port}", f"127.0.0.1:{free_port()}"
    config.write_text(configured.configuration(*addresses, home / "store", tls / NATS), encoding="utf-8")
    one = Nats(port, home / "store", config)
    one.start()
    yield one, tls
    one.stop()


@pytest.fixture
async def connected(server: tuple[Nats, Path]) -> AsyncIterator[Connect]:
    """Function: whose certificate → a client."""
    clients: list[Client] = []

    async def make(name: str) -> Client:
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    clients.append(await connect(server[0].url, Certificates(server[1] / name), name))
                    return clients[-1]
                await asyncio.sleep(0.02)  # the server binds its port within some 20 ms

    yield make
    for client in clients:
        await client.close()


@pytest.fixture
async def operator(connected: Connect) -> Client:
    """The operator, who has made all that must be."""
    bus = await connected(OPERATOR)
    assert await bus_keeper.ensure(bus.jetstream(), TOPOLOGY, 1) == []
    return bus


async def stored(operator: Client) -> Mapping[str, int]:
    """Stream → messages."""
    return {str(one.config.name): one.state.messages for one in await operator.jetstream().streams_info()}


async def consumer(operator: Client) -> tuple[int, int, object]:
    """How far notification's consumer of mandate's events was brought, how far acknowledged, and whether it pauses."""
    info = await operator.jetstream().consumer_info("events-mandate", THEIRS)
    assert info.delivered is not None
    assert info.ack_floor is not None
    return info.delivered.stream_seq, info.ack_floor.stream_seq, info.paused


async def settled(*clients: Client) -> None:
    """What these sent has reached the server, and what it makes of it has had time to happen."""
    for client in clients:
        await client.flush()
    await asyncio.sleep(SECONDS)


@pytest.mark.req("P-01")
async def test_a_service_publishes_handles_acknowledges_and_reads_its_own(operator: Client, connected: Connect) -> None:
    mandate, audit = await connected("mandate"), await connected("audit")
    await jetstream(mandate).publish(MANDATE, b"one", headers={"resapermis-number": "1"})
    await jetstream(mandate).publish("resapermis.audit.v1.Record.mandate", b"record")
    durables = [(one.stream_name, one.name) for one in TOPOLOGY.durables if one.service == "audit"]
    assert await missing(audit, ["events-audit", "records-audit"], durables) == []
    taken = await (await jetstream(audit).pull_subscribe_bind("audit-records-mandate", "records-mandate")).fetch(1)
    assert [one.data for one in taken] == [b"record"]
    await taken[0].ack()

    async def acknowledged() -> bool:
        info = await operator.jetstream().consumer_info("records-mandate", "audit-records-mandate")
        return info.ack_floor is not None and info.ack_floor.stream_seq == 1

    await eventually(acknowledged)
    assert [one.data for one in await read(mandate, "events-mandate", {"seq": 1})][-1] == b"one"
    assert (await jetstream(mandate).get_msg("records-mandate", seq=1)).data == b"record"


async def test_the_live_feed_hears_what_it_listens_to(connected: Connect, operator: Client) -> None:
    del operator
    gateway, basket = await connected("auth-gateway"), await connected("basket")
    heard: asyncio.Queue[bytes] = asyncio.Queue()

    async def hear(message: Any) -> None:
        heard.put_nowait(message.data)

    await gateway.subscribe(HOLD, cb=hear)
    await settled(gateway)
    await jetstream(basket).publish(HOLD, b"held")
    assert await asyncio.wait_for(heard.get(), 10) == b"held"


@pytest.mark.req("P-01")
@pytest.mark.parametrize(
    "subject",
    [
        MANDATE,
        "resapermis.iam.v1.SessionEnded",
        "resapermis.audit.v1.Record.mandate",
        "resapermis.audit.v1.Record.auth-gateway",
        "resapermis.audit.v1.CheckpointSigned",
    ],
)
async def test_nothing_is_published_in_anothers_name(connected: Connect, operator: Client, subject: str) -> None:
    basket, before = await connected("basket"), await stored(operator)
    with pytest.raises((nats.errors.Error, TimeoutError)):
        await basket.jetstream().publish(subject, b"forged", headers=FORGED, timeout=SECONDS)
    assert await stored(operator) == before


ASKED = {
    "STREAM.CREATE.mine": b'{"name": "mine", "subjects": ["resapermis.mandate.v1.*"]}',
    "STREAM.UPDATE.events-basket": b'{"name": "events-basket", "subjects": ["resapermis.>"]}',
    "STREAM.DELETE.events-basket": b"",
    "STREAM.PURGE.events-basket": b"",
    "STREAM.MSG.DELETE.events-basket": b'{"seq": 1}',
    "STREAM.DELETE.events-mandate": b"",
    "STREAM.PURGE.events-mandate": b"",
    "STREAM.INFO.events-mandate": b"",
    "STREAM.NAMES": b"",
    "STREAM.MSG.GET.events-mandate": b'{"seq": 1}',
    "DIRECT.GET.events-mandate": b'{"seq": 1}',
    "DIRECT.GET.records-mandate": b'{"seq": 1}',
    "CONSUMER.NAMES.events-mandate": b"",
    f"CONSUMER.INFO.events-mandate.{THEIRS}": b"",
    f"CONSUMER.MSG.NEXT.events-mandate.{THEIRS}": b'{"batch": 1}',
    "CONSUMER.MSG.NEXT.records-basket.audit-records-basket": b'{"batch": 1}',
    f"CONSUMER.DELETE.{OURS}": b"",
    f"CONSUMER.PAUSE.{OURS}": b"{}",
    f"CONSUMER.DELETE.events-mandate.{THEIRS}": b"",
    "CONSUMER.CREATE.events-mandate.mine": b'{"stream_name": "events-mandate", "config": {"name": "mine"}}',
    "CONSUMER.CREATE.events-basket.mine": b'{"stream_name": "events-basket", "config": {"name": "mine", "deliver_subject":'
    b' "resapermis.mandate.v1.MandateChanged", "ack_policy": "none"}}',
    "CONSUMER.DURABLE.CREATE.events-mandate.mine": b'{"stream_name": "events-mandate", "config":'
    b' {"durable_name": "mine", "ack_policy": "explicit"}}',
    "INFO": b"",
    "META.LEADER.STEPDOWN": b"",
}
"""What JetStream can be asked for, and basket must not get; the fourth last is the way of nats-server #8274."""


@pytest.mark.req("P-01")
@pytest.mark.parametrize("prefix", ["$JS.API", API])
async def test_a_service_gets_nothing_of_jetstream_that_is_not_its_own(
    connected: Connect, operator: Client, prefix: str
) -> None:
    mandate, basket = await connected("mandate"), await connected("basket")
    await jetstream(mandate).publish(MANDATE, b"theirs")
    await jetstream(basket).publish(HOLD, b"ours")
    before = await stored(operator), await consumer(operator)

    async def ask(request: str) -> None:
        try:
            answer = await basket.request(f"{prefix}.{request}", ASKED[request], timeout=5 * SECONDS)
        except (nats.errors.Error, TimeoutError):
            return
        assert json.loads(answer.data)["error"]["description"] == "JetStream not enabled for account", request

    await asyncio.gather(*map(ask, ASKED))
    assert (await stored(operator), await consumer(operator)) == before
    made = bus_keeper.MADE.labels("consumer")._value.get(), bus_keeper.CHANGED.labels("consumer")._value.get()
    assert await bus_keeper.ensure(operator.jetstream(), TOPOLOGY, 1) == []
    assert made == (bus_keeper.MADE.labels("consumer")._value.get(), bus_keeper.CHANGED.labels("consumer")._value.get())


@pytest.mark.req("P-01")
async def test_nothing_is_acknowledged_for_another(connected: Connect, operator: Client) -> None:
    mandate, basket, notification = [await connected(name) for name in ("mandate", "basket", "notification")]
    await jetstream(mandate).publish(MANDATE, b"one")
    taken = await (await jetstream(notification).pull_subscribe_bind(THEIRS, "events-mandate")).fetch(1)
    try:
        await basket.publish(taken[0].reply, b"")
        await settled(basket)
        info = await operator.jetstream().consumer_info("events-mandate", THEIRS)
        assert info.num_ack_pending == 1
    finally:
        await taken[0].nak()


TARGETS = [
    MANDATE,
    "resapermis.audit.v1.Record.mandate",
    "$JS.API.STREAM.PURGE.events-mandate",
    "$JS.API.STREAM.DELETE.events-mandate",
    f"$JS.API.CONSUMER.DELETE.events-mandate.{THEIRS}",
    f"$JS.ACK.events-mandate.{THEIRS}.1.1.1.1.0",
    "_INBOX.notification.x",
]


@pytest.mark.req("P-01")
@pytest.mark.parametrize("target", TARGETS)
async def test_the_server_answers_nobody_else_for_a_service(connected: Connect, operator: Client, target: str) -> None:
    """The kind of nats-server #8274: a permission binds what a user publishes, and the server answers wherever it is told to.

    In one account, an answer lands in another's stream, and an empty one purges it (tried without accounts, 2.15.1).
    """
    mandate, basket, notification = [await connected(name) for name in ("mandate", "basket", "notification")]
    heard: list[bytes] = []

    async def hear(message: Any) -> None:
        heard.append(message.data)

    await notification.subscribe("_INBOX.notification.x", cb=hear)
    await jetstream(mandate).publish(MANDATE, b"theirs")
    await jetstream(basket).publish(HOLD, b"", headers=FORGED)
    last = (await jetstream(basket).stream_info("events-basket")).state.last_seq
    before, theirs = await stored(operator), await consumer(operator)
    next_one = f"{API}.CONSUMER.MSG.NEXT.{OURS}"
    for subject, payload in (
        (next_one, b'{"batch": 1, "no_wait": true}'),
        (next_one, b'{"batch": 100, "no_wait": true}'),
        (next_one, b'{"batch": 1, "no_wait": true}'),  # nothing is left: an empty answer
        (f"{API}.DIRECT.GET.events-basket", json.dumps({"seq": last}).encode()),
        (f"{API}.DIRECT.GET.events-basket", b'{"seq": 999999}'),
        (f"{API}.STREAM.MSG.GET.events-basket", json.dumps({"seq": last}).encode()),
        (f"{API}.STREAM.INFO.events-basket", b""),
    ):
        await basket.publish(subject, payload, reply=target)
    await settled(basket)
    assert await stored(operator) == before
    await basket.publish(HOLD, b"acknowledged to somebody else", reply=target)
    await basket.publish(HOLD, b"traced to somebody else", headers={"Nats-Trace-Dest": target})
    await settled(basket, notification)
    after = await stored(operator)
    assert {name: after[name] for name in after if name != "events-basket"} == {
        name: before[name] for name in before if name != "events-basket"
    }
    assert heard == []
    assert await consumer(operator) == theirs


@pytest.mark.req("P-01")
async def test_a_service_hears_nothing_of_others(connected: Connect, operator: Client) -> None:
    mandate, basket = await connected("mandate"), await connected("basket")
    heard: list[str] = []

    async def hear(message: Any) -> None:
        heard.append(message.subject)

    for subject in ("_INBOX.mandate.>", "_INBOX.operator.>", "resapermis.>", MANDATE, "$JS.>", ">"):
        await basket.subscribe(subject, cb=hear)
    await settled(basket)
    await jetstream(mandate).publish(MANDATE, b"theirs")
    await jetstream(mandate).stream_info("events-mandate")
    await operator.jetstream().stream_info("events-mandate")
    await settled(mandate, operator, basket)
    assert heard == []


async def test_without_accounts_the_servers_answers_purge_and_write_anothers_stream(tmp_path: Path) -> None:
    """Control: why permissions are not enough. Should a later nats-server refuse this, accounts have one reason less."""
    port, config = free_port(), tmp_path / "nats.conf"
    allowed = ["resapermis.basket.v1.*", "$JS.API.DIRECT.GET.events-basket"]
    basket_may = {"publish": {"allow": allowed}, "subscribe": ["_INBOX.basket.>"]}
    users = [{"user": "operator", "password": "x"}, {"user": "basket", "password": "x", "permissions": basket_may}]
    config.write_text(
        f'listen: "127.0.0.1:{port}"\njetstream {{ store_dir: "{tmp_path}/store" }}\n'
        f"authorization {{ users: {json.dumps(users)} }}\n"
    )
    one = Nats(port, tmp_path / "store", config)
    one.start()
    clients = [Client(), Client()]
    try:
        async with asyncio.timeout(20):
            for client, name in zip(clients, ("operator", "basket"), strict=True):
                while not client.is_connected:
                    with contextlib.suppress(OSError):
                        url = f"nats://{name}:x@127.0.0.1:{port}"
                        await client.connect(url, inbox_prefix=f"_INBOX.{name}", allow_reconnect=False)
                    await asyncio.sleep(0.02)  # the server binds its port within some 20 ms
        operator, basket = clients
        assert await bus_keeper.ensure(operator.jetstream(), TOPOLOGY, 1) == []
        await operator.jetstream().publish(MANDATE, b"theirs")
        await basket.publish(
            "$JS.API.DIRECT.GET.events-basket", b'{"seq": 9}', reply="$JS.API.STREAM.PURGE.events-mandate"
        )
        await settled(basket)
        assert (await stored(operator))["events-mandate"] == 0
        await basket.jetstream().publish(HOLD, b"forged", headers=FORGED)
        await basket.publish("$JS.API.DIRECT.GET.events-basket", b'{"seq": 1}', reply=MANDATE)
        await settled(basket)
        assert (await operator.jetstream().get_last_msg("events-mandate", MANDATE)).data == b"forged"
    finally:
        for client in clients:
            await client.close()
        one.stop()
