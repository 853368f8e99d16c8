"""Whatever comes in, basket refuses it by its field, soon, or does what it says; it never breaks (section 8)."""

import base64
import time
import tracemalloc
from collections.abc import Callable
from random import Random
from typing import Any

import grpc
import pytest
from basket_peers import Basket, candidate
from google.protobuf.message import DecodeError, Message

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.booking.v1 import booking_pb2 as booking
from resapermis_basket.booking.bookings import parse_page
from resapermis_basket.hold.judgement import parse_hold
from resapermis_basket.opening.preparation import parse_preparation
from resapermis_kit.errors import Code, Failure, from_rpc_error
from resapermis_kit.rpc.auth import HEADER
from resapermis_kit.rpc.fields import parse_id
from resapermis_testing.mutation import mutants
from resapermis_testing.profile import tries

BASKET, BOOKING = "resapermis.basket.v1.BasketService", "resapermis.booking.v1.BookingService"
HOLD = pb.HoldSlotsRequest(
    request_id="key-1",
    all_or_nothing=True,
    lines=[pb.HoldLine(slot_id="s1", candidate_id=candidate(1)), pb.HoldLine(slot_id="s2")],
)
VALIDATE = pb.ValidateGroupRequest(request_id="key-2", group_id=candidate(2))
NAME = pb.NameCandidateRequest(request_id="key-3", line_id=candidate(3), candidate_id=candidate(4))
CANCEL = booking.CancelBookingRequest(request_id="key-4", booking_id=candidate(5), reason="school")
PAGE = booking.ListBookingsRequest(
    filter=booking.BOOKING_FILTER_PAST,
    limit=20,
    cursor=base64.urlsafe_b64encode(f"2026-12-09T09:00:00+00:00 {candidate(6)}".encode()).decode(),
)
CHECK = pb.CheckHoldRequest(lines=HOLD.lines)
PREPARE = pb.PrepareOpeningRequest(category="B", department="94", candidate_ids=[candidate(7)], slot_id="s3")
SET_RESOURCES = pb.SetLineResourcesRequest(request_id="key-5", line_id=candidate(8), trainer_id="t1", vehicle_id="v1")
SWAP = booking.SwapBookingsRequest(request_id="key-6", booking_id=candidate(9), other_booking_id=candidate(10))
SWAPPABLE = booking.ListSwappableRequest(booking_id=candidate(11), date="2026-12-09")
PREVIEW = booking.PreviewCancellationRequest(booking_id=candidate(12))
RESULTS = booking.GetResultsRequest(from_month="2026-01", to_month="2026-12")
PARSERS: dict[str, tuple[Message, Callable[[Any], object]]] = {
    "hold": (HOLD, parse_hold),
    "validate": (VALIDATE, lambda request: parse_id(request.group_id, "group_id")),
    "name": (
        NAME,
        lambda request: (parse_id(request.line_id, "line_id"), parse_id(request.candidate_id, "candidate_id")),
    ),
    "page": (PAGE, parse_page),
    "check": (CHECK, parse_hold),
    "prepare": (PREPARE, parse_preparation),
}
METHODS: dict[str, Message] = {
    f"/{BASKET}/HoldSlots": HOLD,
    f"/{BASKET}/ValidateGroup": VALIDATE,
    f"/{BASKET}/NameCandidate": NAME,
    f"/{BOOKING}/CancelBooking": CANCEL,
    f"/{BOOKING}/ListBookings": PAGE,
    f"/{BASKET}/CheckHold": CHECK,
    f"/{BASKET}/PrepareOpening": PREPARE,
    f"/{BASKET}/SetLineResources": SET_RESOURCES,
    f"/{BOOKING}/SwapBookings": SWAP,
    f"/{BOOKING}/ListSwappable": SWAPPABLE,
    f"/{BOOKING}/PreviewCancellation": PREVIEW,
    f"/{BOOKING}/GetResults": RESULTS,
}
OURS = frozenset({"INTERNAL", "UNSPECIFIED"})


@pytest.mark.req("B8")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", PARSERS)
def test_of_many_bent_messages_each_is_no_message_or_malformed_or_understood(name: str) -> None:
    seed, parse = PARSERS[name]
    many = tries(briefly=5_000, long=100_000)
    refused = understood = 0
    tracemalloc.start()
    for data in mutants([seed, HOLD, PAGE], Random(name), many):  # noqa: S311 - repeatable on purpose
        try:
            message = type(seed).FromString(data)
        except DecodeError:
            continue
        try:
            parse(message)
            understood += 1
        except Failure as failure:
            assert failure.code == Code.CODE_MALFORMED  # noqa: PT017
            assert failure.violations  # noqa: PT017
            refused += 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert refused > many / 100
    assert understood > many / 100
    assert peak < 8 * 2**20


async def _send(basket: Basket, method: str, data: bytes) -> str:
    """The word that raw bytes are answered with."""
    call = basket.channel.unary_unary(method, request_serializer=lambda x: x, response_deserializer=lambda x: x)
    try:
        await call(data, timeout=5, metadata=((HEADER, basket.running.principal()),))
    except grpc.aio.AioRpcError as error:
        return from_rpc_error(error).name
    return "OK"


@pytest.mark.req("B8")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("method", METHODS)
async def test_a_running_basket_answers_bent_messages_within_a_second_and_never_breaks(
    basket: Basket, method: str
) -> None:
    seed = METHODS[method]
    words: dict[str, int] = {}
    slowest = 0.0
    many = tries(briefly=60, long=1_000)
    for data in mutants([seed, HOLD, PAGE], Random(method), many):  # noqa: S311 - repeatable
        since = time.monotonic()
        word = await _send(basket, method, data)
        slowest = max(slowest, time.monotonic() - since)
        words[word] = words.get(word, 0) + 1
    assert not OURS & set(words), words
    assert words["MALFORMED"] > many / 12, words
    assert slowest < 2.0
    await basket.check()


@pytest.mark.req("B9")
@pytest.mark.parametrize("limit", [-1, 201, 10**9, -(2**31)])
async def test_a_page_of_no_size_is_refused(basket: Basket, limit: int) -> None:
    with pytest.raises(Failure) as refused:
        await basket.book("ListBookings", booking.ListBookingsRequest(limit=limit))
    assert refused.value.violations[0][0] == "limit"


@pytest.mark.req("B9")
@pytest.mark.parametrize(
    "plain",
    [
        "",
        "null",
        f"2026-12-09T09:00:00+00:00 {candidate(1)} x",
        f"0001-01-01T00:00:00+14:00 {candidate(1)}",
        f"9999-12-31T23:59:59-14:00 {candidate(1)}",
        f"10000-01-01T00:00:00+00:00 {candidate(1)}",
        f"2026-02-29T00:00:00+00:00 {candidate(1)}",
        "2026-12-09T09:00:00+00:00 ' OR 1=1",
        "2026-12-09T09:00:00+00:00",
    ],
)
async def test_a_cursor_that_is_none_of_ours_is_refused(basket: Basket, plain: str) -> None:
    cursor = base64.urlsafe_b64encode(plain.encode()).decode() or "%%%"
    with pytest.raises(Failure) as refused:
        await basket.book("ListBookings", booking.ListBookingsRequest(cursor=cursor))
    assert (refused.value.code, refused.value.violations[0][0]) == (Code.CODE_MALFORMED, "cursor")


@pytest.mark.req("B9")
async def test_another_schools_cursor_shows_nothing_of_theirs(basket: Basket) -> None:
    for n in range(3):
        group = await basket.hold((f"s{n}", n + 1), school="school-2")
        await basket.validate(group.id, school="school-2")
    page = await basket.book("ListBookings", booking.ListBookingsRequest(limit=1), school="school-2")
    assert page.next_cursor
    stolen = await basket.book("ListBookings", booking.ListBookingsRequest(cursor=page.next_cursor))
    assert not stolen.bookings
    assert not stolen.next_cursor


@pytest.mark.req("C7")
@pytest.mark.parametrize("key", ["", "x" * 256, "a\0b"])
async def test_a_key_of_no_length_or_too_long_is_malformed(basket: Basket, key: str) -> None:
    request = pb.HoldSlotsRequest(request_id=key, lines=[pb.HoldLine(slot_id="s1")])
    with pytest.raises(Failure) as refused:
        await basket.ask("HoldSlots", request)
    assert (refused.value.code, refused.value.violations[0][0]) == (Code.CODE_MALFORMED, "request_id")
    assert basket.rdvpermis.calls == []


@pytest.mark.req("B1")
@pytest.mark.parametrize(
    "slot", ["O'Brien-Œuvre", "e\u0301", "\u202ex", "🚗", "{{7*7}}", "=HYPERLINK()", "a\r\nb", "x" * 255]
)
async def test_an_odd_slot_id_is_an_opaque_text_that_round_trips(basket: Basket, slot: str) -> None:
    (line,) = (await basket.hold(slot)).lines
    assert (line.slot.id, line.state) == (slot, pb.LINE_STATE_HELD)
    assert (await basket.states()) == {slot: "held"}


@pytest.mark.req("B6", "B8")
async def test_an_action_of_fifty_thousand_slots_is_refused_within_a_second_and_leaves_nothing(basket: Basket) -> None:
    request = pb.HoldSlotsRequest(request_id="k", lines=[pb.HoldLine(slot_id=f"s{n}") for n in range(50_000)])
    since = time.monotonic()
    with pytest.raises(Failure):
        await basket.ask("HoldSlots", request)
    assert time.monotonic() - since < 5  # one second on a machine of its own
    assert await basket.states() == {}
    assert basket.world.evaluated == []
    assert basket.rdvpermis.calls == []
