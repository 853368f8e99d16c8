"""A gateway of one test: real database, real gRPC peers where a test starts them, a provider that can misbehave."""

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit
from uuid import UUID, uuid4

import grpc
import httpx2
import pytest
import sqlalchemy as sa
from google.protobuf import descriptor_pool, message_factory
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

from resapermis.audit.v1 import audit_pb2_grpc
from resapermis.audit.v1.events_pb2 import Record
from resapermis.basket.v1 import basket_pb2_grpc
from resapermis.booking.v1 import booking_pb2_grpc
from resapermis.mandate.v1 import mandate_pb2_grpc
from resapermis.notification.v1 import notification_pb2_grpc
from resapermis.oidc.v1 import oidc_pb2, oidc_pb2_grpc
from resapermis.rdvpermis.v1 import rdvpermis_pb2, rdvpermis_pb2_grpc
from resapermis.scheduling.v1 import availability_pb2_grpc, scheduling_pb2_grpc, school_pb2_grpc
from resapermis_auth_gateway import accounts, tokens
from resapermis_auth_gateway.profile import Profile
from resapermis_auth_gateway.web import app
from resapermis_auth_gateway.web.dependencies import Dependencies, Peers, assemble
from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_auth_gateway.web.sign_in.cookies import derive, digest, new_secret
from resapermis_auth_gateway.web.sign_in.device import Device
from resapermis_auth_gateway.web.sign_in.grant import sealed_of
from resapermis_kit.clock import new_id
from resapermis_kit.database.transaction import transaction
from resapermis_kit.denials.journal import DenialJournal
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.events.outbox import Outbox, outbox
from resapermis_kit.process.telemetry import Health
from resapermis_kit.rpc.auth import caller
from resapermis_kit.rpc.authorization import Authorizer
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.databases import as_owner, as_role
from resapermis_testing.grpc_server import RunningServer, Serve
from resapermis_testing.postgres import MakeEngine
from resapermis_vault.keyset import new_document

PUBLIC = "https://resapermis.test"
ISSUER = "https://idp.test/realms/formation"
COOKIE = "__Host-resapermis"


@dataclass
class Clock:
    """Time that a test moves."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **duration: float) -> None:
        self.at += timedelta(**duration)


class Provider(oidc_pb2_grpc.ProviderServiceServicer):
    """Egress' way to the OpenID provider, played: a code counts once, and for the browser that left for it."""

    def __init__(self, clock: Clock) -> None:
        """A test may set `failure`."""
        self.clock = clock
        self.failure: Failure | None = None
        self.states_time = True
        """Whether it says when people proved who they are."""
        self.begun: dict[str, oidc_pb2.BeginSignInRequest] = {}
        self.codes: dict[str, tuple[oidc_pb2.BeginSignInRequest, str]] = {}
        self.redeemed: list[oidc_pb2.RedeemCodeRequest | oidc_pb2.RedeemGrantRequest] = []
        self.engine: AsyncEngine | None = None
        """Where egress writes down what is revoked unless it is adopted; None: as a release that did not."""
        self.issuer = ""
        """As it says whose person it is; "": as a release that did not."""
        self.meanwhile: Callable[[], Awaitable[None]] | None = None
        """What happens while a grant's code is being redeemed."""
        self.logout_tokens: dict[str, oidc_pb2.CheckLogoutTokenResponse] = {}

    def sign_in(self, location: str, subject: str = "employee-1") -> str:
        """What a person does there: return the callback's path and query."""
        state, code = parse_qs(urlsplit(location).query)["state"][0], str(uuid4())
        self.codes[code] = self.begun[state], subject
        return f"/auth/callback?{urlencode({'code': code, 'state': state, 'iss': ISSUER})}"

    def _fail(self) -> None:
        if self.failure is not None:
            raise self.failure

    async def BeginSignIn(self, request: oidc_pb2.BeginSignInRequest, context: Any) -> oidc_pb2.BeginSignInResponse:
        self._fail()
        self.begun[request.state] = request
        return oidc_pb2.BeginSignInResponse(authorization_url=f"{ISSUER}/auth?{urlencode({'state': request.state})}")

    async def RedeemCode(self, request: oidc_pb2.RedeemCodeRequest, context: Any) -> oidc_pb2.RedeemCodeResponse:
        self.redeemed.append(request)
        self._fail()
        begun, subject = self.codes.pop(request.code, (None, ""))
        if begun is None or (begun.nonce, begun.code_verifier) != (request.nonce, request.code_verifier):
            raise Failure(Code.CODE_SIGN_IN_FAILED, "another browser's, or used")
        sealed = await self._sealed(subject, adopted=request.adopts)
        sealed.refresh_expires_at.FromDatetime(self.clock() + timedelta(minutes=30))
        person = oidc_pb2.Person(
            issuer=self.issuer,
            subject=subject,
            provider_session_id="provider-session-1",
            display_name="Camille Martin",
            email="camille@ecole.test",
            locale="fr",
        )
        answer = oidc_pb2.RedeemCodeResponse(person=person, tokens=sealed)
        if self.states_time:
            answer.authenticated_at.FromDatetime(self.clock())
        return answer

    async def RedeemGrant(self, request: oidc_pb2.RedeemGrantRequest, context: Any) -> oidc_pb2.RedeemGrantResponse:
        self.redeemed.append(request)
        self._fail()
        begun, subject = self.codes.pop(request.code, (None, ""))
        if begun is None or (begun.nonce, begun.code_verifier) != (request.nonce, request.code_verifier):
            raise Failure(Code.CODE_SIGN_IN_FAILED, "another browser's, or used")
        if begun.purpose != oidc_pb2.PURPOSE_GRANT:
            raise Failure(Code.CODE_GRANT_NOT_OFFERED, "a sign-in's")
        if subject != request.subject:
            raise Failure(Code.CODE_GRANT_OTHER_PERSON, "another person's")
        if self.meanwhile is not None:
            await self.meanwhile()
        return oidc_pb2.RedeemGrantResponse(tokens=await self._sealed(subject, adopted=True))

    async def _sealed(self, subject: str, *, adopted: bool) -> oidc_pb2.SealedTokens:
        sealed = oidc_pb2.SealedTokens(token_id=str(uuid4()), access=b"sealed access", refresh=b"sealed refresh")
        sealed.access_expires_at.FromDatetime(self.clock() + timedelta(minutes=5))
        if adopted and self.engine is not None:
            async with as_role(self.engine, "auth_gateway_egress") as tx:
                await tokens.keep_unadopted(tx, sealed_of(sealed), self.clock(), issuer=ISSUER, subject=subject)
        return sealed

    async def CheckLogoutToken(
        self, request: oidc_pb2.CheckLogoutTokenRequest, context: Any
    ) -> oidc_pb2.CheckLogoutTokenResponse:
        self._fail()
        found = self.logout_tokens.get(request.logout_token)
        if found is None:
            raise malformed("logout_token", "not believed")
        found.counts_until.FromDatetime(self.clock() + timedelta(minutes=11))
        return found

    async def GetSignOutUrl(
        self, request: oidc_pb2.GetSignOutUrlRequest, context: Any
    ) -> oidc_pb2.GetSignOutUrlResponse:
        self._fail()
        return oidc_pb2.GetSignOutUrlResponse(url=f"{ISSUER}/logout?sid={request.provider_session_id}")


class Egress(rdvpermis_pb2_grpc.RdvPermisServiceServicer):
    """RdvPermis answers which school it is."""

    def __init__(self) -> None:
        self.school = rdvpermis_pb2.GetSchoolResponse(school_id="school-1", name="École du Test", department="94")
        self.failure: Failure | None = None
        self.answer: Callable[..., Awaitable[rdvpermis_pb2.GetSchoolResponse]] | None = None
        self.calls = 0

    async def GetSchool(self, request: rdvpermis_pb2.GetSchoolRequest, context: Any) -> rdvpermis_pb2.GetSchoolResponse:
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        return self.school if self.answer is None else await self.answer(request, context)


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def provider(clock: Clock) -> Provider:
    return Provider(clock)


@pytest.fixture(scope="session")
def keyset_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("vault") / "keyset.json"
    file.write_text(json.dumps(new_document()))
    file.chmod(0o600)
    return file


@pytest.fixture
def web_root(tmp_path: Path) -> Path:
    root = tmp_path / "dist"
    (root / "assets").mkdir(parents=True)
    (root / "index.html").write_text('<!doctype html><meta property="csp-nonce" nonce="__CSP_NONCE__">')
    (root / "assets" / "app-4f9a.js").write_text("export {}")
    (root / "icon.svg").write_text("<svg/>")
    (root / ".stamp").write_text("built by")
    return root


@pytest.fixture
def settings(
    settings_for: Callable[..., WebSettings], principal_keys: tuple[Path, Path], keyset_file: Path, web_root: Path
) -> WebSettings:
    return settings_for(
        WebSettings,
        "auth-gateway",
        principal_key_file=principal_keys[0],
        keyset_file=keyset_file,
        public_url=PUBLIC,
        web_root=web_root,
        oidc_issuer=ISSUER,
        tick_seconds=0.1,
        sign_in_rate="1000/minute",
        read_rate="1000/minute",
        write_rate="1000/minute",
        report_rate="1000/minute",
        provider_rate="1000/minute",
        calendar_rate="1000/minute",
    )


@dataclass
class World:
    """The gateway and how a test reaches into it."""

    dependencies: Dependencies
    app: ASGIApp
    provider: Provider
    clock: Clock
    running: dict[str, RunningServer] = field(default_factory=dict)
    public: str = PUBLIC
    issuer: str = ISSUER
    cookie: str = COOKIE

    async def sign_in(self, browser: httpx2.AsyncClient, subject: str = "employee-1", to: str = "/") -> httpx2.Response:
        """The whole way: out to the provider and back."""
        out = await browser.get("/auth/login", params={"returnTo": to})
        return await browser.get(self.provider.sign_in(out.headers["location"], subject))

    async def session(
        self,
        *,
        school: str = "school-1",
        role: str = "school_manager",
        account_id: UUID | None = None,
        device: Device = Device("firefox", "linux"),  # noqa: B008 - frozen
        sid: str = "sid-1",
    ) -> "Signed":
        """A live session, as sign-in leaves it, without going through sign-in."""
        account_id, cookie, now = account_id or new_id(), new_secret(), self.clock()
        key = self.dependencies.profiles.new_key(account_id)
        profile = self.dependencies.profiles.seal(
            account_id, key, Profile("Camille Martin", "camille@ecole.test", "fr")
        )
        session = queries.Session(
            new_id(), account_id, school, "École du Test", "94", sid, now, now, (role,), key, profile, now
        )
        async with transaction(self.dependencies.sessions.engine) as tx:
            account = accounts.Account(account_id, school, (role,), key, profile)
            await accounts.save_account(tx, ISSUER, str(account_id), account, now)
            await queries.start_session(tx, digest(cookie), session, device)
            sealed = tokens.SealedPair(
                new_id(), b"access", now + timedelta(minutes=5), b"refresh", now + timedelta(minutes=30)
            )
            await tokens.store(
                tx,
                sealed,
                account_id=account_id,
                school_id=school,
                session_id=session.id,
                now=now,
            )
        return Signed(cookie, derive(cookie, "csrf"), session)

    def browser(self, signed: "Signed | None" = None, **more: Any) -> httpx2.AsyncClient:
        """A browser on our page: it sends Origin and, signed in, cookie and token."""
        settings = self.dependencies.settings
        headers = {"Origin": settings.public_origin, "Sec-Fetch-Site": "same-origin"}
        if signed is not None:
            name = COOKIE if settings.secure else "resapermis"
            headers |= {"Cookie": f"{name}={signed.cookie}", "X-CSRF-Token": signed.csrf}
        return httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self.app),
            base_url=settings.public_url,
            headers=headers | more.pop("headers", {}),
        )

    async def published(self) -> list[tuple[str, bytes]]:
        """(type, payload) of all events and records so far, oldest first."""
        async with self.dependencies.sessions.engine.connect() as connection:
            rows = await connection.execute(sa.select(outbox.c.type, outbox.c.payload).order_by(outbox.c.id))
            return [(row.type, row.payload) for row in rows]

    async def records(self) -> list[Record]:
        """All records so far, oldest first, of what was refused among them."""
        await self.dependencies.denials.write()
        kind = Record.DESCRIPTOR.full_name
        return [Record.FromString(payload) for name, payload in await self.published() if name == kind]

    async def count(self, table: sa.Table, *where: Any) -> int:
        async with as_owner(self.dependencies.sessions.engine) as connection:
            return (await connection.execute(sa.select(sa.func.count()).select_from(table).where(*where))).scalar() or 0


@dataclass
class Signed:
    """A session and its secrets."""

    cookie: str
    csrf: str
    session: queries.Session

    @property
    def id(self) -> UUID:
        return self.session.id


MakeWorld = Callable[..., Awaitable[World]]


@pytest.fixture
async def make_world(
    make_engine: MakeEngine, settings: WebSettings, provider: Provider, clock: Clock, tls: Path, authorizer: Authorizer
) -> AsyncIterator[MakeWorld]:
    """Function: (running peers by name, engine, clock, **changed settings) -> a gateway."""
    channels: list[grpc.aio.Channel] = []

    async def make(
        running: dict[str, RunningServer] | None = None,
        *,
        engine: AsyncEngine | None = None,
        now: Any = clock,
        **changed: Any,
    ) -> World:
        started = running or {}

        def channel(name: str) -> grpc.aio.Channel:
            one = started.get(name)
            opened = one.channel(name) if one else _nobody(tls, name)
            channels.append(opened)
            return opened

        changed_settings = settings.model_copy(update=changed)
        database, box = engine or await make_engine("resapermis_auth_gateway"), Outbox("auth-gateway")
        provider.engine = database
        dependencies = assemble(
            changed_settings,
            database,
            box,
            Peers.over(channel),
            authorizer,
            DenialJournal(lambda records: box.emit(database, now(), *records), now, "auth-gateway"),
            Health(),
            now,
        )
        return World(dependencies, app.build(dependencies), provider, clock, started)

    yield make
    for opened in channels:
        await opened.close()


ADDERS = {
    "mandate": [("resapermis.mandate.v1.MandateService", mandate_pb2_grpc.add_MandateServiceServicer_to_server)],
    "scheduling-rules": [
        ("resapermis.scheduling.v1.SchedulingService", scheduling_pb2_grpc.add_SchedulingServiceServicer_to_server),
        ("resapermis.scheduling.v1.SchoolService", school_pb2_grpc.add_SchoolServiceServicer_to_server),
        (
            "resapermis.scheduling.v1.AvailabilityService",
            availability_pb2_grpc.add_AvailabilityServiceServicer_to_server,
        ),
    ],
    "basket": [
        ("resapermis.basket.v1.BasketService", basket_pb2_grpc.add_BasketServiceServicer_to_server),
        ("resapermis.booking.v1.BookingService", booking_pb2_grpc.add_BookingServiceServicer_to_server),
    ],
    "egress": [
        ("resapermis.rdvpermis.v1.RdvPermisService", rdvpermis_pb2_grpc.add_RdvPermisServiceServicer_to_server),
        ("resapermis.oidc.v1.ProviderService", oidc_pb2_grpc.add_ProviderServiceServicer_to_server),
    ],
    "audit": [("resapermis.audit.v1.AuditService", audit_pb2_grpc.add_AuditServiceServicer_to_server)],
    "notification": [
        (
            "resapermis.notification.v1.NotificationService",
            notification_pb2_grpc.add_NotificationServiceServicer_to_server,
        )
    ],
}


class Answering:
    """A service that answers each method with what a test gives, and remembers what it was asked and for whom."""

    def __init__(self, answers: dict[str, Any]) -> None:
        """An answer may be a message or a Failure."""
        self.answers, self.asked, self.callers = answers, [], []

    def __getattr__(self, method: str) -> Callable[..., Any]:
        async def answer(request: Any, context: Any) -> Any:
            self.asked.append(request)
            self.callers.append(caller())
            found = self.answers.get(method, Failure(Code.CODE_INTERNAL, "not expected in this test"))
            if isinstance(found, Failure):
                raise found
            return found

        return answer


@pytest.fixture
async def over(serve: Serve, make_world: Any) -> Callable[..., Any]:
    """Function: service → {method: answer} → (world, signed browser, the services)."""

    async def start(**answers: dict[str, Any]) -> tuple[Any, Any, dict[str, Answering]]:
        services = {name.replace("_", "-"): Answering(given) for name, given in answers.items()}
        running = {
            name: await serve(name, *((add, answering, service) for service, add in ADDERS[name]))
            for name, answering in services.items()
        }
        world = await make_world(running)
        return world, world.browser(await world.session()), services

    return start


def _empty(name: str) -> dict[str, Any]:
    """An empty answer for each method of a service."""
    pool = descriptor_pool.Default()
    methods = [method for service, _ in ADDERS[name] for method in pool.FindServiceByName(service).methods]
    return {method.name: message_factory.GetMessageClass(method.output_type)() for method in methods}


@pytest.fixture
async def over_empty(over: Callable[..., Any]) -> Callable[..., Any]:
    """As `over`, every service answering every method with an empty message."""
    return lambda: over(**{name.replace("-", "_"): _empty(name) for name in ADDERS})


def _nobody(tls: Path, name: str) -> grpc.aio.Channel:
    from resapermis_kit.rpc import peers

    return peers.channel("127.0.0.1:9", Certificates(tls / "auth-gateway"), name)


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    """A gateway whose peers are all away."""
    return await make_world()


@pytest.fixture
def egress() -> Egress:
    return Egress()


@pytest.fixture
async def make_with_egress(make_world: MakeWorld, serve: Serve, egress: Egress, provider: Provider) -> MakeWorld:
    """As `make_world`: a gateway that can sign people in and ask which school it is."""
    running = await serve(
        "egress",
        (
            rdvpermis_pb2_grpc.add_RdvPermisServiceServicer_to_server,
            egress,
            "resapermis.rdvpermis.v1.RdvPermisService",
        ),
        (oidc_pb2_grpc.add_ProviderServiceServicer_to_server, provider, "resapermis.oidc.v1.ProviderService"),
    )

    async def make(**more: Any) -> World:
        return await make_world({"egress": running}, **more)

    return make


@pytest.fixture
async def with_egress(make_with_egress: MakeWorld) -> World:
    """That, as it is set by default."""
    return await make_with_egress()
