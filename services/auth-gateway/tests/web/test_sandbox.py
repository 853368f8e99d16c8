"""The good path with nothing played: the sandbox's provider and API, our egress, our web face, from sign-in to sign-out."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from rdvpermis_sandbox.app import Sandbox
from rdvpermis_sandbox.settings import Settings as SandboxSettings
from resapermis.rdvpermis.v1 import rdvpermis_pb2_grpc
from resapermis_auth_gateway.egress.breaker import Breaker
from resapermis_auth_gateway.egress.budget import Budget, Limits
from resapermis_auth_gateway.egress.http import Client
from resapermis_auth_gateway.egress.provider import Provider as Refresher
from resapermis_auth_gateway.egress.rdvpermis import RdvPermis
from resapermis_auth_gateway.egress.servicer import RdvPermisServicer
from resapermis_auth_gateway.egress.token_store import TokenStore
from resapermis_kit.clock import utc_now
from resapermis_kit.events.outbox import Outbox
from resapermis_testing.grpc_server import Serve
from resapermis_testing.ports import free_port
from resapermis_testing.postgres import MakeEngine
from resapermis_vault.keyset import Keyset

pytestmark = pytest.mark.req("S-01", "S-02", "S-03")
STATE = f"http://127.0.0.1:{free_port()}"
SECRET = "client-secret-of-tests"


@pytest.fixture(scope="module")
def sandbox(serve_sandbox: Any) -> Sandbox:
    numbers = iter(range(10**9))
    settings = SandboxSettings(
        public_url=STATE,
        client_secret=SECRET,
        redirect_uris=("https://resapermis.test/auth/callback",),
        schools=20,
    )
    state = Sandbox(settings, lambda: datetime.now(UTC), lambda: f"secret-{next(numbers)}")
    serve_sandbox(state)
    return state


@pytest.fixture
async def school(
    make_world: Any, make_engine: MakeEngine, serve: Serve, keyset_file: Path, sandbox: Sandbox
) -> AsyncIterator[Any]:
    """A gateway whose provider and RdvPermis are the sandbox."""
    engine, vault = await make_engine("resapermis_auth_gateway"), Keyset.load(keyset_file)
    client, issuer = Client(), f"{STATE}/realms/formation"
    refresher = Refresher(client, issuer, "resapermis", SECRET, utc_now)
    token_store = TokenStore(engine, vault, refresher, Outbox("auth-gateway"), utc_now)
    rdvpermis = RdvPermis(
        STATE, client, token_store, Budget(Limits(210, 600, 0.5)), Breaker(5, 2.0), utc_now, call_seconds=8.0
    )
    running = await serve(
        "egress",
        (
            rdvpermis_pb2_grpc.add_RdvPermisServiceServicer_to_server,
            RdvPermisServicer(rdvpermis, utc_now),
            "resapermis.rdvpermis.v1.RdvPermisService",
        ),
    )
    yield await make_world(
        {"egress": running},
        engine=engine,
        now=utc_now,
        transport=httpx2.ASGITransport(app=sandbox.asgi),
        oidc_issuer=issuer,
        rdvpermis_url=STATE,
    )
    await client.close()


async def _at_the_provider(sandbox: Sandbox, location: str, username: str) -> str:
    """Fill in the form there; return where it sends the browser."""
    network = httpx2.ASGITransport(app=sandbox.asgi)
    async with httpx2.AsyncClient(transport=network, base_url=STATE) as browser:
        form = await browser.get(location)
        found = re.search(r'action="([^"]+)"', form.text)
        assert found
        answer = await browser.post(unescape(found[1]), data={"username": username, "password": "sandbox"})
    parts = urlsplit(answer.headers["location"])
    return f"{parts.path}?{parts.query}"


async def test_an_employee_signs_in_and_out_at_the_sandbox(school: Any, sandbox: Sandbox) -> None:
    employee = next(iter(sandbox.state.world.by_username.values()))
    async with school.browser() as browser:
        out = await browser.get("/auth/login?returnTo=/creneaux")
        back = await browser.get(await _at_the_provider(sandbox, out.headers["location"], employee.username))
        assert (back.status_code, back.headers["location"]) == (302, "/creneaux")
        session = (await browser.get("/auth/session")).json()
        known = sandbox.state.world.schools[employee.school]
        assert session["school"]["id"] == known.id
        assert session["school"]["name"] == known.name
        assert session["user"]["displayName"]
        gone = await browser.post("/auth/logout", headers={"X-CSRF-Token": session["csrfToken"]})
        assert gone.json()["redirect"].startswith(f"{STATE}/realms/formation/protocol/openid-connect/logout?")
        assert (await browser.get("/auth/session")).status_code == 401
    for task in list(school.dependencies.sessions.background):
        await task
    assert [grant.revoked for grant in sandbox.state.truth.grants.values()] == [True]


async def test_a_wrong_password_signs_nobody_in(school: Any, sandbox: Sandbox) -> None:
    network = httpx2.ASGITransport(app=sandbox.asgi)
    async with school.browser() as browser, httpx2.AsyncClient(transport=network, base_url=STATE) as there:
        out = await browser.get("/auth/login")
        form = re.search(r'action="([^"]+)"', (await there.get(out.headers["location"])).text)
        assert form
        answer = await there.post(unescape(form[1]), data={"username": "nobody", "password": "wrong"})
        assert "location" not in answer.headers
        assert (await browser.get("/auth/session")).status_code == 401
