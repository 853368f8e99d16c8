"""What TLS is spoken, tried with openssl s_client and with every kind of wrong certificate, by our `ssl` contexts."""

import asyncio
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID
from prometheus_client import REGISTRY

from resapermis_kit.tls import policy
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.certificates import Authority, modern_only

pytestmark = pytest.mark.req("S-18")
PAST = dt.timedelta(minutes=-1)


def failures(kind: str, peer: str = "test") -> float:
    return REGISTRY.get_sample_value("resapermis_tls_failures_total", {"peer": peer, "kind": kind}) or 0.0


@asynccontextmanager
async def serving(context: ssl.SSLContext) -> AsyncIterator[int]:
    """An echo over TLS: its port."""

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            writer.write(await reader.read(64))
            await writer.drain()
        except (OSError, ssl.SSLError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0, ssl=context)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()
        await server.wait_closed()


async def greet(port: int, context: ssl.SSLContext) -> bytes:
    """Said and answered once."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port, ssl=context, server_hostname="mandate")
    try:
        writer.write(b"hello")
        return await reader.readexactly(5)
    finally:
        writer.transport.abort()


def server_of(folder: Path, believed: bytes | None = None) -> ssl.SSLContext:
    """As it answers; with `believed` it asks for a certificate of that authority."""
    context = policy.server_context((folder / "tls.key").read_bytes(), (folder / "tls.pem").read_bytes())
    if believed is not None:
        context.load_verify_locations(cadata=believed.decode())
        context.verify_mode = ssl.CERT_REQUIRED
    return context


async def test_only_modern_versions_and_suites_are_spoken(tls: Path) -> None:
    async with serving(server_of(tls / "mandate")) as port:
        assert await modern_only(port) == []


async def test_what_is_asked_of_a_port_finds_an_old_one(tls: Path) -> None:
    """The control: a server that speaks whatever it can is found to."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tls / "mandate" / "tls.pem", tls / "mandate" / "tls.key")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.set_ciphers("ALL:@SECLEVEL=0")
    async with serving(context) as port:
        found = " ".join(await modern_only(port))
    assert "took -tls1_1" in found
    assert "took -tls1_2 -cipher ECDHE-ECDSA-AES128-SHA" in found


Sign = Callable[[Authority, Authority, Path], Any]
FALSE: dict[str, tuple[str, Sign]] = {
    "another authority": ("untrusted", lambda _, other, to: other.sign(to, "mandate")),
    "another name": ("wrong_name", lambda ours, _, to: ours.sign(to, "mandate", names=["basket", "localhost"])),
    "expired": ("expired", lambda ours, _, to: ours.sign(to, "mandate", begins=2 * PAST, ends=PAST)),
    "not valid yet": ("expired", lambda ours, _, to: ours.sign(to, "mandate", begins=dt.timedelta(hours=1))),
    "a client's": (
        "wrong_use",
        lambda ours, _, to: ours.sign(to, "mandate", uses=[ExtendedKeyUsageOID.CLIENT_AUTH]),
    ),
}


@pytest.mark.req("S-25")
@pytest.mark.parametrize(("kind", "sign"), FALSE.values(), ids=FALSE)
async def test_a_server_with_a_false_certificate_is_refused_and_counted(tmp_path: Path, kind: str, sign: Sign) -> None:
    ours, other = Authority(), Authority()
    ours.sign(tmp_path / "client", "basket")
    sign(ours, other, tmp_path / "server")
    before = failures(kind)
    async with serving(server_of(tmp_path / "server")) as port:
        with pytest.raises(ssl.SSLError):
            await greet(port, Certificates(tmp_path / "client").client_context("test"))
    assert failures(kind) == before + 1


@pytest.mark.req("S-17")
async def test_when_a_servers_certificate_began_ends_and_was_seen_is_a_metric(tmp_path: Path) -> None:
    """Of PostgreSQL, NATS and the mail server nobody else would know."""
    authority = Authority()
    authority.sign(tmp_path, "mandate", ends=dt.timedelta(hours=30))
    context = policy.client_context("watched", authority.pem.decode(), now=lambda: 12345.0)
    async with serving(server_of(tmp_path)) as port:
        assert await greet(port, context) == b"hello"
    began, ends, seen = (
        REGISTRY.get_sample_value(f"resapermis_certificate_{name}_seconds", {"certificate": "watched"}) or 0.0
        for name in ("began", "expires", "seen")
    )
    assert ends == pytest.approx(dt.datetime.now(dt.UTC).timestamp() + 30 * 3600, abs=60)
    assert ends - began == pytest.approx(30 * 3600 + 300, abs=2)
    assert seen == 12345.0


async def test_a_good_certificate_is_believed_and_nothing_is_counted(tls: Path) -> None:
    async with serving(server_of(tls / "mandate", (tls / "mandate" / "ca.pem").read_bytes())) as port:
        context = Certificates(tls / "basket").client_context("good")
        assert await greet(port, context) == b"hello"
    assert [failures(kind, "good") for kind in ("untrusted", "wrong_name", "expired", "refused", "protocol")] == [
        0.0
    ] * 5


@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
async def test_a_server_that_refuses_our_certificate_is_counted_too(tmp_path: Path, version: str) -> None:
    """In 1.3 it says so after our own handshake has ended. (openssl s_server: one of asyncio closes without a word.)"""
    ours, other = Authority(), Authority()
    ours.sign(tmp_path / "client", "basket")
    ours.sign(tmp_path / "server", "mandate")
    other.sign(tmp_path / "other", "mandate")
    server = await asyncio.create_subprocess_exec(
        *("openssl", "s_server", "-accept", "127.0.0.1:0", "-Verify", "1", "-verify_return_error", version),
        *("-cert", str(tmp_path / "server" / "tls.pem"), "-key", str(tmp_path / "server" / "tls.key")),
        *("-CAfile", str(tmp_path / "other" / "ca.pem"), "-naccept", "1"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    before = failures("refused")
    assert server.stdout is not None
    try:
        async with asyncio.timeout(10):
            while not (line := await server.stdout.readline()).startswith(b"ACCEPT"):
                assert line
            port = int(line.rpartition(b":")[2])
            with pytest.raises((ssl.SSLError, ConnectionError, asyncio.IncompleteReadError)):
                await greet(port, Certificates(tmp_path / "client").client_context("test"))
    finally:
        server.kill()
        await server.wait()
    assert failures("refused") == before + 1


async def test_a_server_whose_serial_number_is_denied_is_refused_until_it_is_not(tmp_path: Path) -> None:
    ours = Authority()
    ours.sign(tmp_path / "client", "basket")
    serial = ours.sign(tmp_path / "server", "mandate")
    certificates, denied = Certificates(tmp_path / "client"), tmp_path / "client" / "denied-serials"
    before = failures("denied")
    async with serving(server_of(tmp_path / "server")) as port:
        context = certificates.client_context("test")  # one that was made before asks the list of now
        denied.write_text(f"# lost with a disk\n{serial:x}\n")
        assert certificates.look()
        with pytest.raises(policy.CertificateDenied):
            await greet(port, context)
        denied.unlink()
        assert certificates.look()
        assert await greet(port, context) == b"hello"
    assert failures("denied") == before + 1


@pytest.mark.parametrize("url", ["https://otel:4317", "http://127.0.0.1:4317", "http://[::1]:1", "http://localhost:1"])
def test_tls_and_what_stays_on_this_machine_are_taken(url: str) -> None:
    policy.require_tls(url)


@pytest.mark.req("D-04")
@pytest.mark.parametrize(
    "url", ["http://otel:4317", "http://10.0.0.8", "otel:4317", "http://127.0.0.1.example.org", "https://"]
)
def test_what_would_cross_a_network_in_clear_is_refused_in_words(url: str) -> None:
    with pytest.raises(ValueError, match="https://"):
        policy.require_tls(url)
