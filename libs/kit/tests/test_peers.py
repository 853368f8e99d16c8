"""Whether RdvPermis may have acted, by the failure of the call through egress: one table for all who ask it."""

from pathlib import Path

import grpc
import pytest
import stamina
from structlog.testing import capture_logs

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc as rpc
from resapermis_kit.errors import Code, Failure, from_rpc_error, to_status
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.peers import may_have_acted
from resapermis_kit.tls.certificates import Certificates

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


@pytest.mark.parametrize("target", ["127.0.0.1:1", "127.0.0.1:1,127.0.0.1:2", "dns:///nobody.invalid:80"])
async def test_a_call_that_found_no_connection_was_not_sent(tls: Path, target: str) -> None:
    """By gRPC's own words, which another release of it may change: then this fails, and such a call is in doubt."""
    async with peers.channel(target, Certificates(tls / "mandate"), "egress") as channel:
        stub = rpc.RdvPermisServiceStub(channel)
        with pytest.raises(Failure) as away:
            await peers.call(stub.CreateMandate, rdv.CreateMandateRequest(), principal="")
    assert away.value.code == Code.CODE_UNAVAILABLE
    assert not may_have_acted(away.value)


async def test_that_a_peer_is_away_is_said_once_and_that_it_is_back(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of a start at which many questions wait for a peer, one line; none of them a warning."""
    monkeypatch.setattr(peers, "_AWAY", set())
    up = False

    async def search(_: object, **__: object) -> str:
        if not up:
            raise grpc.aio.AioRpcError(grpc.StatusCode.UNAVAILABLE, grpc.aio.Metadata(), grpc.aio.Metadata())
        return "found"

    async def ask(peer: str = "") -> object:
        return await peers.ask(search, rdv.SearchMandatesRequest(), principal="", peer=peer)

    with capture_logs() as logged, stamina.set_testing(True, attempts=2):
        for _ in range(3):
            with pytest.raises(Failure) as away:
                await ask()
            assert away.value.code == Code.CODE_UNAVAILABLE
        with pytest.raises(Failure):
            await ask("mandate")
        up = True
        assert [await ask(), await ask(), await ask("mandate")] == ["found"] * 3
    said = [(one["event"], one["peer"], one["log_level"]) for one in logged if one["event"].startswith("peer.")]
    assert said == [
        ("peer.away", "resapermis.rdvpermis.v1", "info"),
        ("peer.away", "mandate", "info"),
        ("peer.back", "resapermis.rdvpermis.v1", "info"),
        ("peer.back", "mandate", "info"),
    ]


async def test_with_too_little_time_left_nothing_is_asked(tls: Path) -> None:
    async with peers.channel("127.0.0.1:1", Certificates(tls / "mandate"), "egress") as channel:
        stub = rpc.RdvPermisServiceStub(channel)
        with pytest.raises(Failure) as late:
            await peers.call(stub.CreateMandate, rdv.CreateMandateRequest(), principal="", timeout=0.01)
    assert late.value.code == Code.CODE_DEADLINE
    assert not may_have_acted(late.value)


@pytest.mark.parametrize("name", ["RDVPERMIS_UNEXPECTED", "UNSPECIFIED", "RDVPERMIS_EMAIL"])
def test_what_rdvpermis_refused_it_did_not_do(name: str) -> None:
    assert not may_have_acted(Failure(Code.Value(f"CODE_{name}"), "refused", rdvpermis_code="MOT_INCONNU"))
