"""Bad input: refused with a code before any service is asked; odd but good input goes through unchanged."""

import json
from typing import Any

import pytest

from resapermis.mandate.v1 import mandate_pb2
from resapermis_auth_gateway.web.routes import candidates, mandates
from resapermis_auth_gateway.web.wire.candidates import CandidateCorrection, CandidateQuery, NewCandidate, NewMandate

pytestmark = pytest.mark.req("S-05")
SEARCH = "/api/v1/candidates/search"
JSON = {"Content-Type": "application/json"}
BAD_JSON = {
    "deep": b"[" * 60_000,
    "deep objects": b'{"a":' * 10_000,
    "doubled key": b'{"query": "a", "query": "b"}',
    "doubled key inside": b'{"query": {"a": 1, "a": 2}}',
    "NaN": b'{"query": NaN}',
    "Infinity": b'{"query": -Infinity}',
    "1e400": b'{"query": 1e400}',
    "5,000 digits": b'{"query": ' + b"9" * 5000 + b"}",
    "lone surrogate": b'{"query": "\\ud800"}',
    "lone surrogate in a key": b'{"\\udfff": 1}',
    "UTF-16": '{"query": "a"}'.encode("utf-16"),
    "UTF-8 mark": b"\xef\xbb\xbf{}",
    "broken UTF-8": b'{"query": "\xff"}',
    "cut": b'{"query": "a',
    "two values": b"{} {}",
    "single quotes": b"{'query': 'a'}",
    "words": b"query=a",
}
WRONG_SHAPE: list[Any] = [
    None,
    [],
    "query",
    7,
    {},
    {"query": None},
    {"query": 7},
    {"query": ["a"]},
    {"query": ""},
    {"query": "a" * 201},
    {"query": "a\u0000b"},
    {"query": "a\r\nb"},
    {"query": "a", "schoolId": "school-2"},
    {"query": "a", "__proto__": {"role": "admin"}},
    {"Query": "a"},
]


async def test_json_that_could_be_read_in_two_ways_is_refused(world: Any) -> None:
    async with world.browser(await world.session()) as browser:
        for bad, content in BAD_JSON.items():
            answer = await browser.post(SEARCH, content=content, headers=JSON)
            assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED"), bad
            assert answer.json()["violations"][0]["field"] == "body"


async def test_a_body_of_the_wrong_shape_names_the_field_and_not_the_value(world: Any) -> None:
    async with world.browser(await world.session()) as browser:
        for body in WRONG_SHAPE:
            answer = await browser.post(SEARCH, json=body)
            assert (answer.status_code, answer.json()["code"]) == (422, "MALFORMED"), body
            assert answer.json()["violations"]
            assert "aaaa" not in answer.text


@pytest.mark.req("D-01")
def test_of_a_candidate_nothing_is_asked_but_what_rdvpermis_needs() -> None:
    assert set(NewCandidate.model_fields) == {"last_name", "first_name", "neph", "email"}
    assert set(NewMandate.model_fields) == {"candidate_id", "category", "gearbox"}
    assert set(CandidateCorrection.model_fields) == {*NewCandidate.model_fields, "version"}
    routes: list[Any] = [*candidates.router.routes, *mandates.router.routes]
    asked = {route.body_field.field_info.annotation for route in routes if route.body_field}
    assert asked == {NewCandidate, CandidateCorrection, CandidateQuery, NewMandate}, "a new body is compared here too"


@pytest.mark.req("D-01")
@pytest.mark.parametrize("more", ["birthDate", "phone", "address", "nationality", "schoolId", "comment"])
async def test_more_about_a_candidate_than_is_asked_is_refused_by_its_field(over: Any, more: str) -> None:
    body = {"lastName": "Martin", "firstName": "Lou", "neph": "012345678901", "email": "lou@mail.example"}
    _, browser, services = await over(mandate={"CreateCandidate": mandate_pb2.CreateCandidateResponse()})
    async with browser:
        answer = await browser.post("/api/v1/candidates", json=body | {more: "x"}, headers={"Idempotency-Key": "k"})
    assert answer.status_code == 422, answer.text
    assert answer.json()["code"] == "MALFORMED"
    assert [one["field"] for one in answer.json()["violations"]] == [more]
    assert services["mandate"].asked == []


async def test_the_path_of_a_wrong_field_can_be_found(world: Any) -> None:
    body = {"items": [{"slotId": "1"}, {"slotId": "1"}, {"slotId": ""}]}
    async with world.browser(await world.session()) as browser:
        answer = await browser.post("/api/v1/basket/items", json=body, headers={"Idempotency-Key": "k"})
    assert [one["field"] for one in answer.json()["violations"]] == ["items[2].slotId"]


@pytest.mark.req("S5")
@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("text/plain", b'{"query": "a"}', 415),
        ("application/x-www-form-urlencoded", b"query=a", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("application/json; charset=utf-16", b"{}", 415),
        ("application/jsonp", b"{}", 415),
        ("text/plain", b"", 415),
        (None, b'{"query": "a"}', 415),
        (None, b"", 422),
        ("application/json", b"", 422),
        ("application/json; charset=UTF-8", b"{}", 422),
    ],
)
async def test_only_json_is_read(world: Any, kind: str | None, body: bytes, status: int) -> None:
    async with world.browser(await world.session()) as browser:
        answer = await browser.post(SEARCH, content=body, headers={"Content-Type": kind} if kind else {})
    assert (answer.status_code, answer.json()["code"]) == (status, "MALFORMED")


async def test_compressed_bodies_are_refused(world: Any) -> None:
    async with world.browser(await world.session()) as browser:
        answer = await browser.post(SEARCH, content=b"\x1f\x8b", headers=JSON | {"Content-Encoding": "gzip"})
    assert answer.status_code == 415


async def _sent(world: Any, signed: Any, length: bytes | None, chunks: int) -> tuple[int, int]:
    """Post `chunks` of 16 kB; return the status and how many of them were read."""
    read, sent = 0, []

    async def receive() -> dict[str, Any]:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b" " * 16_384, "more_body": read < chunks}

    async def send(message: Any) -> None:
        sent.append(message)

    headers = {
        "host": "resapermis.test",
        "origin": world.public,
        "cookie": f"{world.cookie}={signed.cookie}",
        "x-csrf-token": signed.csrf,
        "content-type": "application/json",
    }
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    scope = {
        "type": "http",
        "method": "POST",
        "path": SEARCH,
        "query_string": b"",
        "headers": raw + ([(b"content-length", length)] if length else []),
        "client": ("192.0.2.7", 1),
        "scheme": "https",
        "server": ("resapermis.test", 443),
        "http_version": "1.1",
        "root_path": "",
    }
    await world.app(scope, receive, send)
    return sent[0]["status"], read


async def test_a_body_that_says_it_is_too_large_is_not_read(world: Any) -> None:
    assert await _sent(world, await world.session(), b"65537", 100) == (413, 0)


async def test_a_body_that_does_not_say_so_is_read_to_the_limit(world: Any) -> None:
    assert await _sent(world, await world.session(), None, 100) == (413, 5)


@pytest.mark.parametrize("length", [b"-1", b"1e3", b"0x10", b"9" * 30])
async def test_an_odd_length_is_too_large(world: Any, length: bytes) -> None:
    assert await _sent(world, await world.session(), length, 1) == (413, 0)


KEYS = [None, "", "k" * 256, "a b", "é".encode().decode("latin-1"), "\x00"]


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/api/v1/candidates", {"lastName": "a", "firstName": "b", "neph": "1"}),
        ("POST", "/api/v1/mandates", {"candidateId": "c", "category": "B"}),
        ("POST", "/api/v1/basket/items", {"items": [{"slotId": "1"}]}),
        ("PUT", "/api/v1/basket/items/l-1/candidate", {"candidateId": None}),
        ("DELETE", "/api/v1/basket/items/l-1", None),
        ("POST", "/api/v1/basket/validation", {"groupId": "g-1"}),
        ("POST", "/api/v1/bookings/b-1/cancellation", {"reason": "school"}),
        ("POST", "/api/v1/bookings/b-1/replacement", {"candidateId": "c"}),
    ],
)
async def test_what_asks_rdvpermis_needs_a_key(world: Any, method: str, path: str, body: Any) -> None:
    content = None if body is None else json.dumps(body)
    async with world.browser(await world.session()) as browser:
        for key in KEYS:
            headers = {} if key is None else {"Idempotency-Key": key.encode("latin-1")}
            answer = await browser.request(method, path, content=content, headers=headers | (JSON if body else {}))
            assert (answer.status_code, answer.json()["code"]) == (400, "MALFORMED"), key
            assert answer.json()["violations"][0]["field"] == "Idempotency-Key"


QUERIES = [
    "department=94&category=B&from=2026-02-29",
    "department=94&category=B&from=2026-12-09T24:00",
    "department=94&category=B&from=0000-01-01",
    "department=94&category=B&from=10000-01-01",
    "department=94&category=B&from=1999-12-31&to=1999-12-31",
    "department=94&category=B&from=2026-12-09&to=2026-12-08",
    "department=94&category=B&from=2026-12-01&to=2027-01-26",
    "department=94&category=B&from=9999-12-31&to=9999-12-31",
    "department=094&category=B",
    "department=20&category=",
    "department=94",
    "department=94&category=B&category=A",
    "department=94&category=B&limit=0",
    "department=94&category=B&limit=501",
    "department=94&category=B&limit=1e9",
    "department=94&category=B&cursor=%00",
    "department=94&category=B&centre=..%2f..",
    "department=94&category=B&" + "&".join(f"centre={n}" for n in range(51)),
]


async def test_a_search_that_cannot_be_read_is_refused(world: Any) -> None:
    async with world.browser(await world.session()) as browser:
        for query in QUERIES:
            answer = await browser.get(f"/api/v1/slots?{query}")
            assert answer.status_code in {400, 422}, query
            assert answer.json()["code"] == "MALFORMED"


async def test_too_many_headers_or_too_long_an_address_is_refused(world: Any) -> None:
    async with world.browser() as browser:
        browser.headers = [("X-Filler", "1")] * 101
        assert (await browser.get("/auth/login")).status_code == 431
    async with world.browser() as browser:
        assert (await browser.get("/auth/login?" + "a" * 8193)).status_code == 431
