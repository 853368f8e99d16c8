"""Evaluate: all rules answer, for every line and for the action."""

from datetime import timedelta
from typing import Any

import pytest
from scheduling_peers import NOW, Service

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_scheduling_rules.rules import LINE_RULES


def line(slot_id: str, candidate_id: str = "", **changes: object) -> pb.EvaluateLine:
    facts: dict[str, object] = {"mandate_active": True, "mandate_category": "B"} if candidate_id else {}
    return pb.EvaluateLine(slot_id=slot_id, candidate_id=candidate_id, **(facts | changes))  # type: ignore[arg-type]


async def evaluate(
    service: Service, *lines: pb.EvaluateLine, purpose: str = "hold", school_id: str = "school-1", **more: object
) -> pb.EvaluateResponse:
    request = pb.EvaluateRequest(lines=lines, purpose=purpose, **more)  # type: ignore[arg-type]
    answer: pb.EvaluateResponse = await service.stub("basket").Evaluate(request, metadata=service.who(school_id))
    return answer


def refused(answer: pb.LineVerdict) -> list[str]:
    return [verdict.rule for verdict in answer.verdicts if not verdict.allowed]


def del_allowed(verdicts: Any) -> None:
    against = [verdict for verdict in verdicts if not verdict.allowed]
    del verdicts[:]
    verdicts.extend(against)


@pytest.mark.req("R-14")
async def test_four_slots_are_allowed_and_five_are_not(service: Service) -> None:
    for n in range(5):
        service.state.slot(f"s{n}", hour=8 + n)
    await service.poll()
    four = await evaluate(service, *(line(f"s{n}", f"candidate-{n}") for n in range(4)))
    assert four.allowed
    assert [len(one.verdicts) for one in four.lines] == [len(LINE_RULES)] * 4
    assert {(one.quota_limit, one.month) for one in four.lines} == {(5, "2026-12")}
    assert (four.limits.group, four.limits.basket, four.limits.hold_ttl_seconds) == (4, 12, 900)
    five = await evaluate(service, *(line(f"s{n}") for n in range(5)))
    assert not five.allowed
    group = next(verdict for verdict in five.action_verdicts if verdict.rule == "R-GROUP")
    assert dict(group.facts) == {"asked": "5", "limit": "4"}


@pytest.mark.req("R-09", "R-10", "R-14", "R-29")
async def test_every_reason_is_answered_at_once(service: Service) -> None:
    service.state.slot("s1", published=NOW - timedelta(hours=1), word="RÉSERVÉ")
    service.state.school("far", department="33", fte=0.5)
    await service.poll()
    busy = line("s1", "candidate-1", mandate_active=False, mandate_category="A", candidate_busy=True)
    usage = [pb.Usage(department="91", month="2026-12", category="B", taken=2)]
    answer = await evaluate(service, busy, school_id="far", usage=usage, lines_in_basket=12)
    assert refused(answer.lines[0]) == [
        "R-PUBLISHED",
        "R-TERRITORY",
        "R-THRESHOLD",
        "R-API-PACE",
        "R-MANDATE",
        "R-CATEGORY",
        "R-ONE-ACTIVE",
    ]
    assert [verdict.rule for verdict in answer.action_verdicts if not verdict.allowed] == ["R-BASKET"]


async def test_who_asks_for_what_stands_against_it_alone_gets_that_of_the_same_judgement(service: Service) -> None:
    for n in range(5):
        service.state.slot(f"s{n}", hour=8 + n)
    await service.poll()
    wanted = [line("s0", "candidate-1"), line("s1", "candidate-2", mandate_active=False), line("nobody-saw-it")]
    for asked in (wanted, [line(f"s{n}") for n in range(5)]):
        everything = await evaluate(service, *asked)
        against = await evaluate(service, *asked, against_only=True)
        for one in (*everything.lines, *against.lines):
            one.snapshot.ClearField("at")  # each its own moment
        for entry in everything.lines:
            del_allowed(entry.verdicts)
        del_allowed(everything.action_verdicts)
        assert against == everything


async def test_an_unknown_slot_is_refused_with_what_to_do(service: Service) -> None:
    answer = await evaluate(service, line("nobody-saw-it"))
    (entry,) = answer.lines
    assert refused(entry) == ["R-PUBLISHED"]
    assert entry.verdicts[0].remedy == "search_again"
    assert not entry.HasField("slot")
    assert service.state.asked == []


@pytest.mark.req("R-10", "R-11")
async def test_the_lower_of_both_thresholds_blocks(service: Service) -> None:
    service.state.slot("s1")
    service.state.threshold.limit = 3
    service.state.threshold.taken = 2  # booked at RdvPermis without us
    await service.poll()
    await service.stub().ListThresholds(pb.ListThresholdsRequest(), metadata=service.who())
    usage = [pb.Usage(department="91", month="2026-12", category="B", taken=1)]
    await service.stub().ListThresholds(pb.ListThresholdsRequest(usage=usage), metadata=service.who())
    service.clock.move(seconds=6)
    answer = await evaluate(service, line("s1"), usage=usage)
    assert refused(answer.lines[0]) == ["R-THRESHOLD", "R-API-PACE"]
    facts = next(dict(verdict.facts) for verdict in answer.lines[0].verdicts if verdict.rule == "R-THRESHOLD")
    assert (facts["limit"], facts["rdvpermisLimit"], facts["taken"]) == ("3", "3", "3")
    assert answer.lines[0].quota_limit == 0


async def test_validation_needs_names_and_counts_nothing_twice(service: Service) -> None:
    service.state.slot("s1", word="RÉSERVÉ_PAR_MON_AUTO_ÉCOLE")
    await service.poll()
    usage = [pb.Usage(department="91", month="2026-12", category="B", taken=9)]
    named = await evaluate(service, line("s1", "candidate-1"), purpose="validate", usage=usage, lines_in_basket=12)
    assert named.allowed
    unnamed = await evaluate(service, line("s1"), purpose="validate", usage=usage)
    assert refused(unnamed.lines[0]) == ["R-NAMED"]


async def test_a_candidate_stands_on_one_line_of_an_action(service: Service) -> None:
    service.state.slot("s1")
    service.state.slot("s2", hour=10)
    await service.poll()
    answer = await evaluate(service, line("s1", "candidate-1"), line("s2", "candidate-1"))
    assert [refused(one) for one in answer.lines] == [["R-NAMED"], ["R-NAMED"]]


@pytest.mark.req("R-10")
async def test_trainers_declared_since_count_at_once(service: Service) -> None:
    service.state.slot("s1")
    service.state.threshold.fte = 4.0  # two when the school was first seen
    await service.poll()
    stub = service.stub()
    await stub.ListThresholds(pb.ListThresholdsRequest(), metadata=service.who())
    service.clock.move(minutes=11)
    await stub.ListThresholds(pb.ListThresholdsRequest(), metadata=service.who())
    answer = await stub.ListThresholds(pb.ListThresholdsRequest(), metadata=service.who())
    assert {(one.fte, one.limit) for one in answer.thresholds} == {(4.0, 18)}
