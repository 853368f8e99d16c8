"""Certificates of gRPC's servers and clients: who is let in, renewed while both run, denied, counted."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY

from resapermis.events.v1 import events_pb2, events_pb2_grpc
from resapermis_kit.clock import utc_now
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Code, Failure
from resapermis_kit.health import connected
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Verifier
from resapermis_kit.rpc.authorization import Authorizer
from resapermis_kit.rpc.server import Server
from resapermis_kit.tls import policy
from resapermis_kit.tls.certificates import Authorities, Certificates, Unusable
from resapermis_kit.tls.credentials import LOOKED_UP_SECONDS, RenewedChannel
from resapermis_testing.certificates import Authority, modern_only, spoken
from resapermis_testing.eventually import eventually
from resapermis_testing.profile import tries

SERVING = health_pb2.HealthCheckResponse.SERVING
PAST = dt.timedelta(minutes=-1)
REPLAY = "events.v1.EventsService/Replay"


def sample(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


class Replays(events_pb2_grpc.EventsServiceServicer):
    """Answers, and notes the serial number that each call came with."""

    def __init__(self) -> None:
        self.serials: list[int] = []
        self.began, self.go_on = asyncio.Event(), asyncio.Event()

    async def Replay(self, request: events_pb2.ReplayRequest, context: Any) -> events_pb2.ReplayResponse:
        (pem,) = context.auth_context()["x509_pem_cert"]
        self.serials.append(x509.load_pem_x509_certificate(pem).serial_number)
        if request.last_number:
            self.began.set()
            await self.go_on.wait()
        return events_pb2.ReplayResponse()


@dataclass
class World:
    """mandate's server and who calls it, each with a certificate of one authority."""

    folder: Path
    authority: Authority
    servicer: Replays
    server: Server
    certificates: Certificates
    """The server's."""
    replica: Callable[[Replays], Awaitable[Server]]
    """Starts another server of mandate."""
    time: list[dt.datetime]
    denied: list[Denial] = field(default_factory=list)

    def caller(self, name: str = "audit") -> Certificates:
        return Certificates(self.folder / name)

    def channel(self, certificates: Certificates) -> grpc.aio.Channel:
        return peers.channel(f"127.0.0.1:{self.server.port}", certificates, "mandate")

    async def ask(self, channel: grpc.aio.Channel, *, wait: bool = False) -> events_pb2.ReplayResponse:
        method = events_pb2_grpc.EventsServiceStub(channel).Replay
        request = events_pb2.ReplayRequest(last_number=1 if wait else 0)
        answer: events_pb2.ReplayResponse = await peers.call(method, request, timeout=5, principal="")
        return answer

    async def shown(self) -> int:
        return (await spoken(self.server.port, "-alpn", "h2", "-showcerts", certificate=self.folder / "audit")).serial


@pytest.fixture
async def world(tmp_path: Path, principal_keys: tuple[Path, Path], authorizer: Authorizer) -> AsyncIterator[World]:
    authority, time, denied = Authority(), [utc_now()], list[Denial]()
    for name in ("mandate", "audit"):
        authority.sign(tmp_path / name, name)
    certificates = Certificates(tmp_path / "mandate", now=lambda: time[0])
    verifier, servicer = Verifier(principal_keys[1], "mandate"), Replays()

    async def replica(answers: Replays) -> Server:
        server = Server("127.0.0.1:0", certificates, verifier, authorizer, denied.append)
        server.add(events_pb2_grpc.add_EventsServiceServicer_to_server, answers, "resapermis.events.v1.EventsService")
        await server.start()
        return server

    server = await replica(servicer)
    yield World(tmp_path, authority, servicer, server, certificates, replica, time, denied)
    await server.stop(0)


@pytest.mark.req("S-18")
async def test_grpc_speaks_modern_versions_and_suites_alone(world: World) -> None:
    assert await modern_only(world.server.port, "-alpn", "h2", certificate=world.folder / "audit") == []


@pytest.mark.req("S-17")
async def test_a_server_and_its_client_are_renewed_while_both_run(world: World) -> None:
    """A call under way goes on, on its connection; new connections show, and are let in by, the new certificates."""
    ours = world.caller()
    async with world.channel(ours) as channel:
        await world.ask(channel)
        before, shown = world.servicer.serials[-1], await world.shown()
        waiting = asyncio.create_task(world.ask(channel, wait=True))
        await world.servicer.began.wait()
        for name in ("mandate", "audit"):
            world.authority.sign(world.folder / name, name)
        assert (world.certificates.look(), ours.look()) == (True, True)
        assert await world.shown() != shown

        async def renewed() -> bool:
            await world.ask(channel)
            return world.servicer.serials[-1] != before

        await eventually(renewed)
        world.servicer.go_on.set()
        await waiting


async def test_a_replica_that_came_since_is_asked_once_the_name_was_looked_up_again(world: World) -> None:
    """As where one is added to a Deployment. What is under way at the replica before comes to its end, and nothing fails."""
    another = Replays()
    second = await world.replica(another)
    addresses, seconds = [world.server.port], [0.0]

    def opened(credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
        target = "ipv4:" + ",".join(f"127.0.0.1:{port}" for port in addresses)
        options = [("grpc.ssl_target_name_override", "mandate"), ("grpc.service_config", peers.ROUND_ROBIN)]
        return grpc.aio.secure_channel(target, credentials, options=options)

    async with RenewedChannel(world.caller(), opened, lambda: seconds[0], lambda: 0.0) as channel:
        waiting = asyncio.create_task(world.ask(channel, wait=True))
        await world.servicer.began.wait()
        addresses.append(second.port)
        seconds[0] = LOOKED_UP_SECONDS - 1
        for _ in range(6):
            await world.ask(channel)
        assert another.serials == []
        seconds[0] = LOOKED_UP_SECONDS

        async def found() -> bool:
            await world.ask(channel)
            return bool(another.serials)

        await eventually(found)
        world.servicer.go_on.set()
        await waiting
    await second.stop(0)


@dataclass
class Steered:
    """audit's channel to whichever port stands last in `ports`, by a clock and a chance of the test's."""

    world: World
    ours: Certificates
    ports: list[int]
    seconds: float = 0.0
    chance: float = 0.0
    opened: int = 0

    def channel(self) -> RenewedChannel:
        return RenewedChannel(self.ours, self._open, lambda: self.seconds, lambda: self.chance)

    def _open(self, credentials: grpc.ChannelCredentials) -> grpc.aio.Channel:
        self.opened += 1
        options = [("grpc.ssl_target_name_override", "mandate"), ("grpc.service_config", peers.ROUND_ROBIN)]
        return grpc.aio.secure_channel(f"127.0.0.1:{self.ports[-1]}", credentials, options=options)


@pytest.mark.parametrize("accepts", [False, True], ids=["nothing there", "no handshake"])
async def test_a_connection_stays_until_the_next_one_is_there(world: World, *, accepts: bool) -> None:
    """As where the name cannot be looked up for a while, or a replica that came since is stuck: nobody notices, nobody waits."""

    async def silent(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(silent, "127.0.0.1", 0)
    steered = Steered(world, world.caller(), [world.server.port])
    stuck = server.sockets[0].getsockname()[1]
    if not accepts:
        server.close()
    async with steered.channel() as channel:
        await world.ask(channel)
        steered.ports.append(stuck)
        steered.seconds = LOOKED_UP_SECONDS
        for _ in range(6):
            await world.ask(channel)
        assert steered.opened == 2
        # A renewal does not wait for it.
        before = world.servicer.serials[-1]
        world.authority.sign(world.folder / "audit", "audit")
        assert steered.ours.look()
        steered.ports.append(world.server.port)

        async def renewed() -> bool:
            await world.ask(channel)
            return world.servicer.serials[-1] != before

        await eventually(renewed)
    assert steered.opened == 3
    server.close()


async def test_channels_do_not_all_look_up_at_once_and_none_without_a_call(world: World) -> None:
    steered = Steered(world, world.caller(), [world.server.port], chance=1.0)
    async with steered.channel() as channel:
        await world.ask(channel)
        steered.seconds = LOOKED_UP_SECONDS * 2 / 3 - 1
        await world.ask(channel)
        assert steered.opened == 1
        steered.seconds = 10 * LOOKED_UP_SECONDS
        assert connected(channel)  # as health asks, each second
        assert steered.opened == 1
        steered.seconds = LOOKED_UP_SECONDS * 2 / 3 + 1
        await world.ask(channel)
    assert steered.opened == 2


async def test_a_connection_on_which_health_alone_is_asked_came_to_something(world: World) -> None:
    before = [sample(f"resapermis_rpc_{name}_total") for name in ("handshakes", "connections")]
    async with world.channel(world.caller()) as channel:
        for _ in range(2):
            await health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=5)
    assert [sample(f"resapermis_rpc_{name}_total") for name in ("handshakes", "connections")] == [
        one + 1 for one in before
    ]


@pytest.mark.req("S-17")
async def test_an_old_authority_opens_nothing_once_it_is_replaced(world: World) -> None:
    before = world.caller()
    world.authority = Authority()
    for name in ("mandate", "audit"):
        world.authority.sign(world.folder / name, name)
    assert world.certificates.look()
    for ours, opens in ((world.caller(), True), (before, False)):
        async with world.channel(ours) as channel:
            if opens:
                await world.ask(channel)
            else:
                with pytest.raises(Failure):
                    await world.ask(channel)


def halved(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:200])


def of_another_curve(authority: Authority) -> bytes:
    """Its certificate with a key of a curve (prime239v3) that nobody here can verify with."""
    der = ssl.PEM_cert_to_DER_cert(authority.pem.decode())
    p256 = bytes.fromhex("06082a8648ce3d030107")
    assert p256 in der
    return ssl.DER_cert_to_PEM_cert(der.replace(p256, p256[:-1] + b"\x06")).encode()


BROKEN: dict[str, tuple[str, Callable[[Path, Authority], Any]]] = {
    "half a certificate": ("tls.pem holds no", lambda to, _: halved(to / "tls.pem")),
    "half a key": ("do not belong together", lambda to, _: halved(to / "tls.key")),
    "another's key": (
        "do not belong together",
        lambda to, ours: (ours.sign(to / "new", "audit"), (to / "new" / "tls.key").replace(to / "tls.key")),
    ),
    "no authority": ("ca.pem holds no", lambda to, _: (to / "ca.pem").write_bytes(b"")),
    "another authority": ("signed by no CA", lambda to, _: (to / "ca.pem").write_bytes(Authority().pem)),
    "an authority of an unknown kind": (
        "signed by no CA",
        lambda to, ours: (to / "ca.pem").write_bytes(of_another_curve(ours)),
    ),
    "ended": ("not valid now", lambda to, ours: ours.sign(to, "audit", begins=2 * PAST, ends=PAST)),
    "nothing": ("tls.key is missing", lambda to, _: (to / "tls.key").unlink()),
    "denied serials that are none": ("line 2", lambda to, _: (to / "denied-serials").write_text("0a\nzebra")),
}


@pytest.mark.req("S-17")
@pytest.mark.parametrize(("words", "broken"), BROKEN.values(), ids=BROKEN)
def test_what_cannot_be_used_is_refused_counted_and_what_was_there_stays(
    tmp_path: Path, words: str, broken: Callable[[Path, Authority], Any]
) -> None:
    authority = Authority()
    authority.sign(tmp_path / "audit", "audit")
    certificates = Certificates(tmp_path / "audit")
    kept, refused = certificates.material, sample("resapermis_certificate_files_total", outcome="refused")
    broken(tmp_path / "audit", authority)
    assert not certificates.look()
    assert not certificates.look()  # looked at again, and counted once
    assert certificates.material is kept
    assert sample("resapermis_certificate_files_total", outcome="refused") == refused + 1
    assert sample("resapermis_certificate_files_refused") == 1
    with pytest.raises(Unusable, match=words):  # nobody starts with it
        Certificates(tmp_path / "audit")
    authority.sign(tmp_path / "audit", "audit")
    (tmp_path / "audit" / "denied-serials").unlink(missing_ok=True)
    assert certificates.look()
    assert certificates.material is not kept
    assert sample("resapermis_certificate_files_refused") == 0


def test_authorities_are_looked_at_once_a_second_and_what_tls_cannot_take_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However many connections are used meanwhile, and while the file is broken too."""
    file, seconds, read = tmp_path / "ca.pem", [0.0], [0]
    file.write_bytes(Authority().pem)
    authorities = Authorities("looked", file, monotonic=lambda: seconds[0])
    context = authorities.client_context()

    def cannot(*_: object) -> ssl.SSLContext:
        read[0] += 1
        raise ssl.SSLError(1, "no such key")

    with monkeypatch.context() as broken:
        broken.setattr(policy, "client_context", cannot)
        file.write_bytes(Authority().pem * 2)
        for moment, times in ((0.9, 0), (1.0, 1), (1.9, 1), (2.0, 2), (2.9, 2)):
            seconds[0] = moment
            for _ in range(3):
                assert authorities.client_context() is context
            assert read == [times]
        with pytest.raises(Unusable, match="TLS cannot take"):
            Authorities("looked", file)
    seconds[0] = 3.0
    assert authorities.client_context() is not context
    assert authorities.generation == 1


def test_files_that_are_written_again_as_they_were_change_nothing(tmp_path: Path) -> None:
    """gRPC must not be given the same again."""
    Authority().sign(tmp_path / "audit", "audit")
    certificates = Certificates(tmp_path / "audit")
    kept = certificates.material
    (tmp_path / "audit" / "tls.pem").touch()
    assert not certificates.look()
    assert certificates.material is kept


@pytest.mark.req("S-17")
def test_a_list_of_denied_serials_that_is_named_must_be_there(tmp_path: Path) -> None:
    Authority().sign(tmp_path / "audit", "audit")
    named = tmp_path / "elsewhere"
    with pytest.raises(Unusable, match="elsewhere is missing"):
        Certificates(tmp_path / "audit", named)
    named.write_text("# none\n\nserial=0A:ff\n0b # a laptop\n", encoding="utf-8")
    certificates = Certificates(tmp_path / "audit", named)
    assert [certificates.denied(serial) for serial in (0x0AFF, 0x0B, 0x0C)] == [True, True, False]


@pytest.mark.req("S-17")
def test_when_a_certificate_and_its_authority_end_is_a_metric(tmp_path: Path) -> None:
    Authority(days=30).sign(tmp_path / "audit", "audit", ends=dt.timedelta(days=7))
    Certificates(tmp_path / "audit")
    now = utc_now().timestamp()
    for certificate, days in (("own", 7), ("authority", 30)):
        ends = sample("resapermis_certificate_expires_seconds", certificate=certificate)
        assert ends == pytest.approx(now + days * 86400, abs=60)
        assert ends - sample("resapermis_certificate_began_seconds", certificate=certificate) == pytest.approx(
            days * 86400 + 300, abs=2
        )


@pytest.mark.req("S-17")
async def test_a_watch_looks_again_and_tells_who_holds_connections(tmp_path: Path) -> None:
    authority, renewed = Authority(), asyncio.Event()
    authority.sign(tmp_path / "audit", "audit")
    certificates = Certificates(tmp_path / "audit")

    async def tell() -> None:
        renewed.set()

    watching = asyncio.create_task(certificates.watch(tell, seconds=0.01))
    authority.sign(tmp_path / "audit", "audit")
    async with asyncio.timeout(10):
        await renewed.wait()
    watching.cancel()


@pytest.mark.req("S-17", "S-18")
async def test_a_caller_whose_serial_number_is_denied_is_refused_on_its_open_connection(world: World) -> None:
    ours, list_of_denied = world.caller(), world.folder / "mandate" / "denied-serials"
    async with world.channel(ours) as channel:
        await world.ask(channel)
        list_of_denied.write_text(f"{world.servicer.serials[0]:x}")
        assert world.certificates.look()
        with pytest.raises(Failure) as refused:
            await world.ask(channel)
        assert refused.value.code == Code.CODE_UNAUTHENTICATED
        assert [(one.reason, one.object_id, one.carrier) for one in world.denied] == [
            ("certificate_denied", REPLAY, "audit")
        ]
        world.authority.sign(world.folder / "audit", "audit")  # its next one is another
        assert ours.look()

        async def believed() -> bool:
            try:
                await world.ask(channel)
            except Failure as failure:  # until the new connection is open
                assert failure.code == Code.CODE_UNAUTHENTICATED  # noqa: PT017
                return False
            return True

        await eventually(believed)


@pytest.mark.req("S-17")
async def test_a_connection_does_not_outlive_the_certificate_that_opened_it(world: World) -> None:
    async with world.channel(world.caller()) as channel:
        await world.ask(channel)
        world.time[0] += dt.timedelta(days=3)
        with pytest.raises(Failure) as refused:
            await world.ask(channel)
    assert refused.value.code == Code.CODE_UNAUTHENTICATED
    assert [one.reason for one in world.denied] == ["certificate_expired"]


@pytest.mark.req("S-17", "S-18")
async def test_a_connection_does_not_outlive_the_authority_that_signed_its_certificate(world: World) -> None:
    """Replaced as the runbook has it: both are believed, then the new one alone."""
    old, new, mandate = world.authority, Authority(), world.folder / "mandate"
    async with world.channel(world.caller()) as channel:
        await world.ask(channel)
        new.sign(mandate, "mandate")
        (mandate / "ca.pem").write_bytes(new.pem + old.pem)
        assert world.certificates.look()
        await world.ask(channel)
        (mandate / "ca.pem").write_bytes(new.pem)
        assert world.certificates.look()
        with pytest.raises(Failure) as refused:
            await world.ask(channel)
    assert refused.value.code == Code.CODE_UNAUTHENTICATED
    assert [one.reason for one in world.denied] == ["certificate_untrusted"]


@pytest.mark.req("S-17")
async def test_a_caller_is_believed_through_an_authority_between(world: World) -> None:
    between = Authority(by=world.authority)
    between.sign(world.folder / "audit", "audit")
    chain = world.folder / "audit" / "tls.pem"
    chain.write_bytes(chain.read_bytes() + between.pem)
    (world.folder / "audit" / "ca.pem").write_bytes(world.authority.pem)
    async with world.channel(world.caller()) as channel:
        await world.ask(channel)


FALSE_CALLERS: dict[str, Callable[[World, Path], Any]] = {
    "none": lambda _, to: None,  # noqa: ARG005
    "another authority's": lambda _, to: Authority().sign(to, "audit"),
    "ended": lambda world, to: world.authority.sign(to, "audit", begins=2 * PAST, ends=PAST),
    "a server's": lambda world, to: world.authority.sign(to, "audit", uses=[ExtendedKeyUsageOID.SERVER_AUTH]),
}


@pytest.mark.req("S-14", "S-18")
@pytest.mark.parametrize("sign", FALSE_CALLERS.values(), ids=FALSE_CALLERS)
async def test_a_false_certificate_lets_nobody_in_and_its_handshake_is_counted(
    world: World, tmp_path: Path, sign: Callable[[World, Path], Any]
) -> None:
    begun, met = sample("resapermis_rpc_handshakes_total"), sample("resapermis_rpc_connections_total")
    async with world.channel(world.caller()) as channel:
        await world.ask(channel)
        await world.ask(channel)
    assert sample("resapermis_rpc_handshakes_total") - begun == 1
    assert sample("resapermis_rpc_connections_total") - met == 1
    sign(world, tmp_path / "false")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(world.folder / "audit" / "ca.pem")
    context.set_alpn_protocols(["h2"])
    if (tmp_path / "false").exists():
        context.load_cert_chain(tmp_path / "false" / "tls.pem", tmp_path / "false" / "tls.key")
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        reader, writer = await asyncio.open_connection(
            "127.0.0.1", world.server.port, ssl=context, server_hostname="mandate"
        )
        try:
            writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))  # HTTP/2's first words
            await reader.readexactly(9)
        finally:
            writer.transport.abort()
    assert sample("resapermis_rpc_handshakes_total") - begun == 2
    assert sample("resapermis_rpc_connections_total") - met == 1


FALSE_SERVERS: dict[str, tuple[str, Callable[[World, Path], Any]]] = {
    "another authority's": ("untrusted", lambda _, to: Authority().sign(to, "mandate")),
    "another name": ("wrong_name", lambda world, to: world.authority.sign(to, "basket")),
    "ended": ("expired", lambda world, to: world.authority.sign(to, "mandate", begins=2 * PAST, ends=PAST)),
    "a client's": (
        "wrong_use",
        lambda world, to: world.authority.sign(to, "mandate", uses=[ExtendedKeyUsageOID.CLIENT_AUTH]),
    ),
}


@pytest.mark.req("S-18", "S-25")
@pytest.mark.parametrize(("kind", "sign"), FALSE_SERVERS.values(), ids=FALSE_SERVERS)
async def test_a_service_with_a_false_certificate_is_not_asked_and_counted(
    world: World, tmp_path: Path, kind: str, sign: Callable[[World, Path], Any]
) -> None:
    sign(world, tmp_path / "false")
    key, chain = ((tmp_path / "false" / name).read_bytes() for name in ("tls.key", "tls.pem"))
    server, asked = grpc.aio.server(), Replays()
    credentials = grpc.ssl_server_credentials([(key, chain)], world.authority.pem, require_client_auth=True)
    world.server.port = server.add_secure_port("127.0.0.1:0", credentials)
    events_pb2_grpc.add_EventsServiceServicer_to_server(asked, server)
    await server.start()
    before = sample("resapermis_tls_failures_total", peer="service", kind=kind)
    async with world.channel(world.caller()) as channel:
        with pytest.raises(Failure) as refused:
            await world.ask(channel)
    await server.stop(0)
    assert refused.value.code == Code.CODE_UNAVAILABLE
    assert asked.serials == []
    assert sample("resapermis_tls_failures_total", peer="service", kind=kind) > before


@pytest.mark.long
async def test_many_who_connect_at_the_same_moment_are_all_answered(world: World) -> None:
    """Given its certificates anew at each connection, gRPC ends the process here: it frees what another handshake uses."""

    async def answer() -> int:
        async with world.channel(world.caller()) as channel:
            stub = health_pb2_grpc.HealthStub(channel)
            return (await stub.Check(health_pb2.HealthCheckRequest(), timeout=20)).status

    for _ in range(tries(briefly=3, long=40)):
        assert set(await asyncio.gather(*(answer() for _ in range(64)))) == {SERVING}
