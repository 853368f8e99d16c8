"""Parameters and tables: what the database itself refuses, and that migrations make what the code reads."""

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from scheduling_peers import NOW, Service

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_REFUSED, Record
from resapermis.scheduling.v1 import events_pb2
from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1.events_pb2 import RuleChanged
from resapermis_kit.database.engine import make_engine
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure
from resapermis_kit.events.outbox import Outbox, outbox
from resapermis_scheduling_rules import events
from resapermis_scheduling_rules.domain.availability import CountedLine, longest_gap
from resapermis_scheduling_rules.domain.parameters import DatedValue, Parameter, Parameters, Rulebook, parameters_for
from resapermis_scheduling_rules.domain.quota import ThresholdKey
from resapermis_scheduling_rules.evaluation import preview
from resapermis_scheduling_rules.parameters import change
from resapermis_scheduling_rules.parameters import queries as parameter_queries
from resapermis_scheduling_rules.parameters.tables import parameters
from resapermis_scheduling_rules.peers import Asker
from resapermis_scheduling_rules.school import queries as schools
from resapermis_testing.postgres import MakeDatabase, MakeEngine

PACKAGE = "resapermis_scheduling_rules"
AFTER = datetime(2126, 12, 2, tzinfo=UTC)


def row(name: str, value: float, **more: Any) -> dict[str, Any]:
    base = {"id": uuid4(), "name": name, "value": value, "valid_from": NOW, "set_by": "a", "approved_by": "b"}
    return base | {"set_at": NOW} | more


@pytest.mark.req("R-24")
async def test_the_defaults_of_the_domain_are_in_force(make_engine: MakeEngine) -> None:
    engine = await make_engine(PACKAGE)
    async with transaction(engine) as tx:
        assert parameters_for(await parameter_queries.parameters_in_force(tx, NOW)) == Parameters()


@pytest.mark.req("R-14")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("group", 5),
        ("group", 0),
        ("basket", 37),
        ("pace_full_day", 29),
        ("warn_percent", 101),
        ("hold_ttl_seconds", -1),
        ("plateau", 2),
        ("absence_days", 367),
        ("travel_kmh", 0),
        ("travel_detour", 0.9),
        ("pass_points", 32),
        ("territory_hours", 8785),
        ("exam_minutes", 1441),
        ("hold_ttl_seconds", 31_622_401),
        ("eligibility_fresh_seconds", 90_000),
    ],
)
async def test_the_database_refuses_what_may_never_be(make_engine: MakeEngine, name: str, value: float) -> None:
    engine = await make_engine(PACKAGE)
    with pytest.raises(sa.exc.IntegrityError):
        async with transaction(engine) as tx:
            await tx.execute(sa.insert(parameters).values(row(name, value)))


@pytest.mark.req("R-24")
async def test_one_person_alone_changes_nothing(make_engine: MakeEngine) -> None:
    engine = await make_engine(PACKAGE)
    async with transaction(engine) as tx:
        await tx.execute(sa.insert(parameters).values(row("group", 2, approved_by=None)))
        assert parameters_for(await parameter_queries.parameters_in_force(tx, NOW)).group == 4
    with pytest.raises(sa.exc.IntegrityError):
        async with transaction(engine) as tx:
            await tx.execute(sa.insert(parameters).values(row("basket", 2, approved_by="a")))


@pytest.mark.req("R-24")
async def test_a_value_is_in_force_from_its_day_on(service: Service) -> None:
    tomorrow = NOW + timedelta(days=1)
    async with transaction(service.engine) as tx:
        await tx.execute(sa.insert(parameters).values(row("group", 2, valid_from=tomorrow)))
        await tx.execute(sa.insert(parameters).values(row("threshold_rate", 2.4, department="91", category="B")))
    for at, group in ((tomorrow - timedelta(seconds=1), 4), (tomorrow, 2)):
        async with transaction(service.engine) as tx:
            found = parameters_for(await parameter_queries.parameters_in_force(tx, at), "91", "B")
        assert (found.group, found.threshold_rate) == (group, Decimal("2.4000"))
    request = pb.EvaluateRequest(purpose="hold", lines=[pb.EvaluateLine(slot_id="s1")])
    stub = service.stub("basket")
    assert (await stub.Evaluate(request, metadata=service.who())).limits.group == 4
    service.clock.at = tomorrow + timedelta(seconds=6)
    assert (await stub.Evaluate(request, metadata=service.who())).limits.group == 2


@pytest.mark.req("R-10")
async def test_a_departments_rate_revised_for_a_day_moves_its_threshold_from_that_day_on(service: Service) -> None:
    """The monthly revision: dated, for one department, and no slot polled or held again for it."""
    revised = NOW + timedelta(days=1)
    service.state.slot("s1")
    await service.poll()
    async with transaction(service.engine) as tx:
        await tx.execute(
            sa.insert(parameters).values(row("threshold_rate", 9, department="91", category="B", valid_from=revised))
        )
        await tx.execute(sa.insert(parameters).values(row("threshold_rate", 1, department="94", category="B")))
    limits = []
    for at in (revised - timedelta(seconds=1), revised + timedelta(seconds=6)):
        service.clock.at = at
        question = pb.EvaluateRequest(purpose="hold", lines=[pb.EvaluateLine(slot_id="s1")])
        (line,) = (await service.stub("basket").Evaluate(question, metadata=service.who())).lines
        (threshold,) = [dict(verdict.facts) for verdict in line.verdicts if verdict.rule == "R-THRESHOLD"]
        limits.append((threshold["rate"], threshold["limit"]))
    assert limits == [("4.5", "9"), ("9", "18")]


@pytest.mark.req("R-24")
async def test_one_proposes_another_approves_and_both_acts_are_recorded(make_database: MakeDatabase) -> None:
    url = await make_database(PACKAGE)
    day = "2126-12-01T00:00:00+01:00"
    proposal = await change.command(["propose", "account-1", "threshold_rate", "5.1", day, "91"], url, preview.preview)
    with pytest.raises(Failure, match="another person"):
        await change.command(["approve", "account-1", proposal], url, preview.preview)
    engine = make_engine(url)
    async with transaction(engine) as tx:
        assert parameters_for(await parameter_queries.parameters_in_force(tx, AFTER), "91").threshold_rate == Decimal(
            "4.5"
        )
    await change.command(["approve", "account-2", proposal], url, preview.preview)
    async with transaction(engine) as tx:
        assert parameters_for(await parameter_queries.parameters_in_force(tx, AFTER), "91").threshold_rate == Decimal(
            "5.1"
        )
        answer = list(await tx.execute(sa.select(outbox.c.type, outbox.c.payload).order_by(outbox.c.id)))
    await engine.dispose()
    records = [Record.FromString(row.payload) for row in answer if row.type.endswith("Record")]
    (announced,) = [RuleChanged.FromString(row.payload) for row in answer if row.type.endswith("RuleChanged")]
    assert (announced.name, announced.old_value, announced.new_value) == ("threshold_rate", "4.5", "5.1")
    assert (announced.department, announced.category, announced.parameter_id) == ("91", "", proposal)
    assert announced.valid_from.ToDatetime(UTC) == datetime.fromisoformat(day)
    assert [(one.action, one.actor.id, one.outcome) for one in records] == [
        ("parameter.propose", "account-1", OUTCOME_DONE),
        ("access.denied", "account-1", OUTCOME_REFUSED),
        ("parameter.approve", "account-2", OUTCOME_DONE),
    ]
    assert (records[1].facts["reason"], records[1].object_id) == ("own_proposal", proposal)
    assert records[2].facts["value"] == "5.1"
    with pytest.raises(Failure, match="no proposal"):
        await change.command(["approve", "account-3", proposal], url, preview.preview)


@pytest.mark.req("R-24")
async def test_what_is_approved_late_counts_a_minute_later_and_changes_nothing_before(
    service: Service,
) -> None:
    changes = change.ParameterChanges(service.engine, Outbox("scheduling-rules"), service.clock)
    tomorrow = NOW + timedelta(days=1)
    proposal = await changes.propose("account-1", Parameter("group", None, None, Decimal(2)), tomorrow)
    service.clock.at = tomorrow + timedelta(hours=3)
    await changes.approve("account-2", proposal)
    counts_from = service.clock() + change.ANNOUNCED
    async with transaction(service.engine) as tx:
        rulebook = Rulebook(await parameter_queries.approved_parameters(tx))
    assert rulebook.at(counts_from - timedelta(microseconds=1)).group == 4
    assert rulebook.at(counts_from).group == 2


@pytest.mark.req("R-24")
async def test_a_preview_says_which_bookings_a_value_would_refuse_and_changes_nothing(service: Service) -> None:
    service.state.slot("s1")
    service.state.slot("s2", hour=10)
    await service.rooms.schools.standing(Asker("school-1"))
    await service.poll()
    async with transaction(service.engine) as tx:
        await schools.keep_lines(
            tx,
            [
                CountedLine(f"line-{n}", "school-1", ThresholdKey("91", "2026-12", "B"), NOW, f"s{n}", starts_at=AFTER)
                for n in (1, 2)
            ],
        )
    answer = json.loads(
        await preview.preview(service.engine, Parameter("threshold_rate", "91", None, Decimal("0.5")), NOW)
    )
    assert answer == {"lines": 2, "newly_refused": 2, "by_rule": {"R-THRESHOLD": 2}, "by_school": {"school-1": 2}}
    answer = json.loads(
        await preview.preview(service.engine, Parameter("threshold_rate", "33", None, Decimal("0.5")), NOW)
    )
    assert (answer["lines"], answer["newly_refused"]) == (2, 0)
    assert (await service.rooms.rulebooks.parameters_at("91", "B")).threshold_rate == Decimal("4.5")


@pytest.mark.req("R-14", "R-24")
@pytest.mark.parametrize(
    ("arguments", "field"),
    [
        (["group", "5", "2126-12-01T00:00:00Z"], "value"),
        (["grup", "4", "2126-12-01T00:00:00Z"], "name"),
        (["group", "three", "2126-12-01T00:00:00Z"], "value"),
        (["group", "NaN", "2126-12-01T00:00:00Z"], "value"),
        (["group", "3", "2020-12-01T00:00:00Z"], "valid_from"),
        (["group", "3", "2126-12-01T00:00:00"], "valid_from"),
        (["group", "3"], "parameter"),
    ],
)
async def test_a_proposal_that_cannot_be_is_refused(
    make_database: MakeDatabase, arguments: list[str], field: str
) -> None:
    with pytest.raises(Failure) as caught:
        await change.command(["propose", "account-1", *arguments], await make_database(PACKAGE), preview.preview)
    assert [violation[0] for violation in caught.value.violations] == [field]


async def test_every_event_of_the_contract_is_one_that_may_be_published() -> None:
    contract = events_pb2.DESCRIPTOR.message_types_by_name.values()
    assert {one.full_name for one in events.EVENTS} == {one.full_name for one in contract}


@pytest.mark.req("R-24")
async def test_a_preview_is_asked_for_from_the_command_line(make_database: MakeDatabase) -> None:
    answer = await change.command(["preview", "basket", "10"], await make_database(PACKAGE), preview.preview)
    assert json.loads(answer) == {"lines": 0, "newly_refused": 0, "by_rule": {}, "by_school": {}}


REACH = {"exam_minutes": 600, "available_margin_minutes": 1440, "travel_kmh": 200, "travel_detour": 3}
dated = st.builds(
    lambda name, part, department, category, days: DatedValue(
        Parameter(name, department, category, max(Decimal(1), round(Decimal(REACH[name]) * part, 1))),
        NOW + timedelta(days=days),
    ),
    st.sampled_from(sorted(REACH)),
    st.decimals(0, 1, places=3),
    st.sampled_from([None, "91", "94"]),
    st.sampled_from([None, "A", "B"]),
    st.integers(-9, 9),
)


@given(st.lists(dated, max_size=20), st.integers(-10, 10), st.sampled_from(["91", "94"]), st.sampled_from(["A", "B"]))
def test_the_widest_reach_covers_that_of_every_place_at_its_moment(
    rows: list[DatedValue], days: int, department: str, category: str
) -> None:
    rulebook, moment = Rulebook(rows), NOW + timedelta(days=days)
    here, widest = rulebook.at(moment, department, category), rulebook.widest(moment)
    assert widest.exam_minutes >= here.exam_minutes
    assert widest.available_margin_minutes >= here.available_margin_minutes
    assert longest_gap(widest, 1500) >= longest_gap(here, 1500)
