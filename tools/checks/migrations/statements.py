"""The SQL of a service's new migrations, statement by statement, each with the migration and the line that wrote it."""

import inspect
import io
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from checks.compatible import as_sql

NAME = r"[\w.]+"
"""Of a table or a column, with its quotes gone."""
_TOKEN = re.compile(
    r"""(?P<comment>--[^\n]*) | (?P<block>/\*) | (?P<dollar>\$(?:[A-Za-z_]\w*)?\$) | (?P<escaped>\b[eE]'(?:[^'\\]|''|\\.)*')
    | (?P<string>'(?:[^']|'')*') | (?P<quoted>"(?:[^"]|"")*") | (?P<end>;) | (?P<other>\w+|\s+|.)""",
    re.VERBOSE | re.DOTALL,
)
_ALTER_TABLE = re.compile(rf"ALTER TABLE (?:IF EXISTS )?(?:ONLY )?({NAME}) (.*)", re.IGNORECASE)
Where = tuple[int, str]
"""The line of a migration that wrote a statement, and what is found in it."""
Judge = Callable[[str], Iterable[str]]
"""What is found in a piece of SQL, in words."""


class _Traced(io.StringIO):
    """Each finding with the line of the migration that wrote it."""

    def __init__(self, migrations: dict[str, Path], judge: Judge) -> None:
        super().__init__()
        self._migrations, self._judge = migrations, judge
        self.found: dict[str, list[Where]] = {}

    def write(self, text: str, /) -> int:
        where = _caller(self._migrations)
        if where is not None:
            name, number = where
            self.found.setdefault(name, []).extend((number, what) for what in self._judge(text))
        return super().write(text)


def found_in(folder: Path, known: set[str], new: dict[str, Path], judge: Judge) -> dict[str, list[Where]]:
    """What `judge` finds in the SQL of new migrations (path → file), by path, in the order in which they run.

    `folder` has `versions/`, `known` are names of the files that were released. {} where they cannot be written as SQL, which
    `dangerous_migrations` tells.
    """
    traced = _Traced(new, judge)
    try:
        as_sql(folder, known, written=traced)
    except ValueError:
        return {}
    return traced.found


def _caller(migrations: dict[str, Path]) -> tuple[str, int] | None:
    frame = inspect.currentframe()
    while frame is not None and frame.f_code.co_filename not in migrations:
        frame = frame.f_back
    return None if frame is None else (frame.f_code.co_filename, frame.f_lineno)


def statements(sql: str) -> Iterator[str]:
    """Each statement on one line: comments gone, strings and bodies empty, quoted names bare."""
    words: list[str] = []
    at = 0
    while (token := _TOKEN.match(sql, at)) is not None:
        at, kind, text = token.end(), token.lastgroup, token[0]
        if kind == "comment":
            text = " "
        elif kind == "block":
            at, text = _end_of_comment(sql, at), " "
        elif kind == "dollar":
            end = sql.find(text, at)
            at, text = (len(sql) if end < 0 else end + len(text)), "''"
        elif kind in {"string", "escaped"}:
            text = "''"
        elif kind == "quoted":
            text = re.sub(r"\W", "_", text[1:-1])
        if kind == "end":
            yield from _line(words)
            words = []
        else:
            words.append(text)
    yield from _line(words)


def altered(statement: str) -> tuple[str, list[str]] | None:
    """The table of an ALTER TABLE and its actions, each for itself; None for any other statement."""
    found = _ALTER_TABLE.fullmatch(statement)
    return None if found is None else (found[1], list(_parts(found[2])))


def _line(words: list[str]) -> Iterator[str]:
    line = " ".join("".join(words).split())
    if line:
        yield line


def _end_of_comment(sql: str, at: int) -> int:
    """PostgreSQL's comments stand in one another."""
    depth = 1
    for mark in re.compile(r"/\*|\*/").finditer(sql, at):
        depth += 1 if mark[0] == "/*" else -1
        if depth == 0:
            return mark.end()
    return len(sql)


def _parts(actions: str) -> Iterator[str]:
    """Parted by commas, but not within brackets."""
    depth, part = 0, ""
    for sign in actions:
        depth += {"(": 1, "[": 1, ")": -1, "]": -1}.get(sign, 0)
        if sign == "," and depth == 0:
            yield part.strip()
            part = ""
        else:
            part += sign
    yield part.strip()
