"""Around every RPC: certificates, principals, rights, deadlines, errors."""

import asyncio
import json
import time
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import grpc
import pytest
import sqlalchemy as sa
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection_pb2, reflection_pb2_grpc
from joserfc import jwt
from joserfc.jwk import OctKey, OKPKey
from prometheus_client import REGISTRY

from resapermis.audit.v1.events_pb2 import Record
from resapermis.batch.v1 import batch_pb2, batch_pb2_grpc
from resapermis.errors.v1 import errors_pb2
from resapermis.events.v1 import events_pb2, events_pb2_grpc
from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis.mandate.v1 import mandate_pb2_grpc as rpc
from resapermis_kit.clock import utc_now
from resapermis_kit.denials.denial import Denial
from resapermis_kit.denials.journal import DenialJournal
from resapermis_kit.errors import RENDERINGS, Code, Failure, from_rpc_error, to_status
from resapermis_kit.events.outbox import Outbox, outbox
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import ALGORITHMS, AUDIENCE_OF_0_2_0, HEADER, ISSUER, Principal, Signer, Verifier, caller
from resapermis_kit.rpc.authorization import Authorizer, permissions
from resapermis_kit.rpc.deadline import remaining_seconds
from resapermis_kit.rpc.server import Server
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.certificates import make_certificates
from resapermis_testing.eventually import eventually
from resapermis_testing.grpc_server import RunningServer, Serve
from resapermis_testing.postgres import MakeEngine

SERVICE = "resapermis.mandate.v1.MandateService"
SECRET = "Dupont 012345678901"


class Mandates(rpc.MandateServiceServicer):
    """Answers with who asked; breaks on demand."""

    async def ListMandates(self, request: pb.ListMandatesRequest, context: Any) -> pb.ListMandatesResponse:
        """Say the caller."""
        if request.cursor == "break":
            raise RuntimeError(SECRET)
        if request.cursor == "refuse":
            raise Failure(Code.CODE_NO_MANDATE, "no mandate", rdvpermis_code="CANDIDAT_PAS_SOUS_MANDAT")
        if request.cursor == "forbidden by a peer":
            own = Failure(Code.CODE_FORBIDDEN, "not among your rights", denied="no_right")
            raise Failure.from_proto(own.to_proto())
        return pb.ListMandatesResponse(next_cursor=f"{caller().school().school_id} {remaining_seconds():.0f}")


@pytest.fixture
async def running(serve: Serve) -> RunningServer:
    """The sample service behind the real gate."""
    return await serve("mandate", (rpc.add_MandateServiceServicer_to_server, Mandates(), SERVICE))


async def _ask(running: RunningServer, token: str, *, cursor: str = "", as_service: str = "auth-gateway") -> str:
    async with running.channel("mandate", as_service) as channel:
        stub = rpc.MandateServiceStub(channel)
        answer = await peers.call(stub.ListMandates, pb.ListMandatesRequest(cursor=cursor), principal=token)
        return str(answer.next_cursor)


async def _refusal(running: RunningServer, token: str, **more: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        await _ask(running, token, **more)
    return caught.value


@pytest.mark.req("S-07")
async def test_a_person_of_a_school_is_answered_for_that_school(running: RunningServer) -> None:
    assert (await _ask(running, running.principal(school_id="s-7"))).startswith("s-7 ")


async def test_a_call_without_a_person_is_unauthenticated(running: RunningServer) -> None:
    assert (await _refusal(running, "")).code == Code.CODE_UNAUTHENTICATED


@pytest.mark.req("S-07")
@pytest.mark.parametrize("roles", [(), ("trainer",), ("candidate",), ("unheard_of",)])
async def test_a_role_without_the_right_is_refused(running: RunningServer, roles: tuple[str, ...]) -> None:
    assert (await _refusal(running, running.principal(roles=roles))).code == Code.CODE_FORBIDDEN


async def test_a_principal_with_another_services_certificate_is_refused(running: RunningServer) -> None:
    assert (await _refusal(running, running.principal(), as_service="notification")).code == Code.CODE_FORBIDDEN


class Events(events_pb2_grpc.EventsServiceServicer):
    """Replays nothing."""

    async def Replay(self, request: events_pb2.ReplayRequest, context: Any) -> events_pb2.ReplayResponse:
        """Policies let any service ask."""
        return events_pb2.ReplayResponse(last_number=7)


async def _of_health_and_reflection(channel: grpc.aio.Channel) -> list[str]:
    """How each of the standard services answers."""
    health, asked = health_pb2_grpc.HealthStub(channel), health_pb2.HealthCheckRequest()
    question = reflection_pb2.ServerReflectionRequest(list_services="")
    answers: list[Any] = [
        health.Check(asked, timeout=5),
        health.Watch(asked, timeout=5).read(),
        reflection_pb2_grpc.ServerReflectionStub(channel).ServerReflectionInfo(iter([question]), timeout=5).read(),
    ]
    found = []
    for answer in answers:
        try:
            await answer
            found.append("OK")
        except grpc.aio.AioRpcError as error:
            found.append(error.code().name)
    return found


@pytest.mark.req("S-07", "D-04")
async def test_a_certificate_of_a_service_that_does_not_call_this_one_is_refused_before_any_policy_is_asked(
    serve: Serve,
) -> None:
    added = (events_pb2_grpc.add_EventsServiceServicer_to_server, Events(), "resapermis.events.v1.EventsService")
    running = await serve("mandate", added, clients=["audit", "auth-gateway"])
    for service, answers in (("audit", "OK"), ("egress", "PERMISSION_DENIED")):
        async with running.channel("mandate", service) as channel:
            ask = peers.call(
                events_pb2_grpc.EventsServiceStub(channel).Replay, events_pb2.ReplayRequest(), principal=""
            )
            if answers == "OK":
                assert (await ask).last_number == 7
            else:
                with pytest.raises(Failure) as refused:
                    await ask
                assert refused.value.code == Code.CODE_FORBIDDEN
                assert [(one.reason, one.carrier) for one in running.denied] == [("certificate_unlisted", "egress")]
            assert await _of_health_and_reflection(channel) == [answers] * 3


CHANGED: dict[str, dict[str, Any]] = {
    "expired": {"exp": int(time.time()) - 10},
    "audience": {"aud": "elsewhere"},
    "audiences": {"aud": ["basket", "egress"]},
    "no audience": {"aud": []},
    "odd audience": {"aud": {"mandate": "mandate"}},
    "issuer": {"iss": "mandate"},
    "claims": {"roles": None},
}


def _forged(running: RunningServer, keys: tuple[Path, Path], how: str) -> str:
    good = json.loads(keys[0].read_text())
    claims: dict[str, Any] = {
        "iss": ISSUER,
        "aud": ["mandate", "egress"],
        "sub": "a",
        "sid": "s",
        "school": "x",
        "place": "",
    }
    claims |= {"roles": ["school_manager"], "iat": int(time.time()), "exp": int(time.time()) + 60}
    key: Any = OKPKey.import_key(good)
    header = {"alg": ALGORITHMS[0], "kid": good["kid"]}
    algorithms = ALGORITHMS
    claims |= CHANGED.get(how, {})
    if how == "key":
        key = OKPKey.generate_key("Ed25519", parameters={"kid": good["kid"]})
    elif how == "kid":
        key = OKPKey.generate_key("Ed25519", parameters={"kid": "other"})
        header["kid"] = "other"
    elif how == "hs256":
        key = OctKey.import_key(json.dumps(good["x"]) + "padding" * 5)
        header["alg"], algorithms = "HS256", ["HS256"]
    elif how == "none":
        return running.principal().split(".")[1].join(["eyJhbGciOiJub25lIn0.", "."])
    elif how == "garbage":
        return "not.a.token"
    return jwt.encode(header, claims, key, algorithms=algorithms)


@pytest.mark.parametrize("how", [*CHANGED, "key", "kid", "hs256", "none", "garbage"])
async def test_a_forged_principal_is_unauthenticated(
    running: RunningServer, principal_keys: tuple[Path, Path], how: str
) -> None:
    assert (await _refusal(running, _forged(running, principal_keys, how))).code == Code.CODE_UNAUTHENTICATED


@pytest.mark.req("S-07")
async def test_a_principal_signed_for_another_service_is_unauthenticated_and_counted(
    running: RunningServer, capsys: Any
) -> None:
    """What notification was asked with, in the gateway's own hands even: mandate does not take it."""
    who = Principal("account-1", "session-1", "school-1", ("school_manager",))
    before = REGISTRY.get_sample_value("resapermis_principals_refused_total", {"reason": "audience"}) or 0
    refused = await _refusal(running, running.signer.sign(who, "notification"))
    assert refused.code == Code.CODE_UNAUTHENTICATED
    assert REGISTRY.get_sample_value("resapermis_principals_refused_total", {"reason": "audience"}) == before + 1
    assert "principal.refused" in capsys.readouterr().out


async def test_a_principal_that_basket_passes_on_is_answered(running: RunningServer) -> None:
    who = Principal("account-1", "session-1", "school-1", ("school_manager",))
    assert (await _ask(running, running.signer.sign(who, "basket"))).startswith("school-1 ")


async def test_a_principal_of_the_gateway_before_is_answered(
    running: RunningServer, principal_keys: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a gateway of 0.2.0 still runs beside newer services."""
    monkeypatch.setitem(CHANGED, "of 0.2.0", {"aud": AUDIENCE_OF_0_2_0})
    assert (await _ask(running, _forged(running, principal_keys, "of 0.2.0"))).startswith("x ")


async def test_two_principals_in_one_call_are_refused(running: RunningServer) -> None:
    async with running.channel("mandate") as channel:
        metadata = ((HEADER, running.principal()), (HEADER, running.principal(school_id="s-8")))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await rpc.MandateServiceStub(channel).ListMandates(pb.ListMandatesRequest(), metadata=metadata)
    assert from_rpc_error(caught.value).code == Code.CODE_UNAUTHENTICATED


@pytest.mark.req("D-04")
async def test_another_authority_gets_no_handshake(running: RunningServer, tmp_path: Path) -> None:
    make_certificates(tmp_path, ("auth-gateway",))
    believed = tmp_path / "auth-gateway" / "ca.pem"
    believed.write_bytes(believed.read_bytes() + (running.tls / "mandate" / "ca.pem").read_bytes())
    async with peers.channel(
        f"127.0.0.1:{running.server.port}", Certificates(tmp_path / "auth-gateway"), "mandate"
    ) as channel:
        with pytest.raises(Failure) as caught:
            stub = rpc.MandateServiceStub(channel)
            await peers.call(stub.ListMandates, pb.ListMandatesRequest(), principal=running.principal(), timeout=2)
    assert caught.value.code in {Code.CODE_UNAVAILABLE, Code.CODE_DEADLINE}


async def test_the_unexpected_becomes_internal_without_its_text(running: RunningServer, capsys: Any) -> None:
    failure = await _refusal(running, running.principal(), cursor="break")
    printed = capsys.readouterr()
    assert failure.code == Code.CODE_INTERNAL
    assert failure.error_id
    assert SECRET not in failure.detail + printed.out + printed.err


async def test_a_refusal_crosses_whole(running: RunningServer) -> None:
    failure = await _refusal(running, running.principal(), cursor="refuse")
    assert (failure.code, failure.rdvpermis_code) == (Code.CODE_NO_MANDATE, "CANDIDAT_PAS_SOUS_MANDAT")


async def test_a_peer_that_is_away_is_unavailable(tls: Path) -> None:
    async with peers.channel("127.0.0.1:1", Certificates(tls / "auth-gateway"), "mandate") as channel:
        with pytest.raises(Failure) as caught:
            await peers.ask(rpc.MandateServiceStub(channel).ListMandates, pb.ListMandatesRequest(), timeout=1)
    assert caught.value.code == Code.CODE_UNAVAILABLE


def test_a_method_without_permission_does_not_start() -> None:
    from grpc_health.v1 import health_pb2

    with pytest.raises(ValueError, match="would be open to anyone"):
        permissions([health_pb2.DESCRIPTOR.services_by_name["Health"]])


@pytest.mark.parametrize("code", errors_pb2.Code.values())
def test_every_code_has_its_two_statuses(code: Any) -> None:
    failure = Failure(code, "detail", violations=[("a", "b")])
    assert RENDERINGS[code].http >= 200
    assert to_status(failure).code == RENDERINGS[code].grpc
    assert Failure.from_proto(failure.to_proto()).violations == (("a", "b"),)


REASONS = {"expired": "principal_expired", "audience": "principal_audience", "audiences": "principal_audience"}
REASONS |= {"no audience": "principal_audience", "issuer": "principal_audience"}
RPC = "mandate.v1.MandateService/ListMandates"


@pytest.mark.req("S-14")
@pytest.mark.parametrize("how", [*CHANGED, "key", "kid", "hs256", "none", "garbage"])
async def test_a_principal_that_is_not_believed_is_reported_with_its_carrier(
    running: RunningServer, principal_keys: tuple[Path, Path], how: str
) -> None:
    """And with nothing that it says of itself."""
    await _refusal(running, _forged(running, principal_keys, how), as_service="notification")
    assert running.denied == [Denial(REASONS.get(how, "principal_forged"), "rpc", RPC, carrier="notification")]


@pytest.mark.req("S-14")
async def test_two_principals_and_none_are_reported(running: RunningServer) -> None:
    async with running.channel("mandate") as channel:
        stub, twice = rpc.MandateServiceStub(channel), [(HEADER, running.principal())] * 2
        with pytest.raises(grpc.aio.AioRpcError):
            await stub.ListMandates(pb.ListMandatesRequest(), timeout=5, metadata=twice)
    await _refusal(running, "")
    found = [(denial.reason, denial.who) for denial in running.denied]
    assert found == [("principal_twice", "auth-gateway"), ("no_person", "auth-gateway")]


@pytest.mark.req("S-14")
async def test_a_right_that_is_missing_is_reported_with_who_lacks_it(running: RunningServer) -> None:
    token = running.principal(roles=("trainer",), place="192.0.2.0/24")
    await _refusal(running, token)
    await _refusal(running, running.principal(school_id=""))
    lacks, schoolless = running.denied
    assert lacks == Denial(
        "no_right",
        "rpc",
        RPC,
        account_id="account-1",
        session_id="session-1",
        school_id="school-1",
        roles=("trainer",),
        place="192.0.2.0/24",
        carrier="auth-gateway",
    )
    assert schoolless.reason == "no_school"


@pytest.mark.req("S-14")
async def test_a_call_in_a_message_of_many_is_reported_like_any_other(running: RunningServer) -> None:
    batch = batch_pb2.ExecuteRequest()
    for token in ("not.a.token", running.principal(roles=())):
        batch.calls.add(method=f"/{SERVICE}/ListMandates", principal=token, left_milliseconds=5000)
    async with running.channel("mandate", "basket") as channel:
        stub = batch_pb2_grpc.BatchServiceStub(channel)
        answered = [one async for one in stub.Execute(batch, timeout=5)]
    assert sum(len(one.results) for one in answered) == 2
    assert {denial.reason for denial in running.denied} == {"principal_forged", "no_right"}
    running.denied.clear()
    async with running.channel("mandate", "notification") as channel:
        with pytest.raises(grpc.aio.AioRpcError):
            [one async for one in batch_pb2_grpc.BatchServiceStub(channel).Execute(batch, timeout=5)]
    assert [(denial.reason, denial.carrier) for denial in running.denied] == [("no_person", "notification")]


@pytest.mark.req("S-14")
async def test_what_is_refused_for_another_reason_or_by_another_service_is_no_refused_access(
    running: RunningServer,
) -> None:
    await _refusal(running, running.principal(), cursor="refuse")
    await _refusal(running, running.principal(), cursor="forbidden by a peer")
    await _refusal(running, running.principal(), cursor="break")
    await _ask(running, running.principal())
    assert running.denied == []


@pytest.mark.req("S-14")
async def test_a_flood_of_forged_principals_is_two_records_of_the_services_own_outbox(
    make_engine: MakeEngine, tls: Path, principal_keys: tuple[Path, Path], signer: Signer, authorizer: Authorizer
) -> None:
    """Over gRPC with the real gate: the first at once, those after it as one number."""
    engine, at, statements = await make_engine("kit_sample"), [utc_now()], [0]

    async def write(records: Sequence[Record]) -> None:
        statements[0] += 1
        await Outbox("mandate").emit(engine, at[0], *records)

    journal = DenialJournal(write, lambda: at[0], "mandate")
    server = Server(
        "127.0.0.1:0", Certificates(tls / "mandate"), Verifier(principal_keys[1], "mandate"), authorizer, journal.add
    )
    server.add(rpc.add_MandateServiceServicer_to_server, Mandates(), SERVICE)
    await server.start()
    started = RunningServer("mandate", server, tls, signer)
    stub = rpc.MandateServiceStub(started.shared_channel("mandate", "notification"))
    task = asyncio.create_task(journal.run())

    async def forge() -> None:
        with pytest.raises(Failure):
            await peers.call(stub.ListMandates, pb.ListMandatesRequest(), principal="not.a.token")

    async def records() -> list[Record]:
        async with engine.connect() as connection:
            rows = await connection.execute(sa.select(outbox.c.payload).order_by(outbox.c.sequence))
            return [Record.FromString(row.payload) for row in rows]

    async def first() -> bool:
        return len(await records()) == 1

    await forge()
    await eventually(first)
    for _ in range(10):
        await asyncio.gather(*(forge() for _ in range(50)))
    at[0] += timedelta(seconds=61)

    async def second() -> bool:
        return len(await records()) == 2

    await eventually(second)
    task.cancel()
    await asyncio.wait({task})
    await started.stop()
    assert [record.facts["count"] for record in await records()] == ["1", "500"]
    assert statements == [2]
    assert {(record.source, record.action, record.actor.id) for record in await records()} == {
        ("mandate", "access.denied", "notification")
    }
