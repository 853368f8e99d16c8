"""The egress face over real gRPC and a real database, before a RdvPermis that answers as a test sets."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import (
    RdvPermisServiceStub,
    add_RdvPermisServiceServicer_to_server,
)
from resapermis_auth_gateway import tables, tokens
from resapermis_auth_gateway.egress.breaker import Breaker
from resapermis_auth_gateway.egress.budget import Budget, Limits
from resapermis_auth_gateway.egress.http import Client
from resapermis_auth_gateway.egress.provider import Provider
from resapermis_auth_gateway.egress.rdvpermis import RdvPermis
from resapermis_auth_gateway.egress.servicer import RdvPermisServicer
from resapermis_auth_gateway.egress.token_store import TokenStore
from resapermis_auth_gateway.tokens import TokenPair
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure, from_rpc_error
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc.auth import HEADER
from resapermis_testing.grpc_server import RunningServer
from resapermis_vault.keyset import Keyset, new_keyset

PACKAGE = "resapermis_auth_gateway"
BASE = "/api/v2/auto-ecole"
INVENTED = "invented"


@dataclass
class ReceivedRequest:
    """A request as the responder saw it."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Raw:
    """Bytes on the wire; the connection closes after them."""

    data: bytes


Reply = tuple[int, Any] | tuple[int, Any, dict[str, str]] | Raw
Answering = Callable[[ReceivedRequest], Awaitable[Reply] | Reply]
CUT = Raw(b"")


@dataclass
class Responder:
    """An HTTP server that answers what a test puts in `replies` ("METHOD path" -> reply, or a function)."""

    port: int = 0
    replies: dict[str, Reply | Answering] = field(default_factory=dict)
    asked: list[ReceivedRequest] = field(default_factory=list)
    open_writers: set[asyncio.StreamWriter] = field(default_factory=set)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def calls(self, start: str = "") -> list[ReceivedRequest]:
        return [asked for asked in self.asked if f"{asked.method} {asked.path}".startswith(start)]

    def on(self, method: str, path: str, reply: Reply | Answering) -> None:
        self.replies[f"{method} {BASE}{path}"] = reply

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open_writers.add(writer)
        try:
            while await self._exchange(reader, writer):
                pass
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open_writers.discard(writer)
            writer.close()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {k.lower(): v.strip() for k, _, v in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        asked = ReceivedRequest(method, target, headers, body)
        self.asked.append(asked)
        reply = self.replies.get(f"{method} {target.partition('?')[0]}", (404, {"erreur": "ROUTE_ABSENTE"}))
        if callable(reply):
            answer = reply(asked)
            reply = await answer if isinstance(answer, Awaitable) else answer
        if isinstance(reply, Raw):
            writer.write(reply.data)
            await writer.drain()
            return False
        status, content, *more = reply
        data = b"" if content is None else content if isinstance(content, bytes) else json.dumps(content).encode()
        extra = "".join(f"{k}: {v}\r\n" for k, v in (more[0] if more else {}).items())
        writer.write(f"HTTP/1.1 {status} x\r\ncontent-length: {len(data)}\r\n{extra}\r\n".encode() + data)
        await writer.drain()
        return True


@pytest.fixture
async def responder() -> AsyncIterator[Responder]:
    found = Responder()
    server = await asyncio.start_server(found.handle, "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    found.replies["GET /realm/.well-known/openid-configuration"] = (
        200,
        {
            "issuer": f"{found.url}/realm",
            "token_endpoint": f"{found.url}/token",
            "revocation_endpoint": f"{found.url}/revoke",
        },
    )
    found.replies["POST /revoke"] = (200, None)
    yield found
    server.close()
    for writer in list(found.open_writers):
        writer.close()
    await server.wait_closed()


@dataclass
class World:
    """The egress face and what it stands on."""

    engine: AsyncEngine
    vault: Keyset
    client: Client
    token_store: TokenStore
    rdvpermis: RdvPermis
    provider: Provider
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
    ) -> UUID:
        """Keep tokens as the web face does at sign-in; return the session's id."""
        now, account_id, session_id = utc_now(), new_id(), new_id()
        pair = TokenPair(
            access,
            now + timedelta(seconds=access_seconds),
            refresh,
            None if refresh_seconds is None else now + timedelta(seconds=refresh_seconds),
        )
        async with transaction(self.engine) as tx:
            account = {"id": account_id, "subject": str(account_id), "school_id": school_id}
            session = {"id": session_id, "account_id": account_id, "school_id": school_id}
            session["cookie_hash"] = session_id.bytes
            await tx.execute(sa.insert(tables.accounts).values(filled(tables.accounts, account)))
            await tx.execute(sa.insert(tables.sessions).values(filled(tables.sessions, session)))
            await tokens.store(
                tx,
                self.vault,
                pair,
                token_id=new_id(),
                account_id=account_id,
                school_id=school_id,
                now=now,
                session_id=None if grant else session_id,
            )
        return session_id

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


@pytest.fixture
async def make_world(make_engine, serve) -> AsyncIterator[MakeWorld]:
    worlds: list[World] = []

    async def make(
        api: str, issuer: str, *, client_id="resapermis", secret=INVENTED, engine=None, vault=None, **more: Any
    ) -> World:
        engine = engine or await make_engine(PACKAGE)
        vault = vault or new_keyset()
        client = Client()
        provider = Provider(client, issuer, client_id, secret, utc_now)
        token_store = TokenStore(engine, vault, provider, Outbox("auth-gateway"), utc_now)
        budget = Budget(more.get("limits") or Limits())
        breaker = more.get("breaker") or Breaker(threshold=5, first_pause=2)
        rdvpermis = RdvPermis(
            api, client, token_store, budget, breaker, utc_now, call_seconds=more.get("call_seconds", 8.0)
        )
        world = World(engine, vault, client, token_store, rdvpermis, provider)
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
