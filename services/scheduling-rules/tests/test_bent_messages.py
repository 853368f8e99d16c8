"""Whatever comes in, scheduling-rules refuses it by its field, soon, or answers; it never breaks (section 8)."""

import base64
import time
from collections.abc import AsyncIterator, Iterable
from datetime import UTC, datetime
from random import Random
from typing import Any

import grpc
import pytest
from google.protobuf.message import DecodeError, Message
from google.protobuf.timestamp_pb2 import Timestamp
from scheduling_peers import NOW, Service

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.errors import Code, Failure, from_rpc_error
from resapermis_scheduling_rules.search.wire import criteria_of, cursor
from resapermis_testing.mutation import mutants
from resapermis_testing.profile import tries

SERVICE = "resapermis.scheduling.v1.SchedulingService"


def _at(**day: int) -> Timestamp:
    moment = Timestamp()
    moment.FromDatetime(datetime(**({"year": 2026, "month": 12, "day": 1} | day), tzinfo=UTC))
    return moment


SEARCH = pb.SearchSlotsRequest(
    department="91",
    category="B",
    to=_at(day=20),
    centre_ids=["c1", "c2"],
    cursor=cursor((NOW, "s1")),
    limit=20,
    day_from_minutes=480,
    day_to_minutes=1020,
    consecutive=2,
    opens_before=_at(),
    kind="CIRCULATION",
    weekdays=[1, 2],
)
EVALUATE = pb.EvaluateRequest(
    lines=[pb.EvaluateLine(slot_id="s1", candidate_id="c", mandate_active=True, mandate_category="B")],
    purpose="hold",
    lines_in_basket=3,
    usage=[pb.Usage(department="91", month="2026-12", category="B", taken=2)],
)
METHODS: dict[str, tuple[Message, str]] = {"SearchSlots": (SEARCH, "auth-gateway"), "Evaluate": (EVALUATE, "basket")}


@pytest.mark.req("B8")
@pytest.mark.long
@pytest.mark.timeout(180)
def test_of_bent_searches_each_is_no_message_or_malformed_or_understood() -> None:
    refused = understood = 0
    for data in mutants([SEARCH, EVALUATE], Random(8), tries(briefly=20_000, long=100_000)):  # noqa: S311 - repeatable on purpose
        try:
            message = pb.SearchSlotsRequest.FromString(data)
        except DecodeError:
            continue
        try:
            criteria_of(message, NOW)
            understood += 1
        except Failure as failure:
            assert failure.code == Code.CODE_MALFORMED  # noqa: PT017
            refused += 1
    assert refused > tries(briefly=200, long=1_000)
    assert understood > tries(briefly=200, long=1_000)


async def _sent(service: Service, caller: str, method: str, messages: Iterable[bytes]) -> AsyncIterator[str]:
    """What each message is answered: OK or the name of its refusal."""
    channel = service.running.channel("scheduling-rules", caller)
    call = channel.unary_unary(
        f"/{SERVICE}/{method}", request_serializer=lambda x: x, response_deserializer=lambda x: x
    )
    try:
        for data in messages:
            try:
                await call(data, timeout=10, metadata=service.who())
                yield "OK"
            except grpc.aio.AioRpcError as error:
                yield from_rpc_error(error).name
    finally:
        await channel.close()


async def _send(service: Service, caller: str, method: str, data: bytes) -> str:
    (word,) = [word async for word in _sent(service, caller, method, [data])]
    return word


@pytest.mark.req("B8")
@pytest.mark.timeout(180)
@pytest.mark.parametrize("method", METHODS)
async def test_a_running_service_answers_bent_messages_and_never_breaks(service: Service, method: str) -> None:
    seed, caller = METHODS[method]
    service.state.slot("s1")
    await service.poll()
    words: dict[str, int] = {}
    slowest = 0.0
    bent = mutants([seed, SEARCH, EVALUATE], Random(method), 200)  # noqa: S311 - repeatable on purpose
    since = time.monotonic()
    async for word in _sent(service, caller, method, bent):
        slowest = max(slowest, time.monotonic() - since)
        words[word] = words.get(word, 0) + 1
        since = time.monotonic()
    assert not {"INTERNAL", "UNSPECIFIED"} & set(words), words
    assert words.get("MALFORMED", 0) > 10, words
    assert slowest < 4.0


def _cursor(plain: str) -> str:
    return base64.urlsafe_b64encode(plain.encode()).decode().rstrip("=")


@pytest.mark.req("B3", "B9")
@pytest.mark.parametrize(
    "plain",
    [
        "",
        "s1",
        "2026-12-09T09:00:00 s1",
        "2026-02-29T09:00:00+00:00 s1",
        "2026-12-09T24:61:00+00:00 s1",
        "10000-01-01T00:00:00+00:00 s1",
        "2026-12-09T09:00:00+00:00 a\0b",
    ],
)
async def test_a_cursor_that_no_search_made_is_refused(service: Service, plain: str) -> None:
    request = pb.SearchSlotsRequest(department="91", category="B", cursor=_cursor(plain) or "%")
    assert await _send(service, "auth-gateway", "SearchSlots", request.SerializeToString()) == "MALFORMED"


@pytest.mark.req("B3", "B9")
@pytest.mark.parametrize("plain", ["0001-01-01T00:00:00+14:00 s1", "9999-12-31T23:59:59-14:00 s1"])
async def test_a_cursor_from_beyond_all_years_ends_the_search_or_is_refused(service: Service, plain: str) -> None:
    service.state.slot("s1")
    await service.poll()
    request = pb.SearchSlotsRequest(department="91", category="B", cursor=_cursor(plain))
    assert await _send(service, "auth-gateway", "SearchSlots", request.SerializeToString()) in {"OK", "MALFORMED"}


@pytest.mark.req("B9")
@pytest.mark.parametrize("limit", [-1, 501, 10**9])
async def test_a_search_of_no_size_is_refused(service: Service, limit: int) -> None:
    request: Any = pb.SearchSlotsRequest(department="91", category="B", limit=limit)
    assert await _send(service, "auth-gateway", "SearchSlots", request.SerializeToString()) == "MALFORMED"


@pytest.mark.req("B3")
@pytest.mark.parametrize("seconds", [-62_135_596_800, 253_402_300_799, 0])
async def test_the_first_and_the_last_second_are_times_like_others(service: Service, seconds: int) -> None:
    request = pb.SearchSlotsRequest(department="91", category="B", opens_before=Timestamp(seconds=seconds))
    assert await _send(service, "auth-gateway", "SearchSlots", request.SerializeToString()) in {"OK", "MALFORMED"}


@pytest.mark.req("B6", "B9")
async def test_a_search_of_two_hundred_thousand_centres_is_refused(service: Service) -> None:
    request = pb.SearchSlotsRequest(department="91", category="B", centre_ids=["c"] * 200_000)
    assert await _send(service, "auth-gateway", "SearchSlots", request.SerializeToString()) == "MALFORMED"
