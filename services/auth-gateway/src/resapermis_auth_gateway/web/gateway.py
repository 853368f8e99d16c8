"""What the web face's parts are given, made once in process.py; and who is asking, made for each request."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Annotated, Any

import structlog
from fastapi import Depends, Header, Request
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.audit_pb2_grpc import AuditServiceStub
from resapermis.basket.v1.basket_pb2_grpc import BasketServiceStub
from resapermis.booking.v1.booking_pb2_grpc import BookingServiceStub
from resapermis.mandate.v1 import mandate_pb2
from resapermis.mandate.v1.mandate_pb2_grpc import MandateServiceStub
from resapermis.notification.v1.notification_pb2_grpc import NotificationServiceStub
from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceStub
from resapermis.scheduling.v1.availability_pb2_grpc import AvailabilityServiceStub
from resapermis.scheduling.v1.scheduling_pb2_grpc import SchedulingServiceStub
from resapermis.scheduling.v1.school_pb2_grpc import SchoolServiceStub
from resapermis_auth_gateway.settings import Settings
from resapermis_auth_gateway.store import Session
from resapermis_auth_gateway.web.live import Live
from resapermis_auth_gateway.web.oidc import Provider
from resapermis_auth_gateway.web.profile import Profiles
from resapermis_auth_gateway.web.rates import Rates
from resapermis_auth_gateway.web.sentences import Language
from resapermis_kit.clock import Clock, utc_now
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.process.telemetry import Health
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Caller, Principal, Signer
from resapermis_kit.rpc.authorization import Authorizer
from resapermis_vault.kek import KeyEncryption

SERVICE = "auth-gateway"
log = structlog.get_logger()


@dataclass(frozen=True)
class Peers:
    """A stub for each service that the web face asks."""

    mandate: Any
    scheduling: Any
    school: Any
    availability: Any
    basket: Any
    booking: Any
    audit: Any
    notification: Any
    rdvpermis: Any

    @classmethod
    def over(cls, channel: Any) -> "Peers":
        """`channel`: service name → gRPC channel."""
        return cls(
            mandate=MandateServiceStub(channel("mandate")),
            scheduling=SchedulingServiceStub(channel("scheduling-rules")),
            school=SchoolServiceStub(channel("scheduling-rules")),
            availability=AvailabilityServiceStub(channel("scheduling-rules")),
            basket=BasketServiceStub(channel("basket")),
            booking=BookingServiceStub(channel("basket")),
            audit=AuditServiceStub(channel("audit")),
            notification=NotificationServiceStub(channel("notification")),
            rdvpermis=RdvPermisServiceStub(channel("egress")),
        )


@dataclass
class Gateway:
    """Everything that a request may need."""

    settings: Settings
    engine: AsyncEngine
    outbox: Outbox
    signer: Signer
    authorizer: Authorizer
    peers: Peers
    provider: Provider
    profiles: Profiles
    live: Live
    rates: Rates
    vault: KeyEncryption
    health: Health
    now: Clock = utc_now
    background: set[Any] = field(default_factory=set)
    """Tasks that outlive their request (revocations); held so that they are not collected."""


@dataclass(frozen=True)
class Visitor:
    """A signed-in person, for one request."""

    gateway: Gateway
    session: Session
    csrf_token: str
    place: str
    language: Language

    @property
    def principal(self) -> Principal:
        """As services know them."""
        return Principal(
            account_id=str(self.session.account_id),
            session_id=str(self.session.id),
            school_id=self.session.school_id,
            roles=self.session.roles,
            place=self.place,
        )

    @cached_property
    def token(self) -> str:
        """The principal, signed for this request."""
        return self.gateway.signer.sign(self.principal)

    def may(self, permission: str) -> None:
        """Refuse what the gateway answers by itself and policy does not allow."""
        self.gateway.authorizer.require(Caller(SERVICE, self.principal), permission)

    async def ask(self, method: Any, request: Any) -> Any:
        """Ask a service in this person's name; its refusal comes as a Failure."""
        return await peers.ask(method, request, principal=self.token)

    async def names(self, candidate_ids: Iterable[str], purpose: str) -> dict[str, str]:
        """Say "L. Martin" for each candidate whom this person may see, in one call.

        A list without names is better than none: when mandate is away or refuses, lines show the end of the id.
        """
        wanted = sorted({one for one in candidate_ids if one})
        if not wanted:
            return {}
        question = mandate_pb2.DescribeCandidatesRequest(candidate_ids=wanted, purpose=purpose)
        try:
            answer = await self.ask(self.gateway.peers.mandate.DescribeCandidates, question)
        except Failure as failure:
            log.warning("names.missing", error_code=failure.name)
            return {}
        return {one.candidate_id: short_name(one.first_name, one.last_name) for one in answer.names}


def short_name(first: str, last: str) -> str:
    """Return "L. Martin"."""
    return f"{first[:1]}. {last}" if first else last


async def visitor(request: Request) -> Visitor:
    """The person whom the gate let in. A coroutine, because FastAPI would send a plain function to a thread."""
    found: Visitor | None = getattr(request.state, "visitor", None)
    if found is None:
        raise Failure(Code.CODE_UNAUTHENTICATED, "no live session")
    return found


def now_of(who: Visitor) -> datetime:
    """The server's time, for answers that teach it."""
    return who.gateway.now()


Who = Annotated[Visitor, Depends(visitor)]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="One for each human act, the same for its repeats: the act is done once.",
    ),
]
