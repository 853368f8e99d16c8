"""Links of the committed pages lead somewhere: files exist, anchors are headings."""

import re
import subprocess
from pathlib import Path
from urllib.parse import unquote

_FENCE = re.compile(r"^(```|~~~).*?^\1", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_LINK = re.compile(r"(?<!\\)\[(?:[^\[\]]|\[[^\]]*\])*\]\(\s*<?([^()\s<>]+(?:\([^()\s]*\))?)>?(?:\s+\"[^\"]*\")?\s*\)")
_REFERENCE = re.compile(r"^\[[^\]]+\]:\s+(\S+)", re.MULTILINE)
_HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
_ELSEWHERE = re.compile(r"^[a-z][a-z0-9+.-]*:|^//", re.IGNORECASE)


def dead_links(root: Path) -> list[str]:
    """Links to files of this repository that are not there, or to headings that a page has not."""
    listing = subprocess.run(
        ("git", "ls-files", "-z", "*.md"), cwd=root, capture_output=True, check=True
    ).stdout.decode()
    return [
        wrong
        for name in sorted(filter(None, listing.split("\0")))
        if (root / name).is_file()
        for wrong in of_page(root, root / name)
    ]


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
