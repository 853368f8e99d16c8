"""Naming and releasing a held line."""

from collections.abc import Sequence
from uuid import UUID

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.scheduling.v1.scheduling_pb2 import EvaluateLine
from resapermis_basket import refusals, view
from resapermis_basket.acts import parse_id, parse_optional_id, refuse
from resapermis_basket.changing import Ask, LineActs, Situation, Wish
from resapermis_basket.domain import Change, Changing, Line, State, in_doubt, move, named
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Principal


def _named(lines: Sequence[Line]) -> pb.NameCandidateResponse:
    return pb.NameCandidateResponse(line=view.line(lines[-1]))


def _released(lines: Sequence[Line]) -> pb.ReleaseLineResponse:
    return pb.ReleaseLineResponse(line=view.line(lines[-1]))


class Naming(LineActs):
    """Changes of a line while it is held."""

    async def name(self, who: Principal, request: pb.NameCandidateRequest) -> pb.NameCandidateResponse:
        """Name, rename or unname a held line's candidate: mandate and rules first, then RdvPermis."""
        candidate_id = parse_optional_id(request.candidate_id, "candidate_id")
        situation = await self.situation(who, request, parse_id(request.line_id, "line_id"), candidate_id)
        if situation.asked_before:
            return await self.earlier(who, request, situation, _named)
        line = situation.line
        require_held(situation)
        theirs = await self._may_name(who, situation, candidate_id) if candidate_id is not None else ""
        asked = rdv.NameCandidateRequest(basket_id=line.basket_id, slot_id=line.slot.id, rdvpermis_candidate_id=theirs)
        ask = Ask(
            Changing.NAME,
            "NameCandidate",
            asked,
            lambda lines, _now: [Change(line, named(line)) for line in lines],
            wishes=[Wish(candidate_id, theirs)],
        )
        return await self.act(who, request, situation, ask, _named)

    async def _may_name(self, who: Principal, situation: Situation, candidate_id: UUID) -> str:
        """Have mandate and rules answer about the candidate on this line; return RdvPermis' id of them."""
        line = situation.line
        (mandate,) = await self.parts.peers.mandates([(str(candidate_id), line.slot.category)])
        other = line.candidate_id != candidate_id
        asked = EvaluateLine(
            slot_id=line.slot.id,
            candidate_id=str(candidate_id),
            mandate_active=mandate.active,
            mandate_category=mandate.category,
            mandate_gearbox=mandate.gearbox,
            trainer_id=line.trainer_id,
            vehicle_id=line.vehicle_id,
            line_id=str(line.id),
            # Of a candidate without mandate here nothing is told: they may be another school's.
            candidate_busy=mandate.active
            and other
            and (candidate_id, line.slot.category) in situation.conflicts.candidates,
        )
        # "validate": the line is counted already, as it is at validation.
        said = await self.parts.peers.evaluate([asked], "validate", situation.counted)
        against = [verdict for verdict in said.lines[0].verdicts if not verdict.allowed]
        if against:
            failure = refusals.of_rules(against)
            now = situation.time.now
            raise await refuse(self.parts, who, "basket.name", "line", str(line.id), failure, now)
        rdvpermis_candidate_id: str = mandate.rdvpermis_candidate_id
        return rdvpermis_candidate_id

    async def release(self, who: Principal, request: pb.ReleaseLineRequest) -> pb.ReleaseLineResponse:
        """Give a held line back: at RdvPermis first, so that it is free for others when we say so."""
        situation = await self.situation(who, request, parse_id(request.line_id, "line_id"))
        if situation.asked_before:
            return await self.earlier(who, request, situation, _released)
        require_held(situation)
        line = situation.line
        ask = Ask(
            Changing.RELEASE,
            "ReleaseSlot",
            rdv.ReleaseSlotRequest(basket_id=line.basket_id, slot_id=line.slot.id),
            lambda lines, now: [Change(line, move(line, State.RELEASED, now)) for line in lines],
            done_words=refusals.GONE_WORDS,
        )
        return await self.act(who, request, situation, ask, _released)


def require_held(situation: Situation) -> None:
    """Refuse a line that is not held now, or about which something else is being asked."""
    line = situation.line
    if in_doubt(line):
        raise Failure(Code.CODE_UNKNOWN_OUTCOME, "RdvPermis was asked about this line; its answer is not known yet")
    late = line.state is State.HELD and line.expires_at is not None and line.expires_at <= situation.time.now
    if late or line.state is State.EXPIRED:
        raise Failure(Code.CODE_HOLD_EXPIRED, "the hold has expired")
    if line.state is not State.HELD:
        raise Failure(Code.CODE_ILLEGAL_TRANSITION, f"the line is {line.state}, not held")
