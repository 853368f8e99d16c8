"""Fixtures for every suite: real PostgreSQL, NATS and gRPC; and which tests share a worker."""

from typing import Any

import pytest
from xdist.scheduler import LoadScopeScheduling

pytest_plugins = ["resapermis_kit.testing"]
WHOLE_PLATFORM = "tests/"
"""Tests here run a whole platform: one worker starts it, and the machine carries one."""


class ByPlatform(LoadScopeScheduling):
    """Every test goes to whichever worker is free, but those on the platform stay together."""

    def _split_scope(self, nodeid: str) -> str:
        return WHOLE_PLATFORM if nodeid.startswith(WHOLE_PLATFORM) else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling | None:
    """Stand in for `--dist loadgroup`: xdist 3.8 writes a test's group where pytest 9.2 no longer reads it."""
    return ByPlatform(config, log) if config.getvalue("dist") == "loadgroup" else None
