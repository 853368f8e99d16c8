"""Every call of RdvPermis' API stands in the journal: none lost, none twice, none for itself a statement."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_FAILED, Actor, Record
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_auth_gateway.egress import call_journal as module
from resapermis_auth_gateway.egress.call_journal import MOST_OWNERS, CallJournal, Owner
from resapermis_kit.errors import Code, Failure

from .responder import CUT, Responder

pytestmark = pytest.mark.req("S-14")
NOW = datetime(2026, 11, 30, 8, tzinfo=UTC)
OWNERS = [Owner(account, "school-1", urgent) for account in ("a", "b") for urgent in (True, False)]
TIMES = {"since", "until", "account", "kind"}


class Written:
    """Where records go; fails when told."""

    def __init__(self) -> None:
        self.away, self.records, self.statements = False, list[Record](), 0

    async def __call__(self, records: Sequence[Record]) -> None:
        self.statements += 1
        if self.away:
            raise Failure(Code.CODE_UNAVAILABLE, "away")
        self.records += records

    def calls(self) -> Counter[tuple[str, str]]:
        """(account, operation and outcome) -> how many, over all records."""
        found: Counter[tuple[str, str]] = Counter()
        for record in self.records:
            for word, many in record.facts.items():
                if word not in TIMES:
                    found[record.facts["account"], word] += int(many)
        return found


STEPS = st.lists(
    st.one_of(
        st.tuples(
            st.sampled_from(OWNERS), st.sampled_from(["get_school", "add_slots"]), st.sampled_from(["ok", "lost"])
        ),
        st.sampled_from(["write", "fail"]),
    ),
    max_size=40,
)


@given(STEPS)
def test_each_call_is_in_one_record_whatever_fails(steps: list[Any]) -> None:
    async def run() -> None:
        written, expected = Written(), Counter[tuple[str, str]]()
        journal = CallJournal(written, lambda: NOW)
        for step in [*steps, "write"]:
            if isinstance(step, tuple):
                owner, operation, outcome = step
                journal.add(owner, operation, outcome)
                expected[owner.account_id, f"{operation}.{outcome}"] += 1
                continue
            written.away = step == "fail"
            try:
                await journal.write()
            except Failure:
                assert step == "fail"
        assert written.calls() == expected
        assert len(journal) == 0

    asyncio.run(run())


async def test_the_calls_of_an_employee_are_one_record_a_round_with_their_times() -> None:
    at, written = [NOW], Written()
    journal = CallJournal(written, lambda: at[0])
    for _ in range(1000):
        journal.add(OWNERS[0], "add_slots", "ok")
    journal.add(OWNERS[0], "add_slots", "lost")
    journal.add(OWNERS[1], "list_exams", "lost")
    at[0] += timedelta(seconds=60)
    await journal.write()
    asked, unasked = written.records
    assert written.statements == 1
    assert dict(asked.facts) == {
        "add_slots.ok": "1000",
        "add_slots.lost": "1",
        "account": "a",
        "kind": "session",
        "since": "2026-11-30T08:00:00.000Z",
        "until": "2026-11-30T08:01:00.000Z",
    }
    assert (asked.action, asked.outcome, asked.object_id) == ("rdvpermis.call", OUTCOME_DONE, "school-1")
    assert asked.actor == Actor(kind=Actor.KIND_PERSON, id="a", on_behalf_of="school-1")
    assert (unasked.actor.kind, unasked.actor.id, unasked.outcome) == (Actor.KIND_SYSTEM, "egress", OUTCOME_FAILED)


async def test_of_more_employees_than_are_told_apart_the_calls_are_counted_all_the_same() -> None:
    written = Written()
    journal = CallJournal(written, lambda: NOW)
    for number in range(MOST_OWNERS + 500):
        journal.add(Owner(str(number), "school-1", urgent=True), "get_school", "ok")
    await journal.write()
    assert sum(written.calls().values()) == MOST_OWNERS + 500
    assert len(written.records) == MOST_OWNERS + 1
    assert written.statements == 1 + MOST_OWNERS // module.IN_A_STATEMENT


async def test_calls_by_people_and_unasked_are_recorded_with_what_became_of_them(
    world: Any, responder: Responder
) -> None:
    session = await world.sign_in()
    responder.on("GET", "/paniers", (200, []))
    responder.on("DELETE", "/examens/e-1", (400, {"erreur": "EXAMEN_DEJA_ANNULE"}))
    await world.ask("ListBaskets", pb.ListBasketsRequest(), session)
    await world.ask("ListBaskets", pb.ListBasketsRequest(on_behalf=pb.OnBehalf(school_id="school-1")))
    await world.refused("CancelExam", pb.CancelExamRequest(exam_id="e-1"), session)
    responder.on("GET", "/paniers", CUT)
    await world.refused("ListBaskets", pb.ListBasketsRequest(), session)
    assert await world.records("rdvpermis.call") == []
    await world.calls.write()
    found = await world.records("rdvpermis.call")
    assert len(found) == 2
    asked, unasked = found
    assert {word: many for word, many in asked.facts.items() if word not in TIMES} == {
        "paniers.liste.ok": "1",
        "examens.annuler.refused": "1",
        "paniers.liste.lost": "2",
    }
    assert {word: many for word, many in unasked.facts.items() if word not in TIMES} == {
        "moi.ok": "1",
        "paniers.liste.ok": "1",
    }
    assert (asked.source, asked.school_id, asked.actor.on_behalf_of) == ("auth-gateway", "", "school-1")
    assert len(responder.calls("GET /api")) + len(responder.calls("DELETE")) == 6


async def test_a_process_that_stops_records_the_calls_that_it_made(world: Any, responder: Responder) -> None:
    responder.on("GET", "/paniers", (200, []))
    await world.ask("ListBaskets", pb.ListBasketsRequest(), await world.sign_in())
    await world.calls.close()
    assert len(await world.records("rdvpermis.call")) == 1
