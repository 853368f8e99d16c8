"""Who may change something: our own page, with the session's own token. One row for each combination."""

import hmac
import itertools
from typing import Any

import pytest

pytestmark = pytest.mark.req("S-05")
SITES = ["same-origin", "same-site", "cross-site", "none", None]
ORIGINS = ["own", "https://evil.test", "null", "own:444", "http", None]
TOKENS = ["own", "other", None]
WRITES = [
    ("POST", "/auth/logout"),
    ("POST", "/api/v1/candidates"),
    ("POST", "/api/v1/candidates/search"),
    ("POST", "/api/v1/mandates"),
    ("POST", "/api/v1/mandates/m-1/refresh"),
    ("POST", "/api/v1/mandates/m-1/revocation"),
    ("POST", "/api/v1/basket/items"),
    ("PUT", "/api/v1/basket/items/l-1/candidate"),
    ("DELETE", "/api/v1/basket/items/l-1"),
    ("POST", "/api/v1/basket/validation"),
    ("POST", "/api/v1/bookings/b-1/cancellation"),
    ("POST", "/api/v1/bookings/b-1/replacement"),
    ("POST", "/api/v1/notifications/n-1/read"),
    ("DELETE", "/api/v1/me/sessions/019a0000-0000-7000-8000-000000000000"),
]


def _headers(
    world: Any, signed: Any, other: Any, site: str | None, origin: str | None, token: str | None
) -> dict[str, str]:
    origins = {"own": world.public, "own:444": f"{world.public}:444", "http": "http://resapermis.test"}
    sent = {
        "Sec-Fetch-Site": site,
        "Origin": origins.get(origin, origin) if origin else None,
        "X-CSRF-Token": {"own": signed.csrf, "other": other.csrf}.get(token or ""),
        "Cookie": f"{world.cookie}={signed.cookie}",
    }
    return {name: value for name, value in sent.items() if value is not None}


@pytest.mark.req("S6")
async def test_only_our_page_with_its_token_passes(world: Any) -> None:
    signed, other = await world.session(), await world.session()
    passed = set()
    async with world.browser() as browser:
        for site, origin, token in itertools.product(SITES, ORIGINS, TOKENS):
            browser.headers = _headers(world, signed, other, site, origin, token)
            answer = await browser.post("/api/v1/candidates/search", json={})
            if answer.status_code != 403:
                assert answer.status_code == 422, "past the gate, the body is judged"
                passed.add((site, origin, token))
            else:
                assert answer.json()["code"] == "CSRF"
    assert passed == {("same-origin", "own", "own"), (None, "own", "own")}


async def test_a_token_is_compared_without_telling_how_far_it_agrees(
    world: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """ASVS 11.2.4."""
    signed, compared = await world.session(), []
    plain = hmac.compare_digest

    def compare_digest(one: Any, other: Any) -> bool:
        compared.append({one, other})
        return plain(one, other)

    monkeypatch.setattr(hmac, "compare_digest", compare_digest)
    async with world.browser() as browser:
        browser.headers = _headers(world, signed, signed, "same-origin", "own", "own") | {"X-CSRF-Token": "guessed"}
        assert (await browser.post("/api/v1/candidates/search", json={})).json()["code"] == "CSRF"
    assert {b"guessed", signed.csrf.encode()} in compared


@pytest.mark.req("S4")
@pytest.mark.parametrize(("method", "path"), WRITES)
async def test_every_change_needs_the_token_and_a_session(world: Any, method: str, path: str) -> None:
    signed, other = await world.session(), await world.session()
    async with world.browser() as browser:
        browser.headers = _headers(world, signed, other, "same-origin", "own", "other")
        assert (await browser.request(method, path)).json()["code"] == "CSRF"
        browser.headers = {"Origin": world.public}
        assert (await browser.request(method, path)).json()["code"] == "UNAUTHENTICATED"
    async with world.browser(signed) as browser:
        assert (await browser.get("/auth/session")).status_code == 200, "the session lives"


@pytest.mark.req("S7")
@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("path", ["/api/v1/basket", "/api/v1/notifications/stream", "/auth/session"])
async def test_other_sites_read_nothing(world: Any, site: str, path: str) -> None:
    signed = await world.session()
    async with world.browser(signed, headers={"Sec-Fetch-Site": site}) as browser:
        answer = await browser.get(path)
    assert (answer.status_code, answer.json()["code"]) == (403, "CSRF")
    assert "access-control-allow-origin" not in answer.headers


async def test_doubled_headers_are_refused(world: Any) -> None:
    signed = await world.session()
    async with world.browser(signed) as browser:
        browser.headers = [*browser.headers.multi_items(), ("Origin", world.public)]
        assert (await browser.post("/auth/logout")).json()["code"] == "CSRF"
    async with world.browser(signed) as browser:
        browser.headers = [*browser.headers.multi_items(), ("X-CSRF-Token", signed.csrf)]
        assert (await browser.post("/auth/logout")).json()["code"] == "CSRF"


@pytest.mark.req("S4")
@pytest.mark.parametrize("method", ["GET", "HEAD"])
async def test_nobody_is_signed_out_by_a_link(world: Any, method: str) -> None:
    signed = await world.session()
    async with world.browser(signed) as browser:
        assert (await browser.request(method, "/auth/logout")).status_code == 405
        assert (await browser.get("/auth/session")).status_code == 200


async def test_changes_are_counted_for_each_account(make_world: Any) -> None:
    world = await make_world(write_rate="2/minute")
    busy, calm = await world.session(), await world.session()
    async with world.browser(busy) as browser:
        statuses = [(await browser.post("/api/v1/candidates/search", json={})).status_code for _ in range(3)]
    async with world.browser(calm) as browser:
        statuses.append((await browser.post("/api/v1/candidates/search", json={})).status_code)
    assert statuses == [422, 422, 429, 422]
