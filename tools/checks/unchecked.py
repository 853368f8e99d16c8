"""What squawk does not see in a migration: it must say so beside it, with the reason.

Squawk reads the SQL that a migration writes without a database. It takes a comment's word for what to leave out, looks into no
block and no function, finds nothing in rows that go or change, and is shown nothing that a migration does only against a real
database.
"""

import ast
import io
import re
import tokenize
from collections.abc import Iterator
from pathlib import Path

from checks.compatible import VERSIONS, as_sql, released_migrations

UNSEEN: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("squawk-ignore", re.compile(r"squawk-ignore", re.IGNORECASE)),
    ("a DO block", re.compile(r"\bDO\s+(LANGUAGE\s+\S+\s+)?(\$\w*\$|E?')", re.IGNORECASE)),
    ("a function", re.compile(r"\bCREATE\s+(OR\s+REPLACE\s+)?(FUNCTION|PROCEDURE)\b", re.IGNORECASE)),
    (
        "rows changed or taken away",
        re.compile(
            r"\bTRUNCATE\b|\bDELETE\s+FROM\b|\bUPDATE\s+(?!alembic_version\b)\S+\s+SET\b|\.(?:delete|update)\(",
            re.IGNORECASE,
        ),
    ),
    ("a branch for databases only", re.compile(r"\bis_offline_mode\b|\.as_sql\b")),
)
_REASON = re.compile(r"#\s*unchecked:\s*\w\S*\s+\w+")
WANTED = "squawk does not see what it does; say it otherwise, or `# unchecked: why it harms nobody` beside it"


def unchecked_steps(root: Path, commit: str, _program: str) -> list[str]:
    """Steps without a reason, in migrations that a commit has not; also those that a migration takes from elsewhere."""
    released, wrong = released_migrations(root, commit), []
    for versions in sorted((root / "services").glob(VERSIONS)):
        known = released.get(versions.parts[-3], set())
        new = [file for file in sorted(versions.glob("*.py")) if file.name not in known]
        sources = {file: file.read_text(encoding="utf-8") for file in new}
        for file, source in sources.items():
            wrong += [f"{file.relative_to(root)}:{number}: {what}: {WANTED}" for number, what in of_source(source)]
        if new:
            text = "\n".join(sources.values())
            wrong += [
                f"{versions.parts[-3]}: {what} that stands in none of its new migrations: write it there"
                for what in _of_sql(versions.parent, known)
                if not dict(UNSEEN)[what].search(text)
            ]
    return wrong


def of_source(source: str) -> Iterator[tuple[int, str]]:
    """Line and kind of each step without a reason: on its line, on its statement's first, or right above either."""
    lines, code = source.splitlines(), _without_comments(source)
    for what, pattern in UNSEEN:
        for found in pattern.finditer(code):
            number = code.count("\n", 0, found.start()) + 1
            if not _has_reason(lines, number, _statement(source, number)):
                yield number, what


def _without_comments(source: str) -> str:
    """The source with Python's comments blank, every line where it was."""
    lines = source.splitlines(keepends=True)
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column] + lines[row - 1][column + len(token.string) :]
    return "".join(lines)


def _has_reason(lines: list[str], *numbers: int) -> bool:
    """Whether a reason stands on one of these lines (from 1) or in the comment right above one."""
    for number in numbers:
        if _REASON.search(lines[number - 1]):
            return True
        above = number - 1
        while above > 0 and lines[above - 1].lstrip().startswith("#"):
            if _REASON.search(lines[above - 1]):
                return True
            above -= 1
    return False


def _statement(source: str, number: int) -> int:
    """The first line of the innermost statement that this line belongs to."""
    around = [
        node.lineno
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.stmt) and node.lineno <= number <= (node.end_lineno or node.lineno)
    ]
    return max(around, default=number)


def _of_sql(migrations: Path, known: set[str]) -> Iterator[str]:
    try:
        sql = as_sql(migrations, known)
    except ValueError:
        return  # told by dangerous_migrations
    for what, pattern in UNSEEN:
        if pattern.search(sql):
            yield what
