"""A gateway of one test: real database, real gRPC peers where a test starts them, a provider that can misbehave."""

import base64
import hmac
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit
from uuid import UUID, uuid4

import grpc
import httpx2
import pytest
import sqlalchemy as sa
from google.protobuf import descriptor_pool, message_factory
from joserfc import jwk, jws
from sqlalchemy.ext.asyncio import AsyncEngine
from starlette.types import ASGIApp

from resapermis.audit.v1 import audit_pb2_grpc
from resapermis.basket.v1 import basket_pb2_grpc
from resapermis.booking.v1 import booking_pb2_grpc
from resapermis.mandate.v1 import mandate_pb2_grpc
from resapermis.notification.v1 import notification_pb2_grpc
from resapermis.rdvpermis.v1 import rdvpermis_pb2, rdvpermis_pb2_grpc
from resapermis.scheduling.v1 import availability_pb2_grpc, scheduling_pb2_grpc, school_pb2_grpc
from resapermis_auth_gateway import accounts, tokens
from resapermis_auth_gateway.profile import Profile
from resapermis_auth_gateway.settings import Settings
from resapermis_auth_gateway.web import app
from resapermis_auth_gateway.web.dependencies import Dependencies, Peers, assemble
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_auth_gateway.web.sign_in.cookies import derive, digest, new_secret
from resapermis_auth_gateway.web.sign_in.oidc import Provider
from resapermis_kit.clock import new_id
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox, outbox
from resapermis_kit.process.telemetry import Health
from resapermis_kit.rpc.auth import caller
from resapermis_kit.rpc.authorization import Authorizer
from resapermis_testing.grpc_server import RunningServer, Serve
from resapermis_testing.postgres import MakeEngine
from resapermis_vault.keyset import new_document

PUBLIC = "https://resapermis.test"
ISSUER = "https://idp.test/realms/formation"
CLIENT, SECRET = "resapermis", "client-secret-of-tests"
COOKIE = "__Host-resapermis"


@dataclass
class Clock:
    """Time that a test moves."""

    at: datetime = field(default_factory=lambda: datetime.now(UTC).replace(microsecond=0))

    def __call__(self) -> datetime:
        return self.at

    def pass_(self, **duration: float) -> None:
        self.at += timedelta(**duration)


Change = Callable[[dict[str, Any]], Any]


@dataclass
class Hostile:
    """An OpenID provider whose every answer a test may change."""

    clock: Clock
    keys: list[Any] = field(default_factory=lambda: [_rsa("one")])
    discovery: dict[str, Any] = field(default_factory=dict)
    claims: Change = lambda _: None
    header: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    sign_with: Any = None
    tamper: Callable[[str], str] = lambda token: token
    userinfo: dict[str, Any] = field(default_factory=dict)
    published: list[dict[str, Any]] | None = None
    status: dict[str, int] = field(default_factory=dict)
    raw: dict[str, bytes] = field(default_factory=dict)
    codes: dict[str, dict[str, str]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    callback_iss: str | None = ISSUER

    def transport(self) -> httpx2.MockTransport:
        return httpx2.MockTransport(self.handle)

    def handle(self, request: httpx2.Request) -> httpx2.Response:
        name = request.url.path.rsplit("/", 1)[-1]
        self.calls.append(name)
        if name in self.raw:
            return httpx2.Response(self.status.get(name, 200), content=self.raw[name])
        if name in self.status:
            return httpx2.Response(self.status[name], json={"error": "server_error"})
        answers = {
            "openid-configuration": self.document,
            "certs": lambda _: {"keys": self.published or [key.as_dict(private=False) for key in self.keys]},
            "token": self.token,
            "userinfo": lambda _: self.userinfo,
            "revoke": self.revoke,
        }
        found = answers[name](request)
        status = 400 if "error" in found else 200
        return httpx2.Response(status, json=found)

    def document(self, _: httpx2.Request) -> dict[str, Any]:
        connect = f"{ISSUER}/protocol/openid-connect"
        return {
            "issuer": ISSUER,
            "authorization_endpoint": f"{connect}/auth",
            "token_endpoint": f"{connect}/token",
            "jwks_uri": f"{connect}/certs",
            "userinfo_endpoint": f"{connect}/userinfo",
            "revocation_endpoint": f"{connect}/revoke",
            "end_session_endpoint": f"{connect}/logout",
            "authorization_response_iss_parameter_supported": True,
        } | self.discovery

    def token(self, request: httpx2.Request) -> dict[str, Any]:
        form = dict(parse_qsl(request.content.decode()))
        self.forms.append(form)
        asked = self.codes.pop(form.get("code", ""), None)
        right = form.get("client_id") == CLIENT and form.get("client_secret") == SECRET
        if asked is None or not right or form.get("redirect_uri") != asked["redirect_uri"]:
            return {"error": "invalid_grant"}
        challenge = base64.urlsafe_b64encode(sha256(form["code_verifier"].encode()).digest()).rstrip(b"=").decode()
        if not hmac.compare_digest(challenge, asked["code_challenge"]):
            return {"error": "invalid_grant"}
        access = f"access-{uuid4()}"
        return {
            "access_token": access,
            "refresh_token": f"refresh-{uuid4()}",
            "token_type": "Bearer",
            "expires_in": 300,
            "refresh_expires_in": 1800,
            "id_token": self.id_token(asked),
        } | self.answer

    def id_token(self, asked: dict[str, str]) -> str:
        now = int(self.clock().timestamp())
        claims: dict[str, Any] = {
            "iss": ISSUER,
            "aud": CLIENT,
            "sub": asked["subject"],
            "iat": now,
            "exp": now + 300,
            "nonce": asked["nonce"],
            "sid": "provider-session-1",
            "name": "Camille Martin",
            "email": "camille@ecole.test",
        }
        self.claims(claims)
        key = self.sign_with or self.keys[0]
        header = {"alg": "RS256", "kid": key.kid} | self.header
        header = {name: value for name, value in header.items() if value is not None}
        return self.tamper(jws.serialize_compact(header, json.dumps(claims), key, algorithms=[str(header["alg"])]))

    def revoke(self, request: httpx2.Request) -> dict[str, Any]:
        self.revoked.append(dict(parse_qsl(request.content.decode()))["token"])
        return {}

    def sign_in(self, location: str, subject: str = "employee-1") -> str:
        """What a person does there: return the callback's path and query."""
        query = {name: values[0] for name, values in parse_qs(urlsplit(location).query).items()}
        code = str(uuid4())
        self.codes[code] = query | {"subject": subject}
        back = {"code": code, "state": query["state"]} | ({"iss": self.callback_iss} if self.callback_iss else {})
        return f"/auth/callback?{urlencode(back)}"


def _rsa(kid: str) -> Any:
    return jwk.RSAKey.generate_key(2048, parameters={"kid": kid, "use": "sig"}, private=True)


class Egress(rdvpermis_pb2_grpc.RdvPermisServiceServicer):
    """RdvPermis answers which school it is."""

    def __init__(self) -> None:
        self.school = rdvpermis_pb2.GetSchoolResponse(school_id="school-1", name="École du Test", department="94")
        self.failure: Failure | None = None
        self.calls = 0

    async def GetSchool(self, request: rdvpermis_pb2.GetSchoolRequest, context: Any) -> rdvpermis_pb2.GetSchoolResponse:
        self.calls += 1
        if self.failure is not None:
            raise self.failure
        return self.school


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="session")
def signing_key() -> Any:
    return _rsa("one")


@pytest.fixture
def provider(clock: Clock, signing_key: Any) -> Hostile:
    return Hostile(clock, keys=[signing_key])


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
    settings_for: Callable[..., Settings], principal_keys: tuple[Path, Path], keyset_file: Path, web_root: Path
) -> Settings:
    return settings_for(
        Settings,
        "auth-gateway",
        principal_key_file=principal_keys[0],
        keyset_file=keyset_file,
        public_url=PUBLIC,
        web_root=web_root,
        oidc_issuer=ISSUER,
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
        rdvpermis_url="https://rdvpermis.test",
        tick_seconds=0.1,
        sign_in_rate="1000/minute",
        write_rate="1000/minute",
        calendar_rate="1000/minute",
    )


@dataclass
class World:
    """The gateway and how a test reaches into it."""

    dependencies: Dependencies
    app: ASGIApp
    provider: Hostile
    clock: Clock
    running: dict[str, RunningServer] = field(default_factory=dict)
    public: str = PUBLIC
    issuer: str = ISSUER
    cookie: str = COOKIE

    async def sign_in(self, browser: httpx2.AsyncClient, subject: str = "employee-1", to: str = "/") -> httpx2.Response:
        """The whole way: out to the provider and back."""
        out = await browser.get("/auth/login", params={"returnTo": to})
        return await browser.get(self.provider.sign_in(out.headers["location"], subject))

    async def session(self, *, school: str = "school-1", role: str = "school_manager") -> "Signed":
        """A live session, as sign-in leaves it, without going through sign-in."""
        account_id, cookie, now = new_id(), new_secret(), self.clock()
        key = self.dependencies.profiles.new_key(account_id)
        profile = self.dependencies.profiles.seal(
            account_id, key, Profile("Camille Martin", "camille@ecole.test", "fr")
        )
        session = queries.Session(
            new_id(), account_id, school, "École du Test", "94", "sid-1", now, now, (role,), key, profile
        )
        async with transaction(self.dependencies.sessions.engine) as tx:
            account = accounts.Account(account_id, school, (role,), key, profile)
            await accounts.save_account(tx, ISSUER, str(account_id), account, now)
            await queries.start_session(tx, digest(cookie), session)
            pair = tokens.TokenPair(
                "access-1", now + timedelta(minutes=5), f"refresh-{cookie}", now + timedelta(minutes=30)
            )
            await tokens.store(
                tx,
                self.dependencies.sessions.vault,
                pair,
                token_id=new_id(),
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

    async def count(self, table: sa.Table, *where: Any) -> int:
        async with self.dependencies.sessions.engine.connect() as connection:
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
    make_engine: MakeEngine, settings: Settings, provider: Hostile, clock: Clock, tls: Path, authorizer: Authorizer
) -> AsyncIterator[MakeWorld]:
    """Function: (running peers by name, engine, clock and transport to the provider, **changed settings) -> a gateway."""
    made: list[World] = []
    channels: list[grpc.aio.Channel] = []

    async def make(
        running: dict[str, RunningServer] | None = None,
        *,
        engine: AsyncEngine | None = None,
        now: Any = clock,
        transport: Any = None,
        **changed: Any,
    ) -> World:
        started = running or {}

        def channel(name: str) -> grpc.aio.Channel:
            one = started.get(name)
            opened = one.channel(name) if one else _nobody(tls, name)
            channels.append(opened)
            return opened

        changed_settings = settings.model_copy(update=changed)
        dependencies = assemble(
            changed_settings,
            engine or await make_engine("resapermis_auth_gateway"),
            Outbox("auth-gateway"),
            Peers.over(channel),
            Provider(changed_settings, now, transport or provider.transport()),
            authorizer,
            Health(),
            now,
        )
        made.append(World(dependencies, app.build(dependencies), provider, clock, started))
        return made[-1]

    yield make
    for world in made:
        await world.dependencies.provider.close()
        for task in list(world.dependencies.sessions.background):
            await task
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
    "egress": [("resapermis.rdvpermis.v1.RdvPermisService", rdvpermis_pb2_grpc.add_RdvPermisServiceServicer_to_server)],
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

    return peers.channel("127.0.0.1:9", tls / "auth-gateway", name)


@pytest.fixture
async def world(make_world: MakeWorld) -> World:
    """A gateway whose peers are all away."""
    return await make_world()


@pytest.fixture
def egress() -> Egress:
    return Egress()


@pytest.fixture
async def with_egress(make_world: MakeWorld, serve: Serve, egress: Egress) -> World:
    """A gateway that can ask which school it is."""
    running = await serve(
        "egress",
        (
            rdvpermis_pb2_grpc.add_RdvPermisServiceServicer_to_server,
            egress,
            "resapermis.rdvpermis.v1.RdvPermisService",
        ),
    )
    return await make_world({"egress": running})
