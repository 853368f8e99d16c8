"""The egress face over real gRPC and a real database, before a RdvPermis that answers as a test sets."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import grpc
import pytest
import sqlalchemy as sa
from joserfc.jwk import ECKey
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import (
    RdvPermisServiceStub,
    add_RdvPermisServiceServicer_to_server,
)
from resapermis_auth_gateway import tables, tokens
from resapermis_auth_gateway.egress.breaker import Breaker
from resapermis_auth_gateway.egress.budget import Budget, Limits
from resapermis_auth_gateway.egress.call_journal import CallJournal
from resapermis_auth_gateway.egress.http import Client
from resapermis_auth_gateway.egress.oidc.client_auth import Credentials
from resapermis_auth_gateway.egress.oidc.provider import Provider, Registration
from resapermis_auth_gateway.egress.rdvpermis import RdvPermis
from resapermis_auth_gateway.egress.revocations import Revocations
from resapermis_auth_gateway.egress.servicer import RdvPermisServicer
from resapermis_auth_gateway.egress.token_store import Access, TokenOwner, TokenStore
from resapermis_auth_gateway.tokens import TokenPair
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Failure, from_rpc_error
from resapermis_kit.events.outbox import Outbox, outbox
from resapermis_kit.rpc.auth import HEADER
from resapermis_testing.databases import as_role
from resapermis_testing.grpc_server import RunningServer
from resapermis_vault.keyset import Keyset, new_keyset

from .hostile_provider import Clock, HostileProvider, RelyingParty, registration
from .responder import Responder

PACKAGE = "resapermis_auth_gateway"
WEB, EGRESS = "auth_gateway_web", "auth_gateway_egress"
INVENTED = "invented"
KEY = ECKey.generate_key("P-256").as_dict(private=False)
"""It signs nothing."""


@asynccontextmanager
async def answering() -> AsyncIterator[Responder]:
    """A provider, and a RdvPermis that takes its tokens, on one socket."""
    found = Responder()
    server = await asyncio.start_server(found.handle, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    found.replies["GET /realm/.well-known/openid-configuration"] = (
        200,
        {
            "issuer": f"{found.url}/realm",
            "authorization_endpoint": f"{found.url}/auth",
            "token_endpoint": f"{found.url}/token",
            "jwks_uri": f"{found.url}/certs",
            "revocation_endpoint": f"{found.url}/revoke",
            "token_endpoint_auth_methods_supported": ["client_secret_post"],
        },
    )
    found.replies["GET /certs"] = (200, {"keys": [KEY]})
    found.replies["POST /revoke"] = (200, None)
    found.on("GET", "/moi", (200, {"id": "school-1", "nom": "École du Test"}))
    yield found
    server.close()
    for writer in list(found.open_writers):
        writer.close()
    await server.wait_closed()


@pytest.fixture
async def responder() -> AsyncIterator[Responder]:
    async with answering() as found:
        yield found


@dataclass
class World:
    """The egress face and what it stands on."""

    engine: AsyncEngine
    vault: Keyset
    client: Client
    token_store: TokenStore
    rdvpermis: RdvPermis
    provider: Provider
    revocations: Revocations
    calls: CallJournal
    denied: list[Denial]
    """Of grants: what failed and is tried again."""
    running: RunningServer | None = None

    async def sign_in(
        self,
        school_id: str = "school-1",
        access: str = "access-1",
        refresh: str = "refresh-1",
        access_seconds: float = 300,
        refresh_seconds: float | None = 1800,
        *,
        grant: bool = False,
        grant_seconds: float = 365 * 86400,
        subject: str = "",
        issuer: str = "",
    ) -> UUID:
        """Keep tokens as the web face does at sign-in; return the session's id."""
        now, account_id, session_id = utc_now(), new_id(), new_id()
        pair = TokenPair(
            access,
            now + timedelta(seconds=access_seconds),
            refresh,
            None if refresh_seconds is None else now + timedelta(seconds=refresh_seconds),
        )
        async with as_role(self.engine, WEB) as tx:
            account = {"id": account_id, "subject": subject or str(account_id), "school_id": school_id}
            account["issuer"] = issuer or self.provider.issuer
            session = {"id": session_id, "account_id": account_id, "school_id": school_id}
            session["cookie_hash"] = session_id.bytes
            await tx.execute(sa.insert(tables.accounts).values(filled(tables.accounts, account)))
            await tx.execute(sa.insert(tables.sessions).values(filled(tables.sessions, session)))
            await tokens.store(
                tx,
                tokens.seal(self.vault, new_id(), pair),
                account_id=account_id,
                school_id=school_id,
                now=now,
                session_id=None if grant else session_id,
                ends_at=now + timedelta(seconds=grant_seconds) if grant else None,
            )
        return session_id

    async def access(self, who: TokenOwner) -> Access:
        """The token of a person's session."""
        assert who.session_id is not None
        return await self.token_store.of_session(who.session_id, who.school_id)

    async def ask(
        self,
        method: str,
        request: Any,
        session_id: UUID | None = None,
        *,
        caller: str = "basket",
        school_id: str = "school-1",
        role: str = "school_manager",
    ) -> Any:
        """Call the servicer over gRPC for a person (session) or as the service itself; raises its Failure."""
        assert self.running is not None
        channel = self.running.shared_channel("egress", caller)
        metadata = ()
        if session_id is not None:
            metadata = (
                (HEADER, self.running.principal(session_id=str(session_id), school_id=school_id, roles=(role,))),
            )
        try:
            return await getattr(RdvPermisServiceStub(channel), method)(request, timeout=9, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            raise from_rpc_error(error) from None

    async def records(self, action: str = "") -> list[Record]:
        """The records of an action so far ("": of any), oldest first."""
        async with self.engine.connect() as connection:
            rows = await connection.execute(sa.select(outbox.c.type, outbox.c.payload).order_by(outbox.c.sequence))
            found = [Record.FromString(row.payload) for row in rows if row.type == Record.DESCRIPTOR.full_name]
        return [one for one in found if action in {"", one.action}]

    async def said(self, kind: Any) -> list[Any]:
        """The events of a kind so far, oldest first."""
        async with self.engine.connect() as connection:
            rows = await connection.execute(sa.select(outbox.c.type, outbox.c.payload).order_by(outbox.c.sequence))
            return [kind.FromString(row.payload) for row in rows if row.type == kind.DESCRIPTOR.full_name]

    async def refused(self, *arguments: Any, **more: Any) -> Failure:
        """The Failure that `ask` must raise."""
        with pytest.raises(Failure) as caught:
            await self.ask(*arguments, **more)
        return caught.value


def filled(table: sa.Table, values: dict[str, Any]) -> dict[str, Any]:
    """A row with whatever else the web face's tables need: these tests say only what tokens need."""
    plain = {sa.Text: "", sa.LargeBinary: b"-", sa.DateTime: utc_now(), ARRAY: [], sa.JSON: {}}
    needed = {c.name: plain[type(c.type)] for c in table.columns if not c.nullable and c.name not in values}
    return needed | values


MakeWorld = Callable[..., Awaitable[World]]
MakeParty = Callable[..., RelyingParty]


@pytest.fixture
async def make_world(make_engine, serve, tls) -> AsyncIterator[MakeWorld]:
    worlds: list[World] = []

    async def make(
        api: str, issuer: str, *, client_id="resapermis", secret=INVENTED, engine=None, vault=None, **more: Any
    ) -> World:
        """A replica; `engine` and `vault` of another one make it the second."""
        engine = engine or await make_engine(PACKAGE, EGRESS)
        vault = vault or new_keyset()
        client = Client(tls / "egress" / "ca.pem")  # the system's authorities take a third of a second to read
        ours = Registration(
            issuer, Credentials(client_id, secret), "https://resapermis.test/auth/callback", "", "openid"
        )
        provider = Provider(client, ours, utc_now)
        box, denied = Outbox("auth-gateway"), list[Denial]()
        clock = more.get("clock") or time.monotonic
        token_store = TokenStore(engine, vault, provider, box, denied.append, utc_now, clock)
        calls = CallJournal(lambda records: box.emit(engine, utc_now(), *records), utc_now)
        budget = Budget(more.get("limits") or Limits())
        breaker = more.get("breaker") or Breaker(threshold=5, first_pause=2)
        rdvpermis = RdvPermis(
            api,
            client,
            token_store,
            budget,
            breaker,
            calls,
            utc_now,
            call_seconds=more.get("call_seconds", 8.0),
            clock=clock,
        )
        world = World(
            engine,
            vault,
            client,
            token_store,
            rdvpermis,
            provider,
            Revocations(engine, vault, provider, box, denied.append, utc_now),
            calls,
            denied,
        )
        worlds.append(world)
        servicer = RdvPermisServicer(rdvpermis, utc_now)
        name = "resapermis.rdvpermis.v1.RdvPermisService"
        world.running = await serve("egress", (add_RdvPermisServiceServicer_to_server, servicer, name))
        return world

    yield make
    for world in worlds:
        await world.client.close()


@pytest.fixture
async def world(make_world: MakeWorld, responder: Responder) -> World:
    return await make_world(responder.url, f"{responder.url}/realm")


@pytest.fixture
async def make_party(responder: Responder, tls: Path) -> AsyncIterator[MakeParty]:
    """Function: (**what is ours at the provider) -> a client of a hostile provider."""
    opened: list[Client] = []

    def make(**more: Any) -> RelyingParty:
        http = Client(tls / "egress" / "ca.pem")
        opened.append(http)
        hostile = HostileProvider(responder, Clock())
        ours = registration(more.pop("issuer", hostile.issuer), **more)
        return RelyingParty(hostile, http, Provider(http, ours, hostile.clock))

    yield make
    for http in opened:
        await http.close()


@pytest.fixture
async def party(make_party: MakeParty) -> RelyingParty:
    return make_party()
