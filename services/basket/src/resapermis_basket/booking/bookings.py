"""A school's bookings, page by page."""

import base64
import binascii
from datetime import UTC, datetime
from uuid import UUID

from resapermis.booking.v1 import booking_pb2 as pb
from resapermis_basket.booking.allowance import Allowances
from resapermis_basket.booking.queries import BookingPage, find_bookings
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Line, State
from resapermis_basket.visits import Visits, keep_visit
from resapermis_basket.wire import line_message
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import malformed
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.fields import parse_optional_id

LARGEST_PAGE, USUAL_PAGE = 200, 50


async def list_bookings(
    dependencies: Dependencies, visits: Visits, allowances: Allowances, who: Principal, request: pb.ListBookingsRequest
) -> pb.ListBookingsResponse:
    """One page of the school's bookings."""
    page = parse_page(request)
    async with transaction(dependencies.engine) as tx:
        found = await find_bookings(tx, who.school_id, page)
        if visits.first_lately(who.school_id):
            await keep_visit(tx, who.school_id)
        response = pb.ListBookingsResponse(bookings=[line_message(line) for line in found[: page.limit - 1]])
        if page.begun is False:
            await allowances.show(tx, who.school_id, [line.slot for line in found[: page.limit - 1]], response)
    if len(found) == page.limit:
        response.next_cursor = cursor_of(found[-2])
    return response


_STATES = {
    pb.BOOKING_FILTER_UPCOMING: ([State.BOOKED], False),
    pb.BOOKING_FILTER_TO_CONFIRM: ([State.CONFIRMING], None),
    pb.BOOKING_FILTER_PAST: ([State.BOOKED, State.DONE, State.CANCELLED, State.REPLACED, State.SWAPPED], True),
}


def parse_page(request: pb.ListBookingsRequest) -> BookingPage:
    """Read what to list; one line more than asked for is read, to know whether there is a next page."""
    kind = request.filter or pb.BOOKING_FILTER_UPCOMING
    if kind not in _STATES:
        raise malformed("filter", "unknown")
    if not 0 <= request.limit <= LARGEST_PAGE:
        raise malformed("limit", f"0 to {LARGEST_PAGE}")
    states, begun = _STATES[kind]
    after = parse_cursor(request.cursor) if request.cursor else None
    candidate_id = parse_optional_id(request.candidate_id, "candidate_id")
    return BookingPage(states, begun is True, (request.limit or USUAL_PAGE) + 1, after, begun, candidate_id)


def cursor_of(line: Line) -> str:
    """Where the next page begins, as an opaque text."""
    return base64.urlsafe_b64encode(f"{line.slot.starts_at.isoformat()} {line.id}".encode()).decode()


def parse_cursor(text: str) -> tuple[datetime, UUID]:
    """Inverse of `cursor_of`; MALFORMED for anything else."""
    try:
        moment, _, line_id = base64.urlsafe_b64decode(text.encode()).decode().rpartition(" ")
        return datetime.fromisoformat(moment).astimezone(UTC), UUID(line_id)
    except (ValueError, OverflowError, binascii.Error):  # the year 1 east of Greenwich is before all years
        raise malformed("cursor", "not a cursor of ours") from None
