"""Marks of Python tests, read from the source without running anything: of functions, classes and whole modules.

Ids are read where they stand plainly: in a decorator, in `pytestmark`, or in a name that stands there; everywhere else they are
refused. What skips or is expected to fail is followed through the module's own functions and names, and taken for the whole test
even if only one of its cases has it. What an imported fixture does is not seen; what pytest makes of the marks is seen in
collected.py.
"""

import ast
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from evidence.tests_named import Named

FOLDERS = ("libs", "services", "sandbox", "tools", "tests")
IDLE = {
    "skip": "skipped",
    "skipif": "skipped where its condition holds",
    "xfail": "expected to fail",
    "root": "left out without root",
    "containers": "left out without containers",
}
"""Marks with which a test supports nothing, and why. `long_only` is none of them: .ci/run runs `make test-long` too."""
_LEAVES = ("skip", "xfail", "importorskip")
_OF_UNITTEST = {"skip", "skipIf", "skipUnless", "expectedFailure", "case"}
_NOT_BY_ITSELF = {
    "pytest": {"mark", "param", *_LEAVES},
    "unittest": _OF_UNITTEST,
}
"""What is written in full, so that it is seen."""
_LATER = {"add_marker", "applymarker"}
"""What marks a test while it runs already."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


class UnreadableMark(Exception):
    """A mark of which nobody can say without running what it names, or which test has it."""


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


def tests_of(source: str, file: str) -> list[Named]:
    """The tests of one module; `file` is what they are called by. UnreadableMark for any form that is not understood."""
    return _Module(ast.parse(source), file).tests()


class _Module:
    """One module's marks: `_idle` is why whoever uses one of its names supports nothing, `_read` are the nodes understood."""

    def __init__(self, tree: ast.Module, file: str) -> None:
        self._tree = tree
        self._file = file
        self._aliases = {name: value for name, value in _assigned(tree.body) if _says_mark(value)}
        self._idle: dict[str, str] = {}
        self._read: set[ast.AST] = set()
        self._within: dict[ast.AST, list[ast.AST]] = {}
        while self._spread():
            pass

    def tests(self) -> list[Named]:
        """All tests, after which nothing that looks like a mark of requirements is left unread."""
        around = self._pytestmark(self._tree.body) | _Marks(idle=self._idle_of_all())
        found = list(self._tests(self._tree.body, "", around))
        ids = {
            name: self._marks([value], ()) for name, value in self._aliases.items() if "mark.req" in ast.unparse(value)
        }
        above = {child: node for node in self._walked(self._tree) for child in ast.iter_child_nodes(node)}
        for node in self._walked(self._tree):
            self._refuse_short_forms(node, above)
            if (
                isinstance(node, ast.Attribute)
                and node.attr == "req"
                and _words(node) == "pytest.mark.req"
                and node not in self._read
            ):
                raise self._unreadable(node, "a mark is read on a test, a class or in pytestmark only")
            if (
                isinstance(node, ast.Name)
                and isinstance(node.ctx, ast.Load)
                and node.id in ids
                and node not in self._read
            ):
                raise self._unreadable(node, f"{node.id} names ids: use it on a test, a class or in pytestmark only")
        return found

    def _walked(self, node: ast.AST) -> list[ast.AST]:
        """The node and all within it, walked once."""
        if node not in self._within:
            self._within[node] = _walk(node)
        return self._within[node]

    def _spread(self) -> bool:
        """Follow skips and expected failures to the names defined by them; whether that has found more."""
        before = len(self._idle)
        for node in self._tree.body:
            if isinstance(node, ast.ClassDef | Function):
                if not node.name.lower().startswith("test") and (why := self._why(node)):
                    self._idle.setdefault(node.name, why)
            elif not isinstance(node, ast.Import | ast.ImportFrom) and (why := self._why(node)):
                plain = isinstance(
                    node, ast.Assign | ast.AnnAssign
                )  # else CASES.append(…) and the like: whatever it uses
                names = {one.id for one in self._walked(node) if isinstance(one, ast.Name)} - {"pytest", "pytestmark"}
                stored = {
                    one.id for one in self._walked(node) if isinstance(one, ast.Name) and isinstance(one.ctx, ast.Store)
                }
                for name in names & stored if plain else names:
                    self._idle.setdefault(name, why)
        return len(self._idle) > before

    def _idle_of_all(self) -> str:
        """Why no test of the module supports anything: it leaves as it is imported, or in a fixture that all have."""
        for node in self._tree.body:
            if isinstance(node, Function):
                if node.name in self._idle and any("autouse=True" in ast.unparse(one) for one in node.decorator_list):
                    return self._idle[node.name]
            elif not isinstance(node, ast.ClassDef) and (why := self._why(node, leaves=True)).startswith("calls"):
                return why
        return ""

    def _why(self, node: ast.AST, *, leaves: bool = False) -> str:
        """Why what holds this node supports nothing; empty when it may. `leaves`: only what is called, not what is marked."""
        for one in self._walked(node):
            if isinstance(one, ast.Attribute):
                words = _words(one)
                name = words.removeprefix("pytest.mark.")
                if not leaves and name != words and name in IDLE:
                    return IDLE[name]
                if (one.attr in _LEAVES and name == words) or one.attr in {"SkipTest", "skipTest"}:
                    return f"calls {words}"
            elif isinstance(one, ast.Name | ast.arg):
                name = one.id if isinstance(one, ast.Name) else one.arg
                if name == "SkipTest":
                    return "calls SkipTest"
                if not leaves and name in self._idle:
                    return self._idle[name]
            elif isinstance(one, ast.Call) and ast.unparse(one.func) == "pytest.mark.usefixtures" and not leaves:
                names = [word.value for word in one.args if isinstance(word, ast.Constant)]
                if why := next((self._idle[str(word)] for word in names if word in self._idle), ""):
                    return why
        return ""

    def _tests(self, body: Iterable[ast.stmt], prefix: str, around: _Marks) -> Iterator[Named]:
        for node in body:
            if isinstance(node, ast.ClassDef):
                if node.name.startswith("Test"):
                    marks = around | self._marks(node.decorator_list, ()) | self._pytestmark(node.body)
                    yield from self._tests(node.body, f"{prefix}{node.name}::", marks)
                elif any("TestCase" in ast.unparse(base) for base in node.bases):
                    raise self._unreadable(node, "tests of unittest are not read")
            elif isinstance(node, Function):
                if node.name.startswith("test"):
                    marks = around | self._marks(node.decorator_list, ())
                    yield Named(self._file, prefix + node.name, marks.ids, marks.idle or self._why(node))
            elif any(isinstance(one, Function) and one.name.startswith("test") for one in self._walked(node)):
                raise self._unreadable(node, "a test that is there only under a condition is not read")

    def _pytestmark(self, body: Iterable[ast.stmt]) -> _Marks:
        found = _Marks()
        for statement in body:
            for name, value in _assigned([statement]):
                if name == "pytestmark":
                    self._read |= set(ast.walk(statement)) - set(ast.walk(value))
                    found |= self._marks([value], (), strictly=True)
        return found

    def _marks(self, written: Iterable[ast.expr], within: Sequence[str], *, strictly: bool = False) -> _Marks:
        found = _Marks()
        for mark in written:
            if isinstance(mark, ast.List | ast.Tuple):
                found |= self._marks(mark.elts, within, strictly=strictly)
                continue
            if isinstance(mark, ast.Name) and mark.id in self._aliases and mark.id not in within:
                self._read.add(mark)
                found |= self._marks([self._aliases[mark.id]], (*within, mark.id), strictly=strictly)
                continue
            named = mark.func if isinstance(mark, ast.Call) else mark
            plain = ast.unparse(named).startswith("pytest.mark.")
            if strictly and not plain:
                raise self._unreadable(mark, "write marks as they are, pytest.mark.…")
            if plain and isinstance(named, ast.Attribute) and named.attr == "req":
                self._read.add(named)
                found |= _Marks(frozenset(self._ids(mark)))
            found |= _Marks(idle=self._why(mark))
        return found

    def _ids(self, mark: ast.expr) -> Iterator[str]:
        arguments = mark.args if isinstance(mark, ast.Call) else []
        if not arguments:
            raise self._unreadable(mark, "a mark that names nothing")
        for argument in arguments:
            if not isinstance(argument, ast.Constant) or not isinstance(argument.value, str):
                raise self._unreadable(mark, f"write the ids of a mark as they are, not as {ast.unparse(argument)}")
            yield argument.value

    def _refuse_short_forms(self, node: ast.AST, above: Mapping[ast.AST, ast.AST]) -> None:
        if isinstance(node, ast.ImportFrom | ast.Import):
            self._refuse_imports(node)
        elif isinstance(node, ast.Attribute):
            words = _words(node)
            if words == "pytest.mark" and not isinstance(above[node], ast.Attribute):
                raise self._unreadable(node, "write marks as they are, pytest.mark.…")
            if node.attr in _LATER or words in {f"unittest.{name}" for name in _OF_UNITTEST}:
                raise self._unreadable(node, f"mark a test where it begins, by pytest.mark, not by {words}")
        elif isinstance(node, ast.Name):
            if node.id == "pytestmark" and node not in self._read:
                raise self._unreadable(node, "pytestmark is assigned once, as it is, in a module or a class")
            if node.id in _NOT_BY_ITSELF and not isinstance(above[node], ast.Attribute):
                raise self._unreadable(node, f"{node.id} is called {node.id} here, and used in full")

    def _refuse_imports(self, node: ast.ImportFrom | ast.Import) -> None:
        modules = [node.module or ""] if isinstance(node, ast.ImportFrom) else [alias.name for alias in node.names]
        if hidden := [name for name in modules if name.startswith(("_pytest", "unittest.case"))]:
            raise self._unreadable(node, f"write what pytest has for it, not {hidden[0]}")
        if isinstance(node, ast.ImportFrom):
            short = _NOT_BY_ITSELF.get(node.module or "", set()) & {alias.name for alias in node.names}
            if short:
                raise self._unreadable(node, f"write {node.module}.{min(short)} in full, or it is not seen")
        elif any(alias.name in _NOT_BY_ITSELF and alias.asname for alias in node.names):
            raise self._unreadable(node, "pytest is called pytest here")

    def _unreadable(self, node: ast.stmt | ast.expr, why: str) -> UnreadableMark:
        return UnreadableMark(f"{self._file}:{node.lineno}: {why}")


def _walk(node: ast.AST) -> list[ast.AST]:
    """As `ast.walk` without contexts, in a third of its time: whole suites are read by it."""
    found = [node]
    for one in found:  # it grows meanwhile
        for name in one._fields:
            value = None if name == "ctx" else getattr(one, name, None)
            if isinstance(value, ast.AST):
                found.append(value)
            elif isinstance(value, list):
                found += [each for each in value if isinstance(each, ast.AST)]
    return found


def _words(node: ast.Attribute) -> str:
    """As it is written, `a.b.c`; of what is no name before the first dot only that there is something."""
    parts = [node.attr]
    before = node.value
    while isinstance(before, ast.Attribute):
        parts.append(before.attr)
        before = before.value
    return ".".join([before.id if isinstance(before, ast.Name) else "…", *reversed(parts)])


def _says_mark(value: ast.expr) -> bool:
    """Whether this is a mark or a list of marks, not something else with marks somewhere within."""
    if isinstance(value, ast.List | ast.Tuple):
        return bool(value.elts) and all(_says_mark(one) or isinstance(one, ast.Name) for one in value.elts)
    return ast.unparse(value).startswith("pytest.mark.")


def _assigned(body: Iterable[ast.stmt]) -> Iterator[tuple[str, ast.expr]]:
    for node in body:
        if isinstance(node, ast.Assign):
            yield from ((target.id, node.value) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.value is not None:
            yield node.target.id, node.value
