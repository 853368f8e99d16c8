"""Tags of web tests (Vitest and Playwright): `[R-14]` in a test's title, or in that of a describe around it.

Only files that web/vite.config.ts and web/playwright.config.ts include are read; a tag in any other test file is refused, as no
runner sees it. Read line by line from sources that the formatter has laid out: a block ends where a line stands as far left as it began.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from evidence.tests_named import Named

FILES = ("web/e2e/*.spec.ts", "web/src/**/*.test.ts", "web/tests/**/*.test.tsx")
_LIKE_TESTS = re.compile(r"\.(test|spec)\.[cm]?[jt]sx?$")
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
_WORDS = "|".join((*_IDLE, "only"))
_AT_ITS_BEGIN = re.compile(r"^ *(?:test\.)?(?:describe|test|it)(?:\.(?!only)\w+)*\((?=\s*[\"'`])", re.MULTILINE)
_WITHIN = re.compile(rf"\.(?:{_WORDS})\b|[{{,]\s*(?:{_WORDS})\s*[,:}}]|\[[\"'`](?:{_WORDS})[\"'`]\]")
"""How a test says within itself, or by an option, that it need not pass: called, taken out of its context, set."""
_EMPTY = re.compile(r"\s*,?\s*\)")
"""What comes after the title of a test that has no body."""
_STEP = 2
"""How much deeper the formatter sets what is within."""


class UnreadableTag(ValueError):
    """A form of test of which this reading does not see the ids, or whether it must pass."""


def web_tests(root: Path) -> Iterator[Named]:
    """Every test of the interface with the ids of its title and of those around it."""
    files = {file for pattern in FILES for file in root.glob(pattern)}
    for file in sorted(files):
        yield from tests_of(file.read_text(encoding="utf-8"), file.relative_to(root).as_posix())
    for file in sorted(_like_tests(root / "web") - files):
        if TAG.search(file.read_text(encoding="utf-8")):
            raise UnreadableTag(
                f"{file.relative_to(root)}: neither Vitest nor Playwright runs it, but {', '.join(FILES)}"
            )


def _like_tests(web: Path) -> set[Path]:
    folders = [folder for folder in web.glob("*/") if folder.name not in {"node_modules", "dist"}]
    return {file for folder in folders for file in folder.rglob("*.*") if _LIKE_TESTS.search(file.name)}


def tests_of(source: str, file: str) -> Iterator[Named]:
    """The tests of one file; `file` is what they are called by. UnreadableTag for what is not understood."""
    source = _COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), source)
    tags = len(TAG.findall(source))
    if tags and (within := _WITHIN.search(_AT_ITS_BEGIN.sub("", source))):
        raise UnreadableTag(f"{file}: say it where the test begins, as test.fails or test.skip, not by {within[0]}")
    read = 0
    around: list[tuple[int, frozenset[str], str]] = []
    lines = source.splitlines(keepends=True)
    start = 0
    for number, line in enumerate(lines, 1):
        indent = len(line) - len(line.lstrip())
        if line.strip():
            while around and indent <= around[-1][0]:
                around.pop()
        if opens := _OPENS.match(line):
            kind, idle = opens[2], next((_IDLE[word] for word in opens[3].split(".") if word in _IDLE), "")
            found = _TITLE.match(source, start + opens.end() - 1)
            title = found[2] if found else ""
            if tags and found:
                inside = around[-1][0] + _STEP if around else 0
                _refuse(f"{file}:{number}", within=indent != inside, empty=bool(_EMPTY.match(source, found.end())))
            read += len(TAG.findall(title))
            ids = frozenset(TAG.findall(title)).union(*(outer for _, outer, _ in around))
            idle = idle or next((why for _, _, why in around if why), "")
            if kind == "describe":
                around.append((indent, ids, idle))
            elif title:
                yield Named(file, title, ids, idle)
        start += len(line)
    if read != tags:
        raise UnreadableTag(f"{file}: an id is read in the plain title of test, it or describe only, without each")


def _refuse(where: str, *, within: bool, empty: bool) -> None:
    if within:
        raise UnreadableTag(f"{where}: a test under a condition or in a loop is not read")
    if empty:
        raise UnreadableTag(f"{where}: a test without a body shows nothing")
