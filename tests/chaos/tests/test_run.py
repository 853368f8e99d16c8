"""What of a chaos run needs no stack: what strikes when, and what an answer means."""

import re
from itertools import pairwise
from math import inf
from pathlib import Path

import pytest
from history import OpOutcome
from hypothesis import given
from hypothesis import strategies as st
from run import answers, schedule

from ctl import events
from devstack.components import FOUNDATION, SERVICES, service_named
from resapermis_kit.events.streams import EVENTS, RECORDS

ROOT = Path(__file__).resolve().parents[3]
SEEDS = st.integers(0, 10_000)


@given(SEEDS, st.floats(10, 300))
def test_a_seed_says_what_strikes_when(seed: int, seconds: float) -> None:
    assert schedule.outages(seed, seconds) == schedule.outages(seed, seconds)
    assert schedule.fault_windows(seed, seconds) == schedule.fault_windows(seed, seconds)


def test_another_seed_is_another_run() -> None:
    assert len({str(schedule.outages(seed, 60)) for seed in range(50)}) == 50


@given(SEEDS, st.floats(10, 300))
def test_outages_come_in_order_to_components_that_exist_and_faults_end_with_the_run(seed: int, seconds: float) -> None:
    outages = schedule.outages(seed, seconds)
    assert [outage.at for outage in outages] == sorted(outage.at for outage in outages)
    assert all(set(outage.components) <= {*FOUNDATION, *schedule.RUNNING} and outage.at < seconds for outage in outages)
    fault_windows = schedule.fault_windows(seed, seconds)
    assert all(one.at + one.lasts <= seconds + 0.02 for one in fault_windows)
    assert all(one.at + one.lasts <= two.at + 0.02 for one, two in pairwise(fault_windows))


def test_over_twenty_seeds_everything_is_struck_and_every_fault_is_met() -> None:
    struck = {
        component for seed in range(20) for outage in schedule.outages(seed, 60) for component in outage.components
    }
    assert struck == {*schedule.RUNNING, "nats", "postgres"}
    kinds = {rule["kind"] for seed in range(20) for one in schedule.fault_windows(seed, 60) for rule in one.rules}
    assert kinds == {"latency", "429", "5xx", "html", "cut_before", "cut_after"}


def test_of_a_hold_each_slot_says_what_became_of_it() -> None:
    body = {
        "group": {"id": "g", "lines": [{"id": "l1", "expiresAt": "1970-01-01T00:01:40Z"}, {"id": "l2"}]},
        "results": [
            {"slotId": "s1", "lineId": "l1", "state": "held"},
            {"slotId": "s2", "lineId": "l2", "state": "refused", "problem": {"code": "SLOT_TAKEN"}},
            {
                "slotId": "s3",
                "lineId": "l3",
                "state": "refused",
                "problem": {"code": "SLOT_TAKEN", "rdvpermisCode": "CRENEAU_DEJA_RESERVE"},
            },
            {"slotId": "s4", "lineId": "l4", "state": "released", "problem": {"code": "ALL_OR_NOTHING_FAILED"}},
            {
                "slotId": "s5",
                "lineId": "l5",
                "state": "refused",
                "problem": {"code": "SLOT_TAKEN", "verdicts": [{"rule": "R-PUBLISHED", "allowed": False}]},
            },
        ],
    }
    found = answers.of_hold(body, called=5.0, to_monotonic=10.0)
    assert [(one.outcome, one.line) for one in found] == [
        (OpOutcome.DONE, "l1"),
        (OpOutcome.TAKEN, ""),
        (OpOutcome.REFUSED, ""),
        (OpOutcome.DONE, "l4"),
        (OpOutcome.REFUSED, ""),
    ]
    assert found[0].lapses == pytest.approx(110 - answers.CLOCKS_SECONDS)
    assert found[3].lapses == 5.0
    assert found[1].lapses == -inf


def test_of_a_validation_what_is_held_still_was_not_done() -> None:
    states = ("booked", "rejected", "held", "expired")
    body = {"results": [{"slotId": f"s{n}", "lineId": f"l{n}", "state": state} for n, state in enumerate(states)]}
    outcomes = [one.outcome for one in answers.of_validation(body)]
    assert outcomes == [OpOutcome.DONE, OpOutcome.ENDED, OpOutcome.REFUSED, OpOutcome.REFUSED]


@pytest.mark.parametrize(
    ("status", "body", "again"),
    [
        (201, {"results": [{"state": "held"}]}, False),
        (207, {"results": [{"state": "held"}, {"state": "asking"}]}, True),
        (200, {"state": "held", "changing": True}, True),
        (200, {"state": "released", "changing": False}, False),
        (202, {"title": "…", "code": "UNKNOWN_OUTCOME"}, True),
        (409, {"title": "…", "code": "IN_PROGRESS"}, True),
        (409, {"title": "…", "code": "RULE_REFUSED"}, False),
        (503, {"title": "…", "code": "RDVPERMIS_DOWN"}, True),
        (502, {}, True),
        (429, {}, True),
    ],
)
def test_what_is_not_known_is_asked_again_with_the_same_key(status: int, body: answers.Body, *, again: bool) -> None:
    assert answers.again(status, body) is again


def test_the_ctl_knows_who_consumes_whose_events() -> None:
    consumed: dict[str, set[tuple[str, str]]] = {}
    for service in SERVICES:
        if service.face != "egress":
            text = "".join(
                file.read_text(encoding="utf-8")
                for file in (ROOT / "services" / service.name / "src").rglob("*.py")
                if "process.consume(" in file.read_text(encoding="utf-8")
            )
            found = {(source, EVENTS) for source in re.findall(r'process\.consume\(\s*"([a-z-]+)"', text)}
            if "stream=RECORDS" in text:
                found |= {(source, RECORDS) for source in events.SOURCES}
            consumed |= {service.name: found} if found else {}
    assert consumed == {name: set(sources) for name, sources in events.CONSUMES.items()}
    assert all(service_named(name) for name in events.SOURCES)
