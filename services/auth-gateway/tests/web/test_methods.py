"""What is asked with a method, an address or a word that is not quite right: answered alike everywhere, and never guessed at."""

from typing import Any

import pytest

pytestmark = pytest.mark.req("S-05")
SESSIONS = "/api/v1/me/sessions"
TEXT = {"Content-Type": "text/plain"}


async def test_head_is_answered_as_get_without_a_body(world: Any) -> None:
    async with world.browser(await world.session()) as browser:
        for path in (SESSIONS, "/healthz", "/readyz"):
            read, asked = await browser.get(path), await browser.head(path)
            assert (asked.status_code, asked.content) == (read.status_code, b""), path
            names = {"content-type", "content-security-policy", "ratelimit-policy", "cache-control"}
            assert [asked.headers.get(name) for name in names] == [read.headers.get(name) for name in names], path
    async with world.browser() as stranger:
        assert (await stranger.head(SESSIONS)).status_code == 401


@pytest.mark.parametrize("path", ["/auth/login", "/auth/session", "/api/v1/notifications/stream"])
async def test_what_is_begun_or_has_no_end_is_not_asked_for_by_its_head(world: Any, path: str) -> None:
    async with world.browser(await world.session()) as browser:
        assert (await browser.head(path)).status_code == 405


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("PUT", SESSIONS, 405),
        ("DELETE", "/api/v1/candidates/search", 405),
        ("POST", "/api/v1/nothing", 404),
        ("POST", "/api/v1/candidates/search/", 404),
    ],
)
@pytest.mark.parametrize("sent", [b"x", b"x" * 2_000_000])
async def test_where_nothing_takes_a_method_no_body_is_judged(
    world: Any, method: str, path: str, status: int, sent: bytes
) -> None:
    async with world.browser(await world.session()) as browser:
        answer = await browser.request(method, path, content=sent, headers=TEXT)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"


async def test_a_parameter_without_a_name_is_refused(world: Any) -> None:
    async with world.browser(await world.session()) as browser:
        for query in ("=x", "a=1&=", "=&="):
            answer = await browser.get(f"{SESSIONS}?{query}")
            assert (answer.status_code, answer.json()["violations"][0]["field"]) == (400, "query"), query
        assert (await browser.get(f"{SESSIONS}?a=1&b=")).status_code == 200


@pytest.mark.parametrize("word", ["0", "1", "off", "yes", "True", "", "null"])
async def test_true_and_false_are_two_words_and_no_other(world: Any, word: str) -> None:
    saved = {"label": "Mardi", "search": {"department": "94", "category": "B"}}
    async with world.browser(await world.session()) as browser:
        asked = await browser.get("/api/v1/notifications", params={"unreadOnly": word})
        posted = [
            await browser.post(
                "/api/v1/saved-searches",
                json=saved | {"alert": value},
                headers={"Idempotency-Key": f"key-{value}-0123456789"},
            )
            for value in (word, *([int(word)] if word.isdigit() else []))
        ]
    for answer in (asked, *posted):
        assert (answer.status_code, answer.json()["code"]) == (422, "MALFORMED")
    assert asked.json()["violations"][0]["field"] == "unreadOnly"
    assert {one.json()["violations"][0]["field"] for one in posted} == {"alert"}
