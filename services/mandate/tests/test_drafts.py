"""A draft finds at RdvPermis the mandate that was asked for it, and no other."""

from typing import Any

import pytest
from mandate_service import Service

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_kit.errors import Code, Failure

ENDED = ("TERMINE", "REVOQUE", "EXPIRE", "ANNULE")


async def draft_after_one_that_ended(service: Service, ended: str) -> Any:
    """A candidate's mandate m1 was in force and ended at RdvPermis; another was asked for, and its answer was lost."""
    candidate_id = await service.candidate()
    await service.mandate(candidate_id)
    for minutes, state in ((1, "ACCEPTE"), (17, ended)):
        service.egress.known[0].state = state
        await service.poll(minutes=minutes)
    service.egress.refusal = Failure(Code.CODE_UNKNOWN_OUTCOME, "answer lost")
    draft = await service.mandate(candidate_id)
    assert draft.state == pb.MANDATE_STATE_DRAFT
    return draft


async def settled(service: Service, mandate_id: str) -> Any:
    """The mandate after so many polls that each draft of which RdvPermis knows nothing has ended."""
    for minutes in (20, 30, 40, 50, 60):
        await service.poll(minutes=minutes)
    return next(one for one in await service.mandates() if one.id == mandate_id)


@pytest.mark.req("R-03")
@pytest.mark.parametrize("ended", ENDED)
async def test_a_draft_that_rdvpermis_never_had_ends_although_an_earlier_mandate_is_listed(
    service: Service, ended: str
) -> None:
    draft = await draft_after_one_that_ended(service, ended)
    assert (await settled(service, draft.id)).state == pb.MANDATE_STATE_CANCELLED


@pytest.mark.req("R-03")
@pytest.mark.parametrize("ended", ENDED)
@pytest.mark.parametrize("newest", ["first", "last"])
async def test_a_draft_finds_its_mandate_wherever_the_list_has_it(service: Service, newest: str, ended: str) -> None:
    draft = await draft_after_one_that_ended(service, ended)
    made = rdv.RdvMandate(id="m2", rdvpermis_candidate_id="c1", category="B", state="EN_ATTENTE")
    service.egress.known.insert(0 if newest == "first" else 1, made)
    assert (await settled(service, draft.id)).state == pb.MANDATE_STATE_PENDING
    made.state = "ACCEPTE"
    service.egress.known = [one if one.id != "m2" else made for one in service.egress.known]
    await service.poll(minutes=90)
    assert next(one.state for one in await service.mandates() if one.id == draft.id) == pb.MANDATE_STATE_ACTIVE
