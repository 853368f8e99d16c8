"""Tags of web tests (Vitest and Playwright): `[R-14]` in a test's title, or in that of a describe around it.

Read line by line from sources that the formatter has laid out: a block ends where a line stands as far left as it began.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from evidence.tests_named import Named

FILES = ("web/e2e/**/*.spec.ts", "web/src/**/*.test.ts", "web/src/**/*.test.tsx", "web/tests/**/*.test.ts*")
TAG = re.compile(r"\[([A-Z]-\d\d|[A-Z]\d+)\]")
_OPENS = re.compile(r"^( *)(describe|test|it)((?:\.\w+)*)\(")
_TITLE = re.compile(r"""\(\s*(["'`])((?:\\.|(?!\1).)*)\1""", re.DOTALL)
_IDLE = {
    "skip": "skipped",
    "skipIf": "skipped where its condition holds",
    "runIf": "skipped where its condition fails",
    "fixme": "skipped",
    "todo": "not written",
    "fails": "expected to fail",
    "fail": "expected to fail",
}


def web_tests(root: Path) -> Iterator[Named]:
    """Every test of the interface with the ids of its title and of those around it."""
    for file in sorted({file for pattern in FILES for file in root.glob(pattern)}):
        yield from tests_of(file.read_text(encoding="utf-8"), file.relative_to(root).as_posix())


def tests_of(source: str, file: str) -> Iterator[Named]:
    """The tests of one file; `file` is what they are called by."""
    around: list[tuple[int, frozenset[str], str]] = []
    lines = source.splitlines(keepends=True)
    start = 0
    for line in lines:
        indent = len(line) - len(line.lstrip())
        if line.strip():
            while around and indent <= around[-1][0]:
                around.pop()
        if opens := _OPENS.match(line):
            kind, idle = opens[2], next((_IDLE[word] for word in opens[3].split(".") if word in _IDLE), "")
            found = _TITLE.match(source, start + opens.end() - 1)
            title = found[2] if found else ""
            ids = frozenset(TAG.findall(title)).union(*(outer for _, outer, _ in around))
            idle = idle or next((why for _, _, why in around if why), "")
            if kind == "describe":
                around.append((indent, ids, idle))
            elif title:
                yield Named(file, title, ids, idle)
        start += len(line)
