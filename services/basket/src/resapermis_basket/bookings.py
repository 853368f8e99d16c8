"""Coming bookings: listed, cancelled, given to another candidate."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from uuid import UUID

from resapermis.booking.v1 import booking_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket import store, view
from resapermis_basket.acts import Parts, parse_id
from resapermis_basket.allowing import Allowances
from resapermis_basket.changing import Ask, Wish
from resapermis_basket.coming import Coming, Place
from resapermis_basket.domain import Change, Changing, Line, State, move, replacement
from resapermis_basket.visits import Visits
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import malformed
from resapermis_kit.rpc.auth import Principal

REASONS = frozenset({"candidate_ill", "not_ready", "school", "other"})
"""Why a booking is cancelled: words, so that nobody writes about a person's health in our journal."""
LARGEST_PAGE, USUAL_PAGE = 200, 50


def _cancelled(lines: Sequence[Line]) -> pb.CancelBookingResponse:
    return pb.CancelBookingResponse(booking=view.line(lines[-1]))


def _replaced(lines: Sequence[Line]) -> pb.ReplaceCandidateResponse:
    return pb.ReplaceCandidateResponse(booking=view.line(lines[-1]))


class Bookings(Coming):
    """What was booked."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        super().__init__(parts)
        self._visits = Visits()
        self._allowances = Allowances(parts)

    async def page(self, who: Principal, request: pb.ListBookingsRequest) -> pb.ListBookingsResponse:
        """One page of the school's bookings."""
        page = parse_page(request)
        async with transaction(self.parts.engine) as tx:
            found = await store.bookings(tx, who.school_id, page)
            if self._visits.first_lately(who.school_id):
                await store.was_here(tx, who.school_id)
            response = pb.ListBookingsResponse(bookings=[view.line(line) for line in found[: page.limit - 1]])
            if found:
                await self._allowances.show(tx, who.school_id, found[0].slot, response)
        if len(found) == page.limit:
            response.next_cursor = cursor_of(found[-2])
        return response

    async def cancel(self, who: Principal, request: pb.CancelBookingRequest) -> pb.CancelBookingResponse:
        """Cancel a coming booking."""
        if request.reason not in REASONS:
            raise malformed("reason", f"one of {', '.join(sorted(REASONS))}")
        situation = await self.situation(who, request, parse_id(request.booking_id, "booking_id"))
        if situation.asked_before:
            return await self.earlier(who, request, situation, _cancelled)
        await self.require_coming(who, situation, "booking.cancel")
        ask = Ask(
            Changing.CANCEL,
            "CancelExam",
            rdv.CancelExamRequest(exam_id=situation.line.exam_id),
            lambda lines, now: [Change(line, move(line, State.CANCELLED, now)) for line in lines],
            done_words=frozenset({"EXAMEN_DEJA_ANNULE"}),
            facts={"cause": request.reason},
        )
        return await self.act(who, request, situation, ask, _cancelled)

    async def replace(self, who: Principal, request: pb.ReplaceCandidateRequest) -> pb.ReplaceCandidateResponse:
        """Give a coming booking to another candidate: the old line ends, a new one is booked on the same slot."""
        candidate_id = parse_id(request.candidate_id, "candidate_id")
        line_id = parse_id(request.booking_id, "booking_id")
        situation = await self.situation(who, request, line_id, candidate_id)
        if situation.asked_before:
            return await self.earlier(who, request, situation, _replaced)
        line = situation.line
        await self.require_coming(who, situation, "booking.replace")
        if line.candidate_id == candidate_id:
            raise malformed("candidate_id", "the booking names this candidate already")
        allowance = await self._allowances.ask(who.school_id, line.slot, situation.time.now)
        allowed = await self.judge(who, situation, "booking.replace", [Place(line, candidate_id)], allowance)
        (theirs,) = allowed.rdvpermis_ids
        ask = Ask(
            Changing.REPLACE,
            "ReplaceCandidate",
            rdv.ReplaceCandidateRequest(exam_id=line.exam_id, rdvpermis_candidate_id=theirs),
            lambda lines, now: self._both(who, lines, now),
            wishes=[Wish(candidate_id, theirs)],
            cases=allowed.cases,
        )
        try:
            return await self.act(who, request, situation, ask, _replaced)
        finally:
            await self._allowances.used(who.school_id, line.slot, situation.time.now)

    def _both(self, who: Principal, lines: Sequence[Line], now: datetime) -> list[Change]:
        new_id = self.parts.new_id
        (old,) = lines
        new = replacement(old, new_id(), new_id(), who.account_id, now)
        return [Change(old, move(old, State.REPLACED, now)), Change(None, new)]


_STATES = {
    pb.BOOKING_FILTER_UPCOMING: ([State.BOOKED], False),
    pb.BOOKING_FILTER_TO_CONFIRM: ([State.CONFIRMING], None),
    pb.BOOKING_FILTER_PAST: ([State.BOOKED, State.DONE, State.CANCELLED, State.REPLACED, State.SWAPPED], True),
}


def parse_page(request: pb.ListBookingsRequest) -> store.Page:
    """Read what to list; one line more than asked for is read, to know whether there is a next page."""
    kind = request.filter or pb.BOOKING_FILTER_UPCOMING
    if kind not in _STATES:
        raise malformed("filter", "unknown")
    if not 0 <= request.limit <= LARGEST_PAGE:
        raise malformed("limit", f"0 to {LARGEST_PAGE}")
    states, begun = _STATES[kind]
    after = parse_cursor(request.cursor) if request.cursor else None
    return store.Page(states, begun is True, (request.limit or USUAL_PAGE) + 1, after, begun)


def cursor_of(line: Line) -> str:
    """Where the next page begins."""
    return base64.urlsafe_b64encode(f"{line.slot.starts_at.isoformat()} {line.id}".encode()).decode()


def parse_cursor(text: str) -> tuple[datetime, UUID]:
    """Inverse of `cursor_of`; MALFORMED for anything else."""
    try:
        moment, _, line_id = base64.urlsafe_b64decode(text.encode()).decode().rpartition(" ")
        return datetime.fromisoformat(moment).astimezone(UTC), UUID(line_id)
    except (ValueError, OverflowError, binascii.Error):  # the year 1 east of Greenwich is before all years
        raise malformed("cursor", "not a cursor of ours") from None
