"""PostgreSQL beyond this machine is spoken to over TLS that verifies chain and name, or not at all."""

import asyncio
import contextlib
import datetime as dt
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
import uvloop
from cryptography.x509.oid import ExtendedKeyUsageOID
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.engine import make_engine
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure
from resapermis_kit.process.leader import lock_engine
from resapermis_kit.tls import policy
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.certificates import Authority, modern_only, spoken
from resapermis_testing.memory import data_folder
from resapermis_testing.ports import free_port
from resapermis_testing.postgres import Server

pytestmark = pytest.mark.req("D-04")
SSL_REQUEST = (8).to_bytes(4, "big") + (80877103).to_bytes(4, "big")
PAST = dt.timedelta(minutes=-1)


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://basket@db.example.org/basket",
        "postgresql://basket@postgres/basket?sslmode=require",
        "postgresql://basket@10.0.0.8/basket?sslmode=verify-ca&sslrootcert=/run/tls/ca.pem",
        "postgresql://basket@/basket?host=db.example.org",
        "postgresql://basket@/basket?host=localhost,db.example.org",
        "postgresql://basket@/basket",  # whatever PGHOST says
    ],
)
def test_another_machine_is_not_asked_without_tls_that_verifies_it(url: str) -> None:
    for make in (make_engine, lambda url: lock_engine(url, "basket")):
        with pytest.raises(ValueError, match="sslmode=verify-full&sslrootcert="):
            make(url)


@pytest.mark.parametrize("words", ["sslmode=verify-full", "sslmode=verify-full&sslrootcert=/nowhere/ca.pem"])
def test_who_signed_is_said_at_the_start(words: str) -> None:
    with pytest.raises(ValueError, match="sslrootcert"):
        make_engine(f"postgresql://basket@postgres/basket?{words}")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://basket@/basket?host=/run/postgres",
        "postgresql://basket@127.0.0.1:5433/basket",
        "postgresql://basket@localhost/basket?sslmode=require",
        "postgresql://basket@[::1]/basket",
        "postgresql://basket@/basket?host=localhost:5433",
    ],
)
def test_this_machine_may_be_asked_in_clear(url: str) -> None:
    make_engine(url)


@dataclass
class Pretended:
    """Speaks of PostgreSQL's protocol what comes before the first word of a client."""

    port: int = 0
    heard: list[bytes] = field(default_factory=list)
    """What came after the question for TLS."""


@pytest.fixture
async def pretend() -> AsyncIterator[Callable[..., Any]]:
    """Function: a folder with a certificate, or None for a server without TLS -> a server that pretends."""
    servers: list[asyncio.Server] = []

    async def start(folder: Path | None) -> Pretended:
        one = Pretended()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            plain = writer.transport
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                assert await reader.readexactly(8) == SSL_REQUEST
                writer.write(b"N" if folder is None else b"S")
                if folder is not None:
                    key, chain = ((folder / name).read_bytes() for name in ("tls.key", "tls.pem"))
                    await writer.start_tls(policy.server_context(key, chain))
                one.heard.append(await reader.read(64))
            writer.transport.abort()
            plain.abort()  # asyncio leaves it open where a handshake fails

        servers.append(await asyncio.start_server(handle, "127.0.0.1", 0))
        one.port = servers[-1].sockets[0].getsockname()[1]
        return one

    yield start
    for server in servers:
        server.close()
    await asyncio.sleep(0)  # what was aborted is closed


FALSE: dict[str, Callable[[Authority, Path], Any]] = {
    "another authority": lambda _, to: Authority().sign(to, "postgres"),
    "another name": lambda ours, to: ours.sign(to, "postgres", names=["postgres"]),
    "ended": lambda ours, to: ours.sign(to, "postgres", begins=2 * PAST, ends=PAST),
    "a client's": lambda ours, to: ours.sign(to, "postgres", uses=[ExtendedKeyUsageOID.CLIENT_AUTH]),
}


@pytest.mark.req("S-25")
@pytest.mark.parametrize("sign", [*FALSE.values(), None], ids=[*FALSE, "no TLS"])
async def test_a_server_that_is_not_verified_hears_no_word(
    tmp_path: Path, pretend: Callable[..., Any], sign: Callable[[Authority, Path], Any] | None
) -> None:
    ours = Authority()
    ours.sign(tmp_path / "ours", "basket")
    if sign is not None:
        sign(ours, tmp_path / "server")
    server = await pretend(tmp_path / "server" if sign is not None else None)
    engine = make_engine(url(server.port, tmp_path / "ours" / "ca.pem"))
    with pytest.raises(Failure):
        async with transaction(engine):
            pass
    await engine.dispose()
    assert b"".join(server.heard) == b""


@pytest.mark.req("S-17")
async def test_a_server_whose_serial_number_is_denied_hears_no_word(
    tmp_path: Path, pretend: Callable[..., Any]
) -> None:
    ours = Authority()
    ours.sign(tmp_path / "ours", "basket")
    serial = ours.sign(tmp_path / "server", "postgres")
    server = await pretend(tmp_path / "server")
    (tmp_path / "ours" / "denied-serials").write_text(f"{serial:x}")
    for certificates, hears in ((Certificates(tmp_path / "ours"), False), (None, True)):
        engine = make_engine(url(server.port, tmp_path / "ours" / "ca.pem"), certificates=certificates)
        with pytest.raises((Failure, ConnectionError, sa.exc.DBAPIError)):
            async with transaction(engine):
                pass
        await engine.dispose()
        assert any(server.heard) is hears


def url(port: int, authorities: Path, host: str = "localhost") -> str:
    return f"postgresql://resapermis@{host}:{port}/postgres?sslmode=verify-full&sslrootcert={authorities}"


DEBIANS = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))


class OverTls:
    """A PostgreSQL of Debian's that lets in whoever comes over TLS; the wheel's is built without TLS."""

    def __init__(self) -> None:
        if not DEBIANS:
            pytest.fail("no PostgreSQL with TLS in /usr/lib/postgresql: apt install postgresql")
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None
        home = data_folder("resapermis-tls-")
        home.chmod(0o711)  # its account passes through
        self.server, self.shown, data, socket = Server(home, {}), home / "shown", home / "data", home / "run"
        for folder in (data, socket):
            folder.mkdir(mode=0o700)
            self._give_away(folder)
        self._run(DEBIANS[-1] / "initdb", "-D", data, "-U", "resapermis", "--auth=reject", "--no-sync").wait(60)
        (data / "pg_hba.conf").write_text("hostssl all all 127.0.0.1/32 trust\n")
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": socket,
            "fsync": "off",
            "ssl": "on",
            "ssl_cert_file": self.shown / "tls.pem",
            "ssl_key_file": self.shown / "tls.key",
            "ssl_min_protocol_version": "TLSv1.2",
            "ssl_ciphers": policy.SUITES,
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        self._command = (DEBIANS[-1] / "postgres", "-D", data, *options)

    def _give_away(self, file: Path) -> None:
        account = self.server.place.account
        if account is not None:
            os.chown(file, account.uid, account.gid)

    def _run(self, *command: object) -> subprocess.Popen[bytes]:
        words = self.server.as_its_user(*map(str, command))
        return subprocess.Popen(words, cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)  # noqa: S603 - of Debian's

    def sign(self, authority: Authority, **how: Any) -> int:
        """Lay a new certificate ready; return its serial number."""
        serial = authority.sign(self.shown, "postgres", **how)
        for file in (self.shown, *self.shown.iterdir()):
            self._give_away(file)
        return serial

    async def show(self, authority: Authority, **how: Any) -> None:
        """Have it show a new certificate, without a restart."""
        serial = self.sign(authority, **how)
        assert self._process is not None
        self._process.send_signal(signal.SIGHUP)
        async with asyncio.timeout(20):
            while await self.certificate() != serial:  # noqa: ASYNC110 - another process changes it
                await asyncio.sleep(0.02)

    async def certificate(self) -> int:
        return (await spoken(self.port, "-starttls", "postgres", "-showcerts")).serial

    def stop(self) -> None:
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(20)

    async def start(self) -> None:
        self._process = self._run(*self._command)
        async with asyncio.timeout(30):
            while True:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection("127.0.0.1", self.port)
                    writer.close()
                    return
                await asyncio.sleep(0.02)


async def ask(engine: AsyncEngine) -> tuple[int, bool, str]:
    """The connection's process at the server, and what it speaks."""
    async with transaction(engine) as tx:
        question = sa.text("SELECT pid, ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        pid, over_tls, version = (await tx.execute(question)).one()
    return pid, over_tls, version


async def refused(port: int, believed: Path) -> None:
    """Who opens a connection now does not get one."""
    engine = make_engine(url(port, believed), pool=1)
    with pytest.raises(Failure):
        await ask(engine)
    await engine.dispose()


@pytest.mark.long_only
@pytest.mark.req("S-17", "S-18")
def test_postgresql_itself_is_spoken_to_verified_and_renewed(tmp_path: Path) -> None:
    """On uvloop, as services run."""
    postgres, ours, other, believed = OverTls(), Authority(), Authority(), tmp_path / "ca.pem"
    believed.write_bytes(ours.pem)

    async def main() -> None:
        await postgres.start()
        assert await modern_only(postgres.port, "-starttls", "postgres") == []
        engine = make_engine(url(postgres.port, believed), pool=1)
        pid, over_tls, version = await ask(engine)
        assert (over_tls, version) == (True, "TLSv1.3")
        await postgres.show(ours)  # renewed: an open connection goes on
        assert (await ask(engine))[0] == pid
        await postgres.show(other)
        await refused(postgres.port, believed)
        believed.write_bytes(ours.pem + other.pem)  # who is believed has changed: the pool opens its connection anew
        async with asyncio.timeout(20):
            while (await ask(engine))[0] == pid:  # noqa: ASYNC110 - within a second
                await asyncio.sleep(0.05)
        await postgres.show(other, names=["postgres"])
        await refused(postgres.port, believed)
        postgres.stop()  # a connection that is cut is known to be
        postgres.sign(other)
        await postgres.start()
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(Failure):  # it listens before it is up
                    assert (await ask(engine))[1]
                    break
                await asyncio.sleep(0.02)
        await engine.dispose()

    postgres.sign(ours)
    try:
        uvloop.run(main())
    finally:
        postgres.stop()
