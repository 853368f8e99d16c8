"""Bookings: seen, cancelled, given to another candidate."""

from typing import Literal

from fastapi import APIRouter

from resapermis.booking.v1 import booking_pb2
from resapermis_auth_gateway.web.bodies import Cancellation, Replacement
from resapermis_auth_gateway.web.gateway import Key, Who, now_of
from resapermis_auth_gateway.web.routes.parameters import Cursor, Limit, PathId
from resapermis_auth_gateway.web.views.basket import BookingPage, LineView, ReplacementsView

router = APIRouter(prefix="/bookings", tags=["bookings"])


@router.get("")
async def list_bookings(
    who: Who,
    filter: Literal["upcoming", "to_confirm", "past"] = "upcoming",  # noqa: A002 - the contract's word
    cursor: Cursor = "",
    limit: Limit = 50,
) -> BookingPage:
    """List the school's bookings."""
    question = booking_pb2.ListBookingsRequest(
        filter=booking_pb2.BookingFilter.Value(f"BOOKING_FILTER_{filter.upper()}"), cursor=cursor, limit=limit
    )
    answer = await who.ask(who.gateway.peers.booking.ListBookings, question)
    names = await who.names((line.candidate_id for line in answer.bookings), "show_booking")
    known = answer.HasField("replacements_left") and answer.HasField("replacements_per_month")
    return BookingPage(
        items=[LineView.of(line, names, who.language) for line in answer.bookings],
        next_cursor=answer.next_cursor or None,
        replacements=ReplacementsView(left=answer.replacements_left, per_month=answer.replacements_per_month)
        if known
        else None,
        server_time=now_of(who),
    )


@router.post("/{booking_id}/cancellation")
async def cancel(who: Who, key: Key, booking_id: PathId, body: Cancellation) -> LineView:
    """Cancel a coming booking; `changing` stays true while RdvPermis' answer is not known."""
    command = booking_pb2.CancelBookingRequest(request_id=key, booking_id=booking_id, reason=body.reason)
    line = (await who.ask(who.gateway.peers.booking.CancelBooking, command)).booking
    return LineView.of(line, await who.names([line.candidate_id], "show_booking"), who.language)


@router.post("/{booking_id}/replacement")
async def replace(who: Who, key: Key, booking_id: PathId, body: Replacement) -> LineView:
    """Give a coming booking to another candidate; the answer is the new booking."""
    command = booking_pb2.ReplaceCandidateRequest(request_id=key, booking_id=booking_id, candidate_id=body.candidate_id)
    line = (await who.ask(who.gateway.peers.booking.ReplaceCandidate, command)).booking
    return LineView.of(line, await who.names([line.candidate_id], "show_booking"), who.language)
