"""The ids that a test may name: requirements of docs/requirements.md and hard cases of docs/catalogue.md."""

import re
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = "docs/requirements.md"
CATALOGUE = "docs/catalogue.md"
_CHAPTER = re.compile(r"^## (.+)$")
_REQUIREMENT = re.compile(r"^- ([A-Z]-\d\d) (?:\[([A-Z,]+)\] )?(.+)$")
_CASE = re.compile(r"^\| ([A-Z]\d+) \| ([^|]*)", re.MULTILINE)


@dataclass(frozen=True)
class Requirement:
    """One promise: its id (R-14), who owes it (letters of the page; empty when the page names nobody), its words."""

    id: str
    owners: str
    text: str
    chapter: str


def requirements(root: Path) -> dict[str, Requirement]:
    """By id, in the order of the page. ValueError when an id stands twice."""
    found: dict[str, Requirement] = {}
    chapter = ""
    for line in (root / REQUIREMENTS).read_text(encoding="utf-8").splitlines():
        if heading := _CHAPTER.match(line):
            chapter = heading[1]
        elif match := _REQUIREMENT.match(line):
            if match[1] in found:
                raise ValueError(f"{REQUIREMENTS}: {match[1]} stands twice")
            found[match[1]] = Requirement(match[1], match[2] or "", match[3], chapter)
    return found


def cases(root: Path) -> dict[str, str]:
    """Ids of the hard cases and what is done in each."""
    return {id_: words.strip() for id_, words in _CASE.findall((root / CATALOGUE).read_text(encoding="utf-8"))}
