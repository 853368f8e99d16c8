"""Links of the committed pages lead somewhere: files exist, anchors are headings; so do the paths that they name.

Decisions are named by their number, so each has its own.
"""

import re
import subprocess
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from urllib.parse import unquote

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"(?<!\\)\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s<>]+(?:\([^()\s]*\))?)>?(?:\s+\"[^\"]*\")?\s*\)")
_REFERENCE = re.compile(r"^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.IGNORECASE)


_SPAN = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"(?:[\w.@*<>-]+/)*[\w.@*<>-]+/?")
_PLACE = re.compile(r":{1,2}[\w:]+$")
"""What follows a path to say where in it: a line, a test."""
_PLACEHOLDER = re.compile(r"<[^<>]*>")
_SHORT = re.compile(r"^[A-Z]{2,}/")
"""A page's own abbreviation of a folder; what stands below it is looked for."""
SOURCE = {
    "cedar",
    "css",
    "html",
    "json",
    "mjs",
    "md",
    "po",
    "proto",
    "py",
    "sh",
    "sql",
    "toml",
    "ts",
    "tsx",
    "yaml",
    "yml",
}
"""How names of the repository's files end; another ending may be anything, such as a log or an address."""
MADE = {".resapermis", ".venv", "node_modules", "dist", "__pycache__"}
"""Folders that no commit has."""
_DECISION = re.compile(r"docs/adr/(\d{4})-[^/]*\.md")
AS_IT_WAS = ("CHANGELOG.md", "docs/adr/", "docs/compliance.md")
"""Pages that tell of their day, and one that is generated, with lines of code in it."""


def dead_links(root: Path) -> list[str]:
    """Links to files of this repository that are not there, or to headings that a page has not."""
    return [
        wrong
        for name in _committed(root)
        if name.endswith(".md") and (root / name).is_file()
        for wrong in of_page(root, root / name)
    ]


def dead_paths(root: Path) -> list[str]:
    """Paths in backticks that no committed file or folder ends with; pages name files from the folder they speak of."""
    names = _committed(root)
    known = _tails(names)
    tops = {name.partition("/")[0] for name in names if "/" in name}
    return [
        f"{name}: `{path}` is not there"
        for name in names
        if name.endswith(".md") and not name.startswith(AS_IT_WAS) and (root / name).is_file()
        for path in dict.fromkeys(_paths((root / name).read_text(encoding="utf-8"), tops))
        if not _is_there(path, known)
    ]


def misnumbered_decisions(root: Path) -> list[str]:
    """Decisions under docs/adr whose number another has too, or whose heading has another number than their file."""
    wrong, names = [], dict[str, str]()
    for name in _committed(root):
        found = _DECISION.fullmatch(name)
        if found is None or not (root / name).is_file():
            continue
        number = found[1]
        first = (root / name).read_text(encoding="utf-8").partition("\n")[0]
        if not first.startswith(f"# {int(number)}. "):
            wrong.append(f"{name}: its heading should begin with {int(number)}")
        if number in names:
            wrong.append(f"{name}: {names[number]} has this number; take the next one")
        names.setdefault(number, name)
    return wrong


def _committed(root: Path) -> list[str]:
    listing = subprocess.run(("git", "ls-files", "-z"), cwd=root, capture_output=True, check=True).stdout.decode()
    return sorted(filter(None, listing.split("\0")))


def _tails(names: Iterable[str]) -> set[str]:
    """Every way to name a file or a folder by the end of its path; a folder with a slash behind it too."""
    found = set()
    for name in names:
        parts = name.split("/")
        for end in range(1, len(parts) + 1):
            for start in range(end):
                tail = "/".join(parts[start:end])
                found |= {tail} if end == len(parts) else {tail, f"{tail}/"}
    return found


def _paths(text: str, tops: set[str]) -> Iterator[str]:
    """What looks like a path of the repository; within a command, only what begins at the repository's top."""
    for span in _SPAN.findall(_FENCE.sub("", text)):
        words = span.split()
        for word in words:
            path = _PLACE.sub("", word)
            if _PATH.fullmatch(path) is None or MADE & set(path.split("/")):
                continue
            first, slash, _ = path.partition("/")
            stem, _, ending = path.rpartition(".")
            named = path.endswith("/") or (ending in SOURCE and stem not in {"", "*"})
            if (slash and first in tops) or (len(words) == 1 and named):
                yield path


def _is_there(path: str, known: set[str]) -> bool:
    plain = _SHORT.sub("", _PLACEHOLDER.sub("*", path))
    return any(fnmatchcase(tail, plain) for tail in known) if "*" in plain else plain in known


def of_page(root: Path, page: Path) -> list[str]:
    """The dead links of one page, as lines for a person."""
    text = _FENCE.sub("", page.read_text(encoding="utf-8"))
    wrong = []
    for target in [*_LINK.findall(_CODE.sub("x", text)), *_REFERENCE.findall(text)]:
        if _ELSEWHERE.match(target):
            continue
        path, _, anchor = unquote(target).partition("#")
        file = (page.parent / path).resolve() if path else page
        name = page.relative_to(root)
        if not file.exists():
            wrong.append(f"{name}: {target} is not there")
        elif not file.is_relative_to(root.resolve()):
            wrong.append(f"{name}: {target} lies outside of the repository")
        elif anchor and file.suffix == ".md" and anchor not in anchors(file.read_text(encoding="utf-8")):
            wrong.append(f"{name}: {target}: the page has no such heading")
    return wrong


def anchors(text: str) -> set[str]:
    """What the headings of a page are called in addresses, as GitHub calls them."""
    found: set[str] = set()
    for heading in _HEADING.findall(_FENCE.sub("", text)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
        base = re.sub(r"[^\w\- ]", "", words.lower()).replace(" ", "-")
        number = 0
        while (name := f"{base}-{number}" if number else base) in found:
            number += 1
        found.add(name)
    return found
