"""Fixtures for every suite: real PostgreSQL, NATS and gRPC; and which tests share a worker."""

from typing import Any

import pytest

from sharing_tests import ByPlatform

pytest_plugins = ["resapermis_kit.testing"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPlatform | None:
    """Share tests as this repository does, not as xdist would."""
    return ByPlatform(config, log) if config.getvalue("dist") == "loadgroup" else None
