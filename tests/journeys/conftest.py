"""One whole platform for all journeys: real processes, HTTP in, the sandbox as the State."""

import os
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

sys.path.insert(0, str(Path(__file__).parent))

from journey import TICK_SECONDS, DrivingSchool, Schools, TheState

from devstack.background import BackgroundStack
from devstack.components import ALL_COMPONENTS, Ports
from devstack.probes import free_port
from devstack.stack import Stack
from resapermis_testing.certificates import NOBODY

COMPONENT_SETTINGS = {
    # Sixty schools sign in from one address here.
    "auth-gateway": {
        "RESAPERMIS_SIGN_IN_RATE": "6000/minute",
        "RESAPERMIS_READ_RATE": "6000/minute",  # a test asks again ten times a second
        "RESAPERMIS_TICK_SECONDS": str(TICK_SECONDS),
    },
    # Journeys have polled what they ask for; polls by plan for forty schools were a quarter of all the work.
    "scheduling-rules": {"RESAPERMIS_PLAN_POLLS": "4"},
    # A poll may come sooner than on the internet: RdvPermis is on this machine.
    "basket": {
        "RESAPERMIS_GRACE_SECONDS": "2",
        "RESAPERMIS_RECONCILE_ROUND_SECONDS": "1",
        "RESAPERMIS_RESULTS_ROUND_SECONDS": "1",
        "RESAPERMIS_RESULTS_EVERY_SECONDS": "1",
    },
}
LAST = "test_privacy"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What journeys leave behind is checked after them, in whatever order they ran."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.is_relative_to(here) and item.path.stem == LAST)
    for item in items:
        if item.path.is_relative_to(here):
            item.add_marker(pytest.mark.timeout(150))  # the first one starts a whole platform


@pytest.fixture(scope="package")
def platform(request: pytest.FixtureRequest) -> Iterator[BackgroundStack]:
    home = Path(tempfile.mkdtemp(prefix="resapermis-journeys-"))
    home.chmod(0o755)  # as root, PostgreSQL runs as another user and must reach its folder
    offsets = sorted({port - 1 for component in ALL_COMPONENTS for port in Ports(1).of(component).values()})
    # Two runs at once on one machine do not reach for the same range.
    port = free_port(offsets, start=25_000 + 40 * (os.getpid() % 100), step=40, attempts=80)
    lines: list[str] = []
    made = Stack(
        home,
        port,
        component_settings=COMPONENT_SETTINGS,
        say=lambda component, line: lines.append(f"{component}: {line}"),
    )
    with BackgroundStack(made) as running:
        yield running
    assert [line for line in lines if "did not end" in line] == [], "every component drains by itself (P-04)"
    if request.session.testsfailed:
        sys.stderr.write(f"\nlogs of the journeys' stack: {home}/log\n")
    else:
        shutil.rmtree(home)


@pytest.fixture(scope="package")
def stack(platform: BackgroundStack) -> Stack:
    return platform.stack


@pytest.fixture(scope="package")
def state(stack: Stack) -> Iterator[TheState]:
    made = TheState(stack.settings.sandbox_url)
    yield made
    made.web.close()


@pytest.fixture(scope="package")
def all_schools(stack: Stack, state: TheState) -> Iterator[Schools]:
    made = Schools(stack, state)
    yield made
    made.close()


@pytest.fixture
def schools(all_schools: Schools) -> Schools:
    return all_schools


@pytest.fixture
def school(all_schools: Schools) -> DrivingSchool:
    return all_schools.new()


@pytest.fixture(scope="package")
def mailbox(stack: Stack) -> Iterator[httpx2.Client]:
    with httpx2.Client(base_url=f"http://localhost:{stack.ports.mail_web}", timeout=20, verify=NOBODY) as box:
        yield box
