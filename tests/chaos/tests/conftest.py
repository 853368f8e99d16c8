import sys
from pathlib import Path

import pytest

sys.path.append(str(Path(__file__).parents[1]))
sys.path.append(str(Path(__file__).parents[3] / "services" / "basket" / "tests"))  # basket's peers as small servicers

LAST = "test_two_replicas_are_linearizable_and_without_their_index_they_are_not"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Who takes the guard of a shared platform away comes after those who need it, in whatever order they ran."""
    here = Path(__file__).parent
    items.sort(key=lambda item: item.path.parent == here and item.name == LAST)
