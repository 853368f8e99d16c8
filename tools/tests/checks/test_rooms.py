"""Rooms are small, and no two import each other."""

from pathlib import Path

from checks.rooms import crowded, tied, ties


def write(root: Path, name: str, text: str) -> None:
    (root / name).parent.mkdir(parents=True, exist_ok=True)
    (root / name).write_text(text, encoding="utf-8")


def package(root: Path, files: dict[str, str]) -> Path:
    folder = root / "services" / "one" / "src" / "resapermis_one"
    for name, text in files.items():
        write(folder, name, text)
        for parent in [folder / Path(name).parent, folder]:
            (parent / "__init__.py").touch()
    return folder


def ties_in(folder: Path) -> list[str]:
    return ties(folder, folder.parent)


def test_two_rooms_that_import_each_other_are_told_with_both_ways(tmp_path: Path) -> None:
    there = {"hold/queue.py": "from resapermis_one.booking.swap import Swap\n", "booking/swap.py": ""}
    assert ties_in(package(tmp_path, there)) == []
    back = "def late():\n    from ..hold import queue\n"
    (found,) = ties_in(package(tmp_path, there | {"booking/swap.py": back}))
    assert found.startswith(
        "resapermis_one.booking and resapermis_one.hold import each other: resapermis_one.booking.swap imports"
    )
    assert found.endswith("resapermis_one.hold.queue imports resapermis_one.booking.swap.Swap")
    typed = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import resapermis_one.hold.queue\n"
    assert len(ties_in(package(tmp_path, there | {"booking/swap.py": typed}))) == 1


def test_what_lies_below_a_room_belongs_to_it_and_floors_are_not_rooms(tmp_path: Path) -> None:
    files = {
        "web/routes/one.py": "from resapermis_one.web import app\nfrom resapermis_one import settings\n",
        "web/app.py": "",
        "settings.py": "",
        "__main__.py": "from resapermis_one.web import app\n",
        "iam/deep/one.py": "import resapermis_one.web.routes.one\n",
    }
    assert ties_in(package(tmp_path, files)) == []
    back = {"web/app.py": "from resapermis_one.web.routes import one\n"}
    (found,) = ties_in(package(tmp_path, files | back))
    assert found.startswith("resapermis_one.web.app and resapermis_one.web.routes import each other")
    package(tmp_path, files)
    deep = {"web/routes/one.py": "from resapermis_one.iam.deep.one import x\n"}
    assert len(ties_in(package(tmp_path, files | deep))) == 1


def test_a_folder_has_twelve_modules_at_most(tmp_path: Path) -> None:
    package(tmp_path, {f"room/m{n}.py": "" for n in range(12)} | {f"migrations/versions/{n}.py": "" for n in range(20)})
    assert crowded(tmp_path) == []
    package(tmp_path, {"room/m12.py": ""})
    assert crowded(tmp_path) == ["services/one/src/resapermis_one/room: 13 modules in one folder, 12 at most"]


def test_tools_and_the_platforms_tests_have_rooms_too(tmp_path: Path) -> None:
    write(tmp_path, "tools/ctl/events.py", "from devstack.ports import free\n")
    write(tmp_path, "tools/devstack/ports.py", "import lint\n")
    write(tmp_path, "tools/lint.py", "from ctl import events\n")
    write(tmp_path, "tests/load/rush/main.py", "from data import seed\n")
    write(tmp_path, "tests/load/data/seed.py", "import ctl.events\n")
    assert tied(tmp_path) == []
    write(tmp_path, "tools/devstack/ports.py", "from ctl.events import read\n")
    write(tmp_path, "tests/load/data/seed.py", "def late():\n    import rush.main\n")
    assert tied(tmp_path) == [
        "data and rush import each other: data.seed imports rush.main; rush.main imports data.seed",
        "ctl and devstack import each other: ctl.events imports devstack.ports.free; devstack.ports imports ctl.events.read",
    ]
    for n in range(12):
        write(tmp_path, f"tools/m{n}.py", "")
    assert crowded(tmp_path) == ["tools: 13 modules in one folder, 12 at most"]


def test_a_folder_of_the_interface_has_twelve_modules_at_most_beside_their_tests(tmp_path: Path) -> None:
    for n in range(12):
        write(tmp_path, f"web/src/room/m{n}.ts", "")
        write(tmp_path, f"web/src/room/m{n}.test.ts", "")
    assert crowded(tmp_path) == []
    write(tmp_path, "web/src/room/M12.tsx", "")
    assert crowded(tmp_path) == ["web/src/room: 13 modules in one folder, 12 at most"]
