"""Any conforming provider will do: a certified one that is not RdvPermis' (oidc-provider), by settings alone.

It takes pushed requests alone, states names in userinfo alone and under claims of its own, asks who it is on its own pages, rotates
refresh tokens and keys, and tells of sign-outs. RdvPermis is the sandbox, which asks it what its tokens are worth.
"""

import asyncio
import json
import os
import re
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import httpx2
import pytest
import sqlalchemy as sa
from joserfc.jwk import ECKey

from resapermis_auth_gateway import tables
from resapermis_auth_gateway.egress.oidc.provider import RefreshEnded
from resapermis_auth_gateway.web_process import http_server
from resapermis_kit.clock import utc_now
from resapermis_testing.certificates import NOBODY
from resapermis_testing.eventually import eventually
from resapermis_testing.ports import free_port

from .conftest import PUBLIC
from .whole_way import MakeWholeWay, whole_way  # noqa: F401 - the fixture

pytestmark = [pytest.mark.req("S-01", "S-02"), pytest.mark.long_only, pytest.mark.xdist_group("foreign provider")]
ROOT = Path(__file__).parents[4]
PROGRAM = ROOT / "web" / "tests" / "provider" / "foreign.mjs"
NODE = Path(sys.prefix) / "bin" / "node"
SECRET, RESOURCE_SECRET = "invented: 50 %/+", "invented-of-rdvpermis"
"""The first with what form encoding changes."""
KEY = ECKey.generate_key("P-256", {"kid": "ours", "use": "sig"})
SCHOOL, PERSON, NAMELESS, STRANGER = "ae-001-1", "gerant.001-1", "secretaire.001-1", "nobody.of-a-school"
NAMED = {"given_name": "Ada", "usual_name": "Diallo", "mail": "ada@ecole.test", "lang": "en-GB"}
MAPPING = "display_name=given_name usual_name,email=mail,locale=lang"
Form = dict[str, str]


@dataclass
class Foreign:
    """The provider, the sandbox that believes its tokens, and where it tells us of sign-outs."""

    port: int
    sandbox_url: str
    our_port: int
    settings: dict[str, Any] = field(default_factory=dict)

    @property
    def issuer(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def registered(self, key_file: Path | None = None) -> dict[str, Any]:
        """The settings of a deployment that is registered there: with a secret, or with a key."""
        ours: dict[str, Any] = {
            "oidc_issuer": self.issuer,
            "oidc_scopes": "openid profile email rdvpermis",
            "oidc_claims": MAPPING,
            "rdvpermis_url": self.sandbox_url,
        }
        if key_file is not None:
            return ours | {"oidc_client_id": "with-a-key", "oidc_client_key_file": key_file}
        return ours | {"oidc_client_id": "with-a-secret", "oidc_client_secret": SECRET}

    async def rotate(self, *, drop: bool) -> None:
        """A new signing key, as its operator makes one."""
        async with browser_there() as hand:
            assert (await hand.post(f"{self.issuer}/test/rotate{'?drop=1' if drop else ''}")).status_code == 204


def browser_there() -> httpx2.AsyncClient:
    """A browser at the provider: it has its cookies, and goes where it is sent by our hand alone."""
    return httpx2.AsyncClient(trust_env=False, verify=NOBODY)


def _clients(port: int) -> list[dict[str, Any]]:
    ours = {
        "redirect_uris": [f"{PUBLIC}/auth/callback"],
        "post_logout_redirect_uris": [f"{PUBLIC}/"],
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "backchannel_logout_uri": f"http://127.0.0.1:{port}/auth/backchannel-logout",
        "backchannel_logout_session_required": True,
    }
    return [
        ours
        | {
            "client_id": "with-a-secret",
            "client_secret": SECRET,
            "token_endpoint_auth_method": "client_secret_basic",
        },
        ours
        | {
            "client_id": "with-a-key",
            "token_endpoint_auth_method": "private_key_jwt",
            "token_endpoint_auth_signing_alg": "ES256",
            "jwks": {"keys": [KEY.as_dict(private=False)]},
            "userinfo_signed_response_alg": "RS256",
            "id_token_signed_response_alg": "PS256",
        },
        {
            "client_id": "rdvpermis",
            "client_secret": RESOURCE_SECRET,
            "redirect_uris": [],
            "response_types": [],
            "grant_types": [],
        },
    ]


@asynccontextmanager
async def _running(*command: str, ready: Callable[[], Awaitable[bool]], **environment: str) -> AsyncIterator[None]:
    process = await asyncio.create_subprocess_exec(*command, env={"PATH": os.environ["PATH"]} | environment)
    try:
        await eventually(ready, seconds=30)
        yield
    finally:
        process.terminate()
        await asyncio.wait_for(process.wait(), 10)


def _answers(url: str) -> Callable[[], Awaitable[bool]]:
    async def ask() -> bool:
        async with browser_there() as hand:
            try:
                return (await hand.get(url)).is_success
            except httpx2.TransportError:
                return False

    return ask


@pytest.fixture
async def foreign() -> AsyncIterator[Foreign]:
    """Provider and sandbox of this test alone: what one remembers, no other sees."""
    sandbox = f"127.0.0.1:{free_port()}"
    there = Foreign(free_port(), f"http://{sandbox}", free_port())
    settings = {
        "port": there.port,
        "clients": _clients(there.our_port),
        "scopes": ["openid", "profile", "email", "rdvpermis", "offline_access"],
        "claims": {"openid": ["sub"], "profile": ["given_name", "usual_name", "lang"], "email": ["mail"]},
        "people": {PERSON: NAMED, STRANGER: NAMED, NAMELESS: {"mail": "nameless@ecole.test"}},
    }
    provider = _running(
        str(NODE),
        str(PROGRAM),
        json.dumps(settings),
        ready=_answers(f"{there.issuer}/.well-known/openid-configuration"),
    )
    rdvpermis = _running(
        sys.executable,
        "-m",
        "rdvpermis_sandbox",
        ready=_answers(f"{there.sandbox_url}/control/clock"),
        RDVPERMIS_LISTEN=sandbox,
        RDVPERMIS_PUBLIC_URL=there.sandbox_url,
        RDVPERMIS_SCHOOLS="60",
        RDVPERMIS_INTROSPECTION_URL=f"{there.issuer}/token/introspection",
        RDVPERMIS_INTROSPECTION_CLIENT_SECRET=RESOURCE_SECRET,
    )
    async with provider, rdvpermis:
        yield there


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    file = tmp_path / "client-key.json"
    file.write_text(json.dumps(KEY.as_dict(private=True)))
    return file


@dataclass
class Visit:
    """What came of following the provider's pages: where it sent the browser, and what it asked on the way."""

    back: str
    asked: list[str]


async def follow(there: httpx2.AsyncClient, answer: httpx2.Response, login: str = PERSON) -> Visit:
    """Fill in what the provider's pages ask for, until it sends the browser back to us."""
    asked: list[str] = []
    for _ in range(12):
        if answer.is_redirect:
            target = urljoin(str(answer.url), answer.headers["location"])
            if target.startswith(f"{PUBLIC}/"):
                return Visit(target.removeprefix(PUBLIC), asked)
            answer = await there.get(target)
            continue
        assert answer.status_code == 200, answer.text
        action, form = _form(answer.text)
        asked.append(form.get("prompt", "logout"))
        if form.get("prompt") == "login":
            form |= {"login": login, "password": "any"}
        answer = await there.post(urljoin(str(answer.url), action), data=form)
    raise AssertionError(f"no way back: {asked}")


def _form(page: str) -> tuple[str, Form]:
    """Where the page's form leads, with what stands in it; of two buttons the one that says yes."""
    action = re.search(r'<form[^>]*action="([^"]+)"', page)
    assert action, page
    inputs = re.findall(r"<(?:input|button)[^>]*>", page)
    named = {
        name[1]: value[1]
        for one in inputs
        if (name := re.search(r'name="([^"]+)"', one)) and (value := re.search(r'value="([^"]+)"', one))
    }
    return unescape(action[1]), named


async def _sign_in(
    ours: httpx2.AsyncClient, there: httpx2.AsyncClient, login: str = PERSON, **query: str
) -> tuple[httpx2.Response, Visit, str]:
    """Out and back; answers what the callback did, the visit there, and the address that the browser left for."""
    out = await ours.get("/auth/login", params=query)
    assert out.status_code == 302, out.text
    left_for = out.headers["location"]
    visit = await follow(there, await there.get(left_for), login)
    return await ours.get(visit.back), visit, left_for


@pytest.mark.req("R1", "R12", "R15")
@pytest.mark.parametrize("registered", ["with a secret", "with a key"])
async def test_an_employee_signs_in_and_out_by_settings_alone(
    foreign: Foreign,
    make_whole_way: MakeWholeWay,
    key_file: Path,
    registered: str,
) -> None:
    way = await make_whole_way(**foreign.registered(key_file if registered == "with a key" else None))
    async with way.world.browser() as ours, browser_there() as there:
        back, visit, left_for = await _sign_in(ours, there, returnTo="/creneaux")
        assert (back.status_code, back.headers["location"]) == (302, "/creneaux"), back.text
        assert visit.asked == ["login", "consent"]
        assert set(parse_qs(urlsplit(left_for).query)) == {"client_id", "request_uri"}, "pushed: it takes nothing else"
        assert parse_qs(urlsplit(visit.back).query)["iss"] == [foreign.issuer]
        session = (await ours.get("/auth/session")).json()
        assert session["user"]["displayName"] == "Ada Diallo"
        assert session["school"]["id"] == SCHOOL
        kept = await way.refresh_token()
        gone = await ours.post("/auth/logout", headers={"X-CSRF-Token": session["csrfToken"]})
        redirect = gone.json()["redirect"]
        assert redirect.startswith(f"{foreign.issuer}/session/end?")
        assert "id_token_hint" not in redirect
        out = await follow(there, await there.get(redirect))
        assert (out.back, out.asked) == ("/", ["logout"]), "it asks, and comes back"
        await way.revocations.revoke_due()
        with pytest.raises(RefreshEnded, match="invalid_grant"):
            await way.provider.refresh(kept, PERSON)
        again, visit, _ = await _sign_in(ours, there)
        assert again.status_code == 302
        assert visit.asked[0] == "login", "nobody is signed in there any more"


@pytest.mark.req("S-06")
async def test_an_act_that_asks_who_is_there_has_the_provider_ask(
    foreign: Foreign,
    make_whole_way: MakeWholeWay,
) -> None:
    way = await make_whole_way(**foreign.registered())
    engine = way.world.dependencies.sessions.engine
    async with way.world.browser() as ours, browser_there() as there:
        first, _, _ = await _sign_in(ours, there)
        silent, visit, _ = await _sign_in(ours, there)
        assert (first.status_code, silent.status_code, visit.asked) == (302, 302, [])
        async with engine.begin() as connection:
            before = utc_now() - timedelta(minutes=6)
            await connection.execute(sa.update(tables.sessions).values(authenticated_at=before))
        csrf = (await ours.get("/auth/session")).json()["csrfToken"]
        unknown = "/api/v1/me/sessions/0199aaaa-0000-7000-8000-000000000000"
        refused = await ours.delete(unknown, headers={"X-CSRF-Token": csrf})
        assert refused.json()["code"] == "STEP_UP_NEEDED"
        cookie = ours.cookies["__Host-resapermis"]
        fresh, visit, _ = await _sign_in(ours, there, fresh="true")
        assert (fresh.status_code, visit.asked) == (302, ["login"])
        assert ours.cookies["__Host-resapermis"] != cookie
        csrf = (await ours.get("/auth/session")).json()["csrfToken"]
        assert (await ours.delete(unknown, headers={"X-CSRF-Token": csrf})).json()["code"] == "NOT_FOUND"


async def test_who_turns_back_there_is_signed_in_nowhere_and_may_begin_again(
    foreign: Foreign, make_whole_way: MakeWholeWay
) -> None:
    way = await make_whole_way(**foreign.registered())
    async with way.world.browser() as ours, browser_there() as there:
        out = await ours.get("/auth/login")
        page = await there.get(out.headers["location"])
        visit = await follow(there, await there.get(f"{urljoin(str(page.url), page.headers['location'])}/abort"))
        assert parse_qs(urlsplit(visit.back).query)["error"] == ["access_denied"]
        back = await ours.get(visit.back, headers={"Accept": "text/html"})
        assert back.status_code == 401
        assert "Recommencer la connexion" in back.text
        assert (await ours.get("/auth/session")).status_code == 401
        assert (await _sign_in(ours, there))[0].status_code == 302


@pytest.mark.req("R6")
async def test_keys_change_while_people_sign_in(
    foreign: Foreign,
    make_whole_way: MakeWholeWay,
) -> None:
    way = await make_whole_way(**foreign.registered())
    async with browser_there() as there:
        for drop in (False, False, True):
            async with way.world.browser() as ours:
                back, _, _ = await _sign_in(ours, there)
                assert back.status_code == 302
            await foreign.rotate(drop=drop)
        async with way.world.browser() as ours:
            back, _, _ = await _sign_in(ours, there)
            assert back.status_code == 302


@pytest.mark.req("R8")
async def test_a_refresh_token_rotates_and_a_used_one_ends_the_grant(
    foreign: Foreign,
    make_whole_way: MakeWholeWay,
) -> None:
    way = await make_whole_way(**foreign.registered())
    async with way.world.browser() as ours, browser_there() as there:
        await _sign_in(ours, there)
    first = await way.refresh_token()
    second = await way.provider.refresh(first, PERSON)
    third = await way.provider.refresh(second.refresh, PERSON)
    assert len({first, second.refresh, third.refresh}) == 3
    for used in (first, third.refresh):
        with pytest.raises(RefreshEnded, match="invalid_grant"):
            await way.provider.refresh(used, PERSON)


@pytest.mark.req("S-24")
async def test_a_grant_for_background_work_outlives_both_sign_outs(
    foreign: Foreign, make_whole_way: MakeWholeWay
) -> None:
    way = await make_whole_way(**foreign.registered())
    async with way.world.browser() as ours, browser_there() as there:
        await _sign_in(ours, there)
        proof = {"X-CSRF-Token": (await ours.get("/auth/session")).json()["csrfToken"]}
        begun = await ours.post("/api/v1/me/grant", headers=proof)
        visit = await follow(there, await there.get(begun.json()["authorizationUrl"]))
        # It does not say unasked when somebody proved who they are: a recent proof is wanted, and the consent by itself.
        assert visit.asked == ["login", "consent"]
        back = await ours.get(visit.back)
        assert (back.status_code, back.headers["location"]) == (302, "/compte?grant=given")
        of_session, of_grant = await way.refresh_token(), await way.refresh_token("grant")
        gone = await ours.post("/auth/logout", headers=proof)
        await follow(there, await there.get(gone.json()["redirect"]))
    await way.revocations.revoke_due()
    with pytest.raises(RefreshEnded, match="invalid_grant"):
        await way.provider.refresh(of_session, PERSON)
    assert (await way.provider.refresh(of_grant, PERSON)).refresh


@pytest.mark.req("S-24")
async def test_what_is_in_use_outlives_the_revocation_of_what_is_not(
    foreign: Foreign, make_whole_way: MakeWholeWay
) -> None:
    way = await make_whole_way(**foreign.registered())
    async with way.world.browser() as ours, browser_there() as there:
        for _ in range(2):  # the second sign-in of a browser ends the session of the first
            await _sign_in(ours, there)
        await way.revocations.revoke_due()
        assert (await way.provider.refresh(await way.refresh_token(), PERSON)).refresh
        proof = {"X-CSRF-Token": (await ours.get("/auth/session")).json()["csrfToken"]}
        for _ in range(2):  # the second grant replaces the first
            begun = await ours.post("/api/v1/me/grant", headers=proof)
            visit = await follow(there, await there.get(begun.json()["authorizationUrl"]))
            assert (await ours.get(visit.back)).headers["location"] == "/compte?grant=given"
        await way.revocations.revoke_due()
        kept = (await way.provider.refresh(await way.refresh_token("grant"), PERSON)).refresh
        assert (await ours.post("/auth/logout", headers=proof)).status_code == 200
        await way.revocations.revoke_due()
        kept = (await way.provider.refresh(kept, PERSON)).refresh
        assert kept
        await _sign_in(ours, there)
        proof = {"X-CSRF-Token": (await ours.get("/auth/session")).json()["csrfToken"]}
        assert (await ours.delete("/api/v1/me/grant", headers=proof)).status_code == 204
        assert (await ours.post("/auth/logout", headers=proof)).status_code == 200
        await way.revocations.revoke_due()
        with pytest.raises(RefreshEnded, match="invalid_grant"):
            await way.provider.refresh(kept, PERSON)
    assert await way.world.count(tables.revocations) == 0


@pytest.mark.req("S-04", "R9")
async def test_who_signs_out_there_is_signed_out_here(
    foreign: Foreign,
    make_whole_way: MakeWholeWay,
) -> None:
    way = await make_whole_way(**foreign.registered())
    changed = {"web_listen": f"127.0.0.1:{foreign.our_port}", "drain_seconds": 1}
    settings = way.world.dependencies.settings.model_copy(update=changed)
    server, bound = http_server(way.world.app, settings, lambda _: None)
    serving = asyncio.create_task(server.serve(sockets=[bound]))
    async with way.world.browser() as ours, way.world.browser() as elsewhere, browser_there() as there:
        await _sign_in(ours, there)
        async with browser_there() as another:
            await _sign_in(elsewhere, another)
        page = await there.get(f"{foreign.issuer}/session/end")
        action, form = _form(page.text)
        await there.post(urljoin(str(page.url), action), data=form)
        assert (await ours.get("/auth/session")).status_code == 401
        assert (await elsewhere.get("/auth/session")).status_code == 200, "another session of theirs there"
    server.should_exit = True
    await asyncio.wait_for(serving, 5)


@pytest.mark.parametrize(("login", "missing"), [(STRANGER, "token"), (NAMELESS, "name")])
async def test_who_is_not_all_known_reads_what_is_missing(
    foreign: Foreign,
    make_whole_way: MakeWholeWay,
    login: str,
    missing: str,
) -> None:
    way = await make_whole_way(**foreign.registered())
    async with way.world.browser() as ours, browser_there() as there:
        back, _, _ = await _sign_in(ours, there, login)
        assert (back.status_code, back.json()["code"]) == (403, "SIGN_IN_INCOMPLETE")
        assert [one["field"] for one in back.json()["violations"]] == [missing]
        assert (await ours.get("/auth/session")).status_code == 401


async def test_without_the_mapping_the_name_is_missing(
    foreign: Foreign,
    make_whole_way: MakeWholeWay,
) -> None:
    way = await make_whole_way(**foreign.registered() | {"oidc_claims": "display_name=usual_nom"})
    async with way.world.browser() as ours, browser_there() as there:
        back, _, _ = await _sign_in(ours, there)
        assert [one["field"] for one in back.json()["violations"]] == ["name"]
