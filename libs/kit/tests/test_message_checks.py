"""Whatever bytes come in, what goes on is a message that a service can take, or a refusal that names a field."""

import time
from typing import Any

import grpc
import pytest
from google.protobuf.timestamp_pb2 import Timestamp

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis.mandate.v1 import mandate_pb2_grpc as rpc
from resapermis.scheduling.v1 import scheduling_pb2
from resapermis_kit.errors import Code, from_rpc_error
from resapermis_kit.rpc.auth import HEADER
from resapermis_kit.rpc.message_checks import LARGEST_MESSAGE, Unreadable, checked, has_timestamps
from resapermis_testing.grpc_server import RunningServer, Serve
from resapermis_testing.mutation import nested_groups

SERVICE = "resapermis.mandate.v1.MandateService"
PATH = f"/{SERVICE}/ListMandates"


class Mandates(rpc.MandateServiceServicer):
    """Answers."""

    async def ListMandates(self, request: pb.ListMandatesRequest, context: Any) -> pb.ListMandatesResponse:
        """Say the cursor."""
        return pb.ListMandatesResponse(next_cursor=request.cursor)


@pytest.fixture
async def running(serve: Serve) -> RunningServer:
    """The sample service behind the real gate."""
    return await serve("mandate", (rpc.add_MandateServiceServicer_to_server, Mandates(), SERVICE))


async def _send(running: RunningServer, data: bytes) -> Any:
    async with running.channel("mandate") as channel:
        call = channel.unary_unary(PATH, request_serializer=lambda x: x, response_deserializer=lambda x: x)
        try:
            return await call(data, timeout=5, metadata=((HEADER, running.principal()),))
        except grpc.aio.AioRpcError as error:
            return from_rpc_error(error)


@pytest.mark.req("B8")
@pytest.mark.parametrize(
    "data",
    [
        b"\xff",
        b"\x0a\xff\xff\xff\xff\x0f",
        b"\x0a\x02\xc3\x28",
        b"\x9b\x06",
        nested_groups(1_000),
        nested_groups(100_000),
    ],
    ids=["no tag", "a length that lies", "no UTF-8", "an open group", "nested groups", "many nested groups"],
)
async def test_bytes_that_are_no_message_are_malformed_within_a_second(running: RunningServer, data: bytes) -> None:
    since = time.monotonic()
    assert (await _send(running, data)).code == Code.CODE_MALFORMED
    assert time.monotonic() - since < 1


@pytest.mark.req("B8")
async def test_a_message_over_four_megabytes_is_refused_unread(running: RunningServer) -> None:
    refusal = await _send(running, pb.ListMandatesRequest(cursor="x" * LARGEST_MESSAGE).SerializeToString())
    assert refusal.code == Code.CODE_OVERLOADED


@pytest.mark.req("B1", "B8")
async def test_a_nul_in_a_text_is_refused_by_its_field_and_odd_text_round_trips(running: RunningServer) -> None:
    refusal = await _send(running, pb.ListMandatesRequest(cursor="a\0b").SerializeToString())
    assert (refusal.code, refusal.violations[0][0]) == (Code.CODE_MALFORMED, "cursor")
    odd = "O'Brien-Œuvre e\u0301 \u202e \u200d 🚗 <img onerror> {{7*7}} =HYPERLINK()\r\n null"
    answer = await _send(running, pb.ListMandatesRequest(cursor=odd).SerializeToString())
    assert pb.ListMandatesResponse.FromString(answer).next_cursor == odd


@pytest.mark.req("B3", "B8")
@pytest.mark.parametrize("seconds", [-62_135_596_801, 253_402_300_800, 2**62, -(2**62)])
def test_a_moment_outside_of_the_years_1_to_9999_is_refused_by_its_field(seconds: int) -> None:
    slot = scheduling_pb2.Slot(starts_at=Timestamp(seconds=seconds))
    read = checked(scheduling_pb2.Slot.FromString)
    assert read(slot.SerializeToString()) == Unreadable("starts_at", "not a moment of the years 1 to 9999")
    good = scheduling_pb2.Slot(starts_at=Timestamp(seconds=253_402_300_799))
    assert read(good.SerializeToString()) == good


@pytest.mark.req("B3")
def test_messages_without_moments_are_not_searched_for_them() -> None:
    assert has_timestamps(scheduling_pb2.Slot.DESCRIPTOR)
    assert not has_timestamps(pb.ListMandatesRequest.DESCRIPTOR)


@pytest.mark.req("B8")
def test_what_is_wrong_deep_inside_is_found_in_lists_and_messages() -> None:
    request = scheduling_pb2.EvaluateRequest(lines=[{"slot_id": "s"}, {"slot_id": "a\0"}])
    read = checked(scheduling_pb2.EvaluateRequest.FromString)
    assert read(request.SerializeToString()) == Unreadable("lines[1].slot_id", "U+0000 in a text")
