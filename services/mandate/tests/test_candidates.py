"""Candidates are kept sealed, found blindly and shown to their school alone."""

from uuid import UUID

import pytest
import sqlalchemy as sa
from mandate_service import NAME, NEPH, Service, refusal_of

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis_kit.clock import new_id
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code


@pytest.mark.req("D-03", "D-19")
async def test_no_name_or_neph_is_stored_in_clear(service: Service) -> None:
    await service.mandate(await service.candidate())
    stored = ""
    async with transaction(service.engine) as tx:
        for table in ("candidate", "candidate_word", "mandate", "outbox", "request"):
            rows = (await tx.execute(sa.select(sa.text("*")).select_from(sa.text(table)))).all()
            stored += repr([[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in rows])
    for secret in (NAME, NEPH, "Zoé", "zoe@mail.example", "O\\'Brien"):
        assert secret not in stored
        assert repr(secret.encode())[2:-1] not in stored


async def test_without_the_persons_key_what_is_stored_of_them_stays_sealed(service: Service) -> None:
    candidate = await service.candidate()
    other = await service.candidate(neph="987654321098")
    async with transaction(service.engine) as tx:
        await tx.execute(sa.text("UPDATE candidate SET wrapped_key = NULL WHERE id = :id"), {"id": UUID(candidate)})
    names = pb.DescribeCandidatesRequest(candidate_ids=[candidate, other], purpose="show_basket")
    found = (await service.call("DescribeCandidates", names)).names
    assert [one.candidate_id for one in found if one.last_name] == [other]


@pytest.mark.req("D-03", "R-01")
@pytest.mark.parametrize(
    "query", [NEPH, "0123 4567 8901", "obrien oeuvre".replace("obrien", "o brien"), "OEUVRE", "zoe"]
)
async def test_a_candidate_is_found_by_neph_or_by_words_of_the_name(service: Service, query: str) -> None:
    candidate = await service.candidate()
    found = await service.call("SearchCandidates", pb.SearchCandidatesRequest(query=query, purpose="find_candidate"))
    assert [one.id for one in found.candidates] == [candidate]
    assert (found.candidates[0].last_name, found.candidates[0].neph) == (NAME, NEPH)


@pytest.mark.req("R-04")
async def test_another_school_finds_nothing(service: Service) -> None:
    candidate = await service.candidate()
    search = pb.SearchCandidatesRequest(query=NEPH, purpose="find_candidate")
    assert not (await service.call("SearchCandidates", search, school_id="school-2")).candidates
    describe = pb.DescribeCandidatesRequest(candidate_ids=[candidate], purpose="show_basket")
    assert not (await service.call("DescribeCandidates", describe, school_id="school-2")).names
    get = pb.GetCandidateRequest(candidate_id=candidate, purpose="follow_candidate")
    absent = pb.GetCandidateRequest(candidate_id=str(new_id()), purpose="follow_candidate")
    for request in (get, absent):
        refused = await refusal_of(service.call("GetCandidate", request, school_id="school-2"))
        assert (refused.code, refused.detail) == (Code.CODE_NOT_FOUND, "no such candidate")


@pytest.mark.req("T-01", "D-13")
async def test_each_read_of_a_person_is_recorded_with_its_purpose(service: Service) -> None:
    candidate = await service.candidate()
    await service.call("GetCandidate", pb.GetCandidateRequest(candidate_id=candidate, purpose="follow_candidate"))
    records = await service.records("candidate.read")
    assert [(r.candidate_id, r.purpose, r.actor.id) for r in records] == [(candidate, "follow_candidate", "account-1")]
    refused = await refusal_of(
        service.call("GetCandidate", pb.GetCandidateRequest(candidate_id=candidate, purpose="marketing"))
    )
    assert refused.violations[0][0] == "purpose"


@pytest.mark.req("R-01")
@pytest.mark.parametrize(
    ("field", "value"),
    [("last_name", " \u00a0"), ("last_name", "x" * 101), ("first_name", "a\x00b"), ("neph", "  "), ("email", "nobody")],
)
async def test_a_field_that_cannot_be_read_is_named(service: Service, field: str, value: str) -> None:
    refused = await refusal_of(service.candidate(**{field: value}))
    assert (refused.code, refused.violations[0][0]) == (Code.CODE_MALFORMED, field)
    assert value.strip() == "" or value not in refused.detail


@pytest.mark.parametrize(
    "name", ["O'Brien-Œuvre", "q\u0301", "👩‍🚗", "<img onerror>", "{{7*7}}", "=HYPERLINK()", "null"]
)
async def test_odd_but_good_names_come_back_as_written(service: Service, name: str) -> None:
    candidate = await service.candidate(last_name=name.replace("\u200d", ""))
    got = await service.call("GetCandidate", pb.GetCandidateRequest(candidate_id=candidate, purpose="follow_candidate"))
    assert got.candidate.last_name == name.replace("\u200d", "")


@pytest.mark.req("R-01", "B2")
@pytest.mark.parametrize(
    ("typed", "kept", "unusual"),
    [
        ("000000000012", "000000000012", False),
        ("00000000000012", "00000000000012", False),
        (" 0123 4567\u00a08901\u202f", "012345678901", False),
        ("\ufeff0123\u20094567\u200b8901", "012345678901", False),
        ("\uff10\uff11\uff12\uff13\uff14\uff15\uff16\uff17\uff18\uff19\uff10\uff11",) * 2 + (True,),
        ("\u0660\u0661\u0662\u0663\u0664\u0665\u0666\u0667\u0668\u0669\u0660\u0661",) * 2 + (True,),
        ("0000000000013",) * 2 + (True,),
    ],
)
async def test_a_neph_is_kept_digit_by_digit_and_found_however_it_is_spaced(
    service: Service, typed: str, kept: str, *, unusual: bool
) -> None:
    await service.candidate(neph="999999999999")
    candidate = await service.candidate(neph=typed)
    got = await service.get(candidate)
    assert (got.neph, got.neph_unusual) == (kept, unusual)
    for query in (typed, kept):
        found = await service.call(
            "SearchCandidates", pb.SearchCandidatesRequest(query=query, purpose="find_candidate")
        )
        assert [one.id for one in found.candidates] == [candidate]


@pytest.mark.req("R-01")
async def test_a_neph_of_odd_shape_is_a_warning(service: Service) -> None:
    candidate = await service.candidate(neph="12-AB")
    got = await service.call("GetCandidate", pb.GetCandidateRequest(candidate_id=candidate, purpose="follow_candidate"))
    assert got.candidate.neph_unusual


async def test_a_retry_gives_the_same_candidate_and_another_body_is_refused(service: Service) -> None:
    request = pb.CreateCandidateRequest(request_id="k", last_name="A", first_name="B", neph="123456789012")
    first, second = [await service.call("CreateCandidate", request) for _ in range(2)]
    assert first.candidate == second.candidate
    request.first_name = "C"
    assert (await refusal_of(service.call("CreateCandidate", request))).code == Code.CODE_KEY_REUSED


@pytest.mark.req("S-22")
async def test_only_notification_reads_a_contact_and_a_person_never(service: Service) -> None:
    candidate = await service.candidate()
    request = pb.GetContactRequest(candidate_id=candidate, purpose="notify_candidate")
    contact = await service.call("GetContact", request, as_service="notification", no_person=True)
    assert contact.email == "zoe@mail.example"
    about = pb.GetContactRequest(candidate_id=candidate, purpose="notify_school")
    named = await service.call("GetContact", about, as_service="notification", no_person=True)
    assert (named.first_name, named.last_name) == ("Zoé", NAME)
    for asks, no_person in (("basket", True), ("auth-gateway", False), ("notification", False)):
        refused = await refusal_of(service.call("GetContact", request, as_service=asks, no_person=no_person))
        assert refused.code in {Code.CODE_FORBIDDEN, Code.CODE_UNAUTHENTICATED}
