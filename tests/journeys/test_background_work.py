"""Work while nobody is signed in: on a grant it goes on, without one the school is told what waits."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

import asyncpg
import pytest
from journey import DrivingSchool, TheState, until

from devstack.stack import Stack

pytestmark = pytest.mark.xdist_group("stack")
FOUND_SECONDS = 60.0
"""A busy machine included: a reconciliation is due as soon as it is wanted."""
WAITS = ["reconciliation", "results", "polls", "mandates"]
Found = TypeVar("Found")


async def _basket(stack: Stack, statement: str, *values: object) -> object:
    connection = await asyncpg.connect(stack.database_url("basket"), timeout=10)
    try:
        return await connection.fetchval(statement, *values)
    finally:
        await connection.close()


def _ten_minutes_later(stack: Stack, school: DrivingSchool) -> None:
    """The school's reconciliation with RdvPermis is due, as it is every ten minutes."""
    due = "UPDATE watched SET next_reconciliation_at = now() WHERE school_id = $1"
    asyncio.run(_basket(stack, due, school.id))


def _meanwhile(stack: Stack, school: DrivingSchool, ask: Callable[[], Found | None], what: str) -> Found:
    """Wait for `ask` as if ten minutes passed each time."""

    def asked() -> Found | None:
        answer = ask()
        if not answer:
            _ten_minutes_later(stack, school)
        return answer

    found: Found = until(asked, what, FOUND_SECONDS, pause_seconds=0.5)
    return found


@pytest.mark.req("S-24", "R-31")
def test_what_is_done_by_hand_at_night_is_found_on_a_grant_and_without_one_it_waits(
    stack: Stack, school: DrivingSchool, state: TheState
) -> None:
    booked = school.booking()
    slot = booked["slot"]["id"]
    before = school.get("/api/v1/school/background-work")
    assert (before["granted"], before["waits"]) == (False, WAITS)
    assert school.give_grant("refuser") == "refused"
    assert school.get("/api/v1/me/grant")["grant"] is None
    assert school.give_grant() == "given"
    now = school.get("/api/v1/school/background-work")
    assert (now["granted"], now["employees"], now["waits"]) == (True, 1, [])

    assert slot in school.lines()  # from now on the school is reconciled
    school.leave()
    state.cancel_by_hand(state.exams(school.id)[slot]["id"])

    def known() -> bool:
        found = asyncio.run(_basket(stack, "SELECT state FROM basket_line WHERE id::text = $1", booked["id"]))
        return found == "cancelled"

    _meanwhile(stack, school, known, "the cancellation made by hand, while nobody is signed in")
    school.come_in()
    assert slot not in school.lines()
    until(lambda: school.notices("booking.cancelled", booked["id"]), "the notice of the cancellation")
    until(lambda: school.records("booking.cancel", booked["id"]), "the record of the cancellation")
    (record,) = school.records("booking.cancel", booked["id"])
    assert record["actor"]["kind"] != "person"
    used = school.get("/api/v1/me/grant")["grant"]
    assert used["lastUsedAt"] is not None

    assert school.send("DELETE", "/api/v1/me/grant").status_code == 204
    assert school.get("/api/v1/me/grant")["ended"]["reason"] == "withdrawn"
    assert school.get("/api/v1/school/background-work")["waits"] == WAITS
    (withdrawn,) = until(lambda: school.records("grant.withdraw"), "the record of the withdrawal")
    assert withdrawn["actor"]["kind"] == "person"
    (notice,) = until(
        lambda: school.notices("grant.none_left", withdrawn["object"]["id"]), "the notice that background work waits"
    )
    assert "restent en attente" in notice["text"]["fr"]
    school.leave()
    asked = state.calls(school.id, "GET /examens-pagines")
    _ten_minutes_later(stack, school)

    def waits() -> bool:
        due = "SELECT next_reconciliation_at > now() FROM watched WHERE school_id = $1"
        return bool(asyncio.run(_basket(stack, due, school.id)))

    until(waits, "the round that could not read RdvPermis", FOUND_SECONDS)
    assert state.calls(school.id, "GET /examens-pagines") == asked, "nobody's token was used"
