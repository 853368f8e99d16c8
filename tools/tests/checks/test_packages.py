"""One package in each src/, named in every contract, nothing hidden from them."""

import json
from pathlib import Path

import pytest

from checks.packages import imported_by_name, strays, unnamed

SERVICE = "services/one/src/resapermis_one"
FILES = (
    "libs/contracts/src/resapermis/one.py",
    "libs/kit/src/resapermis_kit/__init__.py",
    "libs/places/src/resapermis_places/__init__.py",
    "libs/testing/src/resapermis_testing/__init__.py",
    "sandbox/rdvpermis/src/rdvpermis_sandbox/__init__.py",
    f"{SERVICE}/__init__.py",
    f"{SERVICE}/hold/__init__.py",
    f"{SERVICE}/migrations/env.py",
    f"{SERVICE}/migrations/versions/0001.py",
)
LIBRARIES = ["resapermis", "resapermis_kit", "resapermis_places", "resapermis_testing"]
SERVICES = ["resapermis_one", "rdvpermis_sandbox"]
CONTRACTS = {
    "services-apart": {"modules": SERVICES},
    "libs-know-no-service": {"source_modules": LIBRARIES, "forbidden_modules": SERVICES},
    "product-knows-no-test-code": {
        "source_modules": [*LIBRARIES[:-1], *SERVICES],
        "forbidden_modules": ["resapermis_testing"],
    },
    "sandbox-knows-nothing-of-ours": {
        "source_modules": ["rdvpermis_sandbox"],
        "forbidden_modules": ["resapermis", "resapermis_kit", "resapermis_testing"],
    },
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A repository in which everything has its place."""
    for name in FILES:
        touch(tmp_path, name)
    contracts = "".join(
        f'[[tool.importlinter.contracts]]\nid = "{id_}"\n'
        + "".join(f"{field} = {json.dumps(names)}\n" for field, names in fields.items())
        for id_, fields in CONTRACTS.items()
    )
    settings = f"[tool.importlinter]\nroot_packages = {json.dumps(LIBRARIES + SERVICES)}\n{contracts}"
    (tmp_path / "pyproject.toml").write_text(settings, encoding="utf-8")
    return tmp_path


def touch(root: Path, name: str, text: str = "") -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def test_what_has_its_place_is_let_pass(tree: Path) -> None:
    assert strays(tree) + unnamed(tree) + imported_by_name(tree) == []


@pytest.mark.parametrize(
    ("file", "said"),
    [
        (
            "services/one/src/resapermis_more/__init__.py",
            "services/one/src: one package is wanted, not resapermis_more,",
        ),
        ("libs/kit/src/other/deep/one.py", "libs/kit/src: one package is wanted, not other, resapermis_kit"),
        ("services/one/src/bare.py", "services/one/src/bare.py: a module beside the package"),
        ("services/two/src/resapermis_two/one.py", "services/two/src/resapermis_two: a package without __init__.py"),
        (f"{SERVICE}/hold/migrations/one.py", f"{SERVICE}/hold/migrations: only a package's own"),
        (f"{SERVICE}/hold/versions/one.py", f"{SERVICE}/hold/versions: only a package's own"),
        (f"{SERVICE}/versions/one.py", f"{SERVICE}/versions: only a package's own"),
        ("libs/kit/src/resapermis_kit/versions/__init__.py", "libs/kit/src/resapermis_kit/versions: only"),
        (f"{SERVICE}/migrations/hidden.py", f"{SERVICE}/migrations/hidden.py: among migrations are env.py"),
        (f"{SERVICE}/migrations/deep/hidden.py", f"{SERVICE}/migrations/deep/hidden.py: among migrations"),
    ],
)
def test_what_no_contract_would_see_is_told(tree: Path, file: str, said: str) -> None:
    touch(tree, file)
    (line,) = strays(tree)
    assert line.startswith(said)


@pytest.mark.parametrize(
    ("file", "where"),
    [
        (
            "services/two/src/resapermis_two/__init__.py",
            [
                "importlinter: root_packages",
                "services-apart: modules",
                "libs-know-no-service: forbidden_modules",
                "product-knows-no-test-code: source_modules",
            ],
        ),
        (
            "libs/two/src/resapermis_two/__init__.py",
            [
                "importlinter: root_packages",
                "libs-know-no-service: source_modules",
                "product-knows-no-test-code: source_modules",
                "sandbox-knows-nothing-of-ours: forbidden_modules",
            ],
        ),
    ],
)
def test_a_new_package_is_to_be_named_in_each_contract(tree: Path, file: str, where: list[str]) -> None:
    touch(tree, file)
    assert unnamed(tree) == [f"pyproject.toml: {one} does not name resapermis_two" for one in where]


def test_a_contract_that_is_gone_names_nobody(tree: Path) -> None:
    file = tree / "pyproject.toml"
    file.write_text(file.read_text(encoding="utf-8").replace("services-apart", "other"), encoding="utf-8")
    assert unnamed(tree) == ["pyproject.toml: services-apart: modules does not name rdvpermis_sandbox, resapermis_one"]


@pytest.mark.parametrize(
    "source",
    [
        "import importlib\n",
        "import importlib.util as found\n",
        "from importlib import import_module\n",
        "from importlib import import_module as load\n",
        "one = __import__('one')\n",
        "import runpy\n",
        "import builtins; one = builtins.__import__('one')\n",
        "import pkgutil; one = pkgutil.resolve_name('one')\n",
        "from resapermis_one.migrations.versions import one\n",
        "from resapermis_one import migrations\n",
        "import resapermis_one.migrations.env\n",
    ],
)
def test_an_import_by_name_is_told(tree: Path, source: str) -> None:
    touch(tree, f"{SERVICE}/hold/one.py", source)
    (line,) = imported_by_name(tree)
    assert line.startswith(f"{SERVICE}/hold/one.py:1: ")


def test_files_and_versions_of_a_package_may_be_read(tree: Path) -> None:
    touch(tree, f"{SERVICE}/one.py", "from importlib import metadata\nfrom importlib.resources import files\n")
    assert imported_by_name(tree) == []
