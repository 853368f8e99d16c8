"""The scan of ports sees what is wrong with one, on servers that are wrong in each way."""

import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest

from containers import probe
from containers.scan import Port, complaints
from devstack.certificates import Leaf, ensure_certificates
from devstack.components import BUS_ADMIN, NATS, POSTGRES
from mailcatcher import MODERN_SUITES

OURS = "basket"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("tls")
    ensure_certificates(place, {OURS: Leaf(), "client": Leaf(serves=False)}, datetime.now(UTC))
    return place


@pytest.fixture(scope="module", autouse=True)
def _quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe, "STANDS_SECONDS", 0.1)
        yield


def context(
    folder: Path, *, oldest: str = "TLSv1_2", suites: str = MODERN_SUITES, mutual: bool = False
) -> ssl.SSLContext:
    made = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    made.load_cert_chain(folder / OURS / "tls.pem", folder / OURS / "tls.key")
    made.set_ciphers(suites)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        made.minimum_version = ssl.TLSVersion[oldest]
    if mutual:
        made.load_verify_locations(folder / "ca.pem")
        made.verify_mode = ssl.CERT_REQUIRED
    return made


@contextmanager
def serving(tls: ssl.SSLContext | None, greeting: bytes = b"") -> Iterator[int]:
    """A server that says a word to whoever came through, and is silent then."""
    listener = socket.create_server(("127.0.0.1", 0))
    held: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(plain: socket.socket) -> None:
        held.append(plain)
        try:
            plain.settimeout(3)
            if greeting:
                plain.recv(4096)
                plain.sendall(greeting)
            if tls is not None:
                held.append(tls.wrap_socket(plain, server_side=True))
        except OSError:
            plain.close()

    def accept() -> None:
        while True:
            try:
                plain, _ = listener.accept()
            except OSError:
                return
            threads.append(threading.Thread(target=serve, args=(plain,), daemon=True))
            threads[-1].start()

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    try:
        yield int(listener.getsockname()[1])
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        accepting.join()
        for thread in threads:
            thread.join()
        for one in held:
            one.close()


def scanned(folder: Path, port: int, name: str = OURS) -> dict[str, object]:
    client = {
        "certificate": (folder / "client" / "tls.pem").read_text(),
        "key": (folder / "client" / "tls.key").read_text(),
    }
    ca = (folder / "ca.pem").read_text()
    (seen,) = probe.answer({"do": "scan", "host": "127.0.0.1", "name": name, "ports": [port], "ca": ca, **client})
    return dict(seen)


def wrong_with(seen: dict[str, object], container: str = BUS_ADMIN) -> list[str]:
    return [line.partition(str(seen["port"]))[2].strip(": ") for line in complaints(Port(container, seen))]


@pytest.mark.req("S-17", "S-18")
def test_a_port_with_modern_tls_alone_has_nothing_wrong(good: dict[str, object]) -> None:
    assert wrong_with(good) == []
    assert good["versions"] == {"TLSv1": False, "TLSv1_1": False, "TLSv1_2": True, "TLSv1_3": True}
    assert good["certificate"]["names"][0] == OURS  # type: ignore[index]


@pytest.mark.req("S-18")
def test_old_versions_and_weak_suites_are_seen(folder: Path) -> None:
    with serving(context(folder, oldest="TLSv1", suites="ALL:@SECLEVEL=0")) as port:
        seen = scanned(folder, port)
    wrong = wrong_with(seen)
    assert {"takes TLSv1", "takes TLSv1_1", "takes ECDHE-ECDSA-AES128-SHA"} <= set(wrong)


def test_a_name_that_the_certificate_does_not_have_is_seen(folder: Path) -> None:
    with serving(context(folder)) as port:
        (wrong,) = wrong_with(scanned(folder, port, name="mandate"))
    assert "mandate" in wrong


def test_whether_clients_must_show_a_certificate_is_seen_both_ways(folder: Path, good: dict[str, object]) -> None:
    with serving(context(folder, mutual=True)) as port:
        seen = scanned(folder, port)
        assert wrong_with(seen) == ["demands a certificate of its clients"]
        assert wrong_with({**seen, "port": 4222}, NATS) == []
    assert wrong_with({**good, "port": 9000}, OURS) == ["demands no certificate of its clients"]


def test_a_port_without_tls_is_seen_unless_it_is_one_that_may(folder: Path) -> None:
    with serving(None, b"HTTP/1.1 200 OK\r\n\r\n") as port:
        seen = scanned(folder, port)
    assert wrong_with(seen) == ["speaks no TLS"]
    assert wrong_with({**seen, "port": 9100}) == []
    assert wrong_with({**seen, "port": 8080}, "front")[0].startswith("does not lead to https")
    led = {**seen, "port": 8080, "in_clear": "HTTP/1.1 301 Moved\nlocation: https://x/"}
    assert wrong_with(led, "front") == []


@pytest.fixture(scope="module")
def good(folder: Path) -> dict[str, object]:
    """The report of a port with which nothing is wrong."""
    with serving(context(folder)) as port:
        return scanned(folder, port)


@pytest.mark.parametrize(
    ("begins", "heard", "served"),
    [
        ("tls", "", False),
        ("tls", "HTTP/1.0 400 Bad Request", False),
        ("tls", "HTTP/1.1 200 OK", True),
        ("postgres", "E   SFATAL VFATAL C28000 Mno pg_hba.conf entry", False),
        ("postgres", "R", True),
        ("smtp", "530 5.7.0 Must issue a STARTTLS command first", False),
        ("smtp", "250 OK", True),
    ],
)
def test_a_port_that_also_serves_without_tls_is_seen(
    good: dict[str, object], begins: str, heard: str, *, served: bool
) -> None:
    assert bool(wrong_with({**good, "begins": begins, "in_clear": heard}, POSTGRES)) is served


def test_ports_are_read_from_the_kernel_without_those_on_loopback(tmp_path: Path) -> None:
    head = "  sl  local_address rem_address   st\n"
    (tmp_path / "tcp").write_text(
        f"{head} 0: 00000000:2328 00000000:0000 0A 0\n 1: 0100007F:0050 00000000:0000 0A 0\n 2: 00000000:0051 0:0 01 0\n"
    )
    (tmp_path / "tcp6").write_text(
        f"{head} 0: 00000000000000000000000000000000:10E1 0:0 0A 0\n 1: 00000000000000000000000001000000:0052 0:0 0A 0\n"
    )
    assert probe.listening(tmp_path) == [4321, 9000]


async def test_what_takes_a_connection_is_reached_and_nothing_else() -> None:
    with serving(None) as port:
        closed = socket.create_server(("127.0.0.1", 0))
        gone = closed.getsockname()[1]
        closed.close()
        assert await probe.reach([("127.0.0.1", port), ("127.0.0.1", gone)]) == [True, False]
