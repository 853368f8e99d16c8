"""Whether RdvPermis may have acted, by the failure of the call through egress: one table for all who ask it."""

import grpc
import pytest

from resapermis_kit.errors import Code, Failure, from_rpc_error, to_status
from resapermis_kit.rpc.peers import may_have_acted

OPEN = {"UNSPECIFIED", "UNKNOWN_OUTCOME", "DEADLINE", "UNAVAILABLE", "INTERNAL"}
STATUSES = [status for status in grpc.StatusCode if status is not grpc.StatusCode.OK]


def received(code: grpc.StatusCode, metadata: grpc.aio.Metadata, details: str) -> Failure:
    """The failure that a caller makes of a status."""
    return from_rpc_error(grpc.aio.AioRpcError(code, grpc.aio.Metadata(), metadata, details=details))


@pytest.mark.parametrize("name", [name.removeprefix("CODE_") for name in Code.keys()])  # noqa: SIM118 - not a dict
def test_an_answer_of_egress_says_by_its_code_whether_rdvpermis_may_have_acted(name: str) -> None:
    status = to_status(Failure(Code.Value(f"CODE_{name}"), "as egress raised it"))
    failure = received(status.code, grpc.aio.Metadata(*status.trailing_metadata), status.details)
    assert failure.name == name
    assert may_have_acted(failure) == (name in OPEN)


@pytest.mark.parametrize("status", STATUSES, ids=lambda status: status.name)
def test_after_a_status_of_the_transport_rdvpermis_may_have_acted(status: grpc.StatusCode) -> None:
    assert may_have_acted(received(status, grpc.aio.Metadata(), "broken off"))


@pytest.mark.parametrize("name", ["RDVPERMIS_UNEXPECTED", "UNSPECIFIED", "RDVPERMIS_EMAIL"])
def test_what_rdvpermis_refused_it_did_not_do(name: str) -> None:
    assert not may_have_acted(Failure(Code.Value(f"CODE_{name}"), "refused", rdvpermis_code="MOT_INCONNU"))
