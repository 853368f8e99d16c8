"""Two bookings of a school change places (R-26): their candidates cross, the slots, exams and trainers stay."""

from collections.abc import Sequence
from datetime import date, datetime

from resapermis.booking.v1 import booking_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket.booking.change import CandidateOnLine, judge_change, require_coming
from resapermis_basket.booking.queries import booked_with_exams
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Change, Changing, Line, State, in_doubt, move, replacement
from resapermis_basket.line.change import LineChange, WantedCandidate, change_lines, line_command, read_line_situation
from resapermis_basket.line.queries import find_line
from resapermis_basket.wire import line_message
from resapermis_kit.clock import NewId
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.fields import parse_id


async def list_swappable(
    dependencies: Dependencies, who: Principal, request: pb.ListSwappableRequest
) -> pb.ListSwappableResponse:
    """Bookings of a day that RdvPermis lets change places with this one, and that nothing is in doubt about."""
    async with transaction(dependencies.engine) as tx:
        line = await find_line(tx, who.school_id, parse_id(request.booking_id, "booking_id"))
    if line is None:
        raise Failure(Code.CODE_NOT_FOUND, "no such line")
    if line.state is not State.BOOKED or not line.exam_id:
        raise Failure(Code.CODE_ILLEGAL_TRANSITION, f"the line is {line.state}, not booked")
    day = request.date or line.slot.local_day.isoformat()
    try:
        date.fromisoformat(day)
    except ValueError:
        raise malformed("date", "a day like 2026-12-09") from None
    asked = rdv.ListSwappableRequest(exam_id=line.exam_id, date=day, time_zone=line.slot.time_zone)
    listed = await dependencies.peers.rdvpermis("ListSwappable", asked)
    theirs = [exam.id for exam in listed.exams if not exam.cancelled and exam.id != line.exam_id]
    async with transaction(dependencies.engine) as tx:
        ours = await booked_with_exams(tx, who.school_id, theirs)
    offered = [one for one in ours if not in_doubt(one) and one.candidate_id is not None]
    return pb.ListSwappableResponse(bookings=[line_message(one) for one in offered])


async def swap_bookings(
    dependencies: Dependencies, who: Principal, request: pb.SwapBookingsRequest
) -> pb.SwapBookingsResponse:
    """Both or neither: both old lines end swapped, two new ones are booked with the candidates crossed."""
    one_id = parse_id(request.booking_id, "booking_id")
    other_id = parse_id(request.other_booking_id, "other_booking_id")
    if one_id == other_id:
        raise malformed("other_booking_id", "the same booking twice")
    command = line_command(who, request, pb.SwapBookingsResponse, _swapped, one_id, other_id)
    situation, answered = await read_line_situation(dependencies, who, command, one_id, other_id)
    if answered is not None:
        return answered
    await require_coming(dependencies, who, situation, "booking.swap")
    one, other = situation.lines
    if one.candidate_id is None or other.candidate_id is None or one.candidate_id == other.candidate_id:
        raise Failure(Code.CODE_LINE_UNNAMED, "both bookings name a candidate known here, each another one")
    crossed = [CandidateOnLine(one, other.candidate_id), CandidateOnLine(other, one.candidate_id)]
    allowed = await judge_change(dependencies, who, situation, "booking.swap", crossed)
    wish = LineChange(
        Changing.SWAP,
        "SwapExams",
        rdv.SwapExamsRequest(exam_id=one.exam_id, other_exam_id=other.exam_id),
        lambda lines, now: _crossed(dependencies.new_id, who, lines, now),
        wanted=[
            WantedCandidate(other.candidate_id, other.rdvpermis_candidate_id),
            WantedCandidate(one.candidate_id, one.rdvpermis_candidate_id),
        ],
        snapshots=allowed.snapshots,
        facts={"with": f"{one.id} {other.id}"},
    )
    return await change_lines(dependencies, who, command, situation, wish, _swapped)


def _crossed(new_id: NewId, who: Principal, lines: Sequence[Line], now: datetime) -> list[Change]:
    ended = [Change(line, move(line, State.SWAPPED, now)) for line in lines]
    return ended + [Change(None, replacement(line, new_id(), new_id(), who.account_id, now)) for line in lines]


def _swapped(lines: Sequence[Line]) -> pb.SwapBookingsResponse:
    return pb.SwapBookingsResponse(bookings=[line_message(line) for line in lines[-2:]])
