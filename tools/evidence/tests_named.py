"""A test and the ids it names, wherever they are written."""

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Named:
    """A test that names requirements or cases.

    `file` is relative to the repository, `name` is pytest's (`Class::test_x`) or the web test's title; `file::name` is what
    a control calls it. `idle` is why it supports nothing (skipped, expected to fail, left out in CI); empty when it does.
    """

    file: str
    name: str
    ids: frozenset[str]
    idle: str = ""

    @property
    def node(self) -> str:
        """What a control calls it: `file::name`."""
        return f"{self.file}::{self.name}"


def supporting(tests: Iterable[Named]) -> dict[str, list[Named]]:
    """Tests that run and must pass in CI, by each id they name."""
    found: dict[str, list[Named]] = {}
    for test in tests:
        if not test.idle:
            for id_ in test.ids:
                found.setdefault(id_, []).append(test)
    return found
