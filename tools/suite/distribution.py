"""How the suite is shared between workers: any test goes to whichever is free, those on one platform stay together.

Stands in for `--dist loadgroup`: xdist 3.8 writes a test's group where pytest 9.2 no longer reads it, and after a
worker's death it hands out what that worker had finished as empty work, for which the next one waits for ever
(pytest-dev/pytest-xdist#1323, #1327, mended there after 3.8).
"""

import pytest
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]
from xdist.workermanage import WorkerController  # type: ignore[import-untyped]

PLATFORMS = (
    "tests/journeys/",
    "tests/upgrade/",
    "tests/chaos/tests/test_linear.py",
    "tools/tests/stack/test_stack.py",
)
"""Tests of one of these share a platform, which one worker starts once. They are handed out first, the largest before."""


class ByPlatform(LoadScopeScheduling):  # type: ignore[misc]
    """Every test goes to whichever worker is free, but those on one platform stay together.

    Platforms come first, then single tests in the order of their collection (`longest_first`).
    """

    def _split_scope(self, nodeid: str) -> str:
        return next((platform for platform in PLATFORMS if nodeid.startswith(platform)), nodeid)

    def remove_node(self, node: WorkerController) -> str | None:
        """A worker is gone: what it had not begun goes to the others.

        Returns the test during which it died, which is not begun again and counts as failed; None when it had no more.
        """
        died_in = None
        for scope, unit in self.assigned_work.pop(node).items():
            if died_in is None:
                died_in = next((test for test, done in unit.items() if not done), None)
                if died_in is not None:
                    unit[died_in] = True
            if not all(unit.values()):
                self.workqueue[scope] = unit
        for other in self.assigned_work:
            self._reschedule(other)
        return died_in

    def _reschedule(self, node: WorkerController) -> None:
        """Hand out work until the worker has two tests or knows that there is no more: with one it would wait."""
        super()._reschedule(node)
        while not node.shutting_down and self._pending_of(self.assigned_work[node]) < 2:
            super()._reschedule(node)


def longest_first(items: list[pytest.Item]) -> None:
    """Sort tests by how long each may take, those that may take equally long in the order they have.

    What takes long is begun while others are left for the other workers: none idles at the end.
    """
    items.sort(key=_most_seconds, reverse=True)


def _most_seconds(item: pytest.Item) -> float:
    marker = item.get_closest_marker("timeout")
    return float(marker.args[0]) if marker is not None and marker.args else 0.0
