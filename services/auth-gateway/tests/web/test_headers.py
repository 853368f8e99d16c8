"""What every answer carries, and what pages and files carry of their own."""

import re
from typing import Any

import pytest

from resapermis_kit.errors import Code, Failure

pytestmark = pytest.mark.req("S-05")
FIXED = {
    "strict-transport-security": "max-age=63072000; includeSubDomains; preload",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "referrer-policy": "same-origin",
}
API_POLICY = "default-src 'none'; base-uri 'none'; object-src 'none'; frame-ancestors 'none'; sandbox"


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/healthz", 200),
        ("/api/openapi.json", 200),
        ("/auth/session", 401),
        ("/api/v1/nothing", 404),
        ("/auth/nothing", 404),
        ("/api/v1/basket/items", 405),
        ("/auth/login?returnTo=/&returnTo=/", 400),
        ("/nothing.js", 404),
    ],
)
async def test_every_answer_carries_them(world: Any, path: str, status: int) -> None:
    async with world.browser() as browser:
        answer = await browser.get(path)
    assert answer.status_code == status
    assert FIXED.items() <= dict(answer.headers).items()
    assert answer.headers["content-security-policy"] == API_POLICY
    assert answer.headers["cache-control"] == "no-store"
    assert "camera=()" in answer.headers["permissions-policy"]
    assert not {"server", "x-powered-by", "access-control-allow-origin"} & set(answer.headers)
    if status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["status"] == status


async def test_an_unexpected_error_carries_them_too_and_tells_nothing(world: Any, monkeypatch: Any) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret of a person")

    monkeypatch.setattr(world.dependencies.profiles, "open", broken)
    signed = await world.session()
    async with world.browser(signed) as browser:
        answer = await browser.get("/auth/session")
    assert answer.status_code == 500
    assert FIXED.items() <= dict(answer.headers).items()
    assert answer.json()["code"] == "INTERNAL"
    assert answer.json()["errorId"]
    assert "secret" not in answer.text


async def test_an_error_before_the_application_is_a_problem_too(world: Any, monkeypatch: Any) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("secret of a person")

    monkeypatch.setattr(world.dependencies.rates, "count", broken)
    async with world.browser() as browser:
        answer = await browser.get("/auth/login")
    assert (answer.status_code, answer.json()["code"]) == (500, "INTERNAL")


async def test_over_http_on_loopback_there_is_no_hsts(make_world: Any) -> None:
    world = await make_world(public_url="http://localhost:8080")
    async with world.browser() as browser:
        assert "strict-transport-security" not in (await browser.get("/healthz")).headers


@pytest.mark.parametrize("path", ["/", "/creneaux", "/candidats/0199f3b8", "/reservations?filter=past"])
async def test_each_page_is_the_interface_with_a_nonce_of_its_own(world: Any, path: str) -> None:
    async with world.browser(headers={"Accept": "text/html"}) as browser:
        first, second = await browser.get(path), await browser.get(path)
    nonces = [re.search(r'nonce="([^"]+)"', answer.text) for answer in (first, second)]
    assert nonces[0]
    assert nonces[1]
    assert nonces[0][1] != nonces[1][1]
    policy = first.headers["content-security-policy"]
    assert f"script-src 'nonce-{nonces[0][1]}' 'strict-dynamic';" in policy
    assert "unsafe" not in policy
    for part in (
        "default-src 'none'",
        "connect-src 'self'",
        "form-action 'self' https://idp.test;",
        "base-uri 'none'",
        "frame-ancestors 'none'",
        "require-trusted-types-for 'script'",
        "report-to csp",
    ):
        assert part in policy
    assert first.headers["reporting-endpoints"] == 'csp="/csp-reports"'
    assert first.headers["cache-control"] == "no-store"
    assert FIXED.items() <= dict(first.headers).items()


async def test_files_named_after_their_content_are_kept_long_and_others_asked_about(world: Any) -> None:
    async with world.browser() as browser:
        hashed, plain = await browser.get("/assets/app-4f9a.js"), await browser.get("/icon.svg")
    assert hashed.headers["cache-control"] == "public, max-age=31536000, immutable"
    assert hashed.headers["content-type"].startswith("text/javascript")
    assert plain.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize(
    "path", ["/", "/auth/callback?state=s&error=e", "/assets/app-4f9a.js", "/readyz", "/auth/session"]
)
async def test_what_is_text_says_in_which_characters(world: Any, path: str) -> None:
    """ASVS 4.1.1. JSON is UTF-8 by its standard, and its type has no such parameter."""
    async with world.browser(headers={"Accept": "text/html"}) as browser:
        answer = await browser.get(path)
    kind = answer.headers["content-type"]
    assert kind.endswith("; charset=utf-8") == kind.startswith("text/")
    assert kind.startswith("text/") or kind == "application/problem+json"


@pytest.mark.parametrize(
    "path", ["/../conftest.py", "/%2e%2e/conftest.py", "/assets/..%2f..%2fconftest.py", "/index.html%00", "/.stamp"]
)
async def test_nothing_beside_the_folder_is_served(world: Any, path: str) -> None:
    async with world.browser() as browser:
        assert (await browser.get(path)).status_code == 404


async def test_a_missing_script_is_no_page(world: Any) -> None:
    async with world.browser(headers={"Accept": "text/html"}) as browser:
        assert (await browser.get("/assets/old-1111.js")).status_code == 404


async def test_readiness_names_what_is_missing(world: Any) -> None:
    async with world.browser() as browser:
        before = await browser.get("/readyz")
        world.dependencies.health.started = True
        after = await browser.get("/readyz")
    assert (before.status_code, before.text) == (503, "starting\n")
    assert (after.status_code, after.text) == (200, "ready\n")


async def test_readiness_is_answered_from_memory(world: Any) -> None:
    health, made = world.dependencies.health, 0

    async def away() -> None:
        nonlocal made
        made += 1
        raise Failure(Code.CODE_UNAVAILABLE, "away")

    health.started, health.checks["database"] = True, away
    await health.check()
    async with world.browser() as browser:
        answers = {(await browser.get("/readyz")).text for _ in range(20)}
    assert (answers, made) == ({"database\n"}, 1)


async def test_browsers_may_report_what_they_blocked(world: Any) -> None:
    report = [
        {"type": "csp-violation", "body": {"effectiveDirective": "script-src", "blockedURL": "https://evil.test/x"}}
    ]
    async with world.browser() as browser:
        headers = {"Content-Type": "application/reports+json"}
        assert (await browser.post("/csp-reports", json=report, headers=headers)).status_code == 204
        assert (await browser.post("/csp-reports", content=b"[1, {}, null]", headers=headers)).status_code == 204
        assert (await browser.post("/csp-reports", content=b"{", headers=headers)).status_code == 400


@pytest.mark.parametrize("method", ["TRACE", "TRACK", "PROPFIND", "DEBUG", "CONNECT"])
async def test_no_method_that_nobody_needs_is_answered_nor_echoed(world: Any, method: str) -> None:
    async with world.browser(await world.session(), headers={"X-Mark": "a-mark-of-mine"}) as browser:
        for path in ("/api/v1/basket", "/auth/session", "/", "/healthz"):
            answer = await browser.request(method, path)
            assert answer.status_code in {403, 404, 405}, path
            assert "a-mark-of-mine" not in answer.text + str(answer.headers)


@pytest.mark.parametrize(
    "path",
    [
        *("/docs", "/redoc", "/openapi.json", "/api/docs", "/api/v1/openapi.json", "/metrics", "/debug", "/console"),
        *("/.env", "/.git/config", "/server-status", "/actuator/env", "/api/v1/..%2f..%2fetc/passwd", "/index.html.br"),
    ],
)
async def test_nothing_of_the_inside_is_served(world: Any, path: str) -> None:
    async with world.browser(await world.session()) as browser:
        answer = await browser.get(path, headers={"Accept": "*/*"})
    assert answer.status_code == 404
    assert answer.json()["code"] == "NOT_FOUND"
    assert not re.search(r"(?i)python|fastapi|starlette|uvicorn|\b\d+\.\d+\.\d+\b", answer.text + str(answer.headers))
