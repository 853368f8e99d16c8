"""Every room of a package says what stands above what in it: a new room, or one without order, escapes nobody.

The contracts themselves are import-linter's: this sees that there is one for each room, over every module of it.
"""

import tomllib
from pathlib import Path
from typing import Any

from checks.rooms import inner_folders, packages

CONTRACTS = "importlinter.toml"
"""Beside a package's pyproject.toml; tools/ has one for all of its packages."""
ESCAPES = ("ignore_imports", "exhaustive_ignores", "exclude_type_checking_imports")
"""What lets an import, or a module, out of a contract."""


def contract_files(root: Path) -> list[Path]:
    """Import-linter's settings of each package, and of tools/."""
    files = {_contracts_of(root, package) for package in [*packages(root), *_tools(root)]}
    return sorted(file for file in files if file.is_file())


def unlayered(root: Path) -> list[str]:
    """Rooms of two or more modules without an exhaustive contract of layers, and whatever lets imports out of one."""
    wrong = []
    for package in [*packages(root), *_tools(root)]:
        file = _contracts_of(root, package)
        ordered = _ordered(file)
        for folder in [package, *inner_folders(package)]:
            here = folder.relative_to(root)
            if not (folder / "__init__.py").is_file():
                if any(folder.glob("*.py")) and folder.name != "migrations":
                    wrong.append(f"{here}: modules in a folder without __init__.py, which import-linter does not see")
                continue
            room = ".".join(folder.relative_to(package.parent).parts)
            if len(_modules(folder)) > 1 and room not in ordered:
                wrong.append(f"{here}: no exhaustive layers of {room} in {file.relative_to(root)}")
    settings = [root / "pyproject.toml", *contract_files(root)]
    return wrong + [line for file in settings if file.is_file() for line in _escapes(root, file)]


def _contracts_of(root: Path, package: Path) -> Path:
    home = root / "tools"
    return (home if package.parent == home else package.parents[1]) / CONTRACTS


def _tools(root: Path) -> list[Path]:
    return sorted(file.parent for file in root.glob("tools/*/__init__.py"))


def _modules(folder: Path) -> list[Path]:
    """What import-linter takes for a folder's children."""
    return [
        path
        for path in folder.iterdir()
        if (path.suffix == ".py" and path.name != "__init__.py") or (path / "__init__.py").is_file()
    ]


def _settings(file: Path) -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads(file.read_text(encoding="utf-8")).get("tool", {}).get("importlinter", {})
    return found


def _ordered(file: Path) -> set[str]:
    if not file.is_file():
        return set()
    exhaustive = [
        one for one in _settings(file).get("contracts", []) if one.get("type") == "layers" and one.get("exhaustive")
    ]
    return {container for one in exhaustive for container in one.get("containers", [])}


def _escapes(root: Path, file: Path) -> list[str]:
    settings = _settings(file)
    there = [("", settings), *((f" in {one.get('id')}", one) for one in settings.get("contracts", []))]
    here = file.relative_to(root)
    wrong = [f"{here}: {word}{where}" for where, one in there for word in ESCAPES if word in one]
    together = [(where, layer) for where, one in there for layer in one.get("layers", []) if ":" in str(layer)]
    return wrong + [f'{here}: "{layer}"{where}: ":" lets neighbours import each other' for where, layer in together]
