"""A held line: naming its candidate, giving it back."""

from collections.abc import Sequence
from uuid import UUID

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Change, Changing, Line, State, in_doubt, move, with_wanted_candidate
from resapermis_basket.judgement import refusals, verdicts
from resapermis_basket.line.change import (
    LineChange,
    LineSituation,
    WantedCandidate,
    change_lines,
    line_command,
    read_line_situation,
)
from resapermis_basket.peers import line_question
from resapermis_basket.wire import line_message
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.fields import parse_id, parse_optional_id


async def name_candidate(
    dependencies: Dependencies, who: Principal, request: pb.NameCandidateRequest
) -> pb.NameCandidateResponse:
    """Name, rename or unname a held line's candidate: mandate and rules first, then RdvPermis."""
    candidate_id = parse_optional_id(request.candidate_id, "candidate_id")
    line_id = parse_id(request.line_id, "line_id")
    command = line_command(who, request, pb.NameCandidateResponse, _named, line_id)
    situation, answered = await read_line_situation(dependencies, who, command, line_id, candidate_id=candidate_id)
    if answered is not None:
        return answered
    line = situation.line
    require_held(situation)
    theirs = await _may_name(dependencies, who, situation, candidate_id) if candidate_id is not None else ""
    wish = LineChange(
        Changing.NAME,
        "NameCandidate",
        rdv.NameCandidateRequest(basket_id=line.basket_id, slot_id=line.slot.id, rdvpermis_candidate_id=theirs),
        lambda lines, _now: [Change(line, with_wanted_candidate(line)) for line in lines],
        wanted=[WantedCandidate(candidate_id, theirs)],
    )
    return await change_lines(dependencies, who, command, situation, wish, _named)


async def release_line(
    dependencies: Dependencies, who: Principal, request: pb.ReleaseLineRequest
) -> pb.ReleaseLineResponse:
    """Give a held line back: at RdvPermis first, so that it is free for others when we answer so."""
    line_id = parse_id(request.line_id, "line_id")
    command = line_command(who, request, pb.ReleaseLineResponse, _released, line_id)
    situation, answered = await read_line_situation(dependencies, who, command, line_id)
    if answered is not None:
        return answered
    require_held(situation)
    line = situation.line
    wish = LineChange(
        Changing.RELEASE,
        "ReleaseSlot",
        rdv.ReleaseSlotRequest(basket_id=line.basket_id, slot_id=line.slot.id),
        lambda lines, now: [Change(line, move(line, State.RELEASED, now)) for line in lines],
        done_codes=refusals.GONE_CODES,
    )
    return await change_lines(dependencies, who, command, situation, wish, _released)


def require_held(situation: LineSituation) -> None:
    """Refuse a line that is not held now, or about which something else is being asked."""
    line = situation.line
    if in_doubt(line):
        raise Failure(Code.CODE_UNKNOWN_OUTCOME, "RdvPermis was asked about this line; its answer is not known yet")
    late = line.state is State.HELD and line.expires_at is not None and line.expires_at <= situation.time.now
    if late or line.state is State.EXPIRED:
        raise Failure(Code.CODE_HOLD_EXPIRED, "the hold has expired")
    if line.state is not State.HELD:
        raise Failure(Code.CODE_ILLEGAL_TRANSITION, f"the line is {line.state}, not held")


async def _may_name(dependencies: Dependencies, who: Principal, situation: LineSituation, candidate_id: UUID) -> str:
    """Have mandate and rules answer about the candidate on this line; return RdvPermis' id of them."""
    line = situation.line
    category = line.slot.category
    (mandate,) = await dependencies.peers.mandates([(str(candidate_id), category)])
    other = line.candidate_id != candidate_id
    question = line_question(
        line.slot.id,
        candidate_id,
        mandate,
        busy=other and (candidate_id, category) in situation.conflicts.candidates,
        trainer_id=line.trainer_id,
        vehicle_id=line.vehicle_id,
        line=line,
    )
    # "validate": the line is counted already, as it is at validation.
    evaluated = await dependencies.peers.evaluate([question], "validate", situation.counted)
    against = verdicts.against(evaluated.lines[0].verdicts)
    if against:
        failure, now = refusals.of_rules(against), situation.time.now
        raise await refusals.record_refusal(dependencies, who, "basket.name", "line", str(line.id), failure, now)
    rdvpermis_candidate_id: str = mandate.rdvpermis_candidate_id
    return rdvpermis_candidate_id


def _named(lines: Sequence[Line]) -> pb.NameCandidateResponse:
    return pb.NameCandidateResponse(line=line_message(lines[-1]))


def _released(lines: Sequence[Line]) -> pb.ReleaseLineResponse:
    return pb.ReleaseLineResponse(line=line_message(lines[-1]))
