"""Expand, ship, use, contract: a migration takes away what the last release's processes do without, and nothing else (ADR 38).

While an upgrade runs, processes of the last release read and write tables that are those of this one already. So what a
migration takes away (a column, a table, a name), and what it demands of rows that they write (NOT NULL, a constraint, a unique
index), must be nothing to them. Such a migration says since which release that is so, in a constant:

    contracts_after = "v0.3.0"  # reads `title` since then, and writes both

That release must be published, and its tables must not declare what goes. What came since the last release nobody of it knows.
"""

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from checks.compatible import CONTRACTS_AFTER, VERSIONS, as_released, constants_of, released_migrations
from checks.migrations.statements import NAME, altered, found_in, statements
from releases import releases

WANTED = f'say the release since whose code nobody minds: `{CONTRACTS_AFTER} = "v…"`, and why beside it'
_CREATED = re.compile(rf"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?({NAME}).*", re.IGNORECASE)
_DROPPED_TABLE = re.compile(r"DROP TABLE (?:IF EXISTS )?(.*?)(?: CASCADE| RESTRICT)?", re.IGNORECASE)
_UNIQUE = re.compile(rf"CREATE UNIQUE INDEX .*?\bON (?:ONLY )?({NAME}).*", re.IGNORECASE)
_NO_COLUMN = r"(?!CONSTRAINT\b|CHECK\b|UNIQUE\b|PRIMARY\b|FOREIGN\b|EXCLUDE\b|NOT\b)"
_ADDED = re.compile(rf"ADD (?:COLUMN )?(?:IF NOT EXISTS )?{_NO_COLUMN}({NAME})\b(.*)", re.IGNORECASE)
_DROPPED = re.compile(rf"DROP (?:COLUMN )?(?:IF EXISTS )?(?!CONSTRAINT\b)({NAME}).*", re.IGNORECASE)
_RENAMED_TABLE = re.compile(r"RENAME TO .*", re.IGNORECASE)
_RENAMED = re.compile(rf"RENAME (?:COLUMN )?(?!TO\b|CONSTRAINT\b)({NAME}) TO .*", re.IGNORECASE)
_NARROWED = re.compile(
    rf"ALTER (?:COLUMN )?({NAME}) (?:SET NOT NULL|DROP DEFAULT|(?:SET DATA )?TYPE\b).*", re.IGNORECASE
)
_DEMANDED = re.compile(r"ADD (?:CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE|NOT)\b.*", re.IGNORECASE)
_NOT_NULL, _FILLED = re.compile(r"\bNOT NULL\b", re.IGNORECASE), re.compile(r"\b(?:DEFAULT|GENERATED)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Contraction:
    """What a statement takes away or demands. `table` and `column` are what goes by its name; "" where nothing does."""

    words: str
    table: str = ""
    column: str = ""


class NewSchema:
    """The tables and columns that came since the release, as its statements are read one after the other."""

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._tables: set[str] = set()
        self._columns: set[tuple[str, str]] = set()

    def contractions(self, sql: str) -> Iterator[Contraction]:
        """What a piece of SQL takes away, or demands, of what the release has."""
        for statement in statements(sql):
            words = f"`{statement[:60].strip()}`"
            if (created := _CREATED.fullmatch(statement)) is not None:
                self._tables.add(created[1].lower())
            elif (unique := _UNIQUE.fullmatch(statement)) is not None:
                if unique[1].lower() not in self._tables:
                    yield Contraction(words)
            elif (dropped := _DROPPED_TABLE.fullmatch(statement)) is not None:
                for name in dropped[1].split(","):
                    if name.strip().lower() not in self._tables:
                        yield Contraction(words, name.strip().lower())
            elif (table := altered(statement)) is not None and table[0].lower() not in self._tables:
                for action in table[1]:
                    yield from self._of_action(table[0].lower(), action, words)

    def _of_action(self, table: str, action: str, words: str) -> Iterator[Contraction]:
        if (added := _ADDED.fullmatch(action)) is not None:
            self._columns.add((table, added[1].lower()))
            if _NOT_NULL.search(added[2]) and not _FILLED.search(added[2]):
                yield Contraction(words)
        elif _RENAMED_TABLE.fullmatch(action):
            yield Contraction(words, table)
        elif (gone := _DROPPED.fullmatch(action) or _RENAMED.fullmatch(action)) is not None:
            if (table, gone[1].lower()) not in self._columns:
                yield Contraction(words, table, gone[1].lower())
        elif (narrowed := _NARROWED.fullmatch(action)) is not None:
            if (table, narrowed[1].lower()) not in self._columns:
                yield Contraction(words)
        elif _DEMANDED.fullmatch(action):
            yield Contraction(words)


def premature_contracts(root: Path, commit: str, _program: str) -> list[str]:
    """New migrations that take away or demand something without a published release since whose code nobody minds."""
    released, wrong = released_migrations(root, commit), []
    published = releases((root / "docs" / "releases.yaml").read_text(encoding="utf-8"))
    for versions in sorted((root / "services").glob(VERSIONS)):
        known = released.get(versions.parts[-3], set())
        new = {str(file): file for file in sorted(versions.glob("*.py")) if file.name not in known}
        found: list[Contraction] = []
        written = found_in(versions.parent, known, new, _kept_in(found, NewSchema())) if new else {}
        for name, file in new.items():
            here = [(number, found[int(index)]) for number, index in written.get(name, ())]
            after = constants_of(file).get(CONTRACTS_AFTER)
            wrong += [f"{file.relative_to(root)}:{line}" for line in _judged(root, versions, here, after, published)]
    return wrong


def _kept_in(found: list[Contraction], schema: NewSchema) -> Callable[[str], Iterator[str]]:
    """Keep what is found, and answer with its place in the list."""

    def judge(sql: str) -> Iterator[str]:
        for one in schema.contractions(sql):
            found.append(one)
            yield str(len(found) - 1)

    return judge


def _judged(
    root: Path, versions: Path, here: list[tuple[int, Contraction]], after: str | None, published: Mapping[str, str]
) -> Iterator[str]:
    """Complaints about one migration, each with its line (0: the whole file)."""
    if after is None:
        for number, one in here:
            yield f"{number}: {one.words} takes away, or demands, what the last release may have or write: {WANTED}"
    elif after not in published:
        yield f"0: {CONTRACTS_AFTER}: {after} is in no line of docs/releases.yaml: a contract waits for that release"
    elif not here:
        yield f"0: {CONTRACTS_AFTER} = {after!r}, and it takes nothing away"
    elif named := [(number, one) for number, one in here if one.table]:
        package = versions.parents[1]
        service = str(package.parents[1].relative_to(root))
        with as_released(root, published[after], service) as folder:
            tables = list(_tables(folder / package.relative_to(root)))
        for number, one in named:
            if any(table == one.table and (not one.column or one.column in columns) for table, columns in tables):
                yield f"{number}: {one.words}: {after} still declares it in its tables"


def _tables(package: Path) -> Iterator[tuple[str, set[str]]]:
    """Name and columns of each `Table(…)` in a package's source, its migrations left out."""
    for file in sorted(package.rglob("*.py")):
        if "migrations" in file.parts:
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if (name := _called(node, "Table")) is not None:
                columns = {column for below in ast.walk(node) if (column := _called(below, "Column")) is not None}
                yield name, columns


def _called(node: ast.AST, kind: str) -> str | None:
    """The first argument, a text, of a call of `kind` or of its attribute; None for any other node."""
    if not isinstance(node, ast.Call) or not node.args:
        return None
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    first = node.args[0]
    if name != kind or not isinstance(first, ast.Constant) or not isinstance(first.value, str):
        return None
    return first.value
