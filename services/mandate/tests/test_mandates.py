"""Mandates follow RdvPermis: asked once, read until known, given back at once."""

import asyncio
from dataclasses import replace
from datetime import datetime
from uuid import UUID

import pytest
from mandate_service import Service, refusal_of

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_mandate import domain, queries


@pytest.mark.req("R-01", "R-03")
async def test_a_mandate_is_pending_then_active_when_the_candidate_accepts(service: Service) -> None:
    candidate = await service.candidate()
    mandate = await service.mandate(candidate)
    assert mandate.state == pb.MANDATE_STATE_PENDING
    service.egress.known[0].state = "ACCEPTE"
    assert await service.poll(minutes=10) == 1
    check = pb.CheckMandatesRequest(questions=[pb.MandateQuestion(candidate_id=candidate, category="B")])
    answer = (await service.call("CheckMandates", check, as_service="basket")).answers[0]
    assert (answer.active, answer.rdvpermis_candidate_id) == (True, "c1")
    moves = [(r.facts["from"], r.facts["to"]) for r in await service.records("mandate.change")]
    assert moves == [("", "draft"), ("draft", "pending"), ("pending", "active")]


@pytest.mark.req("R-01")
async def test_a_refusal_of_rdvpermis_carries_its_code_and_can_be_asked_again(service: Service) -> None:
    candidate = await service.candidate()
    service.egress.refusal = Failure(
        Code.CODE_RDVPERMIS_CANDIDATE_UNKNOWN, "unknown", rdvpermis_code="CANDIDAT_INCONNU"
    )
    refused = await refusal_of(service.mandate(candidate))
    assert (refused.code, refused.rdvpermis_code) == (Code.CODE_RDVPERMIS_CANDIDATE_UNKNOWN, "CANDIDAT_INCONNU")
    service.egress.refusal = None
    assert (await service.mandate(candidate)).state == pb.MANDATE_STATE_PENDING


async def test_an_unknown_outcome_is_read_and_never_asked_twice(service: Service) -> None:
    candidate = await service.candidate()
    service.egress.refusal = Failure(Code.CODE_UNKNOWN_OUTCOME, "answer lost")
    assert (await service.mandate(candidate)).state == pb.MANDATE_STATE_DRAFT
    service.egress.known.append(rdv.RdvMandate(id="m9", rdvpermis_candidate_id="c9", category="B", state="ACCEPTE"))
    await service.poll(minutes=1)
    again = await service.mandate(candidate)
    assert (again.state, again.rdvpermis_candidate_id, service.egress.asked) == (pb.MANDATE_STATE_ACTIVE, "c9", 1)


async def test_a_draft_that_rdvpermis_never_had_ends(service: Service) -> None:
    candidate = await service.candidate()
    service.egress.refusal = Failure(Code.CODE_UNKNOWN_OUTCOME, "answer lost")
    mandate = await service.mandate(candidate)
    for round_ in range(1, 6):
        await service.poll(minutes=10 * round_)
    listed = (await service.call("ListMandates", pb.ListMandatesRequest())).mandates
    assert [(m.id, m.state) for m in listed] == [(mandate.id, pb.MANDATE_STATE_CANCELLED)]


@pytest.mark.req("R-03", "S-24")
async def test_a_school_that_nobody_connected_is_asked_for_once_and_keeps_no_other_waiting(service: Service) -> None:
    for number in range(4):
        candidate = await service.candidate(neph=f"01234567890{number}")
        await service.mandate(candidate)
    request = pb.CreateCandidateRequest(
        request_id=str(new_id()), last_name="Diallo", first_name="Awa", neph="012345678999"
    )
    other = (await service.call("CreateCandidate", request, school_id="school-2")).candidate.id
    await service.mandate(other, school_id="school-2")
    service.egress.unconnected.add("school-1")
    service.polls_at_once = 2
    assert await service.poll(minutes=6) == 2
    assert service.egress.searched == ["school-1", "school-2"]
    service.egress.searched.clear()
    await service.poll(minutes=10.9)
    assert "school-1" not in service.egress.searched
    service.egress.unconnected.clear()
    service.polls_at_once = 10
    await service.poll(minutes=11.1)  # five minutes later, whoever connected meanwhile
    assert service.egress.searched.count("school-1") == 4


async def test_one_that_is_due_again_in_the_same_round_does_not_keep_the_round_for_ever(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    mandate = await service.mandate(await service.candidate())
    service.egress.unconnected.add("school-1")
    put_off = queries.postpone_polls

    async def and_asked_for_anew(tx: Tx, school_id: str, at: datetime) -> None:
        await put_off(tx, school_id, at)
        await queries.postpone_poll(tx, UUID(mandate.id), service.now())

    monkeypatch.setattr(queries, "postpone_polls", and_asked_for_anew)
    service.polls_at_once = 3
    async with asyncio.timeout(5):
        assert await service.poll(minutes=6) == 3
    assert service.egress.searched == ["school-1"] * 3


@pytest.mark.req("R-03")
async def test_a_mandate_revoked_at_rdvpermis_is_seen_within_a_quarter_of_an_hour(service: Service) -> None:
    candidate = await service.candidate()
    await service.mandate(candidate)
    for minutes, state in ((1, "ACCEPTE"), (17, "TERMINE")):
        service.egress.known[0].state = state
        await service.poll(minutes=minutes)
    check = pb.CheckMandatesRequest(questions=[pb.MandateQuestion(candidate_id=candidate, category="B")])
    answer = (await service.call("CheckMandates", check, as_service="basket")).answers[0]
    assert (answer.active, answer.state) == (False, pb.MANDATE_STATE_REVOKED)


async def test_two_requests_at_once_ask_rdvpermis_once(service: Service) -> None:
    candidate = await service.candidate()
    results = await asyncio.gather(*(service.mandate(candidate) for _ in range(5)), return_exceptions=True)
    assert service.egress.asked == 1
    assert all(isinstance(one, (pb.Mandate, Failure)) for one in results)


@pytest.mark.req("R-03")
async def test_the_school_gives_a_mandate_back_at_once(service: Service) -> None:
    mandate = await service.mandate(await service.candidate())
    request = pb.RevokeMandateRequest(request_id="r", mandate_id=mandate.id)
    assert (await service.call("RevokeMandate", request)).mandate.state == pb.MANDATE_STATE_CANCELLED
    again = pb.RevokeMandateRequest(request_id="r2", mandate_id=mandate.id)
    assert (await refusal_of(service.call("RevokeMandate", again))).code == Code.CODE_ILLEGAL_TRANSITION


@pytest.mark.req("R-05")
async def test_a_mandate_revoked_at_the_desk_carries_no_act_from_that_moment_and_is_recorded(service: Service) -> None:
    candidate = await service.candidate()
    mandate = await service.mandate(candidate)
    service.egress.known[0].state = "ACCEPTE"
    await service.poll(minutes=1)
    check = pb.CheckMandatesRequest(questions=[pb.MandateQuestion(candidate_id=candidate, category="B")])
    assert (await service.call("CheckMandates", check, as_service="basket")).answers[0].active
    request = pb.RevokeMandateRequest(request_id="r", mandate_id=mandate.id)
    assert (await service.call("RevokeMandate", request)).mandate.state == pb.MANDATE_STATE_REVOKED
    assert not (await service.call("CheckMandates", check, as_service="basket")).answers[0].active
    last = (await service.records("mandate.change"))[-1]
    assert (last.actor.id, last.facts["from"], last.facts["to"]) == ("account-1", "active", "revoked")


@pytest.mark.req("R-01")
async def test_the_tenth_mandate_on_a_connection_is_kept_like_the_first(service: Service) -> None:
    """PostgreSQL plans a statement anew after five times, without looking at its values."""
    candidate = UUID(await service.candidate())
    async with transaction(service.engine) as tx:
        for category in ("A", "A1", "A2", "B", "B1", "BE", "C", "C1", "CE", "D"):
            draft = domain.new_draft(new_id(), candidate, "school-1", category, "", utc_now())
            assert await queries.add_mandate(tx, draft, None)
            assert not await queries.add_mandate(tx, replace(draft, id=new_id()), None)
