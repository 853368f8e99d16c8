"""Whether a process can do its part, and whether the first acts would be served: the standard health service of gRPC.

A process is READY as soon as it can do its own part, whoever else is there: else two that call each other would wait for each
other for ever. Right then a first act would still hear that a peer is away. So each process says too whether it is WARM: the bus
joined, the pool open, a leader at work, a connection to each service that it calls. Where one is warm, and each that it calls, what
people ask of it is served; nobody asks further than the next, so that nothing goes round in circles (ADR 42).
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio

READY, WARM = "", "resapermis.warm"
"""What the health service is asked for."""
ASK_SECONDS = 1.0
_SERVING, _NOT_SERVING = health_pb2.HealthCheckResponse.SERVING, health_pb2.HealthCheckResponse.NOT_SERVING


class HealthServicer(aio.HealthServicer):  # type: ignore[misc] # grpcio-health-checking has no types
    """Answers as things are when it is asked."""

    def __init__(self, current: Callable[[], Mapping[str, bool]]) -> None:
        """`current`: each service that may be asked for, and whether it serves."""
        super().__init__()
        self._current = current

    async def say(self) -> None:
        """Tell those that watch what has changed."""
        for service, serves in self._current().items():
            await self.set(service, _SERVING if serves else _NOT_SERVING)

    async def Check(  # noqa: N802 - its name in the protocol
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> health_pb2.HealthCheckResponse:
        """One answer. NOT_FOUND for a service that there is not."""
        await self.say()
        return await super().Check(request, context)


def connected(channel: grpc.aio.Channel) -> bool:
    """Whether it is; where it is not, it begins to be."""
    return channel.get_state(try_to_connect=True) is grpc.ChannelConnectivity.READY


async def cold_peers(channels: Mapping[str, grpc.aio.Channel]) -> list[str]:
    """Those of the services behind these channels that are not warm, each with its word or the transport's."""
    asked = await asyncio.gather(*(_ask(name, channel) for name, channel in channels.items()))
    return [one for one in asked if one]


async def _ask(name: str, channel: grpc.aio.Channel) -> str:
    stub = health_pb2_grpc.HealthStub(channel)
    try:
        answer = await stub.Check(health_pb2.HealthCheckRequest(service=WARM), timeout=ASK_SECONDS)
    except grpc.aio.AioRpcError as error:
        return f"{name}: {error.code().name}"
    return "" if answer.status == _SERVING else f"{name}: not warm"
