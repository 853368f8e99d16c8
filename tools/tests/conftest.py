import os

import pytest

from devstack.probes import free_port


@pytest.fixture(scope="session")
def a_port():
    """A function that finds a free base port; workers of one run do not reach for the same range."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    return lambda: free_port(range(7), start=21_000 + 1_000 * worker, step=10, attempts=90)
