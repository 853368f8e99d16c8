"""The good path with nothing played: the sandbox's provider and API, our egress, our web face, from sign-in to sign-out."""

import re
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import httpx2
import pytest

from resapermis_kit.clock import utc_now

from .whole_way import MakeWholeWay, WholeWay, whole_way  # noqa: F401 - the fixture

pytestmark = pytest.mark.req("S-01", "S-02", "S-03")


@pytest.fixture
async def school(make_whole_way: MakeWholeWay, sandbox: Any) -> WholeWay:
    """A gateway whose provider and RdvPermis are the sandbox."""
    await sandbox.begin(utc_now(), frozen=False)
    return await make_whole_way(
        oidc_issuer=sandbox.issuer,
        oidc_client_id="resapermis",
        oidc_client_secret=sandbox.settings.client_secret,
        rdvpermis_url=sandbox.url,
    )


async def _at_the_provider(sandbox: Any, location: str, username: str) -> str:
    """Fill in the form there; return where it sends the browser."""
    async with sandbox.http() as browser:
        form = await browser.get(location)
        found = re.search(r'action="([^"]+)"', form.text)
        assert found
        answer = await browser.post(unescape(found[1]), data={"username": username, "password": "sandbox"})
    parts = urlsplit(answer.headers["location"])
    return f"{parts.path}?{parts.query}"


async def _renewed(sandbox: Any, refresh_token: str) -> httpx2.Response:
    """What the provider answers to who has this refresh token."""
    form = {"grant_type": "refresh_token", "refresh_token": refresh_token, "client_id": "resapermis"}
    async with sandbox.http() as http:
        address = f"{sandbox.issuer}/protocol/openid-connect/token"
        return await http.post(address, data=form | {"client_secret": sandbox.settings.client_secret})


async def test_an_employee_signs_in_and_out_at_the_sandbox(school: WholeWay, sandbox: Any) -> None:
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
        kept = await school.refresh_token()
        gone = await browser.post("/auth/logout", headers={"X-CSRF-Token": session["csrfToken"]})
        assert gone.json()["redirect"].startswith(f"{sandbox.issuer}/protocol/openid-connect/logout?")
        assert (await browser.get("/auth/session")).status_code == 401
    await school.revocations.revoke_due()
    refused = await _renewed(sandbox, kept)
    assert refused.status_code == 400
    assert refused.json() == {"error": "invalid_grant", "error_description": "Token is not active"}  # not a used one


async def test_a_wrong_password_signs_nobody_in(school: WholeWay, sandbox: Any) -> None:
    async with school.world.browser() as browser, sandbox.http() as there:
        out = await browser.get("/auth/login")
        form = re.search(r'action="([^"]+)"', (await there.get(out.headers["location"])).text)
        assert form
        answer = await there.post(unescape(form[1]), data={"username": "nobody", "password": "wrong"})
        assert "location" not in answer.headers
        assert (await browser.get("/auth/session")).status_code == 401
