"""What lies in src/, and that the contracts of layers know all of it: what they do not name, they let pass.

One package for each library, service and the sandbox; each is named in the contracts between packages; folders that the check of
rooms leaves to Alembic are Alembic's; and nothing is imported by a name that only a running program knows.
"""

import ast
import tomllib
from collections.abc import Iterator
from pathlib import Path

from checks.rooms import GENERATED, packages

_HOMES = ("libs", "services", "sandbox")
_TESTING, _PLACES, _SANDBOX = "resapermis_testing", "resapermis_places", "rdvpermis_sandbox"
_ALEMBICS = ("migrations", "versions")
_BY_NAME = {
    "import_module",
    "__import__",
    "find_spec",
    "spec_from_file_location",
    "run_module",
    "run_path",
    "resolve_name",
}
"""What imports what a text says."""
_MODULES_BY_NAME = {"runpy", "importlib", "importlib.util", "importlib.machinery"}


def strays(root: Path) -> list[str]:
    """Whatever stands in a src/ beside its one package, and folders called as Alembic's that are not."""
    wrong = []
    for src in _sources(root):
        here = src.relative_to(root)
        found = sorted(path for path in src.iterdir() if path.suffix == ".py" or any(path.rglob("*.py")))
        folders = [path.name for path in found if path.is_dir()]
        wrong += [f"{here}/{path.name}: a module beside the package" for path in found if not path.is_dir()]
        if len(folders) != 1:
            wrong.append(f"{here}: one package is wanted, not {', '.join(folders) or 'none'}")
        elif GENERATED not in src.parts and not (src / folders[0] / "__init__.py").is_file():
            wrong.append(f"{here}/{folders[0]}: a package without __init__.py")
        for folder in (src / name for name in folders):
            wrong += [f"{path.relative_to(root)}: {why}" for path, why in _not_alembics(folder)]
    return wrong


def unnamed(root: Path) -> list[str]:
    """Packages that a contract between packages of pyproject.toml should name and does not."""
    settings = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    contracts = {one["id"]: one for one in settings["contracts"]}
    libraries, services, sandbox = (_names(root, home) for home in _HOMES)
    every = libraries | services | sandbox
    wanted = {
        "": {"root_packages": every},
        "services-apart": {"modules": services | sandbox},
        "libs-know-no-service": {"source_modules": libraries, "forbidden_modules": services | sandbox},
        "product-knows-no-test-code": {"source_modules": every - {_TESTING}, "forbidden_modules": {_TESTING}},
        "sandbox-knows-nothing-of-ours": {"source_modules": sandbox, "forbidden_modules": libraries - {_PLACES}},
    }
    wrong = []
    for id_, fields in wanted.items():
        contract = contracts.get(id_, {}) if id_ else settings
        for field, names in fields.items():
            if missing := sorted(names - set(contract.get(field, []))):
                wrong.append(f"pyproject.toml: {id_ or 'importlinter'}: {field} does not name {', '.join(missing)}")
    return wrong


def imported_by_name(root: Path) -> list[str]:
    """Imports in product code that no contract can see."""
    wrong = []
    for package in packages(root):
        for file in sorted(package.rglob("*.py")):
            tree = ast.parse(file.read_text(encoding="utf-8"))
            wrong += [f"{file.relative_to(root)}:{line}: {what}: import it plainly" for line, what in _unseen(tree)]
    return wrong


def _sources(root: Path) -> list[Path]:
    return sorted(src for home in _HOMES for src in root.glob(f"{home}/*/src"))


def _names(root: Path, home: str) -> set[str]:
    return {path.name for src in root.glob(f"{home}/*/src") for path in src.iterdir() if any(path.rglob("*.py"))}


def _not_alembics(package: Path) -> Iterator[tuple[Path, str]]:
    """Folders and modules in them that would be taken for Alembic's."""
    own = package / "migrations"
    for folder in sorted(path for path in package.rglob("*") if path.is_dir() and path.name in _ALEMBICS):
        if folder not in {own, own / "versions"} and any(folder.rglob("*.py")):
            yield folder, "only a package's own migrations/versions is Alembic's"
    for file in sorted(own.rglob("*.py")):
        if file != own / "env.py" and file.parent != own / "versions":
            yield file, "among migrations are env.py and the versions only"


def _unseen(tree: ast.Module) -> Iterator[tuple[int, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found = [alias.name for alias in node.names if alias.name in _MODULES_BY_NAME or _is_migration(alias.name)]
        elif isinstance(node, ast.ImportFrom):
            module = node.module or ""
            names = {alias.name for alias in node.names}
            all_of_it = module in _MODULES_BY_NAME and not names <= {"resources", "metadata"}
            found = (
                [module] if all_of_it or _is_migration(module) or "migrations" in names else sorted(names & _BY_NAME)
            )
        elif isinstance(node, ast.Name | ast.Attribute):
            name = node.id if isinstance(node, ast.Name) else node.attr
            found = [name] if name in _BY_NAME else []
        else:
            continue
        yield from ((node.lineno, name) for name in found)


def _is_migration(module: str) -> bool:
    return "migrations" in module.split(".")
