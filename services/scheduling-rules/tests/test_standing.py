"""Candidates' standing: what basket's events restrict, what RdvPermis says, who waives it, and what Evaluate makes of it."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from scheduling_peers import NOW, Service, refusal
from school_desk import Desk

from resapermis.audit.v1.events_pb2 import Record
from resapermis.basket.v1 import basket_pb2 as basket
from resapermis.basket.v1.events_pb2 import FoundPenalty, LineChanged, PenaltiesFound, ResultFound
from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1 import school_pb2
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code
from resapermis_kit.events.event import Event
from resapermis_scheduling_rules import workers
from resapermis_scheduling_rules.evaluation.restrictions import on_penalties_found, on_result_found
from resapermis_scheduling_rules.evaluation.tables import restrictions
from resapermis_scheduling_rules.parameters.tables import parameters

EXAM = NOW - timedelta(days=2)
ABSENT, FAILED, PASSED = (
    basket.Result.OUTCOME_ABSENT,
    basket.Result.OUTCOME_FAILED,
    basket.Result.OUTCOME_PASSED,
)


def received(event: Any, at: datetime) -> Event:
    return Event("id", "basket", 1, event.DESCRIPTOR.full_name, at, b"", "")


async def line_changed(
    service: Service, to: basket.LineState.ValueType, line_id: str = "line-1", starts_at: datetime = EXAM, **more: Any
) -> None:
    given = {"category": "B", "kind": "CIRCULATION", "candidate_id": "candidate-1"}
    event = LineChanged(
        line_id=line_id,
        school_id="school-1",
        slot_id=f"slot-of-{line_id}",
        to=to,
        department="91",
        month="2026-11",
        **(given | more),
    )
    event.starts_at.FromDatetime(starts_at)
    event.ends_at.FromDatetime(starts_at + timedelta(minutes=32))
    async with transaction(service.engine) as tx:
        await service.rooms.lines.on_lines_changed(tx, [(event, received(event, service.clock()))])


async def result_found(
    service: Service, outcome: Any, points: int | None = None, line_id: str = "line-1", **more: Any
) -> None:
    given = {"category": "B", "kind": "CIRCULATION", "candidate_id": "candidate-1", "school_id": "school-1"}
    event = ResultFound(
        line_id=line_id, department="91", result=basket.Result(outcome=outcome, points=points), **(given | more)
    )
    event.starts_at.FromDatetime(EXAM)
    async with transaction(service.engine) as tx:
        await on_result_found(tx, event, received(event, service.clock()))


async def penalties_found(
    service: Service, *found: tuple[str, datetime | None], seen_at: datetime | None = None
) -> None:
    event = PenaltiesFound(school_id="school-1", candidate_id="candidate-1", category="B")
    for reason, until in found:
        one = FoundPenalty(reason=reason)
        if until is not None:
            one.until.FromDatetime(until)
        event.penalties.append(one)
    event.seen_at.FromDatetime(seen_at or service.clock())
    async with transaction(service.engine) as tx:
        await on_penalties_found(tx, event, received(event, service.clock()))


async def standing(desk: Desk, candidate_id: str = "candidate-1", **who: Any) -> school_pb2.Standing:
    request = school_pb2.GetStandingRequest(candidate_ids=[candidate_id])
    return (await desk.school.GetStanding(request, metadata=desk.who(**who))).standings[0]


def shown(known: school_pb2.Standing) -> list[tuple[str, datetime | None]]:
    return [
        (restriction.reason, restriction.until.ToDatetime(UTC) if restriction.HasField("until") else None)
        for restriction in known.restrictions
    ]


def possible(known: school_pb2.Standing) -> dict[str, datetime]:
    return {category: at.ToDatetime(UTC) for category, at in known.next_possible_at.items()}


@pytest.mark.req("R-21", "R-22")
async def test_a_result_takes_the_place_of_the_waiting_for_it(desk: Desk) -> None:
    await line_changed(desk.around, basket.LINE_STATE_DONE, starts_at=NOW - timedelta(hours=2))
    assert shown(await standing(desk)) == [("result_pending", NOW + timedelta(hours=46))]
    await result_found(desk.around, FAILED, 11)
    known = await standing(desk)
    assert shown(known) == [("failure", EXAM + timedelta(days=21))]
    assert possible(known) == {"B": EXAM + timedelta(days=21)}


@pytest.mark.req("R-21", "R-22")
async def test_a_result_that_came_before_the_end_was_heard_of_leaves_nothing_to_wait_for(desk: Desk) -> None:
    await result_found(desk.around, ABSENT)
    await line_changed(desk.around, basket.LINE_STATE_DONE)
    assert shown(await standing(desk)) == [("absence", EXAM + timedelta(days=40))]


@pytest.mark.req("R-21")
async def test_the_same_event_twice_is_one_restriction_and_a_corrected_result_replaces_it(desk: Desk) -> None:
    await result_found(desk.around, FAILED, 18)
    before = await standing(desk)
    await result_found(desk.around, FAILED, 18)
    assert await standing(desk) == before
    await result_found(desk.around, PASSED, 28)
    known = await standing(desk)
    assert shown(known) == [("passed", None)]
    assert possible(known) == {}


@pytest.mark.req("R-21", "R-22")
async def test_who_passed_the_plateau_may_take_the_circulation_test(desk: Desk) -> None:
    await result_found(desk.around, PASSED, category="A", kind="PLATEAU")
    assert possible(await standing(desk)) == {"A": NOW}


@pytest.mark.req("R-21")
async def test_cancelling_late_restricts_and_cancelling_early_does_not(desk: Desk) -> None:
    await line_changed(desk.around, basket.LINE_STATE_CANCELLED, "early", NOW + timedelta(days=8))
    assert shown(await standing(desk)) == []
    await line_changed(
        desk.around, basket.LINE_STATE_CANCELLED, "by-hand", NOW + timedelta(days=3), found_elsewhere=True
    )
    assert shown(await standing(desk)) == []
    await line_changed(desk.around, basket.LINE_STATE_CANCELLED, "late", NOW + timedelta(days=3))
    assert shown(await standing(desk)) == [("late_cancellation", NOW + timedelta(days=30))]


@pytest.mark.req("R-21")
async def test_rdvpermis_list_replaces_what_it_said_before_word_for_word(desk: Desk) -> None:
    first, second = NOW + timedelta(days=12), NOW + timedelta(days=20)
    await penalties_found(desk.around, ("ABSENCE NON JUSTIFIÉE", first), ("AUTRE", None))
    known = await standing(desk)
    assert shown(known) == [("ABSENCE NON JUSTIFIÉE", first), ("AUTRE", None)]
    assert all(restriction.from_rdvpermis for restriction in known.restrictions)
    assert possible(known) == {}
    desk.around.clock.move(hours=1)
    await penalties_found(desk.around, ("ECHEC", second))
    assert shown(await standing(desk)) == [("ECHEC", second)]
    await penalties_found(desk.around, ("VIEUX", first), seen_at=NOW - timedelta(minutes=1))
    assert shown(await standing(desk)) == [("ECHEC", second)]
    desk.around.clock.move(hours=1)
    await penalties_found(desk.around)
    assert shown(await standing(desk)) == []


@pytest.mark.req("R-21")
async def test_ours_and_rdvpermis_restrictions_stand_side_by_side(desk: Desk) -> None:
    await result_found(desk.around, FAILED, 18)
    await penalties_found(desk.around, ("ECHEC", NOW + timedelta(days=30)))
    known = await standing(desk)
    assert [restriction.from_rdvpermis for restriction in known.restrictions] == [False, True]
    assert possible(known) == {"B": NOW + timedelta(days=30)}


@pytest.mark.req("R-21")
async def test_two_persons_waive_a_restriction_and_both_acts_are_in_the_journal(desk: Desk) -> None:
    await result_found(desk.around, ABSENT)
    restriction_id = (await standing(desk)).restrictions[0].id
    propose = school_pb2.ProposeWaiverRequest(restriction_id=restriction_id, reason="illness")
    await desk.school.ProposeWaiver(propose, metadata=desk.who("school_manager"))
    waiting = (await standing(desk)).restrictions[0]
    assert (waiting.waiver_proposed, waiting.waiver_proposed_by, waiting.waived) == (True, "account-1", False)
    approve = school_pb2.ApproveWaiverRequest(restriction_id=restriction_id)
    with refusal(Code.CODE_FORBIDDEN):
        await desk.school.ApproveWaiver(approve, metadata=desk.who())
    assert [(one.reason, one.object_id, one.account_id, one.school_id) for one in desk.running.denied] == [
        ("own_proposal", "scheduling.v1.SchoolService/ApproveWaiver", "account-1", "school-1")
    ]
    assert not (await standing(desk)).restrictions[0].waived
    await desk.school.ApproveWaiver(approve, metadata=desk.who(account_id="account-2"))
    known = await standing(desk)
    assert (known.restrictions[0].waived, known.restrictions[0].waiver_proposed) == (True, False)
    assert possible(known) == {"B": NOW}
    records = [one for one in await desk.published(Record) if one.action.startswith("penalty.")]
    assert [(one.actor.id, one.action, one.candidate_id) for one in records] == [
        ("account-1", "penalty.propose", "candidate-1"),
        ("account-2", "penalty.approve", "candidate-1"),
    ]
    assert dict(records[0].facts) == {"waiver": "illness", "category": "B", "reason": "absence"}
    with refusal(Code.CODE_ILLEGAL_TRANSITION):
        await desk.school.ProposeWaiver(propose, metadata=desk.who())


@pytest.mark.req("R-21")
async def test_the_database_lets_nobody_waive_alone(desk: Desk) -> None:
    await result_found(desk.around, ABSENT)
    alone = {"waiver_reason": "illness", "proposed_by": "account-1", "approved_by": "account-1"}
    with pytest.raises(sa.exc.IntegrityError, match="four_eyes"):
        async with transaction(desk.around.engine) as tx:
            await tx.execute(sa.update(restrictions).values(**alone))
    with pytest.raises(sa.exc.IntegrityError, match="proposed_first"):
        async with transaction(desk.around.engine) as tx:
            await tx.execute(sa.update(restrictions).values(approved_by="account-1"))


@pytest.mark.req("R-21")
async def test_a_waiver_stays_when_the_result_is_published_again(desk: Desk) -> None:
    await result_found(desk.around, ABSENT)
    restriction_id = (await standing(desk)).restrictions[0].id
    propose = school_pb2.ProposeWaiverRequest(restriction_id=restriction_id, reason="accident")
    await desk.school.ProposeWaiver(propose, metadata=desk.who("school_manager"))
    approve = school_pb2.ApproveWaiverRequest(restriction_id=restriction_id)
    await desk.school.ApproveWaiver(approve, metadata=desk.who(account_id="account-2"))
    await result_found(desk.around, ABSENT)
    assert (await standing(desk)).restrictions[0].waived


@pytest.mark.req("R-21")
async def test_what_cannot_be_waived_is_refused(desk: Desk) -> None:
    await penalties_found(desk.around, ("ECHEC", NOW + timedelta(days=30)))
    theirs = (await standing(desk)).restrictions[0].id
    for restriction_id, reason, code in (
        (theirs, "illness", Code.CODE_ILLEGAL_TRANSITION),
        (theirs, "because", Code.CODE_MALFORMED),
        ("no-id", "illness", Code.CODE_MALFORMED),
        ("00000000-0000-7000-8000-000000000000", "illness", Code.CODE_NOT_FOUND),
    ):
        request = school_pb2.ProposeWaiverRequest(restriction_id=restriction_id, reason=reason)
        with refusal(code):
            await desk.school.ProposeWaiver(request, metadata=desk.who())
    with refusal(Code.CODE_NOT_FOUND):
        await desk.school.ApproveWaiver(school_pb2.ApproveWaiverRequest(restriction_id=theirs), metadata=desk.who())


async def test_another_school_sees_and_waives_nothing(desk: Desk) -> None:
    await result_found(desk.around, ABSENT)
    restriction_id = (await standing(desk)).restrictions[0].id
    assert shown(await standing(desk, school_id="school-2")) == []
    request = school_pb2.ProposeWaiverRequest(restriction_id=restriction_id, reason="illness")
    with refusal(Code.CODE_NOT_FOUND):
        await desk.school.ProposeWaiver(request, metadata=desk.who(school_id="school-2"))


async def test_a_trainer_proposes_nothing_and_a_manager_approves_nothing(desk: Desk) -> None:
    request = school_pb2.ProposeWaiverRequest(restriction_id="any", reason="illness")
    with refusal(Code.CODE_FORBIDDEN):
        await desk.school.ProposeWaiver(request, metadata=desk.who("trainer"))
    with refusal(Code.CODE_FORBIDDEN):
        await desk.school.ApproveWaiver(
            school_pb2.ApproveWaiverRequest(restriction_id="any"), metadata=desk.who("school_manager")
        )


@pytest.mark.req("R-21")
async def test_a_restricted_candidate_is_refused_until_the_restriction_ends_or_rdvpermis_says_otherwise(
    desk: Desk,
) -> None:
    service = desk.around
    service.state.slot("s1")
    await service.poll()
    await result_found(service, FAILED, 16)
    line = pb.EvaluateLine(slot_id="s1", candidate_id="candidate-1", mandate_active=True, mandate_category="B")
    request = pb.EvaluateRequest(lines=[line], purpose="hold")

    async def against() -> dict[str, str]:
        answer = await service.stub("basket").Evaluate(request, metadata=service.who())
        return {one.rule: one.remedy for one in answer.lines[0].verdicts if not one.allowed}

    assert await against() == {"R-PENALTY": "wait"}
    request.lines[0].rdvpermis_eligible = True
    request.lines[0].rdvpermis_seen_at.FromDatetime(service.clock())
    assert await against() == {}
    request.lines[0].rdvpermis_eligible = False
    request.lines[0].rdvpermis_code = "CANDIDAT_SOUS_PENALITE"
    assert await against() == {"R-PENALTY": "wait", "R-RDVPERMIS": "wait_for_penalty"}
    service.clock.at = EXAM + timedelta(days=14)
    assert await against() == {}


@pytest.mark.req("D-11")
async def test_restrictions_are_forgotten_a_year_after_their_end_and_passes_after_five(desk: Desk) -> None:
    await result_found(desk.around, FAILED, 18)
    await result_found(desk.around, PASSED, line_id="line-2")

    async def kept_after(days: int) -> list[str]:
        await workers.forget(desk.around.engine, NOW + timedelta(days=days))
        async with transaction(desk.around.engine) as tx:
            return list((await tx.execute(sa.select(restrictions.c.reason).order_by(restrictions.c.reason))).scalars())

    assert await kept_after(365) == ["failure", "passed"]
    assert await kept_after(400) == ["passed"]
    assert await kept_after(5 * 365) == []


@pytest.mark.req("R-21")
async def test_a_parameter_of_no_days_restricts_nobody(desk: Desk) -> None:
    none = {"id": uuid4(), "name": "absence_days", "value": 0, "valid_from": EXAM, "set_by": "a", "approved_by": "b"}
    async with transaction(desk.around.engine) as tx:
        await tx.execute(sa.insert(parameters).values(none | {"set_at": EXAM, "category": "B"}))
    await result_found(desk.around, ABSENT)
    assert shown(await standing(desk)) == []


@pytest.mark.req("R-22")
async def test_a_result_that_says_nothing_and_one_of_nobody_change_nothing(desk: Desk) -> None:
    await result_found(desk.around, basket.Result.OUTCOME_UNSPECIFIED)
    await result_found(desk.around, ABSENT, candidate_id="")
    async with transaction(desk.around.engine) as tx:
        assert (await tx.execute(sa.select(sa.func.count()).select_from(restrictions))).scalar() == 0


@pytest.mark.req("R-21")
async def test_of_many_who_approve_at_once_exactly_one_waives(desk: Desk) -> None:
    await result_found(desk.around, ABSENT)
    restriction_id = (await standing(desk)).restrictions[0].id
    propose = school_pb2.ProposeWaiverRequest(restriction_id=restriction_id, reason="illness")
    await desk.school.ProposeWaiver(propose, metadata=desk.who("school_manager"))
    approve = school_pb2.ApproveWaiverRequest(restriction_id=restriction_id)
    stub = desk.school
    await stub.GetStanding(school_pb2.GetStandingRequest(), metadata=desk.who())
    calls = [stub.ApproveWaiver(approve, metadata=desk.who(account_id=f"approver-{n}")) for n in range(8)]
    answers = await asyncio.gather(*calls, return_exceptions=True)
    assert sum(isinstance(answer, school_pb2.ApproveWaiverResponse) for answer in answers) == 1
    acts = [one for one in await desk.published(Record) if one.action == "penalty.approve"]
    assert len(acts) == 1
