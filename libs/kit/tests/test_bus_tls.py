"""NATS as every deployment configures it: how it speaks, what it refuses and tells, and clients that are renewed."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import nats.errors
import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from nats.aio.client import Client
from prometheus_client import REGISTRY

from devstack import nats as configured
from devstack.certificates import PLATFORM, Leaf, ensure_certificates
from devstack.components import NATS
from resapermis_kit.events import streams
from resapermis_kit.tls import policy
from resapermis_kit.tls.bus_monitor import RefusedConnections, monitored
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.certificates import Authority, modern_only, spoken
from resapermis_testing.eventually import eventually
from resapermis_testing.memory import data_folder
from resapermis_testing.nats import Nats
from resapermis_testing.ports import free_port

SUBJECT = "resapermis.basket.v1.LineChanged"


@dataclass
class Bus:
    """A server, its monitoring port, and the folder of certificates."""

    server: Nats
    monitor: int
    tls: Path

    @property
    def monitors(self) -> str:
        return f"https://127.0.0.1:{self.monitor}"


@pytest.fixture
async def bus(tmp_path: Path) -> AsyncIterator[Bus]:
    tls, port, monitor = tmp_path / "tls", free_port(), free_port()
    ensure_certificates(tls, {**PLATFORM, "stranger": Leaf()}, datetime.now(UTC))
    config, addresses = tmp_path / "nats.conf", (f"127.0.0.1:{port}", f"127.0.0.1:{monitor}")
    store = data_folder("resapermis-nats-")
    config.write_text(configured.configuration(*addresses, store, tls / NATS), encoding="utf-8")
    one = Bus(Nats(port, store, config), monitor, tls)
    one.server.start()
    context = Certificates(tls / "basket").client_context("test")

    async def answers() -> bool:
        with contextlib.suppress(OSError):
            return bool(await asyncio.to_thread(monitored, one.monitors, "varz", context))
        return False

    await eventually(answers)
    yield one
    one.server.stop()


async def until_connected(client: Client) -> None:
    async def connected() -> bool:
        return client.is_connected

    await eventually(connected)


@pytest.mark.req("D-04", "S-18")
async def test_the_bus_and_its_monitor_speak_modern_versions_and_suites_alone(bus: Bus) -> None:
    assert await modern_only(bus.server.port, certificate=bus.tls / "basket") == []
    assert await modern_only(bus.monitor) == []


def refused(why: str) -> float:
    return REGISTRY.get_sample_value("resapermis_bus_connections_refused_total", {"why": why}) or 0.0


@pytest.mark.req("S-14", "S-18")
async def test_who_is_refused_by_the_bus_is_counted_once(bus: Bus, tmp_path: Path) -> None:
    """No certificate, another authority's, one of nobody whom it knows; what it closed before it was asked first is not ours."""
    Authority().sign(tmp_path / "false", "basket")
    connections = RefusedConnections(bus.monitors, Certificates(bus.tls / "operator"))
    await spoken(bus.server.port)
    await connections.count()
    before = {why: refused(why) for why in ("handshake", "unknown")}
    await spoken(bus.server.port)
    await spoken(bus.server.port, certificate=tmp_path / "false")
    with pytest.raises((nats.errors.Error, OSError)):
        await asyncio.wait_for(
            Client().connect(
                bus.server.url,
                tls=Certificates(bus.tls / "stranger").client_context("test"),
                tls_handshake_first=True,
                allow_reconnect=False,
                error_cb=_nothing,
            ),
            5,
        )

    async def counted() -> bool:
        await connections.count()
        return {why: refused(why) - number for why, number in before.items()} == {"handshake": 2, "unknown": 1}

    await eventually(counted)
    await connections.count()
    assert await counted()


async def _nothing(error: Exception) -> None:
    del error


async def test_a_monitor_that_does_not_answer_is_asked_again_later(bus: Bus) -> None:
    connections = RefusedConnections(
        f"https://127.0.0.1:{free_port()},{bus.monitors}", Certificates(bus.tls / "operator")
    )
    await connections.count()
    before = refused("handshake")
    await spoken(bus.server.port)

    async def counted() -> bool:
        await connections.count()
        return refused("handshake") == before + 1

    await eventually(counted)


async def shown_to(bus: Bus) -> set[str]:
    """SHA-256 of the certificates, those of their authorities too, with which clients are connected now."""
    context = Certificates(bus.tls / "basket").client_context("test")
    found = await asyncio.to_thread(monitored, bus.monitors, "connz?auth=true", context)
    return {peer["cert_sha256"] for one in found["connections"] for peer in one.get("tls_peer_certs") or []}


def digest(folder: Path) -> str:
    certificate = x509.load_pem_x509_certificate((folder / "tls.pem").read_bytes())
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


@pytest.mark.req("S-17")
async def test_a_renewed_client_connects_anew_and_hears_on(bus: Bus) -> None:
    folder, heard = bus.tls / "basket", asyncio.Event()
    certificates = Certificates(folder)
    client = await streams.connect(bus.server.url, certificates, "basket", reconnect_seconds=0.02)
    try:

        async def hear(_message: object) -> None:
            heard.set()

        await client.subscribe("here", cb=hear)
        before = digest(folder)
        assert before in await shown_to(bus)
        (folder / "tls.pem").unlink()
        ensure_certificates(bus.tls, PLATFORM, datetime.now(UTC))
        assert certificates.look()
        await streams.renew(client, certificates)
        await until_connected(client)
        shown = await shown_to(bus)
        assert digest(folder) in shown
        assert before not in shown
        await client.publish("here", b"")
        async with asyncio.timeout(10):
            await heard.wait()
    finally:
        await client.close()


@pytest.mark.req("S-17")
async def test_a_bus_whose_serial_number_is_denied_is_not_connected_to(bus: Bus) -> None:
    serial = x509.load_pem_x509_certificate((bus.tls / NATS / "tls.pem").read_bytes()).serial_number
    (bus.tls / "basket" / "denied-serials").write_text(f"{serial:x}")
    context = Certificates(bus.tls / "basket").client_context(streams.PEER)
    with pytest.raises((policy.CertificateDenied, nats.errors.Error)):
        await Client().connect(
            bus.server.url, tls=context, tls_handshake_first=True, allow_reconnect=False, error_cb=_nothing
        )
    with pytest.raises(OSError, match="denied"):
        await asyncio.to_thread(monitored, bus.monitors, "varz", context)
