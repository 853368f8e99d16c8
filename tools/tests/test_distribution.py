"""A worker that dies costs the suite the test it died in, and neither another one nor the run."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from suite.distribution import PLATFORMS

TOOLS = Path(__file__).parents[1]
FEW_PLUGINS = os.environ | {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
"""All of this repository's would take several seconds to load, in each process of each run."""
CONFTEST = """
from suite.distribution import ByPlatform

def pytest_xdist_make_scheduler(config, log):
    return ByPlatform(config, log)
"""
GOOD = "def test_good_{0}(): pass\n"
DEADLY = "import os\ndef test_deadly(): os._exit(11)\n"


def run(folder: Path, workers: int) -> str:
    """The suite in this folder; its last line."""
    (folder / "conftest.py").write_text(CONFTEST)
    (folder / "pytest.ini").write_text(f"[pytest]\npythonpath = {TOOLS}\n")
    options = [
        "-n",
        str(workers),
        "--dist",
        "loadgroup",
        "-p",
        "no:cacheprovider",
        "-q",
    ]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "xdist.plugin", *options, str(folder)],
        cwd=folder, env=FEW_PLUGINS, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    return ended.stdout.splitlines()[-1]


@pytest.mark.parametrize(
    ("workers", "before", "after"),
    [
        (1, 0, 1),
        pytest.param(
            1, 9, 1, marks=pytest.mark.long_only
        ),  # each a run with workers of its own, a second and a half of CPU
        pytest.param(2, 6, 6, marks=pytest.mark.long_only),  # in `make test`: two workers in the test below
    ],
)
def test_a_dead_worker_costs_one_test(tmp_path: Path, workers: int, before: int, after: int) -> None:
    text = "".join(GOOD.format(number) for number in range(before)) + DEADLY
    (tmp_path / "test_any.py").write_text(text + "".join(GOOD.format(before + number) for number in range(after)))

    last = run(tmp_path, workers)

    assert f"1 failed, {before + after} passed" in last


def test_a_worker_that_dies_amid_the_platforms_tests_leaves_the_rest_of_them(tmp_path: Path) -> None:
    folder = tmp_path / PLATFORMS[0]
    folder.mkdir(parents=True)
    (folder / "test_platform.py").write_text(GOOD.format(0) + DEADLY + GOOD.format(1))
    (tmp_path / "test_any.py").write_text(GOOD.format(2))

    assert "1 failed, 3 passed" in run(tmp_path, 2)


def test_every_platform_is_one_of_this_repository() -> None:
    assert [platform for platform in PLATFORMS if not (TOOLS.parent / platform).exists()] == []


def test_what_may_take_long_is_begun_first_and_the_rest_keeps_its_order(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from suite.distribution import longest_first\ndef pytest_collection_modifyitems(items): longest_first(items)\n"
    )
    (tmp_path / "pytest.ini").write_text(f"[pytest]\npythonpath = {TOOLS}\n")
    (tmp_path / "test_any.py").write_text(
        "import pytest\n"
        + "".join(
            f"{f'@pytest.mark.timeout({seconds})' if seconds else ''}\ndef test_{name}(): pass\n"
            for name, seconds in (("b", 0), ("d", 180), ("a", 0), ("c", 600), ("e", 180))
        )
    )
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "pytest_timeout", "--collect-only", "-q"]
    listed = subprocess.run(
        command, cwd=tmp_path, env=FEW_PLUGINS, capture_output=True, text=True, timeout=50, check=True
    ).stdout
    assert [line.partition("::")[2] for line in listed.splitlines() if "::" in line] == [
        f"test_{name}" for name in "cdeba"
    ]
