"""What an operator asks of judgements: bookings made on the running platform are judged alike again, a change is previewed."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from journey import Schools

from devstack.stack import Stack

pytestmark = pytest.mark.xdist_group("stack")
TOOL = Path(__file__).resolve().parents[2] / "tools" / "resapermisctl.py"


def asked(stack: Stack, *words: str) -> tuple[int, dict[str, Any]]:
    """The tool's exit status and answer."""
    command = [sys.executable, str(TOOL), *words, "--home", str(stack.home), "--port", str(stack.ports.web)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)  # noqa: S603 - our own tool
    assert done.returncode in {0, 1}, done.stderr
    return done.returncode, json.loads(done.stdout)


@pytest.mark.req("R-23", "R-24", "P-05")
def test_bookings_are_judged_alike_again_and_a_change_is_previewed(schools: Schools, stack: Stack) -> None:
    school = schools.new()
    line = school.booking()
    status, report = asked(stack, "compliance-check")
    assert (status, report["compliant"], report["examples"]) == (0, True, [])
    assert report["judgements"] >= 2
    month_of_notice = str(31 * 86_400)
    status, preview = asked(stack, "rule-preview", "notice_seconds", month_of_notice)
    assert status == 0
    assert preview["by_rule"].get("R-NOTICE", 0) >= 1
    assert line["id"] in {example["line"] for example in preview["examples"]} or preview["drifted"] > 20
    status, elsewhere = asked(stack, "rule-preview", "notice_seconds", month_of_notice, "972")
    assert (status, elsewhere["drifted"]) == (0, 0)
    assert school.lines()[line["slot"]["id"]]["state"] == "booked"
