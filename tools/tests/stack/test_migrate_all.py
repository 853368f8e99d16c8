"""One process migrates for many: each by its own `migrate`, in its own environment, and the one that fails is named."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from devstack import programs
from devstack.components import Ports, service_named
from devstack.settings import Settings

TOOL = Path(programs.__file__).with_name("migrate_all.py")


def a_package(folder: Path, name: str, body: str) -> None:
    (folder / name).mkdir()
    (folder / name / "__main__.py").write_text(f"import os, sys\n{body}\n", encoding="utf-8")


def migrated(folder: Path, **orders: dict[str, str]) -> "subprocess.CompletedProcess[str]":
    given = "".join(json.dumps({"package": name, "environment": has}) + "\n" for name, has in orders.items())
    environment = {"PYTHONPATH": str(folder)}
    command = [sys.executable, "-P", str(TOOL)]
    return subprocess.run(command, input=given, env=environment, capture_output=True, text=True, check=False)


def test_each_is_asked_to_migrate_and_sees_its_own_environment_alone(tmp_path: Path) -> None:
    body = f"open(r'{tmp_path}/seen', 'a').write(f'{{sys.argv[1:]}} {{sorted(os.environ.items())}}\\n'); sys.exit(0)"
    a_package(tmp_path, "one", body)
    a_package(tmp_path, "other", body)
    done = migrated(tmp_path, one={"A": "1"}, other={"B": "2"})
    assert (done.returncode, done.stdout) == (0, "one\nother\n"), done.stderr
    assert (tmp_path / "seen").read_text() == "['migrate'] [('A', '1')]\n['migrate'] [('B', '2')]\n"


@pytest.mark.parametrize("failure", ["raise OSError('no database')", "sys.exit('no database')", "sys.exit(2)"])
def test_the_first_that_fails_ends_it(tmp_path: Path, failure: str) -> None:
    a_package(tmp_path, "one", "")
    a_package(tmp_path, "other", failure)
    a_package(tmp_path, "third", "")
    done = migrated(tmp_path, one={}, other={}, third={})
    assert done.returncode != 0
    assert done.stdout == "one\n"
    assert "2" in failure or "no database" in done.stderr


async def test_who_asked_is_told_which_service_failed_and_why(tmp_path: Path) -> None:
    nowhere = {f"{name}_owner": f"postgresql://nobody@/{name}?host={tmp_path}" for name in ("mandate", "basket")}
    settings = Settings(tmp_path, Ports(9000), {}, {}, databases=nowhere)
    with pytest.raises(
        RuntimeError, match=r"^mandate: migrate ended with status 1:\n(.*\n)*.*No such file or directory"
    ):
        await programs.migrate(settings, [service_named("mandate"), service_named("basket")])
