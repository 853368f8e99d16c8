"""The ids that a test may name: requirements of docs/requirements.md and hard cases of docs/catalogue.md."""

import re
from dataclasses import dataclass
from pathlib import Path

REQUIREMENTS = "docs/requirements.md"
CATALOGUE = "docs/catalogue.md"
_CHAPTER = re.compile(r"^## (.+)$")
_REQUIREMENT = re.compile(r"^- ([A-Z]-\d\d) (?:\[([A-Z](?:,[A-Z])*)\] )?([^\s\[].*)$")
_HOW_MANY = re.compile(r"^There are (\d+) of them\b", re.MULTILINE)
_CASE = re.compile(r"^\| ([A-Z]\d+) \| ([^|]*)", re.MULTILINE)


@dataclass(frozen=True)
class Requirement:
    """One promise: its id (R-14), who owes it (letters of the page; empty when the page names nobody), its words."""

    id: str
    owners: str
    text: str
    chapter: str


def requirements(root: Path) -> dict[str, Requirement]:
    """By id, in the order of the page.

    ValueError when an id stands twice, when a line below a chapter's heading is neither a heading nor one whole requirement
    (it would be lost without a word), or when there are not as many as the page says.
    """
    page = (root / REQUIREMENTS).read_text(encoding="utf-8")
    found: dict[str, Requirement] = {}
    chapter = ""
    for number, line in enumerate(page.splitlines(), 1):
        if heading := _CHAPTER.match(line):
            chapter = heading[1]
        elif match := _REQUIREMENT.match(line) if chapter else None:
            if match[1] in found:
                raise ValueError(f"{REQUIREMENTS}: {match[1]} stands twice")
            found[match[1]] = Requirement(match[1], match[2] or "", match[3], chapter)
        elif line.strip() and (chapter or line.startswith("-")):
            raise ValueError(f'{REQUIREMENTS}:{number}: "- R-14 [G,M] Words." is wanted, in one line, not {line!r}')
    wanted = _HOW_MANY.search(page)
    if wanted is None or int(wanted[1]) != len(found):
        said = wanted[1] if wanted else "not how many"
        raise ValueError(f'{REQUIREMENTS}: has {len(found)} requirements and says {said} ("There are … of them")')
    return found


def cases(root: Path) -> dict[str, str]:
    """Ids of the hard cases and what is done in each."""
    return {id_: words.strip() for id_, words in _CASE.findall((root / CATALOGUE).read_text(encoding="utf-8"))}
