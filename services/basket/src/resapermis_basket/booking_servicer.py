"""What basket answers about bookings: only hands over."""

from typing import Any

from resapermis.booking.v1 import booking_pb2 as pb
from resapermis.booking.v1 import booking_pb2_grpc
from resapermis_basket.booking.allowance import Allowances
from resapermis_basket.booking.bookings import list_bookings
from resapermis_basket.booking.cancellation import cancel_booking, preview_cancellation
from resapermis_basket.booking.replacement import replace_candidate
from resapermis_basket.booking.results import tally_results
from resapermis_basket.booking.swap import list_swappable, swap_bookings
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.visits import Visits
from resapermis_kit.rpc.auth import caller


class BookingServicer(booking_pb2_grpc.BookingServiceServicer):
    """The bookings of the caller's school."""

    def __init__(self, dependencies: Dependencies) -> None:
        """One in a process: it knows whose allowance is being read."""
        self._dependencies = dependencies
        self._visits, self._allowances = Visits(), Allowances(dependencies)

    async def ListBookings(self, request: pb.ListBookingsRequest, context: Any) -> pb.ListBookingsResponse:
        """Coming bookings, those to be confirmed, or the past."""
        school = caller().school()
        return await list_bookings(self._dependencies, self._visits, self._allowances, school, request)

    async def CancelBooking(self, request: pb.CancelBookingRequest, context: Any) -> pb.CancelBookingResponse:
        """Cancel a coming booking at RdvPermis, once by the request id."""
        return await cancel_booking(self._dependencies, caller().school(), request)

    async def PreviewCancellation(
        self, request: pb.PreviewCancellationRequest, context: Any
    ) -> pb.PreviewCancellationResponse:
        """Whether a booking may be cancelled, whether that is late, and the restriction that would follow."""
        return await preview_cancellation(self._dependencies, caller().school(), request)

    async def ReplaceCandidate(self, request: pb.ReplaceCandidateRequest, context: Any) -> pb.ReplaceCandidateResponse:
        """Put another candidate on a coming booking, once by the request id."""
        return await replace_candidate(self._dependencies, self._allowances, caller().school(), request)

    async def ListSwappable(self, request: pb.ListSwappableRequest, context: Any) -> pb.ListSwappableResponse:
        """Bookings that may change places with this one."""
        return await list_swappable(self._dependencies, caller().school(), request)

    async def SwapBookings(self, request: pb.SwapBookingsRequest, context: Any) -> pb.SwapBookingsResponse:
        """Exchange the candidates of two bookings, both or neither, once by the request id."""
        return await swap_bookings(self._dependencies, caller().school(), request)

    async def GetResults(self, request: pb.GetResultsRequest, context: Any) -> pb.GetResultsResponse:
        """Passes, failures, absences and what is awaited, counted by month, category and kind."""
        return await tally_results(self._dependencies, caller().school(), request)
