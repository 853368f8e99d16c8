"""A caller uses every replica of a peer, and does without one that falls."""

from pathlib import Path
from typing import Any

import pytest

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis.mandate.v1 import mandate_pb2_grpc as rpc
from resapermis_kit.rpc import peers
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.eventually import eventually
from resapermis_testing.grpc_server import Serve

SERVICE = "resapermis.mandate.v1.MandateService"


class Named(rpc.MandateServiceServicer):
    """Answers with its own name."""

    def __init__(self, name: str) -> None:
        """Be called `name`."""
        self.name = name

    async def ListMandates(self, request: pb.ListMandatesRequest, context: Any) -> pb.ListMandatesResponse:
        """Say who answers."""
        return pb.ListMandatesResponse(next_cursor=self.name)


@pytest.mark.req("P-04")
async def test_calls_go_round_the_replicas_and_leave_out_one_that_fell(serve: Serve, tls: Path) -> None:
    first, second = [
        await serve("mandate", (rpc.add_MandateServiceServicer_to_server, Named(name), SERVICE)) for name in ("a", "b")
    ]
    both = f"127.0.0.1:{first.server.port},127.0.0.1:{second.server.port}"
    async with peers.channel(both, Certificates(tls / "auth-gateway"), "mandate") as channel:
        stub = rpc.MandateServiceStub(channel)

        async def asked(times: int) -> set[str]:
            request, token = pb.ListMandatesRequest(), first.principal()
            return {(await peers.ask(stub.ListMandates, request, principal=token)).next_cursor for _ in range(times)}

        async def both_answer() -> bool:
            return await asked(4) == {"a", "b"}

        await eventually(both_answer)
        await first.server.stop(0)
        assert await asked(20) == {"b"}
