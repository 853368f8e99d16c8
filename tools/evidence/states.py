"""States written by hand in docs/compliance.yaml: shown, partly or open, what is missing, and the control of what is shown."""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

STATES = "docs/compliance.yaml"
_KEY = re.compile(r"^([A-Z]-\d\d):", re.MULTILINE)
SHOWN, PARTLY, OPEN = "shown", "partly", "open"


@dataclass(frozen=True)
class Control:
    """A line of the product without which a test must fail.

    `line` is found exactly once in `file`, whatever its indentation; `instead` takes its place, indented alike. `test` is
    `file::name` of the test that then fails.
    """

    file: str
    line: str
    instead: str
    test: str


@dataclass(frozen=True)
class State:
    """The state of one requirement: `missing` where it is not shown whole, `note` a remark on what is."""

    word: str
    missing: str = ""
    note: str = ""
    control: Control | None = None


class WrongStates(Exception):
    """The file of states has something that cannot be; the message names the id."""


def states(root: Path) -> dict[str, State]:
    """By id. WrongStates when an entry has another shape than it should."""
    text = (root / STATES).read_text(encoding="utf-8")
    content = yaml.safe_load(text)
    for id_, many in Counter(_KEY.findall(text)).items():
        if many > 1:  # YAML keeps the last without a word
            raise WrongStates(f"{STATES}: {id_} stands twice")
    if not isinstance(content, dict):
        raise WrongStates(f"{STATES}: a mapping of ids is wanted")
    return {str(id_): _state(str(id_), entry) for id_, entry in content.items()}


def _state(id_: str, entry: Any) -> State:
    known = {"state", "missing", "note", "control"}
    if not isinstance(entry, dict) or not set(entry) <= known:
        raise WrongStates(f"{STATES}: {id_}: only {', '.join(sorted(known))} are known")
    word, missing = str(entry.get("state", "")), str(entry.get("missing", "")).strip()
    if word not in {SHOWN, PARTLY, OPEN}:
        raise WrongStates(f"{STATES}: {id_}: the state is {SHOWN}, {PARTLY} or {OPEN}, not {word!r}")
    if word == PARTLY and not missing:
        raise WrongStates(f"{STATES}: {id_}: say what is missing")
    if word == SHOWN and missing:
        raise WrongStates(f"{STATES}: {id_}: what misses something is not shown")
    control = _control(id_, entry["control"]) if "control" in entry else None
    return State(word, missing, str(entry.get("note", "")).strip(), control)


def _control(id_: str, entry: Any) -> Control:
    fields = {"file", "line", "instead", "test"}
    if (
        not isinstance(entry, Mapping)
        or set(entry) != fields
        or not all(isinstance(one, str) for one in entry.values())
    ):
        raise WrongStates(f"{STATES}: {id_}: a control has {', '.join(sorted(fields))}, each a text")
    if "\n" in entry["line"].strip() or "\n" in entry["instead"].strip():
        raise WrongStates(f"{STATES}: {id_}: a control replaces one line by one line")
    return Control(entry["file"], entry["line"].strip(), entry["instead"].strip(), entry["test"])
