"""Coming back from a provider on another site: its navigation carries no session, and ends signed in all the same."""

import re
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest

from resapermis_auth_gateway import tables
from resapermis_auth_gateway.web.sign_in import queries

pytestmark = pytest.mark.req("S-05")
PAGE = {"Accept": "text/html,application/xhtml+xml"}
FROM_ANOTHER_SITE = PAGE | {"Sec-Fetch-Site": "cross-site"}


class Strict(httpx2.AsyncBaseTransport):
    """A browser's rule: a request that another site began carries no SameSite=Strict cookie; ours is the session's."""

    def __init__(self, app: Any, name: str) -> None:
        """Over the application; `name` is the strict cookie's."""
        self._inner, self._name = httpx2.ASGITransport(app=app), name

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """As the transport does, without what a browser would keep back."""
        if request.headers.get("sec-fetch-site") == "cross-site":
            pairs = [one for one in request.headers.get("cookie", "").split("; ") if one]
            request.headers["cookie"] = "; ".join(one for one in pairs if not one.startswith(f"{self._name}="))
        return await self._inner.handle_async_request(request)


def _browser(world: Any) -> httpx2.AsyncClient:
    return httpx2.AsyncClient(
        transport=Strict(world.app, world.cookie), base_url=world.public, headers={"Sec-Fetch-Site": "same-origin"}
    )


def _onward(answer: httpx2.Response) -> str:
    """Where the page leads by itself, which is where its link leads."""
    found = re.search(r'http-equiv="refresh" content="0; url=([^"]+)"', answer.text)
    assert found
    assert f'href="{found[1]}"' in answer.text
    return unescape(found[1])


async def _sign_in(world: Any, browser: httpx2.AsyncClient, to: str = "/") -> httpx2.Response:
    out = await browser.get("/auth/login", params={"returnTo": to})
    arrived = await browser.get(world.provider.sign_in(out.headers["location"]), headers=FROM_ANOTHER_SITE)
    return await browser.get(_onward(arrived))


async def test_the_sessions_cookie_goes_with_nothing_that_another_site_began(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login")
        back = await browser.get(with_egress.provider.sign_in(out.headers["location"]))
        token = (await browser.get("/auth/session")).json()["csrfToken"]
        gone = await browser.post("/auth/logout", headers={"X-CSRF-Token": token})
    names = {}
    for answer in (out, back, gone):
        name, *rest = answer.headers["set-cookie"].split("; ")
        names.setdefault(name.partition("=")[0], []).append({one.lower() for one in rest})
    assert {"samesite=strict", "httponly", "secure", "path=/"} <= set.intersection(*names["__Host-resapermis"])
    assert len(names["__Host-resapermis"]) == 2, "set, and deleted with the same attributes"
    assert "samesite=lax" in names["__Host-resapermis-sign-in"][0], "it must come along from the provider"


async def test_from_another_site_the_callback_changes_nothing_and_leads_on(with_egress: Any) -> None:
    async with _browser(with_egress) as browser:
        out = await browser.get("/auth/login", params={"returnTo": "/creneaux"})
        address = with_egress.provider.sign_in(out.headers["location"])
        arrived = await browser.get(address, headers=FROM_ANOTHER_SITE)
        assert arrived.status_code == 200
        assert "set-cookie" not in arrived.headers
        assert arrived.headers["cache-control"] == "no-store"
        assert with_egress.provider.redeemed == []
        onward = urlsplit(_onward(arrived))
        assert parse_qs(onward.query) == parse_qs(urlsplit(address).query) | {"onward": ["1"]}
        back = await browser.get(_onward(arrived))
        assert (back.status_code, back.headers["location"]) == (302, "/creneaux")
        assert (await browser.get("/auth/session")).status_code == 200


async def test_the_page_runs_nothing_and_is_our_own_sites(with_egress: Any) -> None:
    async with _browser(with_egress) as browser:
        answer = await browser.get("/auth/callback?state=s&code=c", headers=FROM_ANOTHER_SITE)
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "frame-ancestors 'none'" in policy
    assert "sandbox" not in policy, "what a sandboxed page begins is another site's"
    assert "<script" not in answer.text


async def test_a_new_sign_in_from_another_site_ends_the_session_before(with_egress: Any) -> None:
    async with _browser(with_egress) as browser:
        await _sign_in(with_egress, browser)
        old = browser.cookies[with_egress.cookie]
        await _sign_in(with_egress, browser)
        assert browser.cookies[with_egress.cookie] != old
    assert await with_egress.count(tables.sessions, queries.LIVE) == 1


async def test_going_back_to_the_provider_s_redirect_leads_to_the_page(with_egress: Any) -> None:
    async with _browser(with_egress) as browser:
        out = await browser.get("/auth/login", params={"returnTo": "/panier"})
        address = with_egress.provider.sign_in(out.headers["location"])
        for _ in range(2):
            again = await browser.get(_onward(await browser.get(address, headers=FROM_ANOTHER_SITE)))
            assert (again.status_code, again.headers["location"]) == (302, "/panier")
    assert len(with_egress.provider.redeemed) == 1


@pytest.mark.parametrize(
    ("headers", "query", "led_on"),
    [
        (FROM_ANOTHER_SITE, "", True),
        (FROM_ANOTHER_SITE, "&onward=1", False),  # in no circle, whatever a browser says
        (PAGE, "", True),  # an old browser says nothing
        (PAGE, "&onward=1", False),
        ({"Accept": "*/*"}, "", False),  # no browser
        (PAGE | {"Sec-Fetch-Site": "same-site"}, "", False),
        (PAGE | {"Sec-Fetch-Site": "same-origin"}, "", False),
        (PAGE | {"Sec-Fetch-Site": "none"}, "", False),
    ],
)
async def test_who_is_led_on(with_egress: Any, headers: dict[str, str], query: str, *, led_on: bool) -> None:
    transport = httpx2.ASGITransport(app=with_egress.app)
    async with httpx2.AsyncClient(transport=transport, base_url=with_egress.public, headers=headers) as browser:
        answer = await browser.get(f"/auth/callback?state=s&code=c{query}")
    assert answer.status_code == (200 if led_on else 401)


async def test_what_the_provider_says_is_text_on_the_page(with_egress: Any) -> None:
    hostile = {"state": '"><script>alert(1)</script>', "error": "0;url=https://evil.test", "code": "a b&onward=0"}
    async with _browser(with_egress) as browser:
        answer = await browser.get("/auth/callback", params=hostile, headers=FROM_ANOTHER_SITE)
    assert "<script" not in answer.text
    onward = urlsplit(_onward(answer))
    assert (onward.scheme, onward.netloc, onward.path) == ("", "", "/auth/callback")
    assert {name: values[0] for name, values in parse_qs(onward.query).items()} == hostile | {"onward": "1"}


async def test_the_way_through_the_page_is_counted_once(make_with_egress: Any) -> None:
    world = await make_with_egress(sign_in_rate="1/minute")
    async with _browser(world) as browser:
        assert (await _sign_in(world, browser)).status_code == 302  # the callback came twice, and was counted once
        refused = await browser.get("/auth/callback?state=s&code=c&onward=1", headers=FROM_ANOTHER_SITE)
    assert refused.status_code == 429
