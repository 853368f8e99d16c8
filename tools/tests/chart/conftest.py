"""What the chart renders, once a worker: helm takes a tenth of a second for each."""

from copy import deepcopy
from functools import cache

import pytest

from chart.helm import Object, rendered


@cache
def _once(name: str, *, upgrade: bool) -> list[Object]:
    return rendered(name, upgrade=upgrade)


@pytest.fixture
def department() -> list[Object]:
    """A department's objects, to be changed as a test likes."""
    return deepcopy(_once("department", upgrade=False))


@pytest.fixture
def national() -> list[Object]:
    return deepcopy(_once("national", upgrade=False))


@pytest.fixture
def upgrade() -> list[Object]:
    return deepcopy(_once("national", upgrade=True))
