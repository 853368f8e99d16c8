"""Folders of a package are rooms: none so large that nobody finds anything, no two that import each other.

Two rooms are folders or modules of one floor (in the same folder); what is below a room belongs to it. Import-linter says
which may look into which, this says that there is no way back.
"""

import ast
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

PACKAGES = ("libs/*/src/*", "services/*/src/*", "sandbox/*/src/*")
GENERATED = "contracts"
TREES = ("tools", "tests/*")
"""Folders that stand on the path themselves: their modules and packages are imported without the folder's name."""
INTERFACE = Path("web", "src")
"""Which folder of it may import which is said in web/.dependency-cruiser.mjs."""
MOST_MODULES = 12
_APART = {"versions", "__pycache__"}
"""Alembic's files are a list, not a room."""


def crowded(root: Path) -> list[str]:
    """Folders with more modules than one finds one's way in; `__init__` is the folder itself."""
    wrong = []
    for top in (*packages(root), *_trees(root)):
        for folder in [top, *inner_folders(top)]:
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
    inside = [wrong for package in packages(root) for wrong in ties(package, package.parent)]
    return inside + [wrong for tree in _trees(root) for wrong in ties(tree, tree)]


def ties(folder: Path, path: Path) -> list[str]:
    """Those of one package or tree; `path` is the folder from which its modules are imported."""
    found: dict[tuple[str, str], str] = {}
    modules = {_name(path, file): file for file in folder.rglob("*.py") if not _APART & set(file.parts)}
    for module, file in sorted(modules.items()):
        home = module if file.name == "__init__.py" else module.rpartition(".")[0]
        for imported in _imports(file, home):
            rooms = _rooms(module, imported, modules)
            if rooms is not None:
                found.setdefault(rooms, f"{module} imports {imported}")
    return [
        f"{one} and {other} import each other: {how}; {found[other, one]}"
        for (one, other), how in sorted(found.items())
        if one < other and (other, one) in found
    ]


def _too_many(folder: Path, many: int) -> str:
    return f"{folder}: {many} modules in one folder, {MOST_MODULES} at most"


def packages(root: Path) -> list[Path]:
    """Folders of the packages in src/ of each library, service and the sandbox, but for the generated one."""
    found = sorted(
        folder for pattern in PACKAGES for folder in root.glob(pattern) if (folder / "__init__.py").is_file()
    )
    return [folder for folder in found if GENERATED not in folder.parts]


def _trees(root: Path) -> list[Path]:
    return sorted(folder for pattern in TREES for folder in root.glob(pattern) if folder.is_dir())


def inner_folders(top: Path) -> Iterable[Path]:
    """Folders below, however deep; Alembic's versions are none."""
    return sorted(folder for folder in top.rglob("*") if folder.is_dir() and not _APART & set(folder.parts))


def _name(path: Path, file: Path) -> str:
    parts = file.relative_to(path).with_suffix("").parts
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


def _rooms(module: str, imported: str, modules: dict[str, Path]) -> tuple[str, str] | None:
    """The two neighbours of one floor between which this import goes; None when it stays in its room or leaves the floors."""
    there = imported
    while there and there not in modules:
        there = there.rpartition(".")[0]
    here, other = module.split("."), there.split(".") if there else []
    floor = next((n for n, (a, b) in enumerate(zip(here, other, strict=False)) if a != b), None)
    return None if floor is None else (".".join(here[: floor + 1]), ".".join(other[: floor + 1]))
