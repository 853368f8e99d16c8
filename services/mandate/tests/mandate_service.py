"""Mandate over a real database and gRPC, with an egress that answers as the test sets it."""

import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis.mandate.v1 import mandate_pb2_grpc as rpc
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc as rdv_rpc
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox, outbox
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Caller, Principal, current_caller, current_token
from resapermis_mandate.identities import Identities
from resapermis_mandate.mandates import Mandates
from resapermis_mandate.servicer import MandateServicer
from resapermis_mandate.workers import MandatePolls
from resapermis_testing.grpc_server import RunningServer, Serve
from resapermis_testing.postgres import MakeEngine
from resapermis_vault.blind_index import BlindIndex
from resapermis_vault.keyset import Keyset, new_document
from resapermis_vault.person_keys import PersonKeys

NAME, NEPH = "O'Brien-Œuvre", "012345678901"


class Egress(rdv_rpc.RdvPermisServiceServicer):
    """RdvPermis as egress shows it: what to answer is set by the test."""

    def __init__(self) -> None:
        self.requests: list[rdv.CreateMandateRequest] = []
        self.refusal: Failure | None = None
        self.known: list[rdv.RdvMandate] = []
        self.unconnected: set[str] = set()
        """Schools of which nobody is signed in, nor gave a grant."""
        self.searched: list[str] = []
        """The school of each search of mandates, in order."""

    @property
    def asked(self) -> int:
        """How often a mandate was asked for."""
        return len(self.requests)

    async def CreateMandate(self, request: rdv.CreateMandateRequest, context: Any) -> rdv.CreateMandateResponse:
        self.requests.append(request)
        if self.refusal is not None:
            raise self.refusal
        self.known.append(
            rdv.RdvMandate(id="m1", rdvpermis_candidate_id="c1", category=request.category, state="EN_ATTENTE")
        )
        return rdv.CreateMandateResponse(mandate=self.known[-1])

    async def SearchMandates(self, request: rdv.SearchMandatesRequest, context: Any) -> rdv.SearchMandatesResponse:
        self.searched.append(request.on_behalf.school_id)
        if request.on_behalf.school_id in self.unconnected:
            raise Failure(Code.CODE_RECONNECT_NEEDED, "nobody of the school is connected")
        return rdv.SearchMandatesResponse(mandates=self.known)


@dataclass
class Service:
    """Mandate with its egress."""

    running: RunningServer
    egress: Egress
    egress_stub: Any
    engine: AsyncEngine
    identities: Identities
    later: timedelta = field(default_factory=timedelta)
    """How far the clock of what is polled is ahead."""
    polls_at_once: int = 10
    dialogue: Mandates = field(init=False)

    def __post_init__(self) -> None:
        """Poll with a clock that the test moves."""
        self.dialogue = self.mandates_over(self.egress_stub)

    def now(self) -> datetime:
        return utc_now() + self.later

    def mandates_over(self, stub: Any) -> Mandates:
        """The dialogue with RdvPermis over an egress of the test's choice."""
        return Mandates(self.engine, stub, self.identities, Outbox("mandate"), self.now)

    def replica(self, dialogue: Mandates) -> MandateServicer:
        """One more replica of the service."""
        return MandateServicer(self.engine, self.identities, dialogue, Outbox("mandate"), self.now, new_id)

    async def call_replica(self, dialogue: Mandates, method: str, request: Any) -> Any:
        """Answer on a replica of its own, without a network, what the manager of school-1 asks.

        Run as a task: what it sets for the caller stays within.
        """
        manager = Principal("account-1", "session-1", school_id="school-1", roles=("school_manager",))
        current_caller.set(Caller("auth-gateway", manager))
        current_token.set(self.running.principal())
        return await getattr(self.replica(dialogue), method)(request, None)

    async def call(self, method: str, request: Any, **more: Any) -> Any:
        service = more.pop("as_service", "auth-gateway")
        token = "" if more.pop("no_person", False) else self.running.principal(**more)
        stub = rpc.MandateServiceStub(self.running.shared_channel("mandate", service))
        return await peers.call(getattr(stub, method), request, principal=token)

    async def candidate(self, **more: Any) -> str:
        request = pb.CreateCandidateRequest(request_id=str(new_id()), last_name=NAME, first_name="Zoé", neph=NEPH)
        request.email = "zoe@mail.example"
        for key, value in more.items():
            setattr(request, key, value)
        return str((await self.call("CreateCandidate", request)).candidate.id)

    async def get(self, candidate_id: str) -> Any:
        request = pb.GetCandidateRequest(candidate_id=candidate_id, purpose="follow_candidate")
        return (await self.call("GetCandidate", request)).candidate

    async def mandate(self, candidate_id: str, **more: Any) -> Any:
        request = pb.RequestMandateRequest(request_id=str(new_id()), candidate_id=candidate_id, category="B")
        return (await self.call("RequestMandate", request, **more)).mandate

    async def mandates(self) -> list[Any]:
        return list((await self.call("ListMandates", pb.ListMandatesRequest())).mandates)

    async def poll(self, *, minutes: float) -> int:
        """Read RdvPermis for what is due these minutes from the test's start."""
        self.later = timedelta(minutes=minutes)
        return await MandatePolls(self.engine, self.dialogue, self.now, most=self.polls_at_once).poll_due()

    async def records(self, action: str) -> list[Record]:
        async with transaction(self.engine) as tx:
            statement = sa.select(outbox.c.payload).where(outbox.c.stream == "records").order_by(outbox.c.id)
            rows = (await tx.execute(statement)).scalars()
        return [record for record in map(Record.FromString, rows) if record.action == action]


async def refusal_of(call: Any) -> Failure:
    """The Failure that a call ends with."""
    with pytest.raises(Failure) as caught:
        await call
    return caught.value


@pytest.fixture
async def service(make_engine: MakeEngine, serve: Serve) -> AsyncIterator[Service]:
    engine, egress = await make_engine("resapermis_mandate"), Egress()
    keyset = Keyset.parse(new_document())
    identities = Identities(keyset, PersonKeys(keyset, time.monotonic), BlindIndex(keyset.index_keys))
    side = await serve(
        "egress",
        (rdv_rpc.add_RdvPermisServiceServicer_to_server, egress, "resapermis.rdvpermis.v1.RdvPermisService"),
    )
    async with side.channel("egress", "mandate") as channel:
        stub = rdv_rpc.RdvPermisServiceStub(channel)
        one = Service(side, egress, stub, engine, identities)
        one.running = await serve(
            "mandate",
            (
                rpc.add_MandateServiceServicer_to_server,
                one.replica(one.dialogue),
                "resapermis.mandate.v1.MandateService",
            ),
        )
        yield one
