"""PostgreSQL and NATS from wheels, without an engine and without root: where tests take them from unless told otherwise. A pytest plugin."""

from collections.abc import Iterator

import pytest

from resapermis_testing.memory import data_folder
from resapermis_testing.nats import NatsProcess, RunNats
from resapermis_testing.postgres import Postgres, embedded_postgres


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """An embedded PostgreSQL, started once a test process."""
    # Not below pytest's base folder: other runs at the same time prune that one.
    with embedded_postgres(data_folder("resapermis-pg-")) as server:
        yield server


@pytest.fixture(scope="session")
def run_nats() -> RunNats:
    """Runs nats-server as a process of ours."""
    return NatsProcess
