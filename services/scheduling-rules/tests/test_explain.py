"""Explain: what must change, and when time alone opens it; Evaluate with people, vehicles and restrictions beside the slot."""

from datetime import UTC, timedelta
from itertools import permutations
from typing import Any

import pytest
from scheduling_peers import NOW, Service, refusal
from school_desk import Desk, stamp

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1 import school_pb2
from resapermis_kit.database.statement import Statement
from resapermis_kit.errors import Code
from resapermis_scheduling_rules.domain.snapshot import Purpose


def asked(slot_id: str = "s1", **changes: Any) -> pb.EvaluateLine:
    given: dict[str, Any] = {
        "candidate_id": "candidate-1",
        "mandate_active": True,
        "mandate_category": "B",
        "mandate_gearbox": "manual",
    }
    return pb.EvaluateLine(slot_id=slot_id, **(given | changes))


async def explained(
    service: Service, *lines: pb.EvaluateLine, purpose: str = "hold", school_id: str = "school-1", **more: Any
) -> pb.ExplainResponse:
    question = pb.EvaluateRequest(lines=lines, purpose=purpose, **more)
    answer: pb.ExplainResponse = await service.stub("basket").Explain(
        pb.ExplainRequest(question=question), metadata=service.who(school_id)
    )
    return answer


@pytest.mark.req("R-09")
async def test_what_time_alone_opens_says_when_and_opens_then(service: Service) -> None:
    published = NOW - timedelta(hours=1)
    service.state.school("far", department="33")
    service.state.slot("s1", published=published)
    await service.poll()
    (line,) = (await explained(service, asked(), school_id="far")).lines
    assert line.opens_at.ToDatetime(UTC) == published + timedelta(hours=48)
    assert [(need.rule, need.remedy) for need in line.needs] == [("R-TERRITORY", "wait")]
    service.clock.at = published + timedelta(hours=48)
    (line,) = (await explained(service, asked(), school_id="far")).lines
    assert (line.allowed, len(line.needs), line.HasField("opens_at")) == (True, 0, False)


@pytest.mark.req("R-09")
async def test_what_somebody_must_change_promises_no_moment(service: Service) -> None:
    service.state.school("far", department="33")
    service.state.slot("s1", published=NOW - timedelta(hours=1))
    await service.poll()
    answer = await explained(service, asked(mandate_active=False), school_id="far", lines_in_basket=12)
    (line,) = answer.lines
    assert not line.HasField("opens_at")
    assert {need.rule: need.HasField("opens_at") for need in line.needs} == {"R-TERRITORY": True, "R-MANDATE": False}
    assert [(need.rule, need.remedy, need.source) for need in answer.action_needs] == [
        ("R-BASKET", "validate_or_release", "RdvPermis charter 3.2, basket limits")
    ]
    assert (answer.verdicts.allowed, len(answer.verdicts.lines)) == (False, 1)


async def test_an_unknown_slot_is_explained_as_one_to_search(service: Service) -> None:
    (line,) = (await explained(service, asked("nobody-saw-it"))).lines
    assert [(need.rule, need.remedy) for need in line.needs] == [("R-PUBLISHED", "search_again")]


@pytest.mark.parametrize("purpose", [one.value for one in Purpose if one is not Purpose.SEARCH])
async def test_every_purpose_is_answered_and_its_snapshot_kept(service: Service, purpose: str) -> None:
    service.state.slot("s1")
    await service.poll()
    request = pb.EvaluateRequest(lines=[asked()], purpose=purpose)
    answer = await service.stub("basket").Evaluate(request, metadata=service.who())
    assert answer.allowed
    kept = answer.lines[0].snapshot
    assert (kept.purpose, kept.at.ToDatetime(UTC), kept.line) == (purpose, service.clock(), request.lines[0])
    assert kept.slot == answer.lines[0].slot


@pytest.mark.parametrize(
    ("purpose", "line"), [("search", asked()), ("", asked()), ("hold", asked(trainer_id="x" * 65))]
)
async def test_a_question_that_cannot_be_is_refused(service: Service, purpose: str, line: pb.EvaluateLine) -> None:
    with refusal(Code.CODE_MALFORMED):
        await explained(service, line, purpose=purpose)


@pytest.mark.req("R-17", "R-28", "R-29")
async def test_who_accompanies_in_what_is_judged_with_the_line_and_kept_in_its_snapshot(desk: Desk) -> None:
    service = desk.around
    service.state.slot("s1")
    await service.poll()
    await desk.trainer("t1", authorised_until=stamp(2026, 12, 1))
    wanted = school_pb2.Vehicle(label="Clio", categories=["B"], gearbox="automatic")
    request = school_pb2.SetVehicleRequest(vehicle=wanted, request_id="1")
    vehicle = (await desk.school.SetVehicle(request, metadata=desk.who())).vehicle
    answer = await explained(service, asked(trainer_id="t1", vehicle_id=vehicle.id))
    needs = {need.rule: dict(need.facts) for need in answer.lines[0].needs}
    assert set(needs) == {"R-LICENSED", "R-CATEGORY"}
    assert (needs["R-LICENSED"]["whose"], needs["R-CATEGORY"]["field"]) == ("trainer", "gearbox")
    kept = answer.verdicts.lines[0].snapshot
    assert (kept.trainer_known, kept.vehicle_gearbox, list(kept.vehicle_categories)) == (True, "automatic", ["B"])
    assert kept.trainer_authorised_until == stamp(2026, 12, 1)
    judged = await service.stub("basket").Rejudge(pb.RejudgeRequest(snapshots=[kept]))
    assert [one.rule for one in judged.snapshots[0].against] == ["R-LICENSED", "R-CATEGORY"]


@pytest.mark.req("R-17")
async def test_many_lines_are_answered_in_their_order_with_one_statement(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    for n in range(12):
        service.state.slot(f"s{n}", hour=8 + n // 2, minute=30 * (n % 2))
    await service.poll()
    lines = [asked(f"s{n}", candidate_id=f"candidate-{n}") for n in range(12)]
    for _ in range(2):
        await explained(service, *lines)  # parameters are remembered from now on
    run, runs = Statement.run, []

    async def noted(statement: Statement, *values: Any) -> Any:
        runs.append(statement)
        return await run(statement, *values)

    monkeypatch.setattr(Statement, "run", noted)
    for wanted in (lines[:1], lines):
        runs.clear()
        answer = await explained(service, *wanted)
        assert [line.slot_id for line in answer.lines] == [line.slot_id for line in wanted]
        assert len(runs) == 1


@pytest.mark.req("R-29")
async def test_motorcycles_and_heavy_vehicles_have_a_plateau_and_cars_none(service: Service) -> None:
    rulebook = await service.rooms.rulebooks.get()
    for category, plateau in (("A", 1), ("CE", 1), ("B", 0), ("B1", 0)):
        assert rulebook.at(service.clock(), "91", category).plateau == plateau


@pytest.mark.req("E-02")
async def test_neither_the_order_of_lines_nor_asking_twice_nor_another_school_changes_a_verdict(
    service: Service,
) -> None:
    service.state.school("school-2")
    for n in range(3):
        service.state.slot(f"s{n}", hour=8 + n, published=NOW - timedelta(hours=n))
    await service.poll()
    lines = [
        asked("s0", candidate_id="candidate-0", mandate_active=False),
        asked("s1", candidate_id="candidate-1", mandate_category="A"),
        asked("s2", candidate_id="candidate-2", candidate_busy=True),
    ]

    async def verdicts(order: tuple[pb.EvaluateLine, ...], school_id: str = "school-1") -> dict[str, list[Any]]:
        request = pb.EvaluateRequest(lines=order, purpose="hold")
        answer = await service.stub("basket").Evaluate(request, metadata=service.who(school_id))
        return {line.slot_id: list(line.verdicts) for line in answer.lines}

    first = await verdicts(tuple(lines))
    assert {slot_id: sum(not one.allowed for one in verdicts) for slot_id, verdicts in first.items()} == {
        "s0": 1,
        "s1": 1,
        "s2": 1,
    }
    for order in permutations(lines):
        assert await verdicts(order) == first
    assert await verdicts(tuple(lines), "school-2") == first
