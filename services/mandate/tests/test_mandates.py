"""Candidates are kept sealed, found blindly and shown to their school alone; mandates follow RdvPermis."""

import asyncio
import time
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis.mandate.v1 import mandate_pb2_grpc as rpc
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc as rdv_rpc
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox, outbox
from resapermis_kit.rpc import peers
from resapermis_mandate import domain, store
from resapermis_mandate.asking import Asking
from resapermis_mandate.domain import State
from resapermis_mandate.people import People
from resapermis_mandate.servicer import MandateServicer
from resapermis_testing.postgres import MakeEngine
from resapermis_testing.running import Running, Serve
from resapermis_vault import BlindIndex, Keyset, PersonKeys
from resapermis_vault.keyset import new_document

NAME, NEPH = "O'Brien-Œuvre", "012345678901"


class Egress(rdv_rpc.RdvPermisServiceServicer):
    """RdvPermis as egress shows it: what to answer is set by the test."""

    def __init__(self) -> None:
        self.asked = 0
        self.refusal: Failure | None = None
        self.known: list[rdv.RdvMandate] = []

    async def CreateMandate(self, request: rdv.CreateMandateRequest, context: Any) -> rdv.CreateMandateResponse:
        self.asked += 1
        if self.refusal is not None:
            raise self.refusal
        self.known.append(
            rdv.RdvMandate(id="m1", rdvpermis_candidate_id="c1", category=request.category, state="EN_ATTENTE")
        )
        return rdv.CreateMandateResponse(mandate=self.known[-1])

    async def SearchMandates(self, request: rdv.SearchMandatesRequest, context: Any) -> rdv.SearchMandatesResponse:
        return rdv.SearchMandatesResponse(mandates=self.known)


@dataclass
class House:
    """Mandate with its egress."""

    running: Running
    egress: Egress
    engine: AsyncEngine
    asking: Asking
    later: list[timedelta] = field(default_factory=lambda: [timedelta()])

    async def call(self, method: str, request: Any, **more: Any) -> Any:
        service = more.pop("as_service", "auth-gateway")
        token = "" if more.pop("no_person", False) else self.running.principal(**more)
        async with self.running.channel("mandate", service) as channel:
            return await peers.call(getattr(rpc.MandateServiceStub(channel), method), request, principal=token)

    async def candidate(self, **more: Any) -> str:
        request = pb.CreateCandidateRequest(request_id=str(new_id()), last_name=NAME, first_name="Zoé", neph=NEPH)
        request.email = "zoe@mail.example"
        for key, value in more.items():
            setattr(request, key, value)
        return str((await self.call("CreateCandidate", request)).candidate.id)

    async def mandate(self, candidate_id: str, **more: Any) -> Any:
        request = pb.RequestMandateRequest(request_id=str(new_id()), candidate_id=candidate_id, category="B")
        return (await self.call("RequestMandate", request, **more)).mandate

    async def records(self, action: str) -> list[Record]:
        async with transaction(self.engine) as tx:
            rows = (await tx.execute(sa.select(outbox.c.payload).where(outbox.c.stream == "records"))).scalars()
        return [record for record in map(Record.FromString, rows) if record.action == action]


@pytest.fixture
async def house(make_engine: MakeEngine, serve: Serve) -> Any:
    engine, egress = await make_engine("resapermis_mandate"), Egress()
    keyset = Keyset.parse(new_document())
    people = People(keyset, PersonKeys(keyset, time.monotonic), BlindIndex(keyset.index_keys))
    side = await serve(
        "egress",
        (rdv_rpc.add_RdvPermisServiceServicer_to_server, egress, "resapermis.rdvpermis.v1.RdvPermisService"),
    )
    later = [timedelta()]
    async with side.channel("egress", "mandate") as channel:
        stub = rdv_rpc.RdvPermisServiceStub(channel)
        asking = Asking(engine, stub, people, Outbox("mandate"), lambda: utc_now() + later[0])
        servicer = MandateServicer(engine, people, asking, Outbox("mandate"), utc_now, new_id)
        running = await serve(
            "mandate", (rpc.add_MandateServiceServicer_to_server, servicer, "resapermis.mandate.v1.MandateService")
        )
        yield House(running, egress, engine, asking, later)


async def _refusal(call: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        await call
    return caught.value


@pytest.mark.req("D-03")
async def test_no_name_or_neph_is_stored_in_clear(house: House) -> None:
    await house.mandate(await house.candidate())
    stored = ""
    async with transaction(house.engine) as tx:
        for table in ("candidate", "candidate_word", "mandate", "outbox", "request"):
            rows = (await tx.execute(sa.select(sa.text("*")).select_from(sa.text(table)))).all()
            stored += repr([[bytes(v) if isinstance(v, memoryview) else v for v in row] for row in rows])
    for secret in (NAME, NEPH, "Zoé", "zoe@mail.example", "O\\'Brien"):
        assert secret not in stored
        assert repr(secret.encode())[2:-1] not in stored


@pytest.mark.req("D-19")
async def test_without_the_persons_key_what_is_stored_of_them_stays_sealed(house: House) -> None:
    candidate = await house.candidate()
    other = await house.candidate(neph="987654321098")
    async with transaction(house.engine) as tx:
        await tx.execute(sa.text("UPDATE candidate SET wrapped_key = NULL WHERE id = :id"), {"id": UUID(candidate)})
    names = pb.DescribeCandidatesRequest(candidate_ids=[candidate, other], purpose="show_basket")
    told = (await house.call("DescribeCandidates", names)).names
    assert [one.candidate_id for one in told if one.last_name] == [other]


@pytest.mark.req("D-03", "R-01")
@pytest.mark.parametrize(
    "query", [NEPH, "0123 4567 8901", "obrien oeuvre".replace("obrien", "o brien"), "OEUVRE", "zoe"]
)
async def test_a_candidate_is_found_by_neph_or_by_words_of_the_name(house: House, query: str) -> None:
    candidate = await house.candidate()
    found = await house.call("SearchCandidates", pb.SearchCandidatesRequest(query=query, purpose="find_candidate"))
    assert [one.id for one in found.candidates] == [candidate]
    assert (found.candidates[0].last_name, found.candidates[0].neph) == (NAME, NEPH)


@pytest.mark.req("R-04")
async def test_another_school_finds_nothing(house: House) -> None:
    candidate = await house.candidate()
    search = pb.SearchCandidatesRequest(query=NEPH, purpose="find_candidate")
    assert not (await house.call("SearchCandidates", search, school_id="school-2")).candidates
    describe = pb.DescribeCandidatesRequest(candidate_ids=[candidate], purpose="show_basket")
    assert not (await house.call("DescribeCandidates", describe, school_id="school-2")).names
    get = pb.GetCandidateRequest(candidate_id=candidate, purpose="follow_candidate")
    absent = pb.GetCandidateRequest(candidate_id=str(new_id()), purpose="follow_candidate")
    for request in (get, absent):
        refused = await _refusal(house.call("GetCandidate", request, school_id="school-2"))
        assert (refused.code, refused.detail) == (Code.CODE_NOT_FOUND, "no such candidate")


@pytest.mark.req("T-01", "D-13")
async def test_each_read_of_a_person_is_recorded_with_its_purpose(house: House) -> None:
    candidate = await house.candidate()
    await house.call("GetCandidate", pb.GetCandidateRequest(candidate_id=candidate, purpose="follow_candidate"))
    records = await house.records("candidate.read")
    assert [(r.candidate_id, r.purpose, r.actor.id) for r in records] == [(candidate, "follow_candidate", "account-1")]
    refused = await _refusal(
        house.call("GetCandidate", pb.GetCandidateRequest(candidate_id=candidate, purpose="marketing"))
    )
    assert refused.violations[0][0] == "purpose"


@pytest.mark.req("R-01")
@pytest.mark.parametrize(
    ("field", "value"),
    [("last_name", " \u00a0"), ("last_name", "x" * 101), ("first_name", "a\x00b"), ("neph", "  "), ("email", "nobody")],
)
async def test_a_field_that_cannot_be_read_is_named(house: House, field: str, value: str) -> None:
    refused = await _refusal(house.candidate(**{field: value}))
    assert (refused.code, refused.violations[0][0]) == (Code.CODE_MALFORMED, field)
    assert value.strip() == "" or value not in refused.detail


@pytest.mark.parametrize(
    "name", ["O'Brien-Œuvre", "e\u0301", "👩‍🚗", "<img onerror>", "{{7*7}}", "=HYPERLINK()", "null"]
)
async def test_odd_but_good_names_come_back_as_written(house: House, name: str) -> None:
    candidate = await house.candidate(last_name=name.replace("\u200d", ""))
    got = await house.call("GetCandidate", pb.GetCandidateRequest(candidate_id=candidate, purpose="follow_candidate"))
    assert got.candidate.last_name == name.replace("\u200d", "")


@pytest.mark.req("R-01")
async def test_a_neph_of_odd_shape_is_a_warning(house: House) -> None:
    candidate = await house.candidate(neph="12-AB")
    got = await house.call("GetCandidate", pb.GetCandidateRequest(candidate_id=candidate, purpose="follow_candidate"))
    assert got.candidate.neph_unusual


async def test_a_retry_gives_the_same_candidate_and_another_body_is_refused(house: House) -> None:
    request = pb.CreateCandidateRequest(request_id="k", last_name="A", first_name="B", neph="123456789012")
    first, second = [await house.call("CreateCandidate", request) for _ in range(2)]
    assert first.candidate == second.candidate
    request.first_name = "C"
    assert (await _refusal(house.call("CreateCandidate", request))).code == Code.CODE_KEY_REUSED


@pytest.mark.req("R-01", "R-03")
async def test_a_mandate_is_pending_then_active_when_the_candidate_accepts(house: House) -> None:
    candidate = await house.candidate()
    mandate = await house.mandate(candidate)
    assert mandate.state == pb.MANDATE_STATE_PENDING
    house.egress.known[0].state = "ACCEPTE"
    house.later[0] = timedelta(minutes=10)
    assert await house.asking.look_at_due(10) == 1
    check = pb.CheckMandatesRequest(questions=[pb.MandateQuestion(candidate_id=candidate, category="B")])
    answer = (await house.call("CheckMandates", check, as_service="basket")).answers[0]
    assert (answer.active, answer.rdvpermis_candidate_id) == (True, "c1")
    moves = [(r.facts["from"], r.facts["to"]) for r in await house.records("mandate.change")]
    assert moves == [("", "draft"), ("draft", "pending"), ("pending", "active")]


@pytest.mark.req("R-31")
async def test_a_service_finds_a_candidate_by_rdvpermis_id_in_the_schools_own_list_alone(house: House) -> None:
    candidate = await house.candidate()
    await house.mandate(candidate)
    house.egress.known[0].state = "ACCEPTE"
    house.later[0] = timedelta(minutes=10)
    await house.asking.look_at_due(10)
    questions = [pb.MandateQuestion(rdvpermis_candidate_id=name, category="B") for name in ("c1", "c2")]

    async def ask(school_id: str) -> Any:
        request = pb.CheckMandatesRequest(questions=questions, school_id=school_id)
        return (await house.call("CheckMandates", request, as_service="basket", no_person=True)).answers

    known, unknown = await ask("school-1")
    assert (known.candidate_id, known.active, known.state) == (candidate, True, pb.MANDATE_STATE_ACTIVE)
    assert (unknown.candidate_id, unknown.active, unknown.state) == ("", False, pb.MANDATE_STATE_UNSPECIFIED)
    for answer in await ask("school-2"):  # another school's candidate is nobody
        assert (answer.candidate_id, answer.active, answer.state) == ("", False, pb.MANDATE_STATE_UNSPECIFIED)
    refused = await _refusal(ask(""))
    assert (refused.code, [field for field, _ in refused.violations]) == (Code.CODE_MALFORMED, ["school_id"])


@pytest.mark.req("R-04")
async def test_a_person_asks_for_their_own_school_whatever_the_request_says(house: House) -> None:
    candidate = await house.candidate()
    await house.mandate(candidate)
    request = pb.CheckMandatesRequest(questions=[pb.MandateQuestion(candidate_id=candidate)], school_id="school-1")
    (answer,) = (await house.call("CheckMandates", request, as_service="basket", school_id="school-2")).answers
    assert (answer.active, answer.state) == (False, pb.MANDATE_STATE_UNSPECIFIED)


@pytest.mark.req("R-04")
async def test_no_other_service_may_ask_whose_candidate_it_is(house: House) -> None:
    request = pb.CheckMandatesRequest(questions=[pb.MandateQuestion(rdvpermis_candidate_id="c1")], school_id="school-1")
    refused = await _refusal(house.call("CheckMandates", request, as_service="scheduling-rules", no_person=True))
    assert refused.code == Code.CODE_UNAUTHENTICATED
    refused = await _refusal(house.call("CheckMandates", request, as_service="auth-gateway"))
    assert refused.code == Code.CODE_FORBIDDEN


@pytest.mark.req("R-01")
async def test_a_refusal_of_rdvpermis_is_said_with_its_code_and_can_be_asked_again(house: House) -> None:
    candidate = await house.candidate()
    house.egress.refusal = Failure(Code.CODE_RDVPERMIS_CANDIDATE_UNKNOWN, "unknown", rdvpermis_code="CANDIDAT_INCONNU")
    refused = await _refusal(house.mandate(candidate))
    assert (refused.code, refused.rdvpermis_code) == (Code.CODE_RDVPERMIS_CANDIDATE_UNKNOWN, "CANDIDAT_INCONNU")
    house.egress.refusal = None
    assert (await house.mandate(candidate)).state == pb.MANDATE_STATE_PENDING


@pytest.mark.req("R-16")
async def test_an_unknown_outcome_is_read_and_never_asked_twice(house: House) -> None:
    candidate = await house.candidate()
    house.egress.refusal = Failure(Code.CODE_UNKNOWN_OUTCOME, "answer lost")
    assert (await house.mandate(candidate)).state == pb.MANDATE_STATE_DRAFT
    house.egress.known.append(rdv.RdvMandate(id="m9", rdvpermis_candidate_id="c9", category="B", state="ACCEPTE"))
    house.later[0] = timedelta(minutes=1)
    await house.asking.look_at_due(10)
    again = await house.mandate(candidate)
    assert (again.state, again.rdvpermis_candidate_id, house.egress.asked) == (pb.MANDATE_STATE_ACTIVE, "c9", 1)


async def test_a_draft_that_rdvpermis_never_had_ends(house: House) -> None:
    candidate = await house.candidate()
    house.egress.refusal = Failure(Code.CODE_UNKNOWN_OUTCOME, "answer lost")
    mandate = await house.mandate(candidate)
    for round_ in range(1, 6):
        house.later[0] = timedelta(minutes=10 * round_)
        await house.asking.look_at_due(10)
    listed = (await house.call("ListMandates", pb.ListMandatesRequest())).mandates
    assert [(m.id, m.state) for m in listed] == [(mandate.id, pb.MANDATE_STATE_CANCELLED)]


@pytest.mark.req("R-03")
async def test_a_mandate_revoked_at_rdvpermis_is_seen_within_a_quarter_of_an_hour(house: House) -> None:
    candidate = await house.candidate()
    await house.mandate(candidate)
    for minutes, state in ((1, "ACCEPTE"), (17, "TERMINE")):
        house.egress.known[0].state = state
        house.later[0] = timedelta(minutes=minutes)
        await house.asking.look_at_due(10)
    check = pb.CheckMandatesRequest(questions=[pb.MandateQuestion(candidate_id=candidate, category="B")])
    answer = (await house.call("CheckMandates", check, as_service="basket")).answers[0]
    assert (answer.active, answer.state) == (False, pb.MANDATE_STATE_REVOKED)


async def test_two_requests_at_once_ask_rdvpermis_once(house: House) -> None:
    candidate = await house.candidate()
    results = await asyncio.gather(*(house.mandate(candidate) for _ in range(5)), return_exceptions=True)
    assert house.egress.asked == 1
    assert all(isinstance(one, (pb.Mandate, Failure)) for one in results)


@pytest.mark.req("R-03")
async def test_the_school_gives_a_mandate_back_at_once(house: House) -> None:
    mandate = await house.mandate(await house.candidate())
    request = pb.RevokeMandateRequest(request_id="r", mandate_id=mandate.id)
    assert (await house.call("RevokeMandate", request)).mandate.state == pb.MANDATE_STATE_CANCELLED
    again = pb.RevokeMandateRequest(request_id="r2", mandate_id=mandate.id)
    assert (await _refusal(house.call("RevokeMandate", again))).code == Code.CODE_ILLEGAL_TRANSITION


@pytest.mark.req("R-05")
async def test_a_mandate_revoked_at_the_desk_carries_no_act_from_that_moment_and_is_recorded(house: House) -> None:
    candidate = await house.candidate()
    mandate = await house.mandate(candidate)
    house.egress.known[0].state = "ACCEPTE"
    house.later[0] = timedelta(minutes=1)
    await house.asking.look_at_due(10)
    check = pb.CheckMandatesRequest(questions=[pb.MandateQuestion(candidate_id=candidate, category="B")])
    assert (await house.call("CheckMandates", check, as_service="basket")).answers[0].active
    request = pb.RevokeMandateRequest(request_id="r", mandate_id=mandate.id)
    assert (await house.call("RevokeMandate", request)).mandate.state == pb.MANDATE_STATE_REVOKED
    assert not (await house.call("CheckMandates", check, as_service="basket")).answers[0].active
    last = (await house.records("mandate.change"))[-1]
    assert (last.actor.id, last.facts["from"], last.facts["to"]) == ("account-1", "active", "revoked")


@pytest.mark.req("S-22")
async def test_only_notification_reads_a_contact_and_a_person_never(house: House) -> None:
    candidate = await house.candidate()
    request = pb.GetContactRequest(candidate_id=candidate, purpose="notify_candidate")
    contact = await house.call("GetContact", request, as_service="notification", no_person=True)
    assert contact.email == "zoe@mail.example"
    for service, no_person in (("basket", True), ("auth-gateway", False), ("notification", False)):
        refused = await _refusal(house.call("GetContact", request, as_service=service, no_person=no_person))
        assert refused.code in {Code.CODE_FORBIDDEN, Code.CODE_UNAUTHENTICATED}


@given(st.sampled_from(State), st.sampled_from(State))
def test_what_has_ended_never_opens_again(old: State, new: State) -> None:
    if domain.may_follow(old, new):
        assert old in domain.OPEN
        assert new != State.DRAFT


@given(st.text())
def test_a_name_is_cleaned_once_for_all_or_refused(text: str) -> None:
    try:
        found = domain.clean_name(text)
    except ValueError:
        return
    assert found == domain.clean_name(found)
    assert 1 <= len(found) <= domain.LONGEST_NAME


@pytest.mark.req("R-01")
async def test_the_tenth_mandate_on_a_connection_is_kept_like_the_first(house: House) -> None:
    """PostgreSQL plans a statement anew after five times, without looking at its values."""
    candidate = UUID(await house.candidate())
    async with transaction(house.engine) as tx:
        for category in ("A", "A1", "A2", "B", "B1", "BE", "C", "C1", "CE", "D"):
            draft = domain.new_draft(new_id(), candidate, "school-1", category, "", utc_now())
            assert await store.add_mandate(tx, draft, None)
            assert not await store.add_mandate(tx, replace(draft, id=new_id()), None)
