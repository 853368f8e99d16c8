"""No room without order: each of two or more modules has an exhaustive contract, and nothing lets an import out of it."""

from pathlib import Path

import pytest

from checks.layers import contract_files, unlayered

PACKAGE = "services/one/src/resapermis_one"
FILES = ("__init__.py", "settings.py", "hold/__init__.py", "hold/command.py", "hold/queries.py", "migrations/env.py")
ROOM = """
[[tool.importlinter.contracts]]
id = "rooms-one{id}"
type = "layers"
containers = ["{container}"]
layers = []
{more}
"""


def contract(container: str, more: str = "exhaustive = true") -> str:
    return ROOM.format(id=container.removeprefix("resapermis_one").replace(".", "-"), container=container, more=more)


WHOLE = contract("resapermis_one") + contract("resapermis_one.hold")


def service(root: Path, contracts: str, *files: str) -> list[str]:
    """What is said of a service with these contracts."""
    for name in (*FILES, *files):
        (root / PACKAGE / name).parent.mkdir(parents=True, exist_ok=True)
        (root / PACKAGE / name).touch()
    (root / "services/one/importlinter.toml").write_text(f"[tool.importlinter]\n{contracts}", encoding="utf-8")
    return unlayered(root)


def test_a_service_whose_rooms_all_have_their_order_is_let_pass(tmp_path: Path) -> None:
    assert service(tmp_path, WHOLE, "lonely/__init__.py", "lonely/one.py", "migrations/versions/0001.py") == []
    assert contract_files(tmp_path) == [tmp_path / "services/one/importlinter.toml"]


def test_a_new_room_without_order_is_told(tmp_path: Path) -> None:
    assert service(tmp_path, WHOLE, "hold/deep/__init__.py", "hold/deep/one.py", "hold/deep/two.py") == [
        f"{PACKAGE}/hold/deep: no exhaustive layers of resapermis_one.hold.deep in services/one/importlinter.toml"
    ]


@pytest.mark.parametrize(
    "instead",
    ["", contract("resapermis_one.hold", ""), contract("resapermis_one.hold").replace('"layers"', '"independence"')],
)
def test_an_order_over_some_modules_or_of_another_kind_is_none(tmp_path: Path, instead: str) -> None:
    (found,) = service(tmp_path, contract("resapermis_one") + instead)
    assert found.startswith(f"{PACKAGE}/hold: no exhaustive layers")


def test_a_package_without_any_contract_is_told_room_by_room(tmp_path: Path) -> None:
    service(tmp_path, WHOLE)
    (tmp_path / "services/one/importlinter.toml").unlink()
    assert len(unlayered(tmp_path)) == 2


def test_modules_that_import_linter_would_not_see_are_told(tmp_path: Path) -> None:
    (found,) = service(tmp_path, WHOLE, "hidden/one.py")
    assert found.startswith(f"{PACKAGE}/hidden: modules in a folder without __init__.py")


@pytest.mark.parametrize("escape", ["ignore_imports", "exhaustive_ignores"])
def test_a_contract_has_no_exceptions(tmp_path: Path, escape: str) -> None:
    more = f'exhaustive = true\n{escape} = ["resapermis_one.hold.command -> resapermis_one.hold.queries"]'
    assert service(tmp_path, contract("resapermis_one") + contract("resapermis_one.hold", more)) == [
        f"services/one/importlinter.toml: {escape} in rooms-one-hold"
    ]


def test_neighbours_of_one_layer_do_not_import_each_other(tmp_path: Path) -> None:
    instead = contract("resapermis_one.hold").replace("layers = []", 'layers = ["command : queries"]')
    assert service(tmp_path, contract("resapermis_one") + instead) == [
        'services/one/importlinter.toml: "command : queries" in rooms-one-hold: ":" lets neighbours import each other'
    ]


def test_imports_for_types_only_count_everywhere(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text("[tool.importlinter]\nexclude_type_checking_imports = true\n")
    assert service(tmp_path, WHOLE) == ["pyproject.toml: exclude_type_checking_imports"]


def test_packages_of_tools_have_rooms_too(tmp_path: Path) -> None:
    for name in ("__init__.py", "one.py", "two.py"):
        (tmp_path / "tools/devstack").mkdir(parents=True, exist_ok=True)
        (tmp_path / "tools/devstack" / name).touch()
    assert unlayered(tmp_path) == ["tools/devstack: no exhaustive layers of devstack in tools/importlinter.toml"]
