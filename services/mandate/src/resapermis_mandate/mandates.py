"""How a mandate moves: asked of RdvPermis once, then polled until known. The intention is committed before the call."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Actor
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc as rdv_grpc
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc import peers
from resapermis_mandate import events, queries
from resapermis_mandate.domain import AT_RDVPERMIS, OPEN, Identity, Mandate, State, may_follow, next_poll
from resapermis_mandate.identities import Identities

log = structlog.get_logger()


class Mandates:
    """Requests mandates at RdvPermis, polls what became of them, and changes their state with event and record."""

    def __init__(
        self,
        engine: AsyncEngine,
        egress: rdv_grpc.RdvPermisServiceStub,
        identities: Identities,
        box: Outbox,
        now: Clock,
    ) -> None:
        """Wired in process."""
        self._engine, self._egress, self._identities, self._box, self._now = engine, egress, identities, box, now

    async def change(self, tx: Tx, actor: Actor, mandate: Mandate, to: State, values: Mapping[str, Any]) -> Mandate:
        """Bring a mandate to `to` with its event and record; one that somebody moved meanwhile is left as it is."""
        now = self._now()
        changed = await queries.change_mandate(
            tx,
            mandate.id,
            mandate.state,
            {"state": to, "since": now, "polls": 0, "next_poll_at": next_poll(to, 0, now)} | dict(values),
        )
        if changed is None:
            found = await queries.find_mandate(tx, mandate.school_id, mandate.id)
            return found or mandate
        await self._box.add(tx, now, *events.mandate_changed(actor, changed, mandate.state))
        return changed

    async def request(self, actor: Actor, mandate: Mandate, identity: Identity) -> tuple[Mandate, Failure | None]:
        """Request a drafted mandate, as the person who is being answered.

        Returns the mandate as it then stands and RdvPermis' refusal, if any. An unknown outcome leaves it a draft,
        which `poll` settles; it is never asked twice.
        """
        asked = rdv.CreateMandateRequest(
            last_name=identity.last_name, neph=identity.neph, email=identity.email, category=mandate.category
        )
        try:
            answer = (await peers.call(self._egress.CreateMandate, asked, timeout=6)).mandate
        except Failure as failure:
            return await self._after_failure(actor, mandate, failure)
        to = AT_RDVPERMIS.get(answer.state, State.PENDING) if answer.state else State.PENDING
        async with transaction(self._engine) as tx:
            return await self.change(tx, actor, mandate, to, _seen(answer, self._now())), None

    async def _after_failure(self, actor: Actor, mandate: Mandate, failure: Failure) -> tuple[Mandate, Failure | None]:
        if failure.code == Code.CODE_RDVPERMIS_MANDATE_ALREADY_OURS:
            return await self.poll(mandate, person=True), None  # it exists there: read it instead of refusing
        if peers.may_have_acted(failure):
            log.warning("mandate.outcome_unknown", mandate=str(mandate.id), error_code=failure.name)
            return mandate, None
        to = State.REFUSED if failure.rdvpermis_code else State.CANCELLED
        async with transaction(self._engine) as tx:
            changed = await self.change(tx, actor, mandate, to, {"rdvpermis_code": failure.rdvpermis_code})
        return changed, failure

    async def poll(self, mandate: Mandate, *, person: bool = False) -> Mandate:
        """Read a mandate at RdvPermis and follow what it answers; as the asking person, or for the school unasked.

        Failure when RdvPermis cannot be read; the mandate then stays as it is.
        """
        async with transaction(self._engine) as tx:
            found = await queries.find_candidates(tx, mandate.school_id, [mandate.candidate_id])
        identity = self._identities.open(found[0])
        request = rdv.SearchMandatesRequest(
            on_behalf=rdv.OnBehalf(school_id=mandate.school_id),
            category=mandate.category,
            neph=identity.neph,
            page=0,
            page_size=20,
        )
        principal = None if person else ""
        answer = await peers.ask(self._egress.SearchMandates, request, timeout=6, principal=principal)
        async with transaction(self._engine) as tx:
            ours = await queries.mandates_of(tx, mandate.school_id, [mandate.candidate_id])
            return await self._follow(tx, mandate, _listed(mandate, ours, answer.mandates))

    async def _follow(self, tx: Tx, mandate: Mandate, found: rdv.RdvMandate | None) -> Mandate:
        now = self._now()
        if found is None:
            # A draft of which RdvPermis knows nothing was never created; an active one is no longer in force there.
            to = {State.DRAFT: State.CANCELLED, State.ACTIVE: State.REVOKED}.get(mandate.state, mandate.state)
        else:
            to = AT_RDVPERMIS.get(found.state, mandate.state)
        values: dict[str, Any] = {"seen_at": now} if found is None else _seen(found, now)
        # Right after asking, RdvPermis' list may lag behind its answer: give a draft three polls.
        if mandate.state == State.DRAFT and to == State.CANCELLED and mandate.polls < 3:
            to = mandate.state
        if to != mandate.state and may_follow(mandate.state, to):
            return await self.change(tx, events.RDVPERMIS, mandate, to, values)
        polls = mandate.polls + 1
        values |= {"polls": polls, "next_poll_at": next_poll(mandate.state, polls, now)}
        return await queries.change_mandate(tx, mandate.id, mandate.state, values) or mandate


def _listed(mandate: Mandate, ours: Sequence[Mandate], listed: Iterable[rdv.RdvMandate]) -> rdv.RdvMandate | None:
    """Which of those that RdvPermis lists is this mandate; None when it knows of none.

    The one whose id we have; else one that is no other mandate of `ours` (the candidate's, of any state) and whose state may
    be this one's, one in force or awaited before one that has ended: RdvPermis goes on listing mandates that ended, and
    what it does not say of a draft must not be taken from those.
    """
    same = [one for one in listed if one.category == mandate.category]
    if (known := mandate.rdvpermis_mandate_id) and (found := next((one for one in same if one.id == known), None)):
        return found
    others = {one.rdvpermis_mandate_id for one in ours if one.id != mandate.id} - {""}
    states = [(one, AT_RDVPERMIS.get(one.state, mandate.state)) for one in same if one.id not in others]
    possible = [(one, to) for one, to in states if to == mandate.state or may_follow(mandate.state, to)]
    return max(possible, key=lambda pair: pair[1] in OPEN, default=(None, None))[0]


def _seen(found: rdv.RdvMandate, now: datetime) -> dict[str, Any]:
    return {
        "seen_at": now,
        "rdvpermis_mandate_id": found.id,
        "rdvpermis_candidate_id": found.rdvpermis_candidate_id,
    }
