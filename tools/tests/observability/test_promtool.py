"""Prometheus' own tool reads our configuration and rules, and runs their tests (deploy/prometheus/tests)."""

import shutil
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).resolve().parents[3] / "deploy" / "prometheus"
pytestmark = pytest.mark.prometheus
SLOW = {"opening-hours.yml", "slo.yml"}
"""Half a year in half hours, and days in minutes: seconds of a core."""


@pytest.fixture(scope="module")
def promtool() -> str:
    found = shutil.which("promtool")
    if found is None:
        pytest.fail("promtool is not installed: .ci/run installs it where it is root")
    return found


def _run(*command: str) -> str:
    ended = subprocess.run(command, capture_output=True, text=True, check=False, cwd=FOLDER)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return ended.stdout + ended.stderr


def test_prometheus_takes_configuration_and_rules(promtool: str) -> None:
    assert "SUCCESS" in _run(promtool, "check", "config", "prometheus.yml")


@pytest.mark.req("P-03")
@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "file",
    [
        pytest.param(file.name, marks=[pytest.mark.long_only] if file.name in SLOW else [])
        for file in sorted((FOLDER / "tests").glob("*.yml"))
    ],
)
def test_rules_say_what_their_tests_say(promtool: str, file: str) -> None:
    assert "SUCCESS" in _run(promtool, "test", "rules", f"tests/{file}")
