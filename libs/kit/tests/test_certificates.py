"""A server's certificates: renewed while it runs, and read by as many callers at once as come."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

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
