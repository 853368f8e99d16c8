"""What basket answers about bookings."""

from typing import Any

from resapermis.booking.v1 import booking_pb2 as pb
from resapermis.booking.v1 import booking_pb2_grpc
from resapermis_basket.acts import Parts
from resapermis_basket.bookings import Bookings
from resapermis_basket.consequences import Consequences
from resapermis_basket.results import Results
from resapermis_basket.swapping import Swapping
from resapermis_kit.rpc.auth import caller


class BookingServicer(booking_pb2_grpc.BookingServiceServicer):
    """The bookings of the caller's school."""

    def __init__(self, parts: Parts) -> None:
        """Answer with these parts."""
        self._bookings = Bookings(parts)
        self._consequences = Consequences(parts)
        self._results = Results(parts)
        self._swapping = Swapping(parts)

    async def ListBookings(self, request: pb.ListBookingsRequest, context: Any) -> pb.ListBookingsResponse:
        """List coming bookings, those to be confirmed, or the past."""
        return await self._bookings.page(caller().school(), request)

    async def CancelBooking(self, request: pb.CancelBookingRequest, context: Any) -> pb.CancelBookingResponse:
        """Cancel a coming booking."""
        return await self._bookings.cancel(caller().school(), request)

    async def ListSwappable(self, request: pb.ListSwappableRequest, context: Any) -> pb.ListSwappableResponse:
        """List bookings that may change places with this one."""
        return await self._swapping.swappable(caller().school(), request)

    async def SwapBookings(self, request: pb.SwapBookingsRequest, context: Any) -> pb.SwapBookingsResponse:
        """Have two bookings change places."""
        return await self._swapping.swap(caller().school(), request)

    async def GetResults(self, request: pb.GetResultsRequest, context: Any) -> pb.GetResultsResponse:
        """Count how the school's exams went."""
        return await self._results.tally(caller().school(), request)

    async def PreviewCancellation(
        self, request: pb.PreviewCancellationRequest, context: Any
    ) -> pb.PreviewCancellationResponse:
        """Say what cancelling would cost."""
        return await self._consequences.of_cancelling(caller().school(), request)

    async def ReplaceCandidate(self, request: pb.ReplaceCandidateRequest, context: Any) -> pb.ReplaceCandidateResponse:
        """Give a coming booking to another candidate."""
        return await self._bookings.replace(caller().school(), request)
