"""What only the State can judge can be corrected until a mandate is in force, and a refusal leads to where."""

import asyncio
from http import HTTPStatus
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from mandate_service import NAME, NEPH, Service, refusal_of

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis_kit.clock import new_id
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_mandate import queries
from resapermis_testing.eventually import eventually


async def correct(service: Service, candidate_id: str, **values: Any) -> Any:
    """Correct fields of a candidate; those that are not given stay."""
    request = pb.UpdateCandidateRequest(request_id=str(new_id()), candidate_id=candidate_id, **values)
    return (await service.call("UpdateCandidate", request)).candidate


@pytest.mark.req("R-01", "T-01")
@pytest.mark.parametrize(
    ("field", "value", "query"),
    [
        ("last_name", "Martin", "martin"),
        ("first_name", "Lou", "lou"),
        ("neph", "987654321098", "987654321098"),
        ("email", "lou@mail.example", NEPH),
    ],
)
async def test_a_candidate_whom_rdvpermis_did_not_know_is_corrected_and_asked_for_again(
    service: Service, field: str, value: str, query: str
) -> None:
    candidate_id = await service.candidate()
    service.egress.refusal = Failure(Code.CODE_RDVPERMIS_CANDIDATE_UNKNOWN, "unknown", rdvpermis_code="INCONNU")
    assert (await refusal_of(service.mandate(candidate_id))).code == Code.CODE_RDVPERMIS_CANDIDATE_UNKNOWN
    assert getattr(await correct(service, candidate_id, **{field: value}), field) == value
    assert getattr(await service.get(candidate_id), field) == value
    search = pb.SearchCandidatesRequest(query=query, purpose="find_candidate")
    assert [one.id for one in (await service.call("SearchCandidates", search)).candidates] == [candidate_id]
    records = await service.records("candidate.update")
    assert [(one.candidate_id, one.actor.id, one.facts["fields"]) for one in records] == [
        (candidate_id, "account-1", field)
    ]
    assert value not in str(records)
    service.egress.refusal = None
    assert (await service.mandate(candidate_id)).state == pb.MANDATE_STATE_PENDING
    assert getattr(service.egress.requests[-1], field, value) == value  # RdvPermis gets no first name


@pytest.mark.req("R-01")
async def test_with_a_mandate_in_force_the_person_is_who_they_are(service: Service) -> None:
    candidate_id = await service.candidate()
    await service.mandate(candidate_id)
    service.egress.known[0].state = "ACCEPTE"
    await service.poll(minutes=1)
    refused = await refusal_of(correct(service, candidate_id, last_name="Martin"))
    assert refused.rendering.http == HTTPStatus.CONFLICT


@pytest.mark.req("R-01")
async def test_a_neph_that_the_school_has_already_leads_to_whose_it_is(service: Service) -> None:
    candidate_id = await service.candidate()
    refused = await refusal_of(service.candidate(last_name="Martin"))
    assert refused.rendering.http == HTTPStatus.CONFLICT
    assert (refused.code, refused.object_id) == (Code.CODE_NEPH_KNOWN, candidate_id)
    assert candidate_id in f"{refused.detail} {refused.violations}"


@pytest.mark.req("R-04")
async def test_a_neph_that_another_school_has_says_nothing_of_it(service: Service) -> None:
    await service.candidate()
    body = {"request_id": "k", "last_name": "Martin", "first_name": "Zoé", "neph": NEPH}
    made = await service.call("CreateCandidate", pb.CreateCandidateRequest(**body), school_id="school-2")
    assert made.candidate.neph == NEPH


@pytest.mark.req("R-01")
async def test_where_mails_go_is_correctable_with_a_mandate_in_force_too(service: Service) -> None:
    candidate_id = await service.candidate()
    await service.mandate(candidate_id)
    service.egress.known[0].state = "ACCEPTE"
    await service.poll(minutes=1)
    assert (await correct(service, candidate_id, email="mailto:lou@mail.example")).email == "lou@mail.example"
    assert (await correct(service, candidate_id, email="")).email == ""
    assert [one.facts["fields"] for one in await service.records("candidate.update")] == ["email", "email"]


@pytest.mark.req("R-01")
async def test_while_rdvpermis_waits_for_the_candidate_the_neph_stays_and_the_refusal_says_why(
    service: Service,
) -> None:
    candidate_id = await service.candidate()
    mandate = await service.mandate(candidate_id)
    refused = await refusal_of(correct(service, candidate_id, neph="987654321098"))
    assert (refused.code, refused.object_id) == (Code.CODE_CANDIDATE_MANDATED, mandate.id)
    assert [field for field, _ in refused.violations] == ["neph"]
    await service.call("RevokeMandate", pb.RevokeMandateRequest(request_id=str(new_id()), mandate_id=mandate.id))
    assert (await correct(service, candidate_id, neph="987654321098")).neph == "987654321098"


@pytest.mark.req("R-01")
async def test_while_rdvpermis_is_being_asked_the_neph_stays(service: Service) -> None:
    candidate_id = await service.candidate()
    service.egress.refusal = Failure(Code.CODE_UNKNOWN_OUTCOME, "cut")
    assert (await service.mandate(candidate_id)).state == pb.MANDATE_STATE_DRAFT
    refused = await refusal_of(correct(service, candidate_id, neph="987654321098"))
    assert refused.code == Code.CODE_IN_PROGRESS
    assert (await correct(service, candidate_id, last_name="Martin")).last_name == "Martin"


@pytest.mark.req("R-01")
async def test_a_mandate_is_asked_under_the_name_that_is_written_down_then(service: Service) -> None:
    """A correction and a request that meet are done one after the other: the row's lock holds the second."""
    candidate_id = await service.candidate()
    async with transaction(service.engine) as tx:
        sealed = await queries.lock_candidate(tx, "school-1", UUID(candidate_id), to_correct=True)
        assert sealed is not None
        asking = asyncio.create_task(service.mandate(candidate_id))
        await eventually(lambda: waiting_for_locks(service))
        corrected = service.identities.corrected(sealed, {"last_name": "Martin"})
        assert await queries.correct_candidate(tx, corrected, None)
    await asking
    assert [one.last_name for one in service.egress.requests] == ["Martin"]


async def waiting_for_locks(service: Service) -> bool:
    async with transaction(service.engine) as tx:
        question = (
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        return bool((await tx.execute(sa.text(question))).scalar())


@pytest.mark.req("R-01")
async def test_by_the_old_name_nobody_is_found_any_more(service: Service) -> None:
    candidate_id = await service.candidate(last_name="Martim", first_name="Léa")
    await correct(service, candidate_id, last_name="Martin")
    for query, found in (("martim", []), ("lea martin", [candidate_id])):
        search = pb.SearchCandidatesRequest(query=query, purpose="find_candidate")
        assert [one.id for one in (await service.call("SearchCandidates", search)).candidates] == found


@pytest.mark.req("R-01")
async def test_who_corrects_what_somebody_else_corrected_meanwhile_reads_it_again(service: Service) -> None:
    candidate_id = await service.candidate()
    read = (await service.get(candidate_id)).version
    assert (await correct(service, candidate_id, last_name="Martin", version=read)).version == read + 1
    refused = await refusal_of(correct(service, candidate_id, last_name="Martim", version=read))
    assert refused.code == Code.CODE_STALE
    assert (await service.get(candidate_id)).last_name == "Martin"


@pytest.mark.req("R-01")
async def test_a_repeat_is_the_same_correction_and_one_without_a_difference_is_none(service: Service) -> None:
    candidate_id = await service.candidate()
    request = pb.UpdateCandidateRequest(request_id="k", candidate_id=candidate_id, last_name="Martin")
    answers = [(await service.call("UpdateCandidate", request)).candidate for _ in range(2)]
    assert answers[0] == answers[1]
    assert (await correct(service, candidate_id, last_name=" Martin ")).version == answers[0].version
    assert len(await service.records("candidate.update")) == 1


@pytest.mark.req("R-01")
@pytest.mark.parametrize(("field", "value"), [("last_name", " "), ("neph", " "), ("email", "a..b@mail.example")])
async def test_a_correction_that_cannot_be_read_is_refused_by_its_field(
    service: Service, field: str, value: str
) -> None:
    candidate_id = await service.candidate()
    refused = await refusal_of(correct(service, candidate_id, **{field: value}))
    assert (refused.code, refused.violations[0][0]) == (Code.CODE_MALFORMED, field)


@pytest.mark.req("R-01")
async def test_a_neph_is_not_corrected_into_that_of_another_candidate(service: Service) -> None:
    first, second = await service.candidate(), await service.candidate(neph="987654321098")
    refused = await refusal_of(correct(service, second, neph=NEPH, last_name="Martin"))
    assert (refused.code, refused.object_id) == (Code.CODE_NEPH_KNOWN, first)
    kept = await service.get(second)
    assert (kept.neph, kept.last_name, kept.version) == ("987654321098", NAME, 1)


@pytest.mark.req("R-04")
async def test_another_school_corrects_nobody(service: Service) -> None:
    candidate_id = await service.candidate()
    request = pb.UpdateCandidateRequest(request_id="k", candidate_id=candidate_id, last_name="Martin")
    refused = await refusal_of(service.call("UpdateCandidate", request, school_id="school-2"))
    assert refused.code == Code.CODE_NOT_FOUND


@pytest.mark.req("D-03")
async def test_a_corrected_name_is_stored_sealed(service: Service) -> None:
    candidate_id = await service.candidate()
    await correct(service, candidate_id, last_name="Martin", neph="987654321098", email="lou@mail.example")
    stored = ""
    async with transaction(service.engine) as tx:
        for table in ("candidate", "candidate_word", "outbox", "request"):
            rows = (await tx.execute(sa.select(sa.text("*")).select_from(sa.text(table)))).all()
            stored += repr([tuple(row) for row in rows])
    for secret in ("Martin", "987654321098", "lou@mail.example"):
        assert secret not in stored
