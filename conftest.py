"""Fixtures for every suite: real PostgreSQL, NATS and gRPC; how long properties are tried; which tests share a worker."""

import gc
import os
import shutil
from collections.abc import Generator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from resapermis_testing.profile import tries
from resapermis_testing.sources.engine import POSTGRES_IMAGE
from run_tests import FAILED_TESTS
from suite.distribution import ByPlatform, longest_first

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
"""Tests start programs, and never go on in a fork: without this gRPC says at each start that it does nothing about it."""
CONTAINED = POSTGRES_IMAGE in os.environ
"""Whether PostgreSQL and NATS come from containers."""
PROMETHEUS = all(map(shutil.which, ("prometheus", "promtool")))
"""Whether rules and dashboards can be put to the real one."""
pytest_plugins = [
    "resapermis_testing.certificates",
    "resapermis_testing.postgres",
    "resapermis_testing.nats",
    f"resapermis_testing.sources.{'containers' if CONTAINED else 'embedded'}",
    "resapermis_testing.grpc_server",
]
EXAMPLES = tries(briefly=30, long=300)
"""Of a property that asks for no number of its own."""
# What is shown does not depend on how busy the machine is. In CI hypothesis adds that it draws the same each time.
settings.register_profile(
    "resapermis",
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    max_examples=EXAMPLES,
)
settings.load_profile("resapermis")


def pytest_itemcollected(item: pytest.Item) -> None:
    """A property that asks for no number of examples of its own is tried longer in `make test-long`: it is marked so."""
    test = getattr(item, "obj", None)
    if getattr(test, "is_hypothesis_test", False):
        asked: Any = test._hypothesis_internal_use_settings  # type: ignore[union-attr] # noqa: SLF001 - told nowhere else
        if asked.max_examples == EXAMPLES:
            item.add_marker("long")


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """What importing and collecting make stays: it is not looked through for garbage meanwhile, nor ever again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPlatform | None:
    """Share tests as this repository does, not as xdist would."""
    return ByPlatform(config, log) if config.getvalue("dist") == "loadgroup" else None


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with what takes long. Without root, containers or Prometheus, leave out what needs them; the last lines say so."""
    longest_first(items)
    missing = [] if os.geteuid() == 0 else ["root"]
    missing += [] if CONTAINED else ["containers"]
    missing += [] if PROMETHEUS or os.environ.get("CI") else ["prometheus"]
    left_out = [item for item in items if any(item.get_closest_marker(mark) for mark in missing)]
    if left_out:
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what did not run; write down what failed for who runs it again."""
    if (file := os.environ.get(FAILED_TESTS)) and not hasattr(terminalreporter.config, "workerinput"):
        failed = {one.nodeid for kind in ("failed", "error") for one in terminalreporter.stats.get(kind, [])}
        Path(file).write_text("".join(f"{name}\n" for name in sorted(failed)), encoding="utf-8")
    if os.geteuid() != 0:
        terminalreporter.write_line("!!! Tests that need root DID NOT RUN (pytest -m root, as root).")
    if not PROMETHEUS:
        terminalreporter.write_line("!!! Tests that need Prometheus DID NOT RUN (apt install prometheus).")
    if not CONTAINED:
        terminalreporter.write_line("Tests of PostgreSQL in a container did not run (make test CONTAINERS=1).")
