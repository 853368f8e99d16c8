"""A worker that dies costs the suite the test it died in, and neither another one nor the run."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).parents[1]
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
        "no:randomly",
        "-p",
        "no:cacheprovider",
        "-p",
        "no:asyncio",
        "-q",
    ]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *options, str(folder)],
        cwd=folder, capture_output=True, text=True, timeout=50, check=False,
    )  # fmt: skip
    return ended.stdout.splitlines()[-1]


@pytest.mark.parametrize(("workers", "before", "after"), [(1, 0, 1), (1, 9, 1), (2, 6, 6)])
def test_a_dead_worker_costs_one_test(tmp_path: Path, workers: int, before: int, after: int) -> None:
    text = "".join(GOOD.format(number) for number in range(before)) + DEADLY
    (tmp_path / "test_any.py").write_text(text + "".join(GOOD.format(before + number) for number in range(after)))

    last = run(tmp_path, workers)

    assert f"1 failed, {before + after} passed" in last


def test_a_worker_that_dies_amid_the_platforms_tests_leaves_the_rest_of_them(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_platform.py").write_text(GOOD.format(0) + DEADLY + GOOD.format(1))
    (tmp_path / "test_any.py").write_text(GOOD.format(2))

    assert "1 failed, 3 passed" in run(tmp_path, 2)
