"""What an operator asks of judgements: bookings made on the running platform are judged alike again, a change is previewed."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from journey import Schools

import resapermisctl
from devstack.stack import Stack

pytestmark = pytest.mark.xdist_group("stack")
Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def asked(stack: Stack, capfd: pytest.CaptureFixture[str]) -> Ask:
    """A function: the operator's words → the tool's exit status and answer. Basket answers in a process of its own."""

    def ask(*words: str) -> tuple[int, dict[str, Any]]:
        status = resapermisctl.main([*words, "--home", str(stack.home), "--port", str(stack.ports.web)])
        printed = capfd.readouterr()
        assert status in {0, 1}, printed.err
        return status, json.loads(printed.out)

    return ask


@pytest.mark.req("R-23", "R-24", "P-05")
def test_bookings_are_judged_alike_again_and_a_change_is_previewed(schools: Schools, asked: Ask) -> None:
    school = schools.new()
    line = school.booking()
    status, report = asked("compliance-check")
    assert (status, report["compliant"], report["examples"]) == (0, True, [])
    assert report["judgements"] >= 2
    month_of_notice = str(31 * 86_400)
    status, preview = asked("rule-preview", "notice_seconds", month_of_notice)
    assert status == 0
    assert preview["by_rule"].get("R-NOTICE", 0) >= 1
    assert line["id"] in {example["line"] for example in preview["examples"]} or preview["drifted"] > 20
    status, elsewhere = asked("rule-preview", "notice_seconds", month_of_notice, "972")
    assert (status, elsewhere["drifted"]) == (0, 0)
    assert school.lines()[line["slot"]["id"]]["state"] == "booked"
