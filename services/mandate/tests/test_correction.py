"""What only the State can judge can be corrected until a mandate is in force, and a refusal leads to where."""

from http import HTTPStatus
from typing import Any

import pytest
from mandate_service import NEPH, Service, refusal_of

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis_kit.clock import new_id
from resapermis_kit.errors import Code, Failure
from resapermis_testing.known_fault import KnownFault, known_fault_if

NOT_YET = pytest.mark.xfail(strict=True, raises=KnownFault, reason="fault tried-1: a candidate cannot be corrected")
"""The method's name is a proposal; what a person meets is shown by the gateway's test_correction.py."""


async def correct(service: Service, candidate_id: str, **values: str) -> Any:
    """Correct fields of a candidate; those that are not given stay."""
    methods = pb.DESCRIPTOR.services_by_name["MandateService"].methods_by_name
    known_fault_if("UpdateCandidate" not in methods, sorted(methods))
    message = getattr(pb, "UpdateCandidateRequest")  # noqa: B009 - the contract has no such message today
    request = message(request_id=str(new_id()), candidate_id=candidate_id, **values)
    return (await service.call("UpdateCandidate", request)).candidate


@pytest.mark.req("R-01", "T-01")
@NOT_YET
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
@NOT_YET
async def test_with_a_mandate_in_force_the_person_is_who_they_are(service: Service) -> None:
    candidate_id = await service.candidate()
    await service.mandate(candidate_id)
    service.egress.known[0].state = "ACCEPTE"
    await service.poll(minutes=1)
    refused = await refusal_of(correct(service, candidate_id, last_name="Martin"))
    assert refused.rendering.http == HTTPStatus.CONFLICT


@pytest.mark.req("R-01")
@pytest.mark.xfail(
    strict=True, raises=AssertionError, reason="fault tried-1: a NEPH that is here already is a dead end"
)
async def test_a_neph_that_the_school_has_already_leads_to_whose_it_is(service: Service) -> None:
    candidate_id = await service.candidate()
    refused = await refusal_of(service.candidate(last_name="Martin"))
    assert refused.rendering.http == HTTPStatus.CONFLICT
    assert candidate_id in f"{refused.detail} {refused.violations}"


@pytest.mark.req("R-04")
async def test_a_neph_that_another_school_has_says_nothing_of_it(service: Service) -> None:
    await service.candidate()
    body = {"request_id": "k", "last_name": "Martin", "first_name": "Zoé", "neph": NEPH}
    made = await service.call("CreateCandidate", pb.CreateCandidateRequest(**body), school_id="school-2")
    assert made.candidate.neph == NEPH
