"""One stack of the old release for all tests, read before anything is done to it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "journeys"))
sys.path.insert(0, str(Path(__file__).parent))

from upgraded import Upgraded
from upgraded import upgraded as made

LAST = "test_a_hold_of_the_old_version_is_validated_and_the_school_goes_on_booking"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.parent == here and item.name == LAST)


@pytest.fixture(scope="package")
def upgraded(request: pytest.FixtureRequest) -> Iterator[Upgraded]:
    with made(lambda: bool(request.session.testsfailed)) as stack:
        yield stack
