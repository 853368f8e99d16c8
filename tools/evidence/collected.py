"""What pytest itself collects, against what is read from sources: a mark on a test that never runs supports nothing.

The reading of sources sees what a test does within; whether there is such a test at all (a folder that is not looked into,
`__test__ = False`, no case to run) and which marks it has in the end (from a conftest.py, by another name) only pytest knows.
This module is also the plugin that writes that down.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import pytest

from evidence.python_marks import IDLE, python_tests
from evidence.tests_named import Named

_FILE = "RESAPERMIS_COLLECTED"
"""Where the plugin writes; only who collects for us sets it."""


class NotCollected(Exception):
    """Pytest did not end its collection well; the message has what it said."""


def pytest_collection_finish(session: pytest.Session) -> None:
    """Write down each case that is left to run: its test, the ids it names, why it need not pass."""
    cases = [
        {
            "test": item.nodeid.split("[")[0],
            "ids": [str(id_) for mark in item.iter_markers("req") for id_ in mark.args],
            "idle": next((why for mark, why in IDLE.items() if item.get_closest_marker(mark)), ""),
        }
        for item in session.items
    ]
    Path(os.environ[_FILE]).write_text(json.dumps(cases), encoding="utf-8")


def collected(root: Path, report: Path) -> dict[str, Named]:
    """Tests by what a control calls them (`file::name`), idle when one of their cases is. NotCollected with pytest's words."""
    command = (sys.executable, "-m", "pytest", "-p", "evidence.collected", "--collect-only", "-qq")
    tools = os.pathsep.join(filter(None, (str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", ""))))
    environment = {**os.environ, "PYTHONPATH": tools, _FILE: str(report)}
    done = subprocess.run(command, cwd=root, env=environment, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not report.is_file():
        raise NotCollected(
            f"pytest --collect-only ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}"
        )
    found: dict[str, Named] = {}
    for case in json.loads(report.read_text(encoding="utf-8")):
        file, _, name = case["test"].partition("::")
        before = found.get(case["test"], Named(file, name, frozenset()))
        found[case["test"]] = Named(file, name, before.ids | set(case["ids"]), before.idle or case["idle"])
    return found


def differences(root: Path, report: Path) -> list[str]:
    """Marked tests of which pytest says something else than their source; `report` is a file to write to."""
    return list(_differences(python_tests(root), collected(root, report)))


def _differences(read: Iterable[Named], run: Mapping[str, Named]) -> Iterator[str]:
    by_source = {test.node: test for test in read if test.ids}
    for node, test in by_source.items():
        there = run.get(node)
        if there is None:
            if not test.idle:
                yield f"{node} names {_words(test)}, and pytest does not collect it"
        elif there.ids != test.ids:
            yield f"{node} names {_words(test)} by its source, {_words(there)} as pytest collects it"
        elif there.idle and not test.idle:
            yield f"{node} names {_words(test)}, and a case of it need not pass as pytest collects it: {there.idle}"
    for node, test in run.items():
        if test.ids and node not in by_source:
            yield f"{node} names {_words(test)} as pytest collects it, which its source does not say plainly"


def _words(test: Named) -> str:
    return ", ".join(sorted(test.ids)) or "nothing"
