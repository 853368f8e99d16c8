"""The published contract is what the service does, and nothing that fits or breaks it makes the service fall."""

import contextlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import httpx2
import jsonschema_rs
import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import Unsatisfiable

from resapermis_auth_gateway.__main__ import main
from resapermis_testing.profile import tries

pytestmark = pytest.mark.req("S-05")
PUBLISHED = Path(__file__).parents[4] / "web" / "openapi.json"
EXAMPLES = tries(briefly=2, long=60)
"""Of each operation, as the contract says and as often against it."""
AT_LENGTH = 5_000
"""Requests of all operations together, where they are tried at length."""
PROBES = {"/healthz", "/readyz"}
ENDLESS = "/api/v1/notifications/stream"
OURS = {"cookie", "x-csrf-token", "origin", "sec-fetch-site", "host", "content-length", "connection", "user-agent"}
DOCUMENT = json.loads(PUBLISHED.read_text(encoding="utf-8"))
"""As published, which the first test holds against what is made: each process that collects tests would make it."""


@cache
def _operations() -> dict[str, Any]:
    """Each operation of the document by its name. Made, and its maker loaded, by who runs these tests, not by who collects them."""
    import schemathesis

    made = [found.ok() for found in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()]
    return {f"{operation.method} {operation.path}": operation for operation in made if operation.path != ENDLESS}


def test_the_published_contract_is_this_one(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["openapi"]) == 0
    assert capsys.readouterr().out == PUBLISHED.read_text(encoding="utf-8"), "run `make openapi`"


def test_it_is_openapi_3_1_and_every_operation_says_how_it_refuses() -> None:
    assert DOCUMENT["openapi"].startswith("3.1")
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            named = operation["responses"]
            assert "default" not in named, path  # any status would then be said
            refusals = {status for status, response in named.items() if response.get("$ref", "").endswith("/Refusal")}
            assert "400" in named, path
            least = {"408", "414", "431", "503"}
            assert least <= refusals | ({"503"} & set(named)), path
            assert ("415" in refusals) == (method != "get"), path
            assert ("security" in operation) == path.startswith(("/api/", "/auth/logout", "/auth/session"))
            if method != "get" and "security" in operation:
                assert "X-CSRF-Token" in [one["name"] for one in operation["parameters"]]


UNREADABLE = {400, 408, 413, 414, 431, 503}
REFUSALS: dict[str, set[int]] = {
    "get /healthz": set(),
    "get /auth/session": {401, 403, 429, 500},
    "get /auth/login": {403, 422, 429, 500, 504},
    "get /calendars/{token}.ics": {404, 422, 429, 500, 504},
    "post /auth/backchannel-logout": {415, 429, 500},
    "get /api/v1/me/grant": {401, 403, 429, 500},
    "post /api/v1/me/grant": {401, 403, 409, 415, 429, 500, 504},
    "get /api/v1/me/sessions": {401, 403, 429, 500},
    "delete /api/v1/me/sessions/{session_id}": {401, 403, 404, 415, 422, 429, 500},
    "post /auth/passkey/begin": {403, 415, 429, 500},
    "post /auth/passkey/finish": {401, 403, 415, 422, 429, 500},
    "post /auth/invitation/begin": {403, 404, 415, 422, 429, 500},
    "get /api/v1/people": {401, 403, 422, 429, 500},
    "post /api/v1/people": {401, 403, 415, 422, 429, 500},
    "delete /api/v1/people/{person_id}": {401, 403, 404, 409, 415, 422, 429, 500},
    "get /api/v1/basket": {401, 403, 429, 500, 504},
    "get /api/v1/audit/records": {401, 403, 422, 429, 500, 504},
    "get /api/v1/favourite-centres": {401, 403, 409, 422, 429, 500, 504},
    "post /api/v1/candidates/search": {401, 403, 409, 415, 422, 429, 500, 504},
    "post /api/v1/basket/items": {202, 401, 403, 404, 409, 412, 415, 422, 429, 500, 504},
    "put /api/v1/school/licence": {202, 401, 403, 409, 415, 422, 429, 500, 504},
}
"""By hand, of some operations: what each may refuse, beside what is refused before it is whole."""


def test_an_operation_names_the_refusals_that_it_may_answer_and_no_other() -> None:
    for operation, expected in REFUSALS.items():
        method, path = operation.split(" ")
        named = set(map(int, DOCUMENT["paths"][path][method]["responses"]))
        assert {one for one in named if one == 202 or one >= 400} == expected | UNREADABLE, operation
    for path, operations in DOCUMENT["paths"].items():
        for method, operation in operations.items():
            given = {one["name"] for one in operation.get("parameters", [])} - {"X-CSRF-Token", "Last-Event-ID"}
            named = set(operation["responses"])
            reads = "requestBody" in operation and path != "/auth/backchannel-logout"
            assert ("422" in named) == bool(given or reads), path
            # Who is invited is no state that somebody else changed meanwhile.
            assert ("412" in named) == ("Idempotency-Key" in given and path != "/api/v1/people"), path
            assert ({"401", "403"} <= named) >= ("security" in operation), path
            assert ("504" in named) <= (path not in PROBES), path
            assert "202" not in named or method != "get", path


def test_a_refusal_is_a_problem() -> None:
    refusal = DOCUMENT["components"]["responses"]["Refusal"]
    assert refusal["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


def test_what_is_limited_says_what_it_tells_of_it() -> None:
    uncounted = {"/healthz", "/readyz", "/auth/logout"}
    for path, operations in DOCUMENT["paths"].items():
        for operation in operations.values():
            assert ("429" in operation["responses"]) == (path not in uncounted), path
            for status, response in operation["responses"].items():
                expected = {"RateLimit-Policy", "RateLimit"} if status[0] in "23" and path not in uncounted else set()
                expected |= {"RateLimit-Policy", "RateLimit", "Retry-After"} if status == "429" else set()
                assert set(response.get("headers", {})) == expected, path
    assert set(DOCUMENT["components"]["headers"]) == {"RateLimit-Policy", "RateLimit", "Retry-After"}


async def test_the_running_service_publishes_it(world: Any) -> None:
    async with world.browser() as browser:
        assert (await browser.get("/api/openapi.json")).json() == DOCUMENT


async def test_whatever_the_contract_calls_closed_is_closed_to_who_has_no_session(world: Any) -> None:
    answered = {}
    async with world.browser() as browser:
        for path, operations in DOCUMENT["paths"].items():
            for method, operation in operations.items():
                answer = await browser.request(method, path.replace("{", "").replace("}", ""))
                if "security" in operation:
                    answered[f"{method} {path}"] = answer.status_code
    assert len(answered) > 40
    assert {operation: status for operation, status in answered.items() if status != 401} == {}


def _cases(operation: Any, mode: Any) -> list[Any]:
    """A few questions that fit the contract, or break it; none where nothing can."""
    made: list[Any] = []

    @seed(1)
    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(operation.as_strategy(generation_mode=mode))
    def keep(case: Any) -> None:
        made.append(case.as_transport_kwargs(base_url="https://resapermis.test"))

    with contextlib.suppress(Unsatisfiable):  # nothing can break it: any text is a token
        keep()
    return made


def _valid(operation: str, status: int, body: Any) -> None:
    method, path = operation.split(" ")
    named = DOCUMENT["paths"][path][method.lower()]["responses"]
    assert str(status) in named, f"{operation} answered {status}, which the contract does not name"
    response = named[str(status)]
    content = (DOCUMENT["components"]["responses"]["Refusal"] if "$ref" in response else response).get("content", {})
    for schema in (one["schema"] for kind, one in content.items() if kind.endswith("json")):
        jsonschema_rs.validate({**schema, "components": DOCUMENT["components"]}, body)


PARTS = tries(briefly=1, long=4)
"""Each process that has one loads schemathesis, which takes a second and more."""


@pytest.mark.long
@pytest.mark.timeout(240)
@pytest.mark.parametrize("part", range(PARTS))
async def test_nothing_makes_it_fall(over_empty: Any, part: int) -> None:
    world, browser, _ = await over_empty()
    world.dependencies.health.started = True
    many = 0
    async with browser:
        for name, operation in sorted(_operations().items())[part::PARTS]:
            for asked in _asked(operation):
                signed = await world.session() if "logout" in name else None
                cookies = {"Cookie": f"{world.cookie}={signed.cookie}", "X-CSRF-Token": signed.csrf} if signed else {}
                try:
                    answer = await browser.request(**{**asked, "headers": asked["headers"] | cookies})
                except (UnicodeEncodeError, TypeError, httpx2.InvalidURL):
                    continue  # no browser can send that
                many += 1
                assert answer.status_code < 500 or answer.json()["code"] in {"RDVPERMIS_DOWN", "UNAVAILABLE"}, asked
                kind = answer.headers.get("content-type", "")
                if kind.endswith("json"):
                    _valid(name, answer.status_code, json.loads(answer.content))
                else:
                    assert kind.startswith(("text/plain", "text/calendar")) or answer.status_code in {204, 302}
    assert many * PARTS >= tries(briefly=len(_operations()), long=AT_LENGTH)


def _asked(operation: Any) -> list[dict[str, Any]]:
    from schemathesis import GenerationMode

    modes = [GenerationMode.POSITIVE]
    if "parameters" in operation.definition.raw or "requestBody" in operation.definition.raw:
        modes.append(GenerationMode.NEGATIVE)
    cases = [case for mode in modes for case in _cases(operation, mode)]
    for case in cases:
        case["headers"] = {k: v for k, v in (case["headers"] or {}).items() if k.lower() not in OURS}
        case.pop("cookies", None)
        if not isinstance(case.get("data", {}), dict):
            case["content"] = case.pop("data")
    return cases
