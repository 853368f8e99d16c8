"""Cancelling a coming booking, and what that would cost: asked of the rules and of RdvPermis, done to nobody."""

from collections.abc import Sequence
from datetime import datetime

from resapermis.booking.v1 import booking_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket.booking.change import is_changeable, require_coming
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Change, Changing, Line, State, in_doubt, move
from resapermis_basket.judgement import verdicts
from resapermis_basket.line.change import LineChange, change_lines, line_command, read_line_situation
from resapermis_basket.peers import line_question
from resapermis_basket.wire import line_message
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.fields import parse_id

REASONS = frozenset({"candidate_ill", "not_ready", "school", "other"})
"""Why a booking is cancelled: keywords, so that nobody writes about a person's health in our journal."""


async def cancel_booking(
    dependencies: Dependencies, who: Principal, request: pb.CancelBookingRequest
) -> pb.CancelBookingResponse:
    """Cancel a coming booking at RdvPermis, once by the request id; refused with R-PAST once the exam has begun."""
    if request.reason not in REASONS:
        raise malformed("reason", f"one of {', '.join(sorted(REASONS))}")
    line_id = parse_id(request.booking_id, "booking_id")
    command = line_command(who, request, pb.CancelBookingResponse, _cancelled, line_id)
    situation, answered = await read_line_situation(dependencies, who, command, line_id)
    if answered is not None:
        return answered
    await require_coming(dependencies, who, situation, "booking.cancel")
    wish = LineChange(
        Changing.CANCEL,
        "CancelExam",
        rdv.CancelExamRequest(exam_id=situation.line.exam_id),
        lambda lines, now: [Change(line, move(line, State.CANCELLED, now)) for line in lines],
        done_codes=frozenset({"EXAMEN_DEJA_ANNULE"}),
        facts={"cause": request.reason},
    )
    return await change_lines(dependencies, who, command, situation, wish, _cancelled)


async def preview_cancellation(
    dependencies: Dependencies, who: Principal, request: pb.PreviewCancellationRequest
) -> pb.PreviewCancellationResponse:
    """Whether it may be cancelled (RdvPermis' estModifiable wins), whether that is late, and what restriction follows."""
    situation, _ = await read_line_situation(dependencies, who, None, parse_id(request.booking_id, "booking_id"))
    line = situation.line
    if line.state is not State.BOOKED:
        raise Failure(Code.CODE_ILLEGAL_TRANSITION, f"the line is {line.state}, not booked")
    changeable = await is_changeable(dependencies, line) if line.exam_id else None
    question = line_question(line.slot.id, line.candidate_id, line=line, changeable=changeable)
    evaluated = await dependencies.peers.evaluate([question], "cancel", situation.counted)
    of_penalty = (dict(one.facts) for one in evaluated.lines[0].verdicts if one.rule == "R-PENALTY")
    facts = next(of_penalty, None)
    if facts is None:  # silence is not "free of charge"
        raise Failure(Code.CODE_UNAVAILABLE, "the rules have not seen this slot yet; look at its day, then ask again")
    may = verdicts.past(line, situation.time.now).allowed and changeable is not False and not in_doubt(line)
    response = pb.PreviewCancellationResponse(
        possible=may, late=facts.get("late") == "true", restricted_days=int(facts.get("restrictedDays", "0"))
    )
    for name, field in (("restrictedUntil", response.restricted_until), ("freeUntil", response.free_until)):
        if name in facts:
            field.FromDatetime(datetime.fromisoformat(facts[name]))
    return response


def _cancelled(lines: Sequence[Line]) -> pb.CancelBookingResponse:
    return pb.CancelBookingResponse(booking=line_message(lines[-1]))
