"""Folders of a package are rooms: none so large that nobody finds anything, no two that import each other.

Two rooms are folders of one floor (in the same folder); what is below a room belongs to it. Import-linter says which may
look into which, this says that there is no way back.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGES = ("libs/*/src/*", "services/*/src/*")
GENERATED = "contracts"
INTERFACE = Path("web", "src")
"""Which folder of it may import which is said in web/.dependency-cruiser.mjs."""
MOST_MODULES = 12
_APART = {"versions", "__pycache__"}
"""Alembic's files are a list, not a room."""


def crowded(root: Path) -> list[str]:
    """Folders with more modules than one finds one's way in; `__init__` is the folder itself."""
    wrong = []
    for package in _packages(root):
        for folder in [package, *_folders(package)]:
            many = sum(file.name != "__init__.py" for file in folder.glob("*.py"))
            if many > MOST_MODULES:
                wrong.append(_too_many(folder.relative_to(root), many))
    modules = Counter(
        file.parent for file in (root / INTERFACE).rglob("*.ts*") if not re.search(r"\.(test|d)\.tsx?$", file.name)
    )
    return wrong + [
        _too_many(folder.relative_to(root), many) for folder, many in sorted(modules.items()) if many > MOST_MODULES
    ]


def tied(root: Path) -> list[str]:
    """Pairs of rooms that import each other, with an import of each way."""
    return [wrong for package in _packages(root) for wrong in ties(package)]


def ties(package: Path) -> list[str]:
    """Those of one package, given as its folder."""
    found: dict[tuple[str, str], str] = {}
    modules = {_name(package, file): file for file in package.rglob("*.py") if not _APART & set(file.parts)}
    for module, file in sorted(modules.items()):
        home = module if file.name == "__init__.py" else module.rpartition(".")[0]
        for imported in _imports(file, home):
            rooms = _rooms(home, imported, modules)
            if rooms is not None:
                found.setdefault(rooms, f"{module} imports {imported}")
    return [
        f"{one} and {other} import each other: {how}; {found[other, one]}"
        for (one, other), how in sorted(found.items())
        if one < other and (other, one) in found
    ]


def _too_many(folder: Path, many: int) -> str:
    return f"{folder}: {many} modules in one folder, {MOST_MODULES} at most"


def _packages(root: Path) -> list[Path]:
    found = sorted(
        folder for pattern in PACKAGES for folder in root.glob(pattern) if (folder / "__init__.py").is_file()
    )
    return [folder for folder in found if GENERATED not in folder.parts]


def _folders(package: Path) -> Iterable[Path]:
    return sorted(folder for folder in package.rglob("*") if folder.is_dir() and not _APART & set(folder.parts))


def _name(package: Path, file: Path) -> str:
    parts = file.relative_to(package.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(file: Path, home: str) -> Iterator[str]:
    """Every module or name that is imported, also within functions and for types only."""
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = home.split(".")[: len(home.split(".")) - node.level + 1] if node.level else []
            base = ".".join([*above, *([node.module] if node.module else [])])
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _rooms(home: str, imported: str, modules: dict[str, Path]) -> tuple[str, str] | None:
    """The two folders of one floor between which this import goes; None when it stays in its room or leaves the floors."""
    there = imported
    while there and there not in modules:
        there = there.rpartition(".")[0]
    if not there:
        return None
    folder = there if modules[there].name == "__init__.py" else there.rpartition(".")[0]
    here, other = home.split("."), folder.split(".")
    floor = next((n for n, (a, b) in enumerate(zip(here, other, strict=False)) if a != b), None)
    if not floor:
        return None
    return ".".join(here[: floor + 1]), ".".join(other[: floor + 1])
