"""What tests of both faces share: the State's sandbox on a real port."""

import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from urllib.parse import urlsplit

import pytest
import uvicorn

from rdvpermis_sandbox.app import Sandbox

ServeSandbox = Callable[[Sandbox], None]


@contextmanager
def _served(sandbox: Sandbox) -> Iterator[None]:
    port = urlsplit(sandbox.settings.public_url).port or 0
    server = uvicorn.Server(uvicorn.Config(sandbox.asgi, host="127.0.0.1", port=port, log_level="error", ws="none"))
    thread = threading.Thread(target=server.run, daemon=True)  # not the main thread: signals stay the test runner's
    thread.start()
    while not server.started:
        thread.join(0.02)
        assert thread.is_alive()
    yield
    server.should_exit = True
    thread.join(10)


@pytest.fixture(scope="module")
def serve_sandbox() -> Iterator[ServeSandbox]:
    """Function: serve this sandbox at its public address until the module's tests are through."""
    with ExitStack() as served:
        yield lambda sandbox: served.enter_context(_served(sandbox))
