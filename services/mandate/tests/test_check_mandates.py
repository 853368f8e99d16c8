"""CheckMandates: whom it answers, and that schools that ask in the same moment share one statement and nothing else."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
from mandate_service import Service, refusal_of
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Caller, current_caller
from resapermis_mandate import queries
from resapermis_mandate.domain import Mandate, SealedCandidate, State, new_draft
from resapermis_mandate.servicer import MandateServicer
from resapermis_testing.postgres import MakeEngine

SCHOOLS = ("school-1", "school-2", "school-3")
ENDED = (State.REFUSED, State.CANCELLED, State.REVOKED, State.EXPIRED)


@pytest.fixture
async def engine(make_engine: MakeEngine) -> AsyncEngine:
    return await make_engine("resapermis_mandate")


@pytest.fixture
def statements(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was asked of the database, as it is asked."""
    asked: list[str] = []
    run = Statement.run

    async def counted(self: Statement, *arguments: Any) -> Any:
        asked.append(self.sql)
        return await run(self, *arguments)

    monkeypatch.setattr(Statement, "run", counted)
    return asked


async def _candidate(engine: AsyncEngine, school_id: str, *states: State) -> UUID:
    """A candidate of the school, with mandates of category B in these states."""
    candidate_id, now = new_id(), utc_now()
    sealed = SealedCandidate(candidate_id, school_id, b"k", b"l", b"f", b"n", b"e", candidate_id.bytes, now, 1)
    async with transaction(engine) as tx:
        assert await queries.add_candidate(tx, sealed, [])
        for state in states:
            draft = new_draft(new_id(), candidate_id, school_id, "B", "manual", now)
            assert await queries.add_mandate(tx, replace(draft, state=state), None)
    return candidate_id


async def _one_by_one(engine: AsyncEngine, asked: Sequence[queries.SchoolQuestion]) -> list[list[Mandate]]:
    async with transaction(engine) as tx:
        return [await queries.mandates_of(tx, school_id, ids) for school_id, ids in asked]


def _servicer(engine: AsyncEngine) -> MandateServicer:
    nobody: Any = None  # CheckMandates needs nobody but the database
    return MandateServicer(engine, nobody, nobody, nobody, utc_now, new_id)


async def _check(servicer: MandateServicer, school_id: str, *ids: str) -> list[bool]:
    current_caller.set(Caller("basket", None))
    questions = [pb.MandateQuestion(candidate_id=one, category="B") for one in ids]
    request = pb.CheckMandatesRequest(questions=questions, school_id=school_id)
    return [one.active for one in (await servicer.CheckMandates(request, None)).answers]


async def test_asked_at_once_each_gets_the_answer_it_would_get_alone(engine: AsyncEngine) -> None:
    dice = random.Random(25)  # noqa: S311 - repeatable on purpose
    candidates = [new_id()]  # nobody's
    for school_id in SCHOOLS:
        for _ in range(6):
            states = [*dice.choices(ENDED, k=dice.randrange(3)), *dice.sample([State.ACTIVE], k=dice.randrange(2))]
            candidates.append(await _candidate(engine, school_id, *states))
    for _ in range(60):
        asked = [
            (dice.choice(SCHOOLS), set(dice.sample(candidates, k=dice.randrange(1, 6))))
            for _ in range(dice.randrange(1, 9))
        ]
        assert await queries.mandates_of_schools(engine, asked) == await _one_by_one(engine, asked)


async def test_schools_of_one_moment_share_a_statement_and_learn_nothing_of_each_other(
    engine: AsyncEngine, statements: list[str]
) -> None:
    theirs = [str(await _candidate(engine, school_id, State.ACTIVE)) for school_id in SCHOOLS]
    servicer = _servicer(engine)
    found = await asyncio.gather(*(_check(servicer, school_id, *theirs) for school_id in SCHOOLS))
    assert found == [[True, False, False], [False, True, False], [False, False, True]]
    assert len(statements) == 1


async def test_one_malformed_question_harms_nobody_else(engine: AsyncEngine, statements: list[str]) -> None:
    candidate = str(await _candidate(engine, "school-1", State.ACTIVE))
    servicer = _servicer(engine)
    good, bad, unknown = await asyncio.gather(
        _check(servicer, "school-1", candidate),
        _check(servicer, "school-1", "no id"),
        _check(servicer, "nobody", candidate, str(new_id())),
        return_exceptions=True,
    )
    assert (good, unknown) == ([True], [False, False])
    assert isinstance(bad, Failure)
    assert bad.code == Code.CODE_MALFORMED
    assert len(statements) == 1


async def test_a_database_that_fails_fails_all_and_the_next_ask_anew(
    engine: AsyncEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    candidate = str(await _candidate(engine, "school-1", State.ACTIVE))
    servicer = _servicer(engine)
    with monkeypatch.context() as broken:

        async def away(*_: Any) -> Any:
            raise Failure(Code.CODE_UNAVAILABLE, "away")

        broken.setattr(Statement, "run", away)
        both = await asyncio.gather(
            *(_check(servicer, school_id, candidate) for school_id in SCHOOLS[:2]), return_exceptions=True
        )
        assert [one.code for one in both if isinstance(one, Failure)] == [Code.CODE_UNAVAILABLE] * 2
    assert await _check(servicer, "school-1", candidate) == [True]


@pytest.mark.req("R-31")
async def test_a_service_finds_a_candidate_by_rdvpermis_id_in_the_schools_own_list_alone(service: Service) -> None:
    candidate = await service.candidate()
    await service.mandate(candidate)
    service.egress.known[0].state = "ACCEPTE"
    await service.poll(minutes=10)
    questions = [pb.MandateQuestion(rdvpermis_candidate_id=name, category="B") for name in ("c1", "c2")]

    async def ask(school_id: str) -> Any:
        request = pb.CheckMandatesRequest(questions=questions, school_id=school_id)
        return (await service.call("CheckMandates", request, as_service="basket", no_person=True)).answers

    known, unknown = await ask("school-1")
    assert (known.candidate_id, known.active, known.state) == (candidate, True, pb.MANDATE_STATE_ACTIVE)
    assert (unknown.candidate_id, unknown.active, unknown.state) == ("", False, pb.MANDATE_STATE_UNSPECIFIED)
    for answer in await ask("school-2"):  # another school's candidate is nobody
        assert (answer.candidate_id, answer.active, answer.state) == ("", False, pb.MANDATE_STATE_UNSPECIFIED)
    refused = await refusal_of(ask(""))
    assert (refused.code, [field for field, _ in refused.violations]) == (Code.CODE_MALFORMED, ["school_id"])


@pytest.mark.req("R-04")
async def test_a_person_asks_for_their_own_school_whatever_the_request_says(service: Service) -> None:
    candidate = await service.candidate()
    await service.mandate(candidate)
    request = pb.CheckMandatesRequest(questions=[pb.MandateQuestion(candidate_id=candidate)], school_id="school-1")
    (answer,) = (await service.call("CheckMandates", request, as_service="basket", school_id="school-2")).answers
    assert (answer.active, answer.state) == (False, pb.MANDATE_STATE_UNSPECIFIED)


@pytest.mark.req("R-04")
async def test_no_other_service_may_ask_whose_candidate_it_is(service: Service) -> None:
    request = pb.CheckMandatesRequest(questions=[pb.MandateQuestion(rdvpermis_candidate_id="c1")], school_id="school-1")
    refused = await refusal_of(service.call("CheckMandates", request, as_service="scheduling-rules", no_person=True))
    assert refused.code == Code.CODE_UNAUTHENTICATED
    refused = await refusal_of(service.call("CheckMandates", request, as_service="auth-gateway"))
    assert refused.code == Code.CODE_FORBIDDEN
