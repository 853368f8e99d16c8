"""What an engine asks in the image: the exit status is what /readyz says, or that nothing answers."""

import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from devstack.settings import ROOT


@contextmanager
def answering(answer: bytes) -> Iterator[int]:
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        connection, _ = listener.accept()
        with connection:
            connection.recv(1024)
            connection.sendall(answer)

    thread = threading.Thread(target=serve)
    thread.start()
    yield int(listener.getsockname()[1])
    thread.join()
    listener.close()


def ready(port: int, *words: str) -> tuple[int, str]:
    done = subprocess.run(
        [sys.executable, "-ISE", str(ROOT / "deploy" / "ready.py"), *words],
        env={"RESAPERMIS_METRICS_LISTEN": f"0.0.0.0:{port}"}, capture_output=True, text=True, check=False, timeout=20,
    )  # fmt: skip
    return done.returncode, done.stdout.strip()


@pytest.mark.parametrize(
    ("answer", "status", "said"),
    [
        (b"HTTP/1.1 200 OK\r\n\r\nready\n", 0, "ready"),
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\ndatabase, bus\n", 1, "database, bus"),
        (b"", 1, ""),
    ],
)
def test_a_process_is_ready_when_it_says_so(answer: bytes, status: int, said: str) -> None:
    with answering(answer) as port:
        assert ready(port) == (status, said)


def test_another_path_is_asked_where_it_is_named() -> None:
    with answering(b"HTTP/1.1 200 OK\r\n\r\nthe platform serves\n") as port:
        assert ready(port, "/healthz/platform") == (0, "the platform serves")


def test_nobody_there_is_not_ready() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    assert ready(port) == (1, f"port {port}: ConnectionRefusedError")
    assert ready(0, str(port))[0] == 1


def test_for_what_has_no_readyz_a_connection_is_enough() -> None:
    with answering(b"") as port:
        assert ready(0, str(port)) == (0, "")
