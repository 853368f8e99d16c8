"""Fixtures for every suite: real PostgreSQL, NATS and gRPC; and which tests share a worker."""

import os
from typing import Any

import pytest

from sharing_tests import ByPlatform

os.environ.setdefault("GRPC_ENABLE_FORK_SUPPORT", "0")
"""Tests start programs, and never go on in a fork: without this gRPC says at each start that it does nothing about it."""
pytest_plugins = ["resapermis_kit.testing"]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> ByPlatform | None:
    """Share tests as this repository does, not as xdist would."""
    return ByPlatform(config, log) if config.getvalue("dist") == "loadgroup" else None
