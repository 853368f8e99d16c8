"""A server's certificates: renewed while it runs, and read by as many callers at once as come."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc
from prometheus_client import REGISTRY

from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Verifier
from resapermis_kit.rpc.authorization import Authorizer
from resapermis_kit.rpc.server import CertificateFiles, Server
from resapermis_testing.certificates import make_certificates
from resapermis_testing.grpc_server import POLICIES
from resapermis_testing.profile import tries

NAMES = ("mandate", "auth-gateway")
SERVING = health_pb2.HealthCheckResponse.SERVING


@pytest.fixture
async def server(tmp_path: Path, principal_keys: tuple[Path, Path]) -> AsyncIterator[Server]:
    make_certificates(tmp_path, NAMES)
    verifier = Verifier(principal_keys[1], "mandate")
    started = Server("127.0.0.1:0", tmp_path / "mandate", verifier, Authorizer(POLICIES), lambda _: None)
    await started.start()
    yield started
    await started.stop(0)


async def answer(server: Server, folder: Path, seconds: float = 20) -> int:
    """A new connection's answer, with the certificates in this folder."""
    async with peers.channel(f"127.0.0.1:{server.port}", folder / "auth-gateway", "mandate") as channel:
        stub = health_pb2_grpc.HealthStub(channel)
        return (await stub.Check(health_pb2.HealthCheckRequest(), timeout=seconds)).status


@pytest.mark.req("S-17")
async def test_who_comes_after_a_renewal_meets_the_new_certificates_and_the_old_authority_opens_nothing(
    server: Server, tmp_path: Path
) -> None:
    assert await answer(server, tmp_path) == SERVING
    (tmp_path / "before").mkdir()
    (tmp_path / "auth-gateway").rename(tmp_path / "before" / "auth-gateway")
    make_certificates(tmp_path, NAMES)
    assert await answer(server, tmp_path) == SERVING
    with pytest.raises(grpc.aio.AioRpcError):
        await answer(server, tmp_path / "before", seconds=1)


@pytest.mark.req("S-17")
def test_what_did_not_change_is_not_given_to_grpc_again(tmp_path: Path) -> None:
    make_certificates(tmp_path, NAMES)
    files = CertificateFiles(tmp_path / "mandate")
    assert files.changed() is None
    (tmp_path / "mandate" / "tls.pem").touch()
    assert files.changed() is None
    make_certificates(tmp_path, NAMES)
    assert files.changed() is not None
    assert files.changed() is None


@pytest.mark.long
async def test_many_who_connect_at_the_same_moment_are_all_answered(server: Server, tmp_path: Path) -> None:
    """Given its certificates anew at each connection, gRPC ends the process here: it frees what another handshake uses."""
    for _ in range(tries(briefly=3, long=40)):
        assert set(await asyncio.gather(*(answer(server, tmp_path) for _ in range(64)))) == {SERVING}


def handshakes() -> float:
    return REGISTRY.get_sample_value("resapermis_rpc_handshakes_total") or 0.0


async def greeted(server: Server, folder: Path, version: ssl.TLSVersion, *, with_certificate: bool = True) -> str:
    """The protocol that a client of this version agrees on with the server, and may go on with; SSLError where it may not."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.load_verify_locations(folder / "ca.pem")
    if with_certificate:
        context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    context.set_ciphers("ALL:@SECLEVEL=0")  # what our own library would refuse is for the server to refuse
    context.set_alpn_protocols(["h2"])
    context.minimum_version = context.maximum_version = version
    reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
    try:
        writer.write(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes(3) + b"\x04" + bytes(5))  # HTTP/2's first words
        await reader.readexactly(9)
        return str(writer.get_extra_info("ssl_object").version())
    finally:
        writer.transport.abort()


@pytest.mark.req("S-17")
@pytest.mark.filterwarnings("ignore:ssl.TLSVersion")
async def test_nothing_older_than_tls_1_2_is_spoken(server: Server, tmp_path: Path) -> None:
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        assert await greeted(server, tmp_path / "auth-gateway", version) == version.name.replace("_", ".")
    for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
        with pytest.raises((ConnectionError, ssl.SSLError)) as refused:
            await greeted(server, tmp_path / "auth-gateway", version)
        if isinstance(refused.value, ssl.SSLError):  # said by the server, not by the library that would ask
            assert "ALERT" in (refused.value.reason or "")


@pytest.mark.req("S-14", "S-17")
async def test_handshakes_are_counted_those_that_fail_among_them(server: Server, tmp_path: Path) -> None:
    before = handshakes()
    assert await answer(server, tmp_path) == SERVING
    assert handshakes() == before + 1
    make_certificates(tmp_path / "elsewhere", NAMES)
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        await greeted(server, tmp_path / "auth-gateway", ssl.TLSVersion.TLSv1_3, with_certificate=False)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.load_cert_chain(
        tmp_path / "elsewhere" / "auth-gateway" / "tls.pem", tmp_path / "elsewhere" / "auth-gateway" / "tls.key"
    )
    context.set_alpn_protocols(["h2"])
    with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port, ssl=context)
        try:
            await reader.readexactly(9)
        finally:
            writer.transport.abort()
    assert handshakes() == before + 3
