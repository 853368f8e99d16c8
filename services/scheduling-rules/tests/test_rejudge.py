"""Judged again from what was kept, a snapshot gets the verdict that it got: years later, whatever parameters say by then."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rule_snapshots import actions, snapshots, waiting_snapshots
from scheduling_peers import NOW, Service, refusal

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.errors import Code
from resapermis_kit.events.outbox import Outbox
from resapermis_scheduling_rules import wire
from resapermis_scheduling_rules.domain.parameters import DatedValue, Parameter, Parameters, Rulebook
from resapermis_scheduling_rules.domain.snapshot import Action, EvaluationSnapshot
from resapermis_scheduling_rules.evaluation import judge
from resapermis_scheduling_rules.evaluation import wire as snapshot_wire
from resapermis_scheduling_rules.parameters import change

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


def rulebook_of(values: Parameters, since: datetime = LONG_AGO) -> list[DatedValue]:
    return [
        DatedValue(Parameter(name, None, None, Decimal(getattr(values, name))), since) for name in Parameters.__slots__
    ]


def kept_of(snapshot: EvaluationSnapshot, action: Action) -> pb.EvaluationSnapshot:
    line = pb.EvaluateLine(slot_id=snapshot.slot.id, trainer_id=snapshot.trainer_id, vehicle_id=snapshot.vehicle_id)
    if snapshot.candidate is not None:
        who = snapshot.candidate
        line.candidate_id, line.mandate_active, line.candidate_busy = who.id, who.mandate_active, who.busy
        line.mandate_category, line.mandate_gearbox = who.mandate_category, who.mandate_gearbox
        line.rdvpermis_code = who.eligibility_code
        if who.eligible is not None:
            line.rdvpermis_eligible = who.eligible
        if who.eligible_seen_at is not None:
            line.rdvpermis_seen_at.FromDatetime(who.eligible_seen_at)
    if snapshot.changeable is not None:
        line.changeable = snapshot.changeable
    kept = snapshot_wire.snapshot(
        snapshot, action, line, wire.slot(snapshot.slot, snapshot.status, snapshot.parameters)
    )
    return pb.EvaluationSnapshot.FromString(kept.SerializeToString())


@pytest.mark.req("R-23")
@given(
    snapshots() | waiting_snapshots(),
    actions,
    st.none() | st.builds(Parameters, group=st.just(1), notice_seconds=st.just(9)),
)
def test_a_kept_snapshot_gets_the_verdict_that_was_given_also_after_parameters_changed(
    drawn: EvaluationSnapshot, asked: Action, later: Parameters | None
) -> None:
    snapshot = replace(drawn, quota=replace(drawn.quota, rate=drawn.parameters.threshold_rate))
    action = replace(asked, purpose=snapshot.purpose, parameters=snapshot.parameters)
    rows = rulebook_of(snapshot.parameters)
    if later is not None:
        rows += rulebook_of(later, snapshot.now + timedelta(microseconds=1))
    read, read_action = snapshot_wire.read_snapshot(kept_of(snapshot, action), Rulebook(rows))
    assert judge.line(read).verdicts == judge.line(snapshot).verdicts
    assert judge.action(read_action).verdicts == judge.action(action).verdicts


@pytest.mark.req("E-02", "R-23")
@given(snapshots(), actions)
def test_a_kept_snapshot_names_nobody_and_no_school(snapshot: EvaluationSnapshot, action: Action) -> None:
    kept = kept_of(snapshot, replace(action, purpose=snapshot.purpose))
    assert not {"name", "neph", "school_id"} & {field.name for field in kept.DESCRIPTOR.fields}
    other = replace(
        snapshot, school=replace(snapshot.school, id="school-of-others"), slot=replace(snapshot.slot, holder="")
    )
    free = replace(snapshot, slot=replace(snapshot.slot, holder=""))
    assert kept_of(free, action) == kept_of(other, action)


async def held(service: Service, **more: Any) -> pb.EvaluateResponse:
    line = pb.EvaluateLine(slot_id="s1", candidate_id="candidate-1", mandate_active=True, mandate_category="B")
    request = pb.EvaluateRequest(lines=[line], purpose="hold", **more)
    answer: pb.EvaluateResponse = await service.stub("basket").Evaluate(request, metadata=service.who())
    return answer


async def rejudged(
    service: Service, *kept: pb.EvaluationSnapshot, changed: pb.Parameter | None = None
) -> list[pb.RejudgedSnapshot]:
    request = pb.RejudgeRequest(snapshots=kept, changed=changed)
    return list((await service.stub("basket").Rejudge(request)).snapshots)  # no person: the nightly check asks


@pytest.mark.req("R-23", "R-24")
async def test_a_booking_is_judged_by_what_was_in_force_when_it_was_made(service: Service) -> None:
    service.state.slot("s1")
    await service.poll()
    changes = change.ParameterChanges(service.engine, Outbox("scheduling-rules"), service.clock)
    tomorrow = NOW + timedelta(days=1)
    proposal = await changes.propose("account-1", Parameter("threshold_rate", None, None, Decimal(0)), tomorrow)
    await changes.approve("account-2", proposal)
    before = await held(service)
    service.clock.at = tomorrow + timedelta(minutes=1)
    after = await held(service)
    assert (before.allowed, after.allowed) == (True, False)
    service.clock.move(days=700)
    judged = await rejudged(service, before.lines[0].snapshot, after.lines[0].snapshot)
    assert [one.allowed for one in judged] == [True, False]
    assert [one.rule for one in judged[1].against] == ["R-THRESHOLD", "R-API-PACE"]


@pytest.mark.req("R-24")
async def test_a_value_may_be_tried_on_what_was_booked_before_anybody_proposes_it(service: Service) -> None:
    service.state.slot("s1")
    await service.poll()
    kept = (await held(service)).lines[0].snapshot
    tried = pb.Parameter(name="threshold_rate", value="0.4", department="91")
    assert [one.rule for one in (await rejudged(service, kept, changed=tried))[0].against] == [
        "R-THRESHOLD",
        "R-API-PACE",
    ]
    elsewhere = pb.Parameter(name="threshold_rate", value="0.4", department="33")
    assert (await rejudged(service, kept, changed=elsewhere))[0].allowed
    assert (await rejudged(service, kept))[0].allowed


@pytest.mark.req("R-23")
async def test_the_whole_action_is_judged_again_too(service: Service) -> None:
    service.state.slot("s1")
    await service.poll()
    answer = await held(service, lines_in_basket=12)
    assert [one.rule for one in (await rejudged(service, answer.lines[0].snapshot))[0].against] == ["R-BASKET"]


@pytest.mark.parametrize(
    "changed",
    [
        pb.Parameter(name="grup", value="1"),
        pb.Parameter(name="group", value="x"),
        pb.Parameter(name="group", value="-1"),
    ],
)
async def test_a_value_that_cannot_be_is_not_tried(service: Service, changed: pb.Parameter) -> None:
    with refusal(Code.CODE_MALFORMED):
        await rejudged(service, changed=changed)


async def test_what_is_no_snapshot_is_refused(service: Service) -> None:
    with refusal(Code.CODE_MALFORMED):
        await rejudged(service, pb.EvaluationSnapshot(purpose="steal"))


@pytest.mark.req("R-24")
async def test_a_value_beyond_every_clock_is_refused_and_not_tried(service: Service) -> None:
    service.state.slot("s1")
    await service.poll()
    kept = (await held(service)).lines[0].snapshot
    with refusal(Code.CODE_MALFORMED):
        await rejudged(service, kept, changed=pb.Parameter(name="territory_hours", value="1e12"))


@pytest.mark.req("R-24")
async def test_parameters_in_force_to_come_and_waiting_are_listed(service: Service) -> None:
    changes = change.ParameterChanges(service.engine, Outbox("scheduling-rules"), service.clock)
    tomorrow = NOW + timedelta(days=1)
    await changes.propose("account-1", Parameter("threshold_rate", "91", None, Decimal("5.10")), tomorrow)
    coming = await changes.propose("account-1", Parameter("group", None, None, Decimal(3)), tomorrow)
    await changes.approve("account-2", coming)
    answer = await service.stub().ListParameters(pb.ListParametersRequest(), metadata=service.who())
    of = [(one.name, one.value, one.department, one.approved_by) for one in answer.parameters]
    assert ("threshold_rate", "5.1", "91", "") in of
    assert [value for name, value, *_ in of if name == "group"] == ["4", "3"]
    assert ("plateau", "1", "", "domain.md") in of
    service.clock.at = tomorrow + timedelta(hours=1)
    answer = await service.stub().ListParameters(pb.ListParametersRequest(), metadata=service.who())
    assert [one.value for one in answer.parameters if one.name == "group"] == ["3"]
