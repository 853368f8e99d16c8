"""Before an opening, and before a press: what is settled, what is answered, and that nothing is done (issue: calm openings)."""

import asyncio
from typing import Any

import pytest
from basket_peers import Basket, LineChanged, Record, candidate
from basket_work import KILLED, settled
from test_line_change import DOWN, LOST, booked

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket.opening.preparation import drop_unused
from resapermis_kit.errors import Code, Failure


async def prepare(basket: Basket, *numbers: int, slot: str = "", account: str = "") -> pb.PrepareOpeningResponse:
    request = pb.PrepareOpeningRequest(
        category="B", department="94", candidate_ids=[candidate(number) for number in numbers], slot_id=slot
    )
    who = {"account": account} if account else {}
    return await basket.ask("PrepareOpening", request, **who)


def against(answer: pb.PrepareOpeningResponse) -> dict[str, list[str]]:
    return {one.candidate_id[-1]: [need.rule for need in one.needs] for one in answer.candidates}


# Preparing


@pytest.mark.req("R-14")
async def test_a_prepared_basket_is_used_by_the_next_hold_alone(basket: Basket) -> None:
    answer = await prepare(basket)
    assert answer.HasField("basket_expires_at")
    assert (answer.token_fresh, answer.rdvpermis_reachable, answer.calls_left) == (True, True, 100)
    calls = len(basket.rdvpermis.calls)
    first = await basket.hold(("s1", 1))
    assert basket.rdvpermis.calls[calls:] == ["HoldSlots"]
    assert await basket.rows("SELECT 1 FROM basket_line WHERE basket_id = 'basket-1'")
    await basket.hold(("s2", 2))
    assert set(basket.rdvpermis.baskets) == {"basket-1", "basket-2"}
    assert (await basket.validate(first.id)).lines[0].state == pb.LINE_STATE_BOOKED


@pytest.mark.req("R-14")
async def test_of_many_holds_at_once_one_has_the_prepared_basket(basket: Basket) -> None:
    await prepare(basket)
    await asyncio.gather(*(basket.hold((f"s{number}", number)) for number in range(6)))
    rows = await basket.rows("SELECT basket_id, count(*) AS lines FROM basket_line GROUP BY 1")
    assert sorted(row.lines for row in rows) == [1] * 6
    await basket.check()


async def test_each_person_has_their_own(basket: Basket) -> None:
    await prepare(basket, account="anne")
    await basket.hold("s1")
    assert len(basket.rdvpermis.baskets) == 2
    (row,) = await basket.rows("SELECT basket_id FROM basket_line")
    assert row.basket_id == "basket-2"


async def test_asked_again_what_is_ready_stays_and_what_is_old_is_done_anew(basket: Basket) -> None:
    await prepare(basket)
    await prepare(basket)
    assert basket.rdvpermis.calls.count("OpenBasket") == 1
    basket.rdvpermis.baskets.clear()
    await prepare(basket)
    await basket.rows("UPDATE prepared_basket SET expires_at = now() + interval '1 minute' RETURNING 1")
    await prepare(basket)
    assert basket.rdvpermis.calls.count("OpenBasket") == 3
    waiting = await basket.rows("SELECT basket_id FROM prepared_basket WHERE next_drop_at IS NULL AND taken_at IS NULL")
    assert [row.basket_id for row in waiting] == ["basket-3"]


async def test_prepared_twice_at_once_one_basket_waits_and_the_other_goes_back(basket: Basket) -> None:
    await asyncio.gather(*(prepare(basket) for _ in range(4)))
    await drop_unused(basket.dependencies)
    (row,) = await basket.rows("SELECT basket_id FROM prepared_basket")
    assert set(basket.rdvpermis.baskets) == {row.basket_id}


async def test_a_basket_that_rdvpermis_lost_does_not_stop_the_hold(basket: Basket) -> None:
    await prepare(basket)
    basket.rdvpermis.baskets.clear()
    assert (await basket.hold("s1")).lines[0].state == pb.LINE_STATE_HELD


async def test_a_basket_about_to_end_is_not_begun_with(basket: Basket) -> None:
    await prepare(basket)
    await basket.rows("UPDATE prepared_basket SET expires_at = now() + interval '20 seconds' RETURNING 1")
    await basket.hold("s1")
    assert len(basket.rdvpermis.baskets) == 2


@pytest.mark.parametrize("how", ["unused", "gone", "away"])
async def test_a_basket_that_nobody_used_is_given_back(basket: Basket, how: str) -> None:
    await prepare(basket)
    await drop_unused(basket.dependencies)
    assert basket.rdvpermis.baskets
    if how == "gone":
        basket.rdvpermis.baskets.clear()
    if how == "away":
        basket.rdvpermis.before["DropBasket"] = DOWN
    await basket.rows("UPDATE prepared_basket SET expires_at = now() + interval '40 seconds' RETURNING 1")
    await drop_unused(basket.dependencies)
    if how == "away":
        assert basket.rdvpermis.baskets
        await basket.hold("s1")  # no longer begun with
        basket.rdvpermis.before.clear()
        await basket.rows("UPDATE prepared_basket SET next_drop_at = now() RETURNING 1")
        await drop_unused(basket.dependencies)
    assert "basket-1" not in basket.rdvpermis.baskets
    assert not await basket.rows("SELECT 1 FROM prepared_basket")


async def test_a_basket_that_a_hold_took_is_never_dropped(basket: Basket) -> None:
    await prepare(basket)
    await basket.hold("s1")
    await basket.rows("UPDATE prepared_basket SET expires_at = now(), next_drop_at = now() RETURNING 1")
    await drop_unused(basket.dependencies)
    assert "DropBasket" not in basket.rdvpermis.calls


@pytest.mark.parametrize("failure", [DOWN, LOST, Failure(Code.CODE_RECONNECT_NEEDED, "sign in again")])
async def test_without_a_basket_it_is_stated_why_and_the_rest_is_prepared(basket: Basket, failure: Failure) -> None:
    basket.rdvpermis.before["OpenBasket"] = failure
    answer = await prepare(basket, 1)
    assert (answer.basket_refusal.code, answer.token_fresh) == (failure.code, False)
    assert not answer.HasField("basket_expires_at")
    assert [one.ready for one in answer.candidates] == [True]
    assert (await basket.hold(("s1", 1))).lines[0].state == pb.LINE_STATE_HELD


async def test_candidates_are_ready_or_it_is_stated_why_not(basket: Basket) -> None:
    await booked(basket, ("s0", 4))
    basket.world.no_mandate.add(candidate(2))
    basket.world.restricted.add(candidate(3))
    basket.rdvpermis.ineligible["rdv-005"] = "CANDIDAT_EN_ATTENTE_DE_RESULTAT"
    basket.world.rules_against["s9"] = Verdict(rule="R-TERRITORY", allowed=False)
    answer = await prepare(basket, 1, 2, 3, 4, 5, slot="s9")
    assert against(answer) == {
        "1": [],
        "2": ["R-MANDATE"],
        "3": ["R-PENALTY"],
        "4": ["R-ONE-ACTIVE"],
        "5": ["R-RDVPERMIS"],
    }
    assert [one.rdvpermis_asked for one in answer.candidates] == [True, False, True, False, True]
    assert basket.rdvpermis.calls.count("CheckEligibility") == 1
    before = await prepare(basket, 1, 2, 3)
    assert against(before) == {"1": [], "2": ["R-MANDATE"], "3": ["R-PENALTY"]}
    assert not any(one.rdvpermis_asked for one in before.candidates)


async def test_without_any_slot_mandates_and_lines_alone_decide(basket: Basket) -> None:
    basket.world.no_mandate.add(candidate(2))
    await basket.hold(("s1", 3))
    await basket.rows("UPDATE basket_line SET category = 'A' RETURNING 1")
    assert against(await prepare(basket, 1, 2)) == {"1": [], "2": ["R-MANDATE"]}
    assert not basket.world.explained


async def test_preparing_holds_nothing_and_tells_nobody(basket: Basket) -> None:
    await prepare(basket, 1, slot="s1")
    assert await basket.states() == {}
    assert not await basket.published(LineChanged)
    assert not await basket.published(Record)


@pytest.mark.parametrize(
    ("field", "value"),
    [("category", ""), ("candidate_ids", ["x"]), ("candidate_ids", [candidate(1)] * 2), ("slot_id", "s" * 300)],
)
async def test_what_cannot_be_read_is_refused_by_its_field(basket: Basket, field: str, value: Any) -> None:
    request = pb.PrepareOpeningRequest(**({"category": "B"} | {field: value}))
    with pytest.raises(Failure) as refused:
        await basket.ask("PrepareOpening", request)
    assert refused.value.violations[0][0].startswith(field)


# RdvPermis' word, kept for the hold


@pytest.mark.req("R-17")
async def test_rdvpermis_own_word_reaches_the_rules_at_hold_and_at_validation(basket: Basket) -> None:
    basket.rdvpermis.ineligible["rdv-002"] = "CANDIDAT_SOUS_PENALITE"
    await prepare(basket, 1, 2, slot="s9")
    group = await basket.hold(("s1", 1), ("s2", 2), ("s3", 3))
    assert [line.state for line in group.lines] == [pb.LINE_STATE_HELD, pb.LINE_STATE_REFUSED, pb.LINE_STATE_HELD]
    asked = {line.candidate_id: line for line in basket.world.evaluated[-1].lines}
    assert asked[candidate(2)].rdvpermis_code == "CANDIDAT_SOUS_PENALITE"
    assert not asked[candidate(3)].HasField("rdvpermis_eligible")
    basket.rdvpermis.ineligible["rdv-001"] = "CANDIDAT_DEJA_DANS_PANIER"  # as it says once we hold
    await basket.validate(group.id)
    assert basket.world.evaluated[-1].lines[0].rdvpermis_eligible


async def test_a_word_about_our_own_hold_does_not_stop_its_validation(basket: Basket) -> None:
    group = await basket.hold(("s1", 1))
    basket.rdvpermis.ineligible["rdv-001"] = "CANDIDAT_DEJA_DANS_PANIER"
    await prepare(basket, 1, slot="s9")
    assert (await basket.validate(group.id)).lines[0].state == pb.LINE_STATE_BOOKED


async def test_a_word_about_a_hold_given_back_since_stops_no_hold(basket: Basket) -> None:
    group = await basket.hold(("s1", 1))
    basket.rdvpermis.ineligible["rdv-001"] = "CANDIDAT_DEJA_DANS_PANIER"
    await prepare(basket, 1, slot="s9")
    await basket.ask("ReleaseLine", pb.ReleaseLineRequest(request_id="r", line_id=group.lines[0].id))
    assert (await basket.hold(("s2", 1))).lines[0].state == pb.LINE_STATE_HELD


async def test_an_old_word_is_not_passed_on(basket: Basket) -> None:
    basket.rdvpermis.ineligible["rdv-001"] = "CANDIDAT_SOUS_PENALITE"
    await prepare(basket, 1, slot="s9")
    await basket.rows("UPDATE eligibility SET seen_at = now() - interval '6 minutes' RETURNING 1")
    assert (await basket.hold(("s1", 1))).lines[0].state == pb.LINE_STATE_HELD


# Unknown outcomes with a prepared basket


@pytest.mark.req("R-16")
@pytest.mark.parametrize("asked", [True, False])
async def test_a_crash_with_a_prepared_basket_is_settled_by_reading(
    basket: Basket, monkeypatch: Any, *, asked: bool
) -> None:
    await prepare(basket)
    real = basket.dependencies.peers.rdvpermis

    async def crash(method: str, request: Any, **how: Any) -> None:
        if asked:
            await real(method, request, **how)
        raise RuntimeError(KILLED)

    with monkeypatch.context() as patch:
        patch.setattr(basket.dependencies.peers, "rdvpermis", crash)
        with pytest.raises(Failure):
            await basket.hold(("s1", 1))
    await basket.rows("UPDATE basket_line SET next_poll_at = now() RETURNING 1")
    await settled(basket, s1="held" if asked else "refused")
    assert await basket.rows("SELECT 1 FROM prepared_basket WHERE taken_at IS NOT NULL")


@pytest.mark.req("R-16")
async def test_a_lost_answer_with_a_prepared_basket_is_found(basket: Basket) -> None:
    await prepare(basket)
    basket.rdvpermis.after["HoldSlots"] = LOST
    await basket.hold(("s1", 1))
    await settled(basket, s1="held")
    (row,) = await basket.rows("SELECT basket_id FROM basket_line")
    assert row.basket_id == "basket-1"


# Checking


async def check(basket: Basket, *slots: tuple[str, int | None], school: str = "school-1") -> Any:
    request = pb.CheckHoldRequest()
    for slot, number in slots:
        request.lines.add(slot_id=slot, candidate_id=candidate(number) if number else "")
    return (await basket.ask("CheckHold", request, school)).explained


async def test_a_check_says_what_a_hold_would_meet_and_does_nothing(basket: Basket) -> None:
    await basket.hold("s3")
    before = (await basket.counters(), list(basket.rdvpermis.calls), len(await basket.published(Record)))
    basket.world.no_mandate.add(candidate(2))
    basket.world.rules_against["s1"] = Verdict(rule="R-NOTICE", allowed=False, remedy="choose_another_slot")
    answer = await check(basket, ("s1", 1), ("s2", 2), ("s3", None), ("s4", 3))
    assert [line.allowed for line in answer.lines] == [False, False, False, True]
    assert [[need.rule for need in line.needs] for line in answer.lines] == [
        ["R-NOTICE"],
        ["R-MANDATE"],
        ["R-PUBLISHED"],
        [],
    ]
    assert answer.verdicts.lines[1].verdicts
    after = (await basket.counters(), list(basket.rdvpermis.calls), len(await basket.published(Record)))
    assert after == before
    assert await basket.states() == {"s3": "held"}


async def test_a_check_asks_mandate_again_about_the_slots_own_category(basket: Basket) -> None:
    basket.world.category = "A"
    basket.world.mandate_category[candidate(1)] = "B"
    answer = await check(basket, ("s1", 1))
    assert [need.rule for need in answer.lines[0].needs] == ["R-MANDATE"]


async def test_a_check_while_the_rules_are_away_is_refused(basket: Basket) -> None:
    await basket.peer_servers["scheduling-rules"].server.stop(0)
    with pytest.raises(Failure) as refused:
        await check(basket, ("s1", None))
    assert refused.value.code == Code.CODE_UNAVAILABLE
