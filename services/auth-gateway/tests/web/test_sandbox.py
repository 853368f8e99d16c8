"""The good path with nothing played: the sandbox's provider and API, our egress, our web face, from sign-in to sign-out."""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest
import sqlalchemy as sa

from resapermis.oidc.v1 import oidc_pb2_grpc
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc
from resapermis_auth_gateway import tables, tokens
from resapermis_auth_gateway.egress.breaker import Breaker
from resapermis_auth_gateway.egress.budget import Budget, Limits
from resapermis_auth_gateway.egress.call_journal import CallJournal
from resapermis_auth_gateway.egress.http import Client
from resapermis_auth_gateway.egress.oidc.client_auth import Credentials
from resapermis_auth_gateway.egress.oidc.provider import Provider, Registration
from resapermis_auth_gateway.egress.provider_servicer import ProviderServicer
from resapermis_auth_gateway.egress.rdvpermis import RdvPermis
from resapermis_auth_gateway.egress.revocations import Revocations
from resapermis_auth_gateway.egress.servicer import RdvPermisServicer
from resapermis_auth_gateway.egress.token_store import TokenStore
from resapermis_kit.clock import utc_now
from resapermis_kit.database.transaction import transaction
from resapermis_kit.events.outbox import Outbox
from resapermis_testing.grpc_server import Serve
from resapermis_testing.postgres import MakeEngine
from resapermis_vault.keyset import Keyset, new_keyset

pytestmark = pytest.mark.req("S-01", "S-02", "S-03")


@dataclass
class School:
    """The web face, and the egress that alone knows the sandbox."""

    world: Any
    vault: Keyset
    revocations: Revocations


@pytest.fixture
async def school(make_world: Any, make_engine: MakeEngine, serve: Serve, sandbox: Any) -> AsyncIterator[School]:
    """A gateway whose provider and RdvPermis are the sandbox. Each face has its own keyset."""
    await sandbox.begin(utc_now(), frozen=False)
    engine, vault = await make_engine("resapermis_auth_gateway"), new_keyset()
    client = Client()
    ours = Registration(
        sandbox.issuer,
        Credentials("resapermis", sandbox.settings.client_secret),
        "https://resapermis.test/auth/callback",
        "https://resapermis.test/",
        "openid rdvpermis",
    )
    provider = Provider(client, ours, utc_now)
    box = Outbox("auth-gateway")
    token_store = TokenStore(engine, vault, provider, box, lambda _: None, utc_now)
    calls = CallJournal(lambda records: box.emit(engine, utc_now(), *records), utc_now)
    rdvpermis = RdvPermis(
        sandbox.url,
        client,
        token_store,
        Budget(Limits(210, 600, 0.5)),
        Breaker(5, 2.0),
        calls,
        utc_now,
        call_seconds=8.0,
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
            ProviderServicer(provider, vault),
            "resapermis.oidc.v1.ProviderService",
        ),
    )
    world = await make_world({"egress": running}, engine=engine, now=utc_now, oidc_issuer=sandbox.issuer)
    yield School(world, vault, Revocations(engine, vault, provider, box, lambda _: None, utc_now))
    await client.close()


async def _at_the_provider(sandbox: Any, location: str, username: str) -> str:
    """Fill in the form there; return where it sends the browser."""
    async with sandbox.http() as browser:
        form = await browser.get(location)
        found = re.search(r'action="([^"]+)"', form.text)
        assert found
        answer = await browser.post(unescape(found[1]), data={"username": username, "password": "sandbox"})
    parts = urlsplit(answer.headers["location"])
    return f"{parts.path}?{parts.query}"


async def _refresh_token(school: School) -> str:
    """The one that the gateway keeps of its only session."""
    engine = school.world.dependencies.sessions.engine
    async with transaction(engine) as tx:
        ids = (await tx.execute(sa.select(tables.sessions.c.id))).scalars().all()
    (token,) = await tokens.of_sessions(engine, ids)
    assert token
    return tokens.open_refresh(school.vault, token)


async def _renewed(sandbox: Any, refresh_token: str) -> httpx2.Response:
    """What the provider answers to who has this refresh token."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": "resapermis"}
    async with sandbox.http() as http:
        address = f"{sandbox.issuer}/protocol/openid-connect/token"
        return await http.post(address, data=form | {"client_secret": sandbox.settings.client_secret})


async def test_an_employee_signs_in_and_out_at_the_sandbox(school: School, sandbox: Any) -> None:
    known = next(iter(sandbox.schools.values()))
    async with school.world.browser() as browser:
        out = await browser.get("/auth/login?returnTo=/creneaux")
        username = f"gerant.{known.id.removeprefix('ae-')}"
        back = await browser.get(await _at_the_provider(sandbox, out.headers["location"], username))
        assert (back.status_code, back.headers["location"]) == (302, "/creneaux")
        session = (await browser.get("/auth/session")).json()
        assert session["school"]["id"] == known.id
        assert session["school"]["name"] == known.name
        assert session["user"]["displayName"]
        kept = await _refresh_token(school)
        gone = await browser.post("/auth/logout", headers={"X-CSRF-Token": session["csrfToken"]})
        assert gone.json()["redirect"].startswith(f"{sandbox.issuer}/protocol/openid-connect/logout?")
        assert (await browser.get("/auth/session")).status_code == 401
    await school.revocations.revoke_due()
    refused = await _renewed(sandbox, kept)
    assert refused.status_code == 400
    assert refused.json() == {"error": "invalid_grant", "error_description": "Token is not active"}  # not a used one


async def test_a_wrong_password_signs_nobody_in(school: School, sandbox: Any) -> None:
    async with school.world.browser() as browser, sandbox.http() as there:
        out = await browser.get("/auth/login")
        form = re.search(r'action="([^"]+)"', (await there.get(out.headers["location"])).text)
        assert form
        answer = await there.post(unescape(form[1]), data={"username": "nobody", "password": "wrong"})
        assert "location" not in answer.headers
        assert (await browser.get("/auth/session")).status_code == 401
