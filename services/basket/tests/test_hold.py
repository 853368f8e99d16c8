"""Holding slots: exactly one winner, never over a threshold, line by line."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from basket_peers import MONTH, START, Basket, LineChanged, Record, candidate
from prometheus_client import REGISTRY

from resapermis.audit.v1.events_pb2 import Outcome
from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket.reconcile.doubts import settle_doubts
from resapermis_basket.reconcile.release import give_back
from resapermis_kit.errors import Code, Failure
from resapermis_testing.databases import as_owner
from resapermis_testing.eventually import eventually

HELD, REFUSED, ASKING = pb.LINE_STATE_HELD, pb.LINE_STATE_REFUSED, pb.LINE_STATE_ASKING


def states(group: pb.Group) -> list[int]:
    return [line.state for line in group.lines]


def codes(group: pb.Group) -> list[int]:
    return [line.refusal.code for line in group.lines]


def territory() -> Verdict:
    verdict = Verdict(rule="R-TERRITORY", allowed=False, source="charter 3.2")
    verdict.opens_at.FromDatetime(START - timedelta(days=3))
    return verdict


@pytest.mark.req("R-14", "R-11")
async def test_slots_are_held_in_one_basket_of_rdvpermis(basket: Basket) -> None:
    group = await basket.hold(("s1", 1), "s2")
    assert states(group) == [HELD, HELD]
    assert group.lines[0].candidate_id == candidate(1)
    assert group.lines[0].slot.centre.name == "Rungis"
    assert group.lines[0].expires_at == group.expires_at
    assert basket.rdvpermis.baskets["basket-1"].candidates == {"s1": "rdv-001", "s2": ""}
    shown = await basket.ask("GetBasket", pb.GetBasketRequest())
    assert shown.groups == [group]
    assert shown.limits.group == 4
    usage = (await basket.ask("GetUsage", pb.GetUsageRequest())).usage
    assert [(u.department, u.month, u.category, u.taken) for u in usage] == [("94", MONTH, "B", 2)]
    await basket.check()


@pytest.mark.req("T-01", "T-02")
async def test_each_step_is_published_and_recorded_in_its_commit(basket: Basket) -> None:
    await basket.hold(("s1", 1))
    events = await basket.published(LineChanged)
    assert [event.to for event in events] == [ASKING, HELD]
    assert events[1].slot_id == "s1"
    assert events[1].account_id == "account-school-1"
    records = await basket.published(Record)
    assert [(r.action, r.outcome) for r in records] == [
        ("basket.hold", Outcome.OUTCOME_UNKNOWN),
        ("basket.hold", Outcome.OUTCOME_DONE),
    ]
    assert records[1].actor.id == "account-school-1"
    assert records[1].candidate_id == candidate(1)


@pytest.mark.req("C1")
async def test_of_many_schools_exactly_one_gets_the_slot(basket: Basket) -> None:
    groups = await asyncio.gather(*(basket.hold("s1", school=f"school-{n}") for n in range(30)))
    won = [group for group in groups if states(group) == [HELD]]
    assert len(won) == 1
    assert all(codes(group) == [Code.CODE_SLOT_TAKEN] for group in groups if group not in won)
    assert basket.rdvpermis.calls.count("HoldSlots") == 1  # the losers did not even ask
    await basket.check()


@pytest.mark.req("R-11")
async def test_the_threshold_is_never_exceeded_by_many_at_once(basket: Basket) -> None:
    basket.world.quota_limit = 5
    basket.world.limits["basket"] = 36
    groups = await asyncio.gather(*(basket.hold(f"a{n}", f"b{n}") for n in range(6)))
    found = [state for group in groups for state in states(group)]
    assert found.count(HELD) == 5
    assert found.count(REFUSED) == 7
    assert Code.CODE_QUOTA_EXHAUSTED in {code for group in groups for code in codes(group)}
    assert (await basket.counters())[("school-1", MONTH)] == 5
    await basket.check()


@pytest.mark.req("R-14")
async def test_the_basket_is_never_overfilled_by_many_at_once(basket: Basket) -> None:
    basket.world.limits["basket"] = 3
    results = await asyncio.gather(*(basket.hold(f"s{n}") for n in range(6)), return_exceptions=True)
    won = [group for group in results if isinstance(group, pb.Group) and states(group) == [HELD]]
    assert len(won) == 3
    refused = [one for one in results if one not in won]
    assert all(
        isinstance(one, Failure) or (isinstance(one, pb.Group) and codes(one) == [Code.CODE_BASKET_FULL])
        for one in refused
    )
    await basket.check()


SLOWLY = """
CREATE FUNCTION slowly() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(0.02); RETURN NEW; END';
CREATE TRIGGER slowly BEFORE INSERT ON basket_line FOR EACH ROW EXECUTE FUNCTION slowly();
"""
"""Widens the window between two rows of one insert, so that a wrong order of locks deadlocks each time."""


@pytest.mark.req("C4")
async def test_crossing_groups_of_four_never_deadlock(basket: Basket) -> None:
    async with as_owner(basket.engine) as tx:
        for statement in SLOWLY.strip().splitlines():
            await tx.execute(sa.text(statement))
    slots = ["s1", "s2", "s3", "s4"]
    groups = await asyncio.gather(
        *(basket.hold(*(slots if n % 2 else reversed(slots)), school=f"school-{n}") for n in range(6))
    )
    assert sum(state == HELD for group in groups for state in states(group)) == 4
    await basket.check()


@pytest.mark.req("R-30")
async def test_a_candidate_is_on_one_line_only(basket: Basket) -> None:
    groups = await asyncio.gather(*(basket.hold((f"s{n}", 1)) for n in range(5)))
    assert sorted(state for group in groups for state in states(group)) == [HELD] + [REFUSED] * 4
    assert {code for group in groups for code in codes(group)} == {0, Code.CODE_CANDIDATE_BUSY}
    await basket.check()


async def test_the_same_candidate_twice_in_one_action_gets_one_line(basket: Basket) -> None:
    group = await basket.hold(("s1", 1), ("s2", 1))
    assert states(group) == [HELD, REFUSED]
    assert codes(group)[1] == Code.CODE_CANDIDATE_BUSY


@pytest.mark.req("R-14")
async def test_five_slots_are_refused_with_every_reason_at_once(basket: Basket) -> None:
    basket.world.rules_against["s3"] = territory()
    with pytest.raises(Failure) as refused:
        await basket.hold("s1", "s2", "s3", "s4", "s5")
    assert refused.value.code == Code.CODE_RULE_REFUSED
    assert [verdict.rule for verdict in refused.value.verdicts] == ["R-GROUP", "R-TERRITORY"]
    assert refused.value.verdicts[1].facts["slot"] == "s3"
    (record,) = await basket.published(Record)
    assert record.outcome == Outcome.OUTCOME_REFUSED
    assert record.facts["rule"] == "R-GROUP,R-TERRITORY"
    assert basket.rdvpermis.calls == []
    assert await basket.states() == {}


@pytest.mark.parametrize("count", [0, 40])
async def test_no_slot_or_forty_are_refused_by_the_group_rule(basket: Basket, count: int) -> None:
    with pytest.raises(Failure) as refused:
        await basket.hold(*(f"s{n}" for n in range(count)))
    assert [verdict.rule for verdict in refused.value.verdicts] == ["R-GROUP"]


@pytest.mark.req("R-09")
async def test_a_line_refused_by_a_rule_says_which_and_when_it_opens(basket: Basket) -> None:
    basket.world.rules_against["s1"] = territory()
    counted = {"rule": "R-TERRITORY"}
    before = REGISTRY.get_sample_value("resapermis_rule_refusals_total", counted) or 0
    group = await basket.hold("s1", "s2")
    assert states(group) == [REFUSED, HELD]
    assert REGISTRY.get_sample_value("resapermis_rule_refusals_total", counted) == before + 1
    refusal = group.lines[0].refusal
    assert refusal.code == Code.CODE_RULE_REFUSED
    assert [verdict.rule for verdict in refusal.verdicts] == ["R-TERRITORY"]
    assert refusal.retry_at == refusal.verdicts[0].opens_at
    records = [record for record in await basket.published(Record) if record.outcome == Outcome.OUTCOME_REFUSED]
    assert [record.facts["rule"] for record in records] == ["R-TERRITORY"]
    await basket.check()


@pytest.mark.req("R-04", "S-21")
async def test_without_mandate_the_line_is_refused(basket: Basket) -> None:
    basket.world.no_mandate.add(candidate(1))
    group = await basket.hold(("s1", 1), "s2")
    assert codes(group) == [Code.CODE_NO_MANDATE, 0]


async def test_a_mandate_of_another_category_is_asked_again_for_the_slots_own(basket: Basket) -> None:
    basket.world.mandate_category[candidate(1)] = "A"
    group = await basket.hold(("s1", 1))
    assert codes(group) == [Code.CODE_NO_MANDATE]
    assert basket.world.evaluated[-1].lines[0].mandate_category == "B"


async def test_an_unknown_slot_is_refused_and_kept_in_the_history(basket: Basket) -> None:
    basket.world.unseen.add("s9")
    group = await basket.hold("s9")
    assert states(group) == [REFUSED]
    assert group.lines[0].slot.id == "s9"
    assert await basket.states() == {"s9": "refused"}


@pytest.mark.req("R-16")
async def test_what_rdvpermis_refuses_is_answered_line_by_line(basket: Basket) -> None:
    basket.rdvpermis.refuse = {
        "s2": "CRENEAU_DEJA_RESERVE",
        "s3": "MOT_NOUVEAU",
        "rdv-004": "CANDIDAT_SOUS_PENALITE",
    }
    group = await basket.hold(("s1", 1), ("s2", 2), ("s3", 3), ("s4", 4))
    assert states(group) == [HELD, REFUSED, REFUSED, HELD]
    assert codes(group) == [
        0,
        Code.CODE_SLOT_TAKEN,
        Code.CODE_RDVPERMIS_UNEXPECTED,
        Code.CODE_RDVPERMIS_CANDIDATE_PENALTY,
    ]
    assert [line.refusal.rdvpermis_code for line in group.lines[1:3]] == ["CRENEAU_DEJA_RESERVE", "MOT_NOUVEAU"]
    assert group.lines[3].candidate_id == ""  # held, unnamed
    assert (await basket.counters())[("school-1", MONTH)] == 2
    await basket.check()


@pytest.mark.parametrize("arrived", [True, False])
async def test_a_line_held_without_news_of_its_candidate_is_read(basket: Basket, *, arrived: bool) -> None:
    basket.rdvpermis.naming_unknown.add("s1")
    group = await basket.hold(("s1", 1))
    (line,) = group.lines
    assert (line.state, line.candidate_id, line.changing) == (HELD, "", True)
    if not arrived:
        basket.rdvpermis.baskets["basket-1"].candidates["s1"] = ""

    async def known() -> bool:
        await settle_doubts(basket.dependencies)
        return not await basket.rows("SELECT 1 FROM basket_line WHERE changing <> ''")

    await eventually(known)
    (shown,) = (await basket.ask("GetBasket", pb.GetBasketRequest())).groups[0].lines
    assert shown.candidate_id == (candidate(1) if arrived else "")


@pytest.mark.req("C11")
async def test_a_line_missing_in_the_answer_stays_asking(basket: Basket) -> None:
    basket.rdvpermis.silent.add("s2")
    group = await basket.hold("s1", "s2")
    assert states(group) == [HELD, ASKING]
    await basket.check()


async def test_all_or_nothing_asks_nobody_once_a_rule_refuses_one(basket: Basket) -> None:
    basket.world.rules_against["s1"] = territory()
    group = await basket.hold("s1", "s2", all_or_nothing=True)
    assert codes(group) == [Code.CODE_RULE_REFUSED, Code.CODE_ALL_OR_NOTHING_FAILED]
    assert basket.rdvpermis.calls == []
    await basket.check()


async def test_all_or_nothing_asks_nobody_once_the_threshold_refuses_one(basket: Basket) -> None:
    basket.world.quota_limit = 1
    group = await basket.hold("s1", "s2", all_or_nothing=True)
    assert sorted(codes(group)) == [Code.CODE_QUOTA_EXHAUSTED, Code.CODE_ALL_OR_NOTHING_FAILED]
    assert basket.rdvpermis.calls == []
    assert (await basket.counters())[("school-1", MONTH)] == 0
    await basket.check()


async def test_all_or_nothing_gives_back_what_rdvpermis_granted(basket: Basket) -> None:
    basket.rdvpermis.refuse["s2"] = "CRENEAU_NON_DISPONIBLE"
    group = await basket.hold("s1", "s2", all_or_nothing=True)
    assert codes(group) == [Code.CODE_ALL_OR_NOTHING_FAILED, Code.CODE_RDVPERMIS_SLOT_GONE]
    assert group.lines[0].state == pb.LINE_STATE_RELEASED
    await give_back(basket.dependencies)
    assert basket.rdvpermis.owner == {}
    await basket.check()


async def test_the_hold_ends_when_theirs_does_if_that_is_sooner(basket: Basket) -> None:
    basket.rdvpermis.lasts = timedelta(minutes=3)
    group = await basket.hold("s1")
    left = group.expires_at.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(minutes=2) < left <= timedelta(minutes=3)


async def test_rdvpermis_down_holds_nothing_and_says_when_to_try_again(basket: Basket) -> None:
    retry_at = START
    basket.rdvpermis.before["HoldSlots"] = Failure(Code.CODE_RDVPERMIS_DOWN, "circuit open", retry_at=retry_at)
    group = await basket.hold("s1", "s2")
    assert codes(group) == [Code.CODE_RDVPERMIS_DOWN] * 2
    assert group.lines[0].refusal.retry_at.ToDatetime(UTC) == retry_at
    assert (await basket.counters())[("school-1", "")] == 0
    basket.rdvpermis.before.clear()
    assert states(await basket.hold("s1", "s2")) == [HELD, HELD]
    await basket.check()


@pytest.mark.req("C5")
async def test_a_retry_gets_the_same_answer_and_holds_nothing_more(basket: Basket) -> None:
    first = await basket.hold("s1", key="k")
    basket.world.rules_against["s1"] = territory()
    assert await basket.hold("s1", key="k") == first
    assert basket.rdvpermis.calls == ["HoldSlots"]
    await basket.check()


async def test_fifty_twins_have_one_effect(basket: Basket) -> None:
    results = await asyncio.gather(*(basket.hold("s1", key="k") for _ in range(20)), return_exceptions=True)
    groups = [one for one in results if isinstance(one, pb.Group)]
    assert groups
    assert {group.id for group in groups} == {groups[0].id}
    failures = {one.code for one in results if isinstance(one, Failure)}
    assert failures <= {Code.CODE_IN_PROGRESS}
    assert basket.rdvpermis.calls == ["HoldSlots"]


async def test_a_key_with_another_body_is_refused(basket: Basket) -> None:
    await basket.hold("s1", key="k")
    with pytest.raises(Failure) as refused:
        await basket.hold("s2", key="k")
    assert refused.value.code == Code.CODE_KEY_REUSED
    assert states(await basket.hold("s2", key="k", school="school-2")) == [HELD]  # somebody else's key is another key


@pytest.mark.parametrize(
    ("lines", "field"),
    [
        ([pb.HoldLine(slot_id="")], "lines[0].slot_id"),
        ([pb.HoldLine(slot_id="s1"), pb.HoldLine(slot_id="s1")], "lines[1].slot_id"),
        ([pb.HoldLine(slot_id="s1", candidate_id="Durand")], "lines[0].candidate_id"),
    ],
)
async def test_what_cannot_be_read_is_named(basket: Basket, lines: list[pb.HoldLine], field: str) -> None:
    with pytest.raises(Failure) as refused:
        await basket.ask("HoldSlots", pb.HoldSlotsRequest(request_id="k", lines=lines))
    assert refused.value.code == Code.CODE_MALFORMED
    assert refused.value.violations[0][0] == field


async def test_a_trainer_sees_and_does_not_hold(basket: Basket) -> None:
    await basket.hold("s1")
    shown = await basket.ask("GetBasket", pb.GetBasketRequest(), roles=("trainer",))
    assert len(shown.groups) == 1
    with pytest.raises(Failure) as refused:
        await basket.ask("HoldSlots", pb.HoldSlotsRequest(request_id="k"), roles=("trainer",))
    assert refused.value.code == Code.CODE_FORBIDDEN


async def test_another_school_sees_nothing(basket: Basket) -> None:
    await basket.hold("s1")
    assert not (await basket.ask("GetBasket", pb.GetBasketRequest(), school="school-2")).groups
    assert not (await basket.ask("GetUsage", pb.GetUsageRequest(), school="school-2")).usage
