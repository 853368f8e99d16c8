"""Tags of web tests (Vitest and Playwright): `[R-14]` in a test's title, or in that of a describe around it.

Read line by line from sources that the formatter has laid out: a block ends where a line stands as far left as it began.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from evidence.tests_named import Named

FILES = ("web/e2e/**/*.spec.ts", "web/src/**/*.test.ts", "web/src/**/*.test.tsx", "web/tests/**/*.test.ts*")
TAG = re.compile(r"\[([A-Z]-\d\d|[A-Z]\d+)\]")
_OPENS = re.compile(r"^( *)(?:test\.)?(describe|test|it)((?:\.\w+)*)\(")
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


_COMMENT = re.compile(r"^[ \t]*/\*.*?\*/", re.DOTALL | re.MULTILINE)
_WITHIN = re.compile(r"\b(?:test|it)\.(?:fail|fixme|skip)\((?!\s*[\"'`])|\b(?:fails|skip|todo): *true\b")
"""How a test says within itself that it need not pass."""


class UnreadableTag(ValueError):
    """A form of test of which this reading does not see the ids, or whether it must pass."""


def web_tests(root: Path) -> Iterator[Named]:
    """Every test of the interface with the ids of its title and of those around it."""
    for file in sorted({file for pattern in FILES for file in root.glob(pattern)}):
        yield from tests_of(file.read_text(encoding="utf-8"), file.relative_to(root).as_posix())


def tests_of(source: str, file: str) -> Iterator[Named]:
    """The tests of one file; `file` is what they are called by. UnreadableTag for what is not understood."""
    source = _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), source)
    if within := _WITHIN.search(source):
        raise UnreadableTag(f"{file}: say it where the test begins, as test.fails or test.skip, not by {within[0]}")
    read = 0
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
            read += len(TAG.findall(title))
            ids = frozenset(TAG.findall(title)).union(*(outer for _, outer, _ in around))
            idle = idle or next((why for _, _, why in around if why), "")
            if kind == "describe":
                around.append((indent, ids, idle))
            elif title:
                yield Named(file, title, ids, idle)
        start += len(line)
    if read != len(TAG.findall(source)):
        raise UnreadableTag(f"{file}: an id is read in the plain title of test, it or describe only, without each")
