"""What squawk does not see in a migration: it must say so beside it, with the reason.

Squawk reads the SQL that a migration writes without a database. It takes a comment's word for what to leave out, looks into no
block and no function, finds nothing in rows that go or change, and is shown nothing that a migration does only against a real
database. So both lists here say what may be, not what may not: of the SQL the definitions that squawk judges, of the Python
calls of `op`, of SQLAlchemy and of the kit's steps, one after the other. All else wants its reason where it stands.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from checks.compatible import VERSIONS, released_migrations
from checks.migrations.statements import NAME, altered, found_in, statements

KIT_STEPS = "resapermis_kit.database.schema"
KIT_STEPS_FILE = "libs/kit/src/resapermis_kit/database/schema.py"
WANTED = "squawk does not see what it does; say it otherwise, or `# unchecked: why it harms nobody` beside it"
_REASON = re.compile(r"#\s*unchecked:\s*\w\S*\s+\w+")

_NO_ROWS = r"(?!.*\b(?:DELETE|MERGE|TRUNCATE|UPDATE|USING|SELECT|WITH|EXECUTE)\b)"
_DEFINITIONS = re.compile(
    "|".join(
        (
            "BEGIN",
            "COMMIT",
            r"SET (?:LOCAL )?(?:lock_timeout|statement_timeout) ?(?:=|TO) ?\S+",
            r"(?:INSERT INTO|UPDATE) alembic_version\b(?!.*\b(?:FROM|SELECT|WITH)\b).*",
            rf"INSERT INTO {NAME} ?(?:\([^()]*\) ?)?VALUES\b{_NO_ROWS}.*",
            rf"CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?{NAME} ?\((?!.*\bAS \(?(?:WITH|SELECT|TABLE|VALUES|EXECUTE)\b).*",
            rf"CREATE (?:UNIQUE )?INDEX (?:CONCURRENTLY )?(?:IF NOT EXISTS )?{NAME} ON .*",
            "CREATE SEQUENCE .*",
            rf"CREATE TYPE {NAME} AS ENUM .*",
            "COMMENT ON .*",
            "DROP (?:TABLE|INDEX) .*",
            rf"ALTER INDEX (?:IF EXISTS )?{NAME} RENAME TO {NAME}",
            rf"ALTER TYPE {NAME} ADD VALUE .*",
        )
    ),
    re.IGNORECASE,
)
_ACTION = re.compile(
    r"(?:ADD|DROP COLUMN|DROP CONSTRAINT|VALIDATE CONSTRAINT|RENAME)\b.*"
    rf"|ALTER (?:COLUMN )?{NAME} (?:(?:SET|DROP) (?:DEFAULT|NOT NULL)|(?:SET DATA )?TYPE)\b{_NO_ROWS}.*",
    re.IGNORECASE,
)


def unchecked_steps(root: Path, commit: str, _program: str) -> list[str]:
    """Steps without a reason in migrations that a commit has not, and in the kit's steps that they take."""
    released, wrong = released_migrations(root, commit), []
    for versions in sorted((root / "services").glob(VERSIONS)):
        known = released.get(versions.parts[-3], set())
        new = {str(file): file for file in sorted(versions.glob("*.py")) if file.name not in known}
        written = found_in(versions.parent, known, new, unseen) if new else {}
        for name, file in new.items():
            source = file.read_text(encoding="utf-8")
            found = {*steps_of_source(source), *written.get(name, ())}
            wrong += [
                f"{file.relative_to(root)}:{number}: {what}: {WANTED}"
                for number, what in sorted(found)
                if not has_reason(source, number)
            ]
    kit = root / KIT_STEPS_FILE
    if kit.is_file():
        source = kit.read_text(encoding="utf-8")
        wrong += [
            f"{KIT_STEPS_FILE}:{number}: {what}: {WANTED}"
            for number, what in sorted({*branches(ast.parse(source))})
            if not has_reason(source, number)
        ]
    return wrong


# The SQL


def unseen(sql: str) -> Iterator[str]:
    """The beginning of each statement that is no definition which squawk judges, without its comments."""
    if re.search("squawk-ignore", sql, re.IGNORECASE):
        yield "squawk-ignore"
    for statement in statements(sql):
        table = altered(statement)
        known = (
            all(_ACTION.fullmatch(action) for action in table[1])
            if table is not None
            else _DEFINITIONS.fullmatch(statement)
        )
        if not known:
            yield f"`{statement[:40].strip()}`"


# The Python


_BRANCHES = (ast.If, ast.IfExp, ast.BoolOp, ast.While, ast.Try, ast.TryStar, ast.Match, ast.Assert, ast.Raise)
_BRANCHES_OF_STEPS = (*_BRANCHES, ast.Return, ast.Break, ast.Continue, ast.Delete, ast.Lambda, ast.Yield)
_OF_VALUES = {"format", "items", "values", "join"}
"""Methods of what a migration wrote down itself: texts and tables of names."""


def steps_of_source(source: str) -> Iterator[tuple[int, str]]:
    """Line and kind of what is more than one step after the other."""
    module = ast.parse(source)
    yield from branches(module)
    names, steps = _imported(module)
    for node in ast.walk(module):
        if isinstance(node, ast.Import | ast.ImportFrom):
            if not _may_be_imported(node):
                yield node.lineno, f"`{ast.unparse(node)}`"
        elif isinstance(node, ast.Call):
            given = [one for one in (*node.args, *(word.value for word in node.keywords)) if _is_op(one, "get_bind")]
            if given and not (isinstance(node.func, ast.Name) and node.func.id in steps):
                yield node.lineno, "`op.get_bind()`"
            elif not _may_be_called(node, names | steps):
                yield node.lineno, f"`{ast.unparse(node.func)[:40]}()`"
    passed = {id(one) for node in ast.walk(module) if isinstance(node, ast.Call) for one in node.args}
    for node in ast.walk(module):
        if isinstance(node, ast.Call) and _is_op(node, "get_bind") and id(node) not in passed:
            yield node.lineno, "`op.get_bind()`"
        if isinstance(node, ast.Attribute) and node.attr == "get_context" and not _opens_autocommit(module, node):
            yield node.lineno, "`op.get_context()`"


def branches(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and kind of what can make a step differ from what was seen of it."""
    for node in ast.walk(tree):
        if isinstance(node, _BRANCHES_OF_STEPS):
            yield node.lineno, f"a branch (`{ast.unparse(node).splitlines()[0][:40]}`)"
        elif isinstance(node, ast.comprehension) and node.ifs:
            yield node.ifs[0].lineno, f"a branch (`if {ast.unparse(node.ifs[0])[:40]}`)"


def _imported(module: ast.Module) -> tuple[set[str], set[str]]:
    """Names of SQLAlchemy's and of `op`; names of the kit's steps."""
    names: set[str] = set()
    steps: set[str] = set()
    for node in ast.walk(module):
        if isinstance(node, ast.Import):
            names |= {one.asname or one.name for one in node.names}
        elif isinstance(node, ast.ImportFrom):
            (steps if node.module == KIT_STEPS else names).update(one.asname or one.name for one in node.names)
    return names, steps


def _may_be_imported(node: ast.Import | ast.ImportFrom) -> bool:
    if isinstance(node, ast.Import):
        return all(one.name == "sqlalchemy" for one in node.names)
    if node.module == "alembic":
        return [one.name for one in node.names] == ["op"]
    return node.module in {KIT_STEPS, "collections.abc"} or (node.module or "").split(".")[0] == "sqlalchemy"


def _may_be_called(node: ast.Call, names: set[str]) -> bool:
    root: ast.expr = node.func
    while isinstance(root, ast.Attribute | ast.Call):
        root = root.value if isinstance(root, ast.Attribute) else root.func
    if isinstance(root, ast.Name) and root.id in names:
        return True
    return isinstance(node.func, ast.Attribute) and node.func.attr in _OF_VALUES


def _is_op(node: ast.AST, name: str) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == name
        and isinstance(node.func.value, ast.Name)
    )


def _opens_autocommit(module: ast.Module, context: ast.Attribute) -> bool:
    """`with op.get_context().autocommit_block():`, which is written as SQL like all else."""
    for node in ast.walk(module):
        if isinstance(node, ast.With) and len(node.items) == 1:
            opened = node.items[0].context_expr
            if ast.unparse(opened) == "op.get_context().autocommit_block()" and context in ast.walk(opened):
                return True
    return False


# The reason


def has_reason(source: str, number: int) -> bool:
    """Whether a reason stands on the line, on its statement's first or right above either; or so beside a constant in it."""
    lines, module = source.splitlines(), ast.parse(source)
    statement = _statement(module, number)
    numbers = {number}
    if statement is not None:
        numbers.add(statement.lineno)
        simple = isinstance(statement, ast.Expr | ast.Assign)
        used = {node.id for node in ast.walk(statement) if simple and isinstance(node, ast.Name)}
        numbers |= {
            node.lineno
            for node in module.body
            if isinstance(node, ast.Assign | ast.AnnAssign)
            for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
            if isinstance(target, ast.Name) and target.id in used
        }
    return any(_stands_at(lines, one) for one in numbers)


def _stands_at(lines: list[str], number: int) -> bool:
    if _REASON.search(lines[number - 1]):
        return True
    above = number - 1
    while above > 0 and lines[above - 1].lstrip().startswith("#"):
        if _REASON.search(lines[above - 1]):
            return True
        above -= 1
    return False


def _statement(module: ast.Module, number: int) -> ast.stmt | None:
    """The innermost statement that a line (from 1) belongs to."""
    around = [
        node
        for node in ast.walk(module)
        if isinstance(node, ast.stmt) and node.lineno <= number <= (node.end_lineno or node.lineno)
    ]
    return max(around, key=lambda node: node.lineno, default=None)
