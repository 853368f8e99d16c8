"""A candidate whom RdvPermis does not know as written is corrected: what a REST client meets."""

from typing import Any

import pytest

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis_kit.errors import Code, Failure

KEY = {"Idempotency-Key": "act-1"}
CORRECTED = pb.UpdateCandidateResponse(candidate=pb.Candidate(id="c-1", last_name="Martin", version=2))


@pytest.mark.req("R-01")
@pytest.mark.parametrize(
    ("body", "asked"),
    [
        ({"lastName": " N\u2019Diaye", "version": 1}, {"last_name": "N'Diaye", "version": 1}),
        ({"firstName": "Zoe\u0301"}, {"first_name": "Zoé"}),
        ({"neph": "012345678901"}, {"neph": "012345678901"}),
        ({"email": "mailto:zoe@mail.example,"}, {"email": "zoe@mail.example"}),
        ({"email": None}, {"email": ""}),
        ({}, {}),
    ],
)
async def test_a_candidate_is_corrected_in_the_fields_that_are_given(
    over: Any, body: dict[str, Any], asked: dict[str, Any]
) -> None:
    _, browser, services = await over(mandate={"UpdateCandidate": CORRECTED})
    async with browser:
        answer = await browser.patch("/api/v1/candidates/c-1", json=body, headers=KEY)
    assert (answer.status_code, answer.json()["lastName"], answer.json()["version"]) == (200, "Martin", 2)
    assert services["mandate"].asked == [pb.UpdateCandidateRequest(request_id="act-1", candidate_id="c-1", **asked)]


@pytest.mark.req("R-01")
@pytest.mark.parametrize("body", [{"lastName": "  "}, {"email": "a..b@mail.example"}, {"id": "c-2"}, {"version": 0}])
async def test_a_correction_that_cannot_be_read_is_refused_by_its_field(over: Any, body: dict[str, Any]) -> None:
    _, browser, services = await over(mandate={"UpdateCandidate": CORRECTED})
    async with browser:
        answer = await browser.patch("/api/v1/candidates/c-1", json=body, headers=KEY)
    assert answer.status_code == 422
    assert [one["field"] for one in answer.json()["violations"]] == list(body)
    assert not services["mandate"].asked


@pytest.mark.req("R-01")
@pytest.mark.parametrize(
    ("code", "remedy"),
    [(Code.CODE_NEPH_KNOWN, "see_candidate"), (Code.CODE_CANDIDATE_MANDATED, "give_mandate_back")],
)
async def test_a_conflict_leads_to_where_it_is_settled(over: Any, code: Any, remedy: str) -> None:
    refusal = Failure(code, "candidate c-7", violations=[("neph", "known")], object_id="c-7")
    _, browser, _ = await over(mandate={"UpdateCandidate": refusal})
    async with browser:
        answer = await browser.patch("/api/v1/candidates/c-1", json={"neph": "012345678901"}, headers=KEY)
    problem = answer.json()
    assert answer.status_code == 409
    assert (problem["code"], problem["remedy"], problem["objectId"]) == (refusal.name, remedy, "c-7")
    assert [one["field"] for one in problem["violations"]] == ["neph"]
