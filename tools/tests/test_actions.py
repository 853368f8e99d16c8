"""An action that a service records and the interface has no words for is told, however it comes to its record."""

from pathlib import Path

import pytest

from checks.actions import TEXTS, actions_without_text, recorded

RECORDS = """
from collections.abc import Mapping

ACTIONS = {1: "line.hold", 2: "line.drop"}
ACTION = "line.name"


def did(who: str, action: str, facts: Mapping[str, str]) -> Record:
    return audit.Record(actor=who, action=action, facts=facts)


def action_of(number: int) -> tuple[str, int]:
    if number == 3:
        return "line.find", 0
    return ACTIONS[number], 1


def of_change(number: int) -> Record:
    action, outcome = action_of(number)
    return Record(action=action, outcome=outcome)
"""
ACTS = """
from one.records import did, ACTION


class Acts:
    def _refused(self, action: str) -> None:
        log.warning("acts.refused", action=action)
        did("me", action, {})

    def act(self) -> None:
        log.warning("act.began")
        did("me", "act.do", {"a": "b.c"})
        did(action=ACTION, facts={}, who="me")
        self._refused("act.refuse" if self else "act.fail")
        Record(action=self.other.action)
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    write(tmp_path, "services/one/src/one/__init__.py", "")
    write(tmp_path, "services/one/src/one/records.py", RECORDS)
    write(tmp_path, "services/one/src/one/room/acts.py", ACTS)
    return tmp_path


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


EVERY = {"line.hold", "line.drop", "line.name", "line.find", "act.do", "act.refuse", "act.fail"}


def test_an_action_is_followed_back_to_where_it_is_said(root: Path) -> None:
    assert recorded(root / "services/one/src/one") == (EVERY, [])


def test_an_action_without_words_is_told(root: Path) -> None:
    words = "".join(f'    "{action}": () => t`Fait`,\n' for action in sorted(EVERY - {"act.fail"}))
    write(root, str(TEXTS), words)
    assert actions_without_text(root) == [f"{TEXTS}: no text for act.fail, which one records"]
    write(root, str(TEXTS), words + '    "act.fail": () => t`Raté`,\n')
    assert actions_without_text(root) == []


def test_a_record_whose_action_cannot_be_told_is_told(root: Path) -> None:
    write(root, "services/one/src/one/late.py", "def late(what):\n    return Record(action=what.name)\n")
    assert recorded(root / "services/one/src/one")[1] == ["one/late.py:2"]
    write(
        root,
        "services/one/src/one/late.py",
        "def late(what):\n    what = what or late(what)\n    Record(action=what)\n",
    )
    assert recorded(root / "services/one/src/one")[1] == ["one/late.py:3"]
