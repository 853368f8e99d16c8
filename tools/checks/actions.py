"""Every action that a service records in the journal has its words for people in the interface.

A service says an action where it makes a `Record`, or hands it to a function of its own by a parameter called `action`; so
each of these places is followed back to the texts that reach it.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

TEXTS = Path("web", "src", "pages", "journal", "actions.ts")
PACKAGES = "services/*/src/*"
_ACTION = re.compile(r"[a-z_]+\.[a-z_]+|erased")
_TEXT = re.compile(r"^ +\"?([a-z_.]+)\"?: \(\) =>", re.MULTILINE)
Function = ast.FunctionDef | ast.AsyncFunctionDef


def actions_without_text(root: Path) -> list[str]:
    """Actions that the journal page would show as they are stored; places whose action cannot be told count too."""
    told = set(_TEXT.findall((root / TEXTS).read_text(encoding="utf-8")))
    wrong = []
    for folder in sorted(root.glob(PACKAGES)):
        if (folder / "__init__.py").is_file():
            found, unclear = recorded(folder)
            wrong += [f"{TEXTS}: no text for {action}, which {folder.name} records" for action in sorted(found - told)]
            wrong += [f"{place}: which action is recorded cannot be told: write it there" for place in unclear]
    return wrong


def recorded(package: Path) -> tuple[set[str], list[str]]:
    """The actions that a package records, and the places (`file:line`) of which that cannot be told."""
    modules = [_read(file, package) for file in sorted(package.rglob("*.py")) if "migrations" not in file.parts]
    reader = _Reader(modules)
    found: set[str] = set()
    unclear = []
    for module in modules:
        for around, call in _calls(module.tree):
            for value in reader.actions_given(module, call):
                texts, passed_on = reader.reaching(module, around, value)
                found |= texts
                if not texts and not passed_on:
                    unclear.append(f"{module.name}:{call.lineno}")
    return found, unclear


@dataclass
class _Module:
    name: str
    tree: ast.Module
    functions: dict[str, Function] = field(default_factory=dict)
    values: dict[str, ast.expr] = field(default_factory=dict)


def _read(file: Path, package: Path) -> _Module:
    module = _Module(f"{package.name}/{file.relative_to(package)}", ast.parse(file.read_text(encoding="utf-8")))
    module.functions = {node.name: node for node in ast.walk(module.tree) if isinstance(node, Function)}
    for node in module.tree.body:
        for name, value in _assigned(node):
            module.values[name] = value
    return module


def _assigned(node: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    targets: list[ast.expr] = []
    if isinstance(node, ast.Assign):
        targets = node.targets
    elif isinstance(node, ast.AnnAssign):
        targets = [node.target]
    if isinstance(node, ast.Assign | ast.AnnAssign) and node.value is not None:
        for target in targets:
            for name in target.elts if isinstance(target, ast.Tuple) else [target]:
                if isinstance(name, ast.Name):
                    yield name.id, node.value


def _calls(tree: ast.AST, around: Function | None = None) -> Iterator[tuple[Function | None, ast.Call]]:
    """Every call with the innermost function that it stands in."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.Call):
            yield around, node
        yield from _calls(node, node if isinstance(node, Function) else around)


def _name(call: ast.Call) -> str:
    return call.func.id if isinstance(call.func, ast.Name) else getattr(call.func, "attr", "")


def _parameters(function: Function) -> list[ast.arg]:
    return [*function.args.posonlyargs, *function.args.args, *function.args.kwonlyargs]


def _place(function: Function) -> int | None:
    """At which place of a call the action stands; None when the function takes none. An action is a `str`."""
    taken = _parameters(function)
    for place, one in enumerate(taken):
        if one.arg == "action" and isinstance(one.annotation, ast.Name) and one.annotation.id == "str":
            return place - (taken[0].arg in {"self", "cls"})
    return None


def _takes_action(function: Function | None) -> bool:
    return function is not None and any(one.arg == "action" for one in _parameters(function))


def _given(function: Function | None, name: str) -> Iterator[ast.expr]:
    """What a local name is set to."""
    for node in ast.walk(function) if function else ():
        yield from (value for given, value in _assigned(node) if given == name)


def _constants(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _ACTION.fullmatch(node.value):
            yield node.value


class _Reader:
    """What reaches a place in one package. A name is looked up in its module, then in the package's others."""

    def __init__(self, modules: Iterable[_Module]) -> None:
        self._modules = list(modules)

    def actions_given(self, module: _Module, call: ast.Call) -> Iterator[ast.expr]:
        """What a call gives as the action of a record."""
        name = _name(call)
        places = [place for one in self._functions(module, name) if (place := _place(one)) is not None]
        if name == "Record" or places:
            by_keyword = [keyword.value for keyword in call.keywords if keyword.arg == "action"]
            yield from by_keyword or [value for place in places[:1] for value in call.args[place : place + 1]]

    def reaching(self, module: _Module, around: Function | None, value: ast.expr) -> tuple[set[str], bool]:
        """The actions that an expression may be; and whether it is handed on, so that its callers say it."""
        if isinstance(value, ast.Attribute) and value.attr == "action":
            return set(), True  # of a record that another service made
        if isinstance(value, ast.Name) and value.id == "action" and _takes_action(around):
            return set(), True
        return set(self._texts(module, around, value)), False

    def _texts(
        self, module: _Module, around: Function | None, value: ast.expr, names: frozenset[str] = frozenset()
    ) -> Iterator[str]:
        """Texts in an expression, in what its names were set to, and in the functions that it calls.

        `names`: those that were followed to come here.
        """
        for node in ast.walk(value):
            if isinstance(node, ast.Constant):
                yield from _constants(node)
            elif isinstance(node, ast.Name):
                for given in _given(around, node.id) if node.id not in names else ():
                    yield from self._texts(module, around, given, names | {node.id})
                yield from self._of_constant(module, node.id)
            elif isinstance(node, ast.Call):
                for function in self._functions(module, _name(node))[:1]:
                    yield from _constants(function)
                    for named in ast.walk(function):
                        if isinstance(named, ast.Name):
                            yield from self._of_constant(module, named.id)

    def _of_constant(self, module: _Module, name: str) -> Iterator[str]:
        if name.isupper():
            for home in list(self._homes(module, name))[:1]:
                yield from _constants(home.values[name])

    def _functions(self, module: _Module, name: str) -> list[Function]:
        return [home.functions[name] for home in self._homes(module, name) if name in home.functions]

    def _homes(self, module: _Module, name: str) -> Iterator[_Module]:
        others = [] if name.startswith("_") else [one for one in self._modules if one is not module]
        for home in (module, *others):
            if name in home.functions or name in home.values:
                yield home
