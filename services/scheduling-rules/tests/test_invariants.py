"""scheduling-rules asks itself what must hold, and finds each breach although a constraint was lost."""

import pytest
import sqlalchemy as sa

from resapermis_kit.process import invariants as kit
from resapermis_scheduling_rules import invariants
from resapermis_testing.databases import as_owner
from resapermis_testing.postgres import MakeEngine

_RESTRICTION = (
    "INSERT INTO restriction (id, school_id, candidate_id, category, kind, reason, since, line_id, waiver_reason, proposed_by, "
    "proposed_at, approved_by, approved_at) VALUES "
    "(gen_random_uuid(), 's', 'c', 'B', '', 'absence', now(), 'l1', 'ill', 'a', now(), {approved}, now())"
)
_TERM = (
    "INSERT INTO trainer (school_id, id, department, categories, active_from, active_until, set_by, set_at) "
    "VALUES ('s', 't', '94', '{{B}}', now() - interval '{since} days', {until}, 'a', now())"
)
_NO_CHECKS = (
    "DO $$ DECLARE c text; BEGIN FOR c IN SELECT conname FROM pg_constraint WHERE conrelid = 'parameter'::regclass "
    "AND contype = 'c' LOOP EXECUTE 'ALTER TABLE parameter DROP CONSTRAINT ' || quote_ident(c); END LOOP; END $$"
)
LOSSES: dict[str, list[str]] = {
    "restriction_is_waived_by_two": [
        "ALTER TABLE restriction DROP CONSTRAINT restriction_four_eyes_check",
        _RESTRICTION.format(approved="'a'"),
    ],
    "restriction_follows_from_one_event_once": [
        "DROP INDEX one_restriction_a_line_and_reason",
        _RESTRICTION.format(approved="'b'"),
        _RESTRICTION.format(approved="'b'"),
    ],
    "parameter_is_approved_by_another": [
        _NO_CHECKS,
        "UPDATE parameter SET approved_by = set_by WHERE name = 'basket'",
    ],
    "trainer_has_one_term_at_a_time": [
        "ALTER TABLE trainer DROP CONSTRAINT one_term_of_a_trainer_at_a_time",
        _TERM.format(since=9, until="NULL"),
        _TERM.format(since=5, until="NULL"),
    ],
}


@pytest.mark.req("P-05")
async def test_what_a_fresh_database_has_breaks_nothing(make_engine: MakeEngine) -> None:
    engine = await make_engine("resapermis_scheduling_rules")
    assert not any((await kit.check(engine, {**kit.KIT, **invariants.ALWAYS})).values())


@pytest.mark.req("P-05")
@pytest.mark.parametrize("name", LOSSES)
async def test_each_breach_is_found(make_engine: MakeEngine, name: str) -> None:
    engine = await make_engine("resapermis_scheduling_rules")
    async with as_owner(engine) as tx:
        for statement in LOSSES[name]:
            await tx.execute(sa.text(statement))
    found = await kit.check(engine, invariants.ALWAYS)
    assert [one for one, many in found.items() if many] == [name]
