"""What routes are given: the dependencies, made once at the start; and who is asking, made for each request."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property, partial
from typing import Annotated, Any

import structlog
from fastapi import Depends, Header, Request
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import Scope

from resapermis.audit.v1.audit_pb2_grpc import AuditServiceStub
from resapermis.basket.v1.basket_pb2_grpc import BasketServiceStub
from resapermis.booking.v1.booking_pb2_grpc import BookingServiceStub
from resapermis.mandate.v1 import mandate_pb2
from resapermis.mandate.v1.mandate_pb2_grpc import MandateServiceStub
from resapermis.notification.v1.notification_pb2_grpc import NotificationServiceStub
from resapermis.oidc.v1.oidc_pb2_grpc import ProviderServiceStub
from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceStub
from resapermis.scheduling.v1.availability_pb2_grpc import AvailabilityServiceStub
from resapermis.scheduling.v1.scheduling_pb2_grpc import SchedulingServiceStub
from resapermis.scheduling.v1.school_pb2_grpc import SchoolServiceStub
from resapermis_auth_gateway.profile import Profiles
from resapermis_auth_gateway.settings import SERVICE
from resapermis_auth_gateway.web.administration import Administration
from resapermis_auth_gateway.web.feed.live import Live
from resapermis_auth_gateway.web.feed.stream import Feed, Viewer
from resapermis_auth_gateway.web.security.concurrency import Concurrency
from resapermis_auth_gateway.web.security.rates import Rates
from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_auth_gateway.web.sign_in.attempts import Attempts
from resapermis_auth_gateway.web.sign_in.flow import SignIn
from resapermis_auth_gateway.web.sign_in.grant import Grants
from resapermis_auth_gateway.web.sign_in.passkey.challenges import Passkeys
from resapermis_auth_gateway.web.sign_in.passkey.entrance import Entrance
from resapermis_auth_gateway.web.sign_in.provider_logout import ProviderLogout
from resapermis_auth_gateway.web.sign_in.queries import Session, sessions_of_cookies
from resapermis_auth_gateway.web.sign_in.sessions import Sessions
from resapermis_auth_gateway.web.texts.sentences import Language
from resapermis_kit.clock import Clock
from resapermis_kit.denials.journal import DenialJournal
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.process.telemetry import Health
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Caller, Principal, Signer
from resapermis_kit.rpc.authorization import Authorizer
from resapermis_kit.rpc.batcher import Batcher
from resapermis_vault.keyset import Keyset

ANSWERS: Mapping[str, str] = {
    "resapermis.mandate.v1": "mandate",
    "resapermis.scheduling.v1": "scheduling-rules",
    "resapermis.basket.v1": "basket",
    "resapermis.booking.v1": "basket",
    "resapermis.audit.v1": "audit",
    "resapermis.notification.v1": "notification",
    "resapermis.rdvpermis.v1": "egress",
    "resapermis.oidc.v1": "egress",
}
"""Which service answers the questions of a protobuf package: a principal is signed for it alone."""
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
    provider: Any

    @classmethod
    def over(cls, channel: Any) -> "Peers":
        """A stub on each channel; `channel` makes one from a service's name."""
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
            provider=ProviderServiceStub(channel("egress")),
        )


@dataclass(frozen=True)
class Dependencies:
    """What routes and the gate are given, made once a process by `assemble`."""

    settings: WebSettings
    signer: Signer
    authorizer: Authorizer
    peers: Peers
    profiles: Profiles
    sessions: Sessions
    attempts: Attempts
    sign_in: SignIn
    grants: Grants
    provider_logout: ProviderLogout
    passkeys: Passkeys
    entrance: Entrance
    administration: Administration
    live: Live
    feed: Feed
    rates: Rates
    under_way: Concurrency
    """Requests of each session and account."""
    denials: DenialJournal
    """Refusals of access, on their way to the journal."""
    health: Health
    now: Clock


def assemble(
    settings: WebSettings,
    engine: AsyncEngine,
    outbox: Outbox,
    peers: Peers,
    authorizer: Authorizer,
    denials: DenialJournal,
    health: Health,
    now: Clock,
) -> Dependencies:
    """Wire the rooms; reads the keys that `settings` names."""
    signer, vault = Signer(settings.principal_key_file), Keyset.load(settings.keyset_file)
    live, profiles = Live(), Profiles(vault)
    most_feeds = {
        "session": settings.session_feeds,
        "account": settings.account_feeds,
        "address": settings.address_feeds,
    }
    open_feeds = Concurrency("feed", most_feeds, now)
    of_cookie = Batcher(partial(sessions_of_cookies, engine))
    sessions = Sessions(settings, engine, of_cookie, outbox, denials.add, live.end, now)
    attempts = Attempts(engine, vault, now)
    passkeys = Passkeys(settings, engine, now)
    grants = Grants(settings, engine, outbox, peers.provider, sessions, attempts, authorizer.allows, now)
    return Dependencies(
        settings=settings,
        signer=signer,
        authorizer=authorizer,
        peers=peers,
        profiles=profiles,
        sessions=sessions,
        attempts=attempts,
        sign_in=SignIn(
            settings, engine, outbox, peers.provider, profiles, signer, peers.rdvpermis, sessions, grants, attempts, now
        ),
        grants=grants,
        provider_logout=ProviderLogout(settings.oidc_issuer, engine, peers.provider, sessions, now),
        passkeys=passkeys,
        entrance=Entrance(settings, engine, outbox, profiles, sessions, passkeys, now),
        administration=Administration(engine, outbox, profiles, sessions, now),
        live=live,
        feed=Feed(live, peers.notification, signer, sessions.is_live, now, settings.tick_seconds, open_feeds),
        under_way=Concurrency(
            "request", {"session": settings.session_requests, "account": settings.account_requests}, now
        ),
        rates=Rates(
            engine,
            vault.blind_index().of,
            sign_in=settings.sign_in_rate,
            calendar=settings.calendar_rate,
            read=settings.read_rate,
            write=settings.write_rate,
            report=settings.report_rate,
            provider=settings.provider_rate,
        ),
        denials=denials,
        health=health,
        now=now,
    )


WHO_AM_I = ("GET", "/auth/session")
"""The first question of every page."""


@dataclass(frozen=True)
class Visitor:
    """A signed-in person, for one request."""

    dependencies: Dependencies
    session: Session
    csrf_token: str
    place: str
    language: Language

    @cached_property
    def principal(self) -> Principal:
        """The person as peers get them: ids of account, session and school ("" for who works at none), roles, and the network they come from."""
        return Principal(
            account_id=str(self.session.account_id),
            session_id=str(self.session.id),
            school_id=self.session.of_school,
            roles=self.session.roles,
            place=self.place,
        )

    @property
    def peers(self) -> Peers:
        """The stubs of `Dependencies`, for `ask`."""
        return self.dependencies.peers

    def viewer(self, address: str) -> Viewer:
        """Session, principal and `address`, for a live feed that goes on after this request."""
        return Viewer(self.session.id, self.principal, address)

    def may(self, permission: str) -> None:
        """Refuse what the gateway answers by itself and policy does not allow."""
        self.dependencies.authorizer.require(Caller(SERVICE, self.principal), permission)

    async def ask(self, method: Any, request: Any) -> Any:
        """Ask a service in this person's name; its refusal comes as a Failure."""
        token = self.dependencies.signer.sign(self.principal, asked_of(request))
        return await peers.ask(method, request, principal=token)

    async def names(self, candidate_ids: Iterable[str], purpose: str) -> dict[str, str]:
        """Return "Léa Martin" for each candidate whom this person may see, in one call.

        A list without names is better than none: when mandate is away or refuses, lines show the end of the id.
        """
        wanted = sorted({one for one in candidate_ids if one})
        if not wanted:
            return {}
        question = mandate_pb2.DescribeCandidatesRequest(candidate_ids=wanted, purpose=purpose)
        try:
            answer = await self.ask(self.dependencies.peers.mandate.DescribeCandidates, question)
        except Failure as failure:
            log.warning("names.missing", error_code=failure.name)
            return {}
        return {one.candidate_id: full_name(one.first_name, one.last_name) for one in answer.names}


def asked_of(question: Message) -> str:
    """The service that answers a question, by the question's package; KeyError for one that none of ours does."""
    return ANSWERS[question.DESCRIPTOR.file.package]


def full_name(first: str, last: str) -> str:
    """As people are called: "Léa Martin". Never an initial: in French "M." before a name is "Monsieur"."""
    return f"{first} {last}".strip()


def dependencies_of(request: Request) -> Dependencies:
    """The dependencies, for routes that ask nobody who they are."""
    found: Dependencies = request.app.state.dependencies
    return found


def no_session(scope: Scope) -> Failure:
    """Nobody is signed in; whether a session's cookie came all the same, which opens none any more, is for the journal.

    A page that asks whether somebody is signed in, without any cookie of that name, is answered and refused nothing.
    """
    state = scope.get("state", {})
    if state.get("stranger") and (scope["method"], scope["path"]) == WHO_AM_I:
        return Failure(Code.CODE_UNAUTHENTICATED, "nobody is signed in")
    denied = "session_ended" if state.get("ended") else "no_session"
    return Failure(Code.CODE_UNAUTHENTICATED, "no live session", denied=denied)


async def visitor(request: Request) -> Visitor:
    """The person whom the gate let in. A coroutine, because FastAPI would send a plain function to a thread."""
    found: Visitor | None = getattr(request.state, "visitor", None)
    if found is None:
        raise no_session(request.scope)
    return found


def require_recent_proof(who: Visitor) -> None:
    """STEP_UP_NEEDED, recorded, unless the person proved lately who they are, at the provider or by a passkey (`step_up_seconds`)."""
    proved, lasts = who.session.authenticated_at, timedelta(seconds=who.dependencies.settings.step_up_seconds)
    if proved is None or now_of(who) - proved > lasts:
        raise Failure(Code.CODE_STEP_UP_NEEDED, "proved who they are too long ago", denied="step_up")


def now_of(who: Visitor) -> datetime:
    """The server's time, for answers that teach it."""
    return who.dependencies.now()


Who = Annotated[Visitor, Depends(visitor)]
Key = Annotated[
    str,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="One for each human act, the same for its repeats: the act is done once.",
    ),
]
