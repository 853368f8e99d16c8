"""A coming booking is given to another candidate."""

from collections.abc import Sequence
from datetime import datetime

from resapermis.booking.v1 import booking_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket.booking.allowance import Allowances
from resapermis_basket.booking.change import CandidateOnLine, judge_change, require_coming
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Change, Changing, Line, State, move, replacement
from resapermis_basket.line.change import LineChange, WantedCandidate, change_lines, line_command, read_line_situation
from resapermis_basket.wire import line_message
from resapermis_kit.clock import NewId
from resapermis_kit.errors import malformed
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.fields import parse_id


async def replace_candidate(
    dependencies: Dependencies, allowances: Allowances, who: Principal, request: pb.ReplaceCandidateRequest
) -> pb.ReplaceCandidateResponse:
    """Give a coming booking to another candidate: the old line ends, a new one is booked on the same slot."""
    candidate_id = parse_id(request.candidate_id, "candidate_id")
    line_id = parse_id(request.booking_id, "booking_id")
    command = line_command(who, request, pb.ReplaceCandidateResponse, _replaced, line_id)
    situation, answered = await read_line_situation(dependencies, who, command, line_id, candidate_id=candidate_id)
    if answered is not None:
        return answered
    line = situation.line
    await require_coming(dependencies, who, situation, "booking.replace")
    if line.candidate_id == candidate_id:
        raise malformed("candidate_id", "the booking names this candidate already")
    allowance = await allowances.ask(who.school_id, line.slot, situation.time.now)
    wanted = [CandidateOnLine(line, candidate_id)]
    allowed = await judge_change(dependencies, who, situation, "booking.replace", wanted, allowance)
    (theirs,) = allowed.rdvpermis_ids
    wish = LineChange(
        Changing.REPLACE,
        "ReplaceCandidate",
        rdv.ReplaceCandidateRequest(exam_id=line.exam_id, rdvpermis_candidate_id=theirs),
        lambda lines, now: _ended_and_new(dependencies.new_id, who, lines, now),
        wanted=[WantedCandidate(candidate_id, theirs)],
        snapshots=allowed.snapshots,
    )
    try:
        return await change_lines(dependencies, who, command, situation, wish, _replaced)
    finally:
        await allowances.used(who.school_id, line.slot)


def _ended_and_new(new_id: NewId, who: Principal, lines: Sequence[Line], now: datetime) -> list[Change]:
    (old,) = lines
    new = replacement(old, new_id(), new_id(), who.account_id, now)
    return [Change(old, move(old, State.REPLACED, now)), Change(None, new)]


def _replaced(lines: Sequence[Line]) -> pb.ReplaceCandidateResponse:
    return pb.ReplaceCandidateResponse(booking=line_message(lines[-1]))
