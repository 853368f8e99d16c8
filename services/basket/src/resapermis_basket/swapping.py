"""Two bookings of a school change places (R-26): their candidates cross, the slots, exams and trainers stay."""

from collections.abc import Sequence
from datetime import date, datetime

from resapermis.booking.v1 import booking_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket import store, view
from resapermis_basket.acts import parse_id
from resapermis_basket.changing import Ask, Wish
from resapermis_basket.coming import Coming, Place
from resapermis_basket.domain import Change, Changing, Line, State, in_doubt, move, replacement
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import Principal


def _swapped(lines: Sequence[Line]) -> pb.SwapBookingsResponse:
    return pb.SwapBookingsResponse(bookings=[view.line(line) for line in lines[-2:]])


class Swapping(Coming):
    """RdvPermis' permutation."""

    async def swappable(self, who: Principal, request: pb.ListSwappableRequest) -> pb.ListSwappableResponse:
        """Bookings of a day that RdvPermis lets change places with this one, and that nothing is in doubt about."""
        async with transaction(self.parts.engine) as tx:
            line = await store.line(tx, who.school_id, parse_id(request.booking_id, "booking_id"))
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
        listed = await self.parts.peers.rdvpermis("ListSwappable", asked)
        theirs = [exam.id for exam in listed.exams if not exam.cancelled and exam.id != line.exam_id]
        async with transaction(self.parts.engine) as tx:
            ours = await store.booked_with_exams(tx, who.school_id, theirs)
        offered = [one for one in ours if not in_doubt(one) and one.candidate_id is not None]
        return pb.ListSwappableResponse(bookings=[view.line(one) for one in offered])

    async def swap(self, who: Principal, request: pb.SwapBookingsRequest) -> pb.SwapBookingsResponse:
        """Both or neither: both old lines end swapped, two new ones are booked with the candidates crossed."""
        one_id = parse_id(request.booking_id, "booking_id")
        other_id = parse_id(request.other_booking_id, "other_booking_id")
        if one_id == other_id:
            raise malformed("other_booking_id", "the same booking twice")
        situation = await self.situation(who, request, one_id, partner_id=other_id)
        if situation.asked_before:
            return await self.earlier(who, request, situation, _swapped)
        await self.require_coming(who, situation, "booking.swap")
        one, other = situation.lines
        if one.candidate_id is None or other.candidate_id is None or one.candidate_id == other.candidate_id:
            raise Failure(Code.CODE_LINE_UNNAMED, "both bookings name a candidate known here, each another one")
        places = [Place(one, other.candidate_id), Place(other, one.candidate_id)]
        allowed = await self.judge(who, situation, "booking.swap", places)
        ask = Ask(
            Changing.SWAP,
            "SwapExams",
            rdv.SwapExamsRequest(exam_id=one.exam_id, other_exam_id=other.exam_id),
            lambda lines, now: self._crossed(who, lines, now),
            wishes=[
                Wish(other.candidate_id, other.rdvpermis_candidate_id),
                Wish(one.candidate_id, one.rdvpermis_candidate_id),
            ],
            cases=allowed.cases,
            facts={"with": f"{one.id} {other.id}"},
        )
        return await self.act(who, request, situation, ask, _swapped)

    def _crossed(self, who: Principal, lines: Sequence[Line], now: datetime) -> list[Change]:
        ended = [Change(line, move(line, State.SWAPPED, now)) for line in lines]
        new_id = self.parts.new_id
        return ended + [Change(None, replacement(line, new_id(), new_id(), who.account_id, now)) for line in lines]
