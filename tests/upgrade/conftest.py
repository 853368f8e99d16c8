"""One stack of the old release for all tests of a file, read before anything is done to it."""

import sys
from pathlib import Path

import pytest

sys.path[:0] = [str(Path(__file__).parents[1] / "journeys"), str(Path(__file__).parent)]

LAST = "test_a_hold_of_the_old_version_is_validated_and_the_school_goes_on_booking"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.parent == here and item.name == LAST)
