"""Our web face over our egress, with settings as they come from outside and nothing played between them."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from resapermis.oidc.v1 import oidc_pb2_grpc
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc
from resapermis_auth_gateway import tables, tokens
from resapermis_auth_gateway.egress.breaker import Breaker
from resapermis_auth_gateway.egress.budget import Budget, Limits
from resapermis_auth_gateway.egress.call_journal import CallJournal
from resapermis_auth_gateway.egress.http import Client
from resapermis_auth_gateway.egress.oidc.provider import Provider
from resapermis_auth_gateway.egress.provider_servicer import ProviderServicer
from resapermis_auth_gateway.egress.rdvpermis import RdvPermis
from resapermis_auth_gateway.egress.revocations import Revocations
from resapermis_auth_gateway.egress.servicer import RdvPermisServicer
from resapermis_auth_gateway.egress.settings import EgressSettings
from resapermis_auth_gateway.egress.token_store import TokenStore
from resapermis_auth_gateway.egress_process import registration
from resapermis_kit.clock import utc_now
from resapermis_kit.events.outbox import Outbox
from resapermis_testing.databases import as_role
from resapermis_testing.grpc_server import Serve
from resapermis_testing.postgres import MakeEngine
from resapermis_vault.keyset import Keyset, new_keyset

EGRESS = "auth_gateway_egress"


@dataclass
class WholeWay:
    """The web face, and the egress that alone knows provider and RdvPermis. Each has its own keyset."""

    world: Any
    vault: Keyset
    provider: Provider
    revocations: Revocations

    async def refresh_token(self, kind: str = "session") -> str:
        """The newest one that the gateway keeps, of a session or of a grant."""
        kept = tables.tokens
        newest = sa.select(kept.c.id).where(kept.c.kind == kind).order_by(kept.c.created_at.desc()).limit(1)
        async with as_role(self.world.dependencies.sessions.engine, EGRESS) as tx:
            token = await tokens.by_id(tx, self.provider.issuer, (await tx.execute(newest)).scalar_one())
        assert token
        return tokens.open_refresh(self.vault, token)


MakeWholeWay = Callable[..., Awaitable[WholeWay]]


@pytest.fixture(name="make_whole_way")
async def whole_way(
    make_world: Any, make_engine: MakeEngine, serve: Serve, settings_for: Any, keyset_file: Path
) -> AsyncIterator[MakeWholeWay]:
    """Function: settings of egress that a deployment gives -> both faces over one database."""
    clients: list[Client] = []

    async def make(**given: Any) -> WholeWay:
        settings = settings_for(
            EgressSettings, "egress", keyset_file=keyset_file, public_url="https://resapermis.test", **given
        )
        webs, vault, client = await make_engine("resapermis_auth_gateway"), new_keyset(), Client()
        engine = await make_engine(webs, EGRESS)
        clients.append(client)
        provider, box = Provider(client, registration(settings), utc_now), Outbox("auth-gateway")
        token_store = TokenStore(engine, vault, provider, box, lambda _: None, utc_now)
        calls = CallJournal(lambda records: box.emit(engine, utc_now(), *records), utc_now)
        budget, breaker = Budget(Limits(210, 600, 0.5)), Breaker(5, 2.0)
        rdvpermis = RdvPermis(
            settings.rdvpermis_url, client, token_store, budget, breaker, calls, utc_now, call_seconds=8.0
        )
        running = await serve(
            "egress",
            (
                rdvpermis_pb2_grpc.add_RdvPermisServiceServicer_to_server,
                RdvPermisServicer(rdvpermis, utc_now),
                "resapermis.rdvpermis.v1.RdvPermisService",
            ),
            (
                oidc_pb2_grpc.add_ProviderServiceServicer_to_server,
                ProviderServicer(provider, vault, engine, rdvpermis, utc_now),
                "resapermis.oidc.v1.ProviderService",
            ),
        )
        world = await make_world({"egress": running}, engine=webs, now=utc_now, oidc_issuer=settings.oidc_issuer)
        ends = settings.oidc_revocation_ends
        revocations = Revocations(engine, vault, provider, box, lambda _: None, utc_now, ends=ends)
        return WholeWay(world, vault, provider, revocations)

    yield make
    for client in clients:
        await client.close()
