"""A platform that tells everything: logs at DEBUG, every span sent, all of it kept."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "journeys"))

from journey import Schools, TheState

from devstack.background import BackgroundStack
from devstack.components import offsets
from devstack.probes import free_port
from devstack.stack import Stack
from resapermis_testing.stand_ins.otlp import SpanReceiver


@pytest.fixture(scope="session")
def receiver() -> Iterator[SpanReceiver]:
    made = SpanReceiver()
    yield made
    made.stop()


@pytest.fixture(scope="session")
def stack(receiver: SpanReceiver, request: pytest.FixtureRequest) -> Iterator[Stack]:
    home = Path(tempfile.mkdtemp(prefix="resapermis-scan-"))
    home.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    made = Stack(
        home,
        free_port(offsets(), start=31_000 + 40 * (os.getpid() % 50), step=40, attempts=40),
        settings={
            "RESAPERMIS_OTLP_ENDPOINT": receiver.endpoint,
            "RESAPERMIS_TRACE_RATIO": "1",
            "RESAPERMIS_LOG_LEVEL": "DEBUG",
            "OTEL_BSP_SCHEDULE_DELAY": "200",
        },
        component_settings={"basket": {"RESAPERMIS_GRACE_SECONDS": "2", "RESAPERMIS_RECONCILE_ROUND_SECONDS": "1"}},
    )
    with BackgroundStack(made) as running:
        yield running.stack
    if not request.session.testsfailed:
        shutil.rmtree(home)


@pytest.fixture(scope="session")
def state(stack: Stack) -> Iterator[TheState]:
    made = TheState(stack.settings.sandbox_url)
    yield made
    made.web.close()


@pytest.fixture(scope="session")
def schools(stack: Stack, state: TheState) -> Iterator[Schools]:
    made = Schools(stack, state)
    yield made
    made.close()
