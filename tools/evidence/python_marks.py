"""Marks of Python tests, read from the source without running anything: of functions, classes and whole modules."""

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from evidence.tests_named import Named

FOLDERS = ("libs", "services", "sandbox", "tools", "tests")
IDLE = {
    "skip": "skipped",
    "skipif": "skipped where its condition holds",
    "xfail": "expected to fail",
    "root": "left out without root",
}
"""Marks with which a test supports nothing, and why."""
_LEAVES = ("pytest.skip", "pytest.xfail", "pytest.importorskip")
Function = ast.FunctionDef | ast.AsyncFunctionDef


class UnreadableMark(Exception):
    """A mark whose ids are computed: nobody can say without running what it names."""


@dataclass(frozen=True)
class _Marks:
    ids: frozenset[str] = frozenset()
    idle: str = ""

    def __or__(self, other: "_Marks") -> "_Marks":
        return _Marks(self.ids | other.ids, self.idle or other.idle)


def python_tests(root: Path) -> Iterator[Named]:
    """Every test function of the repository with the ids that it, its class or its module names.

    UnreadableMark when a mark's ids are no plain words.
    """
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("test_*.py")):
            if "node_modules" not in file.parts:
                yield from tests_of(file.read_text(encoding="utf-8"), file.relative_to(root).as_posix())


def tests_of(source: str, file: str) -> Iterator[Named]:
    """The tests of one module; `file` is what they are called by."""
    tree = ast.parse(source)
    aliases = {target: value for target, value in _assigned(tree.body) if "pytest.mark" in ast.unparse(value)}
    yield from _tests(tree.body, file, "", _pytestmark(tree.body, aliases, file), aliases)


def _tests(
    body: Iterable[ast.stmt], file: str, prefix: str, around: _Marks, aliases: Mapping[str, ast.expr]
) -> Iterator[Named]:
    for node in body:
        if isinstance(node, ast.ClassDef) and node.name.startswith("Test"):
            marks = around | _marks(node.decorator_list, aliases, file) | _pytestmark(node.body, aliases, file)
            yield from _tests(node.body, file, f"{prefix}{node.name}::", marks, aliases)
        elif isinstance(node, Function) and node.name.startswith("test"):
            marks = around | _marks(node.decorator_list, aliases, file)
            yield Named(file, prefix + node.name, marks.ids, marks.idle or _leaves(node))


def _assigned(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value


def _pytestmark(body: Iterable[ast.stmt], aliases: Mapping[str, ast.expr], file: str) -> _Marks:
    found = _Marks()
    for name, value in _assigned(body):
        if name == "pytestmark":
            found |= _marks(value.elts if isinstance(value, ast.List | ast.Tuple) else [value], aliases, file)
    return found


def _marks(written: Iterable[ast.expr], aliases: Mapping[str, ast.expr], file: str) -> _Marks:
    found = _Marks()
    for mark in written:
        if isinstance(mark, ast.Name) and mark.id in aliases:
            found |= _marks([aliases[mark.id]], {}, file)
            continue
        call = ast.unparse(mark.func if isinstance(mark, ast.Call) else mark)
        name = call.removeprefix("pytest.mark.")
        if name == call:
            continue
        if name in IDLE:
            found |= _Marks(idle=IDLE[name])
        elif name == "req":
            found |= _Marks(frozenset(_ids(mark, file)))
    return found


def _ids(mark: ast.expr, file: str) -> Iterator[str]:
    arguments = mark.args if isinstance(mark, ast.Call) else []
    if not arguments:
        raise UnreadableMark(f"{file}:{mark.lineno}: a mark that names nothing")
    for argument in arguments:
        if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
            raise UnreadableMark(
                f"{file}:{mark.lineno}: write the ids of a mark as they are, not as {ast.unparse(argument)}"
            )
        yield argument.value


def _leaves(test: Function) -> str:
    calls = (ast.unparse(node.func) for node in ast.walk(test) if isinstance(node, ast.Call))
    return next((f"calls {call}" for call in calls if call in _LEAVES), "")
