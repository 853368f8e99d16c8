"""Bookings: seen, cancelled, given to another candidate, swapped; and how the exams went."""

from collections.abc import Sequence
from datetime import date
from typing import Annotated, Literal

from fastapi import APIRouter, Query

from resapermis.basket.v1 import basket_pb2
from resapermis.booking.v1 import booking_pb2
from resapermis_auth_gateway.web.days import plausible_day
from resapermis_auth_gateway.web.dependencies import Key, Visitor, Who, now_of
from resapermis_auth_gateway.web.wire.base import Cursor, Id, Limit, Month, PathId
from resapermis_auth_gateway.web.wire.basket import LineView
from resapermis_auth_gateway.web.wire.bookings import (
    BookingPage,
    Cancellation,
    CancellationView,
    MonthlyReplacementsView,
    Replacement,
    ReplacementsView,
    ResultCountView,
    ResultsView,
    Swap,
    SwappableView,
    SwappedView,
)

router = APIRouter(prefix="/bookings", tags=["bookings"])


async def _lines(who: Visitor, lines: Sequence[basket_pb2.Line]) -> list[LineView]:
    names = await who.names((line.candidate_id for line in lines), "show_booking")
    return [LineView.of(line, names, who.language) for line in lines]


@router.get("")
async def list_bookings(
    who: Who,
    filter: Literal["upcoming", "to_confirm", "past"] = "upcoming",  # noqa: A002 - the contract's word
    candidate: Annotated[Id | None, Query(description="Only this candidate's; everybody's if absent.")] = None,
    cursor: Cursor = "",
    limit: Limit = 50,
) -> BookingPage:
    """One page of the school's bookings: coming, to be confirmed, or past."""
    question = booking_pb2.ListBookingsRequest(
        filter=booking_pb2.BookingFilter.Value(f"BOOKING_FILTER_{filter.upper()}"),
        cursor=cursor,
        limit=limit,
        candidate_id=candidate or "",
    )
    answer = await who.ask(who.peers.booking.ListBookings, question)
    known = answer.HasField("replacements_left") and answer.HasField("replacements_per_month")
    return BookingPage(
        items=await _lines(who, answer.bookings),
        next_cursor=answer.next_cursor or None,
        replacements=ReplacementsView(left=answer.replacements_left, per_month=answer.replacements_per_month)
        if known
        else None,
        replacements_by_month=[MonthlyReplacementsView.of(one) for one in answer.replacements],
        server_time=now_of(who),
    )


@router.get("/results")
async def list_results(
    who: Who,
    from_: Annotated[Month | None, Query(alias="from", description="First month; the last twelve if absent.")] = None,
    to: Annotated[Month | None, Query(description="Last month, included.")] = None,
) -> ResultsView:
    """Count passes, failures and absences of past bookings, by month and licence group."""
    question = booking_pb2.GetResultsRequest(from_month=from_ or "", to_month=to or "")
    answer = await who.ask(who.peers.booking.GetResults, question)
    return ResultsView(items=[ResultCountView.of(one) for one in answer.counts])


@router.get("/{booking_id}/swappable")
async def list_swappable(
    who: Who,
    booking_id: PathId,
    day: Annotated[date | None, Query(alias="date", description="The booking's own day if absent.")] = None,
) -> SwappableView:
    """List the bookings that may change places with this one, as RdvPermis says; spends a call."""
    wanted = "" if day is None else plausible_day(day, "date").isoformat()
    question = booking_pb2.ListSwappableRequest(booking_id=booking_id, date=wanted)
    answer = await who.ask(who.peers.booking.ListSwappable, question)
    return SwappableView(items=await _lines(who, answer.bookings), server_time=now_of(who))


@router.post("/{booking_id}/swap")
async def swap(who: Who, key: Key, booking_id: PathId, body: Swap) -> SwappedView:
    """Let two bookings change places; `changing` stays true while RdvPermis' answer is not known."""
    command = booking_pb2.SwapBookingsRequest(
        request_id=key, booking_id=booking_id, other_booking_id=body.other_booking_id
    )
    answer = await who.ask(who.peers.booking.SwapBookings, command)
    return SwappedView(items=await _lines(who, answer.bookings))


@router.get("/{booking_id}/cancellation")
async def preview_cancellation(who: Who, booking_id: PathId) -> CancellationView:
    """Say what cancelling would cost; cancels nothing."""
    question = booking_pb2.PreviewCancellationRequest(booking_id=booking_id)
    answer = await who.ask(who.peers.booking.PreviewCancellation, question)
    return CancellationView.of(answer, now_of(who))


@router.post("/{booking_id}/cancellation")
async def cancel(who: Who, key: Key, booking_id: PathId, body: Cancellation) -> LineView:
    """Cancel a coming booking; `changing` stays true while RdvPermis' answer is not known."""
    command = booking_pb2.CancelBookingRequest(request_id=key, booking_id=booking_id, reason=body.reason)
    line = (await who.ask(who.peers.booking.CancelBooking, command)).booking
    return (await _lines(who, [line]))[0]


@router.post("/{booking_id}/replacement")
async def replace(who: Who, key: Key, booking_id: PathId, body: Replacement) -> LineView:
    """Give a coming booking to another candidate; the answer is the new booking."""
    command = booking_pb2.ReplaceCandidateRequest(request_id=key, booking_id=booking_id, candidate_id=body.candidate_id)
    line = (await who.ask(who.peers.booking.ReplaceCandidate, command)).booking
    return (await _lines(who, [line]))[0]
