"""Basket asks itself what must hold: true after any acts, and each breach is found although a constraint was lost."""

from collections.abc import Mapping
from typing import Any

import pytest
import sqlalchemy as sa
from basket_peers import Basket
from basket_work import expire_and_warn, settle_and_give_back
from prometheus_client import REGISTRY

from resapermis_basket import invariants as questions
from resapermis_basket.reconcile.doubts import doubt_everything
from resapermis_kit.process import invariants
from resapermis_testing.databases import as_owner

ALL = {**invariants.KIT, **questions.ALWAYS, **questions.IN_TIME}
LATELY = {**invariants.KIT, **questions.LATELY, **questions.IN_TIME}


async def _broken(basket: Basket, asked: Mapping[str, str] = ALL) -> dict[str, int]:
    return {name: many for name, many in (await invariants.check(basket.engine, asked)).items() if many}


@pytest.mark.req("P-05")
async def test_after_acts_of_every_kind_all_hold(basket: Basket) -> None:
    one = await basket.hold(("s1", 1), ("s2", 2), "s3")
    await basket.validate((await basket.hold(("s4", 4))).id)
    await expire_and_warn(basket.dependencies)
    assert one.lines
    assert await _broken(basket) == {}
    assert await _broken(basket, LATELY) == {}


LOSSES: dict[str, list[str]] = {
    "slot_has_one_live_line": [
        "DROP INDEX one_live_line_a_slot",
        "UPDATE basket_line SET slot_id = 's1'",
    ],
    "candidate_has_one_live_line_a_category": [
        "DROP INDEX one_live_line_a_candidate",
        "UPDATE basket_line SET candidate_id = (SELECT candidate_id FROM basket_line WHERE slot_id = 's1')",
    ],
    "quota_equals_counted_lines": ["UPDATE quota SET taken = taken + 1 WHERE month <> ''"],
    "quota_within_cap": ["UPDATE quota SET cap = 1 WHERE month <> ''"],
    "booking_is_nominative": [
        "ALTER TABLE basket_line DROP CONSTRAINT basket_line_nominative_check",
        "UPDATE basket_line SET candidate_id = NULL, state = 'booked', exam_id = 'e' WHERE slot_id = 's1'",
        "UPDATE quota SET taken = taken - 1 WHERE month = ''",
    ],
    "trainer_is_in_one_place": [
        "ALTER TABLE basket_line DROP CONSTRAINT one_place_at_a_time_a_trainer",
        "UPDATE basket_line SET trainer_id = 'trainer-1'",
    ],
    "vehicle_is_in_one_place": [
        "ALTER TABLE basket_line DROP CONSTRAINT one_place_at_a_time_a_vehicle",
        "UPDATE basket_line SET vehicle_id = 'vehicle-1'",
    ],
    "no_hold_past_its_time": ["UPDATE basket_line SET expires_at = now() - interval '6 seconds' WHERE slot_id = 's1'"],
    "nothing_long_in_doubt": [
        "UPDATE basket_line SET changing = 'release', since = now() - interval '2 hours' WHERE slot_id = 's1'"
    ],
    "outbox_numbers_have_no_gap": [
        "INSERT INTO outbox_head VALUES ('events', 9)",
        "UPDATE outbox SET number = 9 WHERE id = (SELECT id FROM outbox WHERE stream = 'events' LIMIT 1)",
        "UPDATE outbox SET number = 7 WHERE id = (SELECT id FROM outbox WHERE stream = 'events' AND number IS NULL LIMIT 1)",
    ],
    "no_dead_letter": [
        "INSERT INTO dead_letter VALUES (gen_random_uuid(), 'mandate', 'Fact', '', 'ValueError', now())"
    ],
}


@pytest.mark.req("P-05")
@pytest.mark.parametrize("asked", [ALL, LATELY], ids=["ever", "lately"])
@pytest.mark.parametrize("name", LOSSES)
async def test_each_breach_is_found_and_shown(basket: Basket, name: str, asked: Mapping[str, str]) -> None:
    await basket.hold(("s1", 1), ("s2", 2))
    async with as_owner(basket.engine) as tx:
        for statement in LOSSES[name]:
            await tx.execute(sa.text(statement))
    found = await _broken(basket, asked)
    assert set(found) == {name}
    assert REGISTRY.get_sample_value("resapermis_invariant_breaches", {"name": name}) == found[name]


@pytest.mark.req("E16")
async def test_after_a_restore_every_hold_is_read_again_before_it_is_believed(basket: Basket) -> None:
    group = await basket.hold(("s1", 1), ("s2", 2))
    their: dict[str, Any] = next(iter(basket.rdvpermis.baskets.values())).candidates
    del their["s2"]  # given back since the backup was made
    await doubt_everything(basket.dependencies)
    await settle_and_give_back(basket.dependencies)
    assert group.lines
    assert await basket.states() == {"s1": "held", "s2": "withdrawn"}
    await basket.check()
