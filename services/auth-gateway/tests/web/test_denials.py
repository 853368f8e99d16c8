"""What the web face refuses stands in the journal: each kind through real HTTP, a flood as two records, no secret in any."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import httpx2
import pytest

from resapermis.audit.v1 import audit_pb2
from resapermis.audit.v1.events_pb2 import OUTCOME_REFUSED, Actor, Record
from resapermis.notification.v1 import notification_pb2
from resapermis_auth_gateway.web.security import body
from resapermis_auth_gateway.web.security.connection import MORE_THAN_BROWSERS
from resapermis_auth_gateway.web_process import http_server
from resapermis_kit.errors import Code, Failure
from resapermis_testing.certificates import NOBODY
from resapermis_testing.eventually import eventually
from resapermis_testing.ports import free_port
from resapermis_testing.profile import tries

pytestmark = pytest.mark.req("S-14")
SECRET = "a-secret-that-stands-in-an-address"
PLACE = "127.0.0.0/24"
JSON = {"Content-Type": "application/json"}


@dataclass
class Served:
    """A gateway on a socket; `denials.run` writes as in life."""

    world: Any
    port: int

    def browser(self, signed: Any = None, **headers: str) -> httpx2.AsyncClient:
        """A browser on our page, over a real connection."""
        sent = {"Origin": self.world.dependencies.settings.public_origin, "Sec-Fetch-Site": "same-origin"}
        if signed is not None:
            sent |= {"Cookie": f"resapermis={signed.cookie}", "X-CSRF-Token": signed.csrf}
        return httpx2.AsyncClient(
            base_url=f"http://127.0.0.1:{self.port}", headers=sent | headers, trust_env=False, verify=NOBODY
        )

    async def denied(self, many: int = 1) -> list[Record]:
        """So many records of refused access, once they are there."""
        found: list[Record] = []

        async def there() -> bool:
            found[:] = [one for one in await self._records() if one.action == "access.denied"]
            return len(found) >= many

        await eventually(there)
        assert len(found) == many
        return found

    async def _records(self) -> list[Record]:
        kind = Record.DESCRIPTOR.full_name
        return [Record.FromString(payload) for name, payload in await self.world.published() if name == kind]


Serve = Callable[..., Awaitable[Served]]


@pytest.fixture
async def served(make_world: Any) -> AsyncIterator[Serve]:
    """Function: (running peers, **changed settings) -> a gateway on a socket."""
    running: list[tuple[Any, asyncio.Task[Any], asyncio.Task[Any]]] = []

    async def start(peers: Any = None, **changed: Any) -> Served:
        port = free_port()
        address = {"public_url": f"http://localhost:{port}", "web_listen": f"127.0.0.1:{port}", "drain_seconds": 1}
        world = await make_world(peers, **address | changed)
        server, bound = http_server(world.app, world.dependencies.settings, world.dependencies.denials.add)
        serving = asyncio.create_task(server.serve(sockets=[bound]))
        writing = asyncio.create_task(world.dependencies.denials.run())
        running.append((server, serving, writing))
        return Served(world, port)

    yield start
    for server, serving, writing in running:
        server.should_exit = True
        await asyncio.wait_for(serving, 5)
        writing.cancel()
        await asyncio.wait({writing})


BY_NOBODY: dict[str, tuple[str, str, dict[str, Any], str, str]] = {
    "no cookie": ("GET", "/api/v1/basket", {}, "no_session", "GET /api/v1/basket"),
    "no cookie, a change": ("POST", "/api/v1/mandates", {}, "no_session", "POST /api/v1/mandates"),
    "a cookie of no session": (
        "GET",
        "/auth/session",
        {"Cookie": f"resapermis={'A' * 43}"},
        "session_ended",
        "GET /auth/session",
    ),
    "an id in the path": (
        "PUT",
        f"/api/v1/basket/items/{SECRET}/candidate",
        {},
        "no_session",
        "PUT /api/v1/basket/items/{line_id}/candidate",
    ),
    "a path of ours that is none": ("POST", f"/api/v1/{SECRET}", {}, "no_session", "POST"),
    "a query": ("GET", f"/api/v1/slots?department={SECRET}", {}, "no_session", "GET /api/v1/slots"),
    "another site": (
        "GET",
        "/api/v1/basket",
        {"Sec-Fetch-Site": "cross-site"},
        "cross_site",
        "GET /api/v1/basket",
    ),
    "another origin": (
        "POST",
        "/api/v1/mandates",
        {"Origin": "https://evil.test"},
        "cross_site",
        "POST /api/v1/mandates",
    ),
    "a picture": ("GET", "/auth/login", {"Sec-Fetch-Dest": "image"}, "embedded", "GET /auth/login"),
    "too many headers": (
        "GET",
        "/auth/session",
        {f"X-{number}": "1" for number in range(101)},
        "large_head",
        "GET /auth/session",
    ),
}


@pytest.mark.parametrize("what", BY_NOBODY)
async def test_what_nobody_we_know_is_refused_is_recorded_with_the_network_and_the_routes_pattern(
    served: Serve, what: str
) -> None:
    method, path, headers, reason, route = BY_NOBODY[what]
    gateway = await served()
    async with gateway.browser(**headers) as browser:
        answer = await browser.request(method, path)
    assert answer.status_code in {401, 403, 431}
    (record,) = await gateway.denied()
    assert (record.outcome, record.facts["reason"], record.facts["count"]) == (OUTCOME_REFUSED, reason, "1")
    assert (record.object_kind, record.object_id, record.school_id) == ("route", route, "")
    assert record.actor == Actor(kind=Actor.KIND_SYSTEM, id="auth-gateway", place=PLACE)
    assert SECRET not in str(record)


PRETENDING = {
    "none": ({}, None),
    "another site's": ({"Cookie": "theirs=1; resapermis-sign-in=x"}, None),
    "no value of ours": ({"Cookie": "resapermis=guess"}, "no_session"),
    "empty": ({"Cookie": "resapermis="}, "no_session"),
    "twice": ({"Cookie": f"resapermis={'A' * 43}; resapermis={'A' * 43}"}, "no_session"),
    "of no session": ({"Cookie": f"resapermis={'A' * 43}"}, "session_ended"),
}


@pytest.mark.parametrize("cookie", PRETENDING)
async def test_whether_somebody_is_signed_in_is_a_question_unless_a_cookie_pretends_so(
    served: Serve, cookie: str
) -> None:
    headers, reason = PRETENDING[cookie]
    gateway = await served()
    async with gateway.browser(**headers) as browser:
        assert (await browser.get("/auth/session")).status_code == 401
        assert (await browser.get("/api/v1/me/sessions")).status_code == 401
    mine = (reason or "no_session", "GET /api/v1/me/sessions")
    found = await gateway.denied(1 if reason is None else 2)
    assert [(one.facts["reason"], one.object_id) for one in found] == (
        [mine] if reason is None else [(reason, "GET /auth/session"), mine]
    )


async def test_connections_that_ask_nothing_are_counted_and_whose_they_are_is_told_beyond_what_browsers_open(
    served: Serve,
) -> None:
    gateway, many = await served(head_seconds=0.3), MORE_THAN_BROWSERS + 3
    opened = [await asyncio.open_connection("127.0.0.1", gateway.port) for _ in range(many)]
    assert [await reader.read() for reader, _ in opened] == [b""] * many
    for _, writer in opened:
        writer.close()
    gateway.world.clock.pass_(seconds=61)
    counts: dict[str, int] = {}

    async def all_counted() -> bool:
        counts.clear()
        for one in await gateway.world.records():
            assert (one.action, one.object_kind, one.facts["reason"]) == ("access.denied", "connection", "silent")
            counts[one.actor.place] = counts.get(one.actor.place, 0) + int(one.facts["count"])
        return sum(counts.values()) == many

    await eventually(all_counted)
    assert counts[PLACE] >= 3  # as many as were too many, or more where several end in one moment


FORGED = {
    "X-Forwarded-For": "203.0.113.9",
    "Forwarded": "for=203.0.113.9;proto=https;host=evil.test",
    "X-Real-IP": "203.0.113.9",
    "X-Forwarded-Host": "evil.test",
    "X-Forwarded-Proto": "https",
    "X-User-Id": "0",
    "X-Resapermis-Principal": "eyJhbGciOiJub25lIn0.e30.",
    "X-Original-URL": "/api/v1/basket",
    "X-HTTP-Method-Override": "DELETE",
    "Grpc-Timeout": "1n",
}


@pytest.mark.parametrize(
    ("trusted", "said", "place"),
    [
        ("", "203.0.113.9", PLACE),
        ("192.0.2.1", "203.0.113.9", PLACE),
        ("127.0.0.1", "203.0.113.9", "203.0.113.0/24"),
        ("127.0.0.1", "198.51.100.7, 203.0.113.9", "203.0.113.0/24"),  # what a browser says before its proxy does
    ],
)
async def test_where_a_request_is_from_and_who_asks_is_believed_of_a_trusted_proxy_alone(
    served: Serve, trusted: str, said: str, place: str
) -> None:
    gateway = await served(trusted_proxies=trusted)
    async with gateway.browser(**FORGED | {"X-Forwarded-For": said}) as browser:
        answer = await browser.get("/api/v1/basket")
        away = await browser.get("/auth/login")
    assert answer.status_code == 401
    assert "evil.test" not in str(away.headers) + away.text
    (record,) = await gateway.denied()
    assert record.actor == Actor(kind=Actor.KIND_SYSTEM, id="auth-gateway", place=place)


async def _with_a_wrong_token(gateway: Served, browser: httpx2.AsyncClient) -> httpx2.Response:
    return await browser.post("/api/v1/mandates", headers={"X-CSRF-Token": SECRET})


async def _in_a_large_body(gateway: Served, browser: httpx2.AsyncClient) -> httpx2.Response:
    return await browser.post("/api/v1/mandates", content=b"a" * 70_000, headers=JSON)


async def _in_a_slow_body(gateway: Served, browser: httpx2.AsyncClient) -> httpx2.Response:
    async def drip() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(1)

    return await browser.post("/api/v1/mandates", content=drip(), headers=JSON)


async def _too_many_at_once(gateway: Served, browser: httpx2.AsyncClient) -> httpx2.Response:
    return await browser.get("/api/v1/notifications")


async def _as_a_trainer(gateway: Served, browser: httpx2.AsyncClient) -> httpx2.Response:
    return await browser.get("/api/v1/notifications/stream")


async def _reading_people(gateway: Served, browser: httpx2.AsyncClient) -> httpx2.Response:
    return await browser.get("/api/v1/people")


BY_A_PERSON: dict[str, tuple[Any, str, str, dict[str, Any], int]] = {
    "token": (_with_a_wrong_token, "csrf_token", "POST /api/v1/mandates", {}, 403),
    "body": (_in_a_large_body, "large_body", "POST /api/v1/mandates", {}, 413),
    "drip": (_in_a_slow_body, "slow_body", "POST /api/v1/mandates", {}, 408),
    "crowd": (_too_many_at_once, "crowded_request", "GET /api/v1/notifications", {"session_requests": 0}, 429),
    "feeds": (_as_a_trainer, "crowded_feed", "GET /api/v1/notifications/stream", {"session_feeds": 0}, 429),
    "right": (_reading_people, "no_right", "GET /api/v1/people", {}, 403),
}


@pytest.mark.parametrize("what", BY_A_PERSON)
async def test_what_a_person_is_refused_is_recorded_in_their_school_with_account_and_session(
    served: Serve, what: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    act, reason, route, changed, status = BY_A_PERSON[what]
    monkeypatch.setattr(body, "SECONDS", 0.3)
    gateway = await served(**changed)
    role = "candidate" if what == "right" else "school_manager"
    signed = await gateway.world.session(role=role)
    async with gateway.browser(signed) as browser:
        answer = await act(gateway, browser)
    assert answer.status_code == status
    (record,) = await gateway.denied()
    assert (record.facts["reason"], record.object_id, record.school_id) == (reason, route, "school-1")
    assert record.facts["session"] == str(signed.id)
    assert record.actor == Actor(
        kind=Actor.KIND_PERSON,
        id=str(signed.session.account_id),
        roles=[role],
        on_behalf_of="school-1",
        place=PLACE,
    )
    text = str(record)
    assert not any(word in text for word in (signed.cookie, signed.csrf, SECRET, "Camille", "127.0.0.1"))


RATES: dict[str, tuple[str, str, dict[str, str], str]] = {
    "login": ("GET", "/auth/login", {}, "GET /auth/login"),
    "callback": ("GET", f"/auth/callback?code={SECRET}&state={SECRET}", {}, "GET /auth/callback"),
    "calendar": ("GET", f"/calendars/{SECRET}.ics", {}, "GET /calendars/{token}.ics"),
    "report": ("POST", "/csp-reports", {"Content-Type": "application/csp-report"}, "POST /csp-reports"),
    "provider": (
        "POST",
        "/auth/backchannel-logout",
        {"Content-Type": "application/x-www-form-urlencoded"},
        "POST /auth/backchannel-logout",
    ),
    "read": ("GET", "/auth/session", {}, "GET /auth/session"),
    "write": ("POST", "/api/v1/candidates/search", {}, "POST /api/v1/candidates/search"),
}


@pytest.mark.parametrize("budget", RATES)
async def test_what_comes_too_often_is_recorded_by_its_budget(served: Serve, budget: str) -> None:
    method, path, headers, route = RATES[budget]
    setting = "sign_in_rate" if budget in {"login", "callback"} else f"{budget}_rate"
    gateway = await served(**{setting: "1/minute"})
    signed = await gateway.world.session() if budget in {"read", "write"} else None
    async with gateway.browser(signed, **headers) as browser:
        answers = [(await browser.request(method, path)).status_code for _ in range(4)]
    assert answers[1:] == [429] * 3
    gateway.world.clock.pass_(seconds=61)
    records: list[Record] = []

    async def all_counted() -> bool:
        records[:] = [one for one in await gateway.world.records() if one.action == "access.denied"]
        return sum(int(one.facts["count"]) for one in records) == 3

    await eventually(all_counted)
    for record in records:
        assert (record.facts["reason"], record.object_id) == (f"rate_{budget}", route)
        assert record.actor.id == (str(signed.session.account_id) if signed else "auth-gateway")
        assert SECRET not in str(record)
    assert len(records) <= 2


async def test_the_end_of_anothers_session_is_refused_and_recorded(served: Serve) -> None:
    gateway = await served()
    mine, anothers = await gateway.world.session(), await gateway.world.session()
    async with gateway.browser(mine) as browser:
        assert (await browser.delete(f"/api/v1/me/sessions/{anothers.id}")).status_code == 404
    (record,) = await gateway.world.records()
    assert (record.action, UUID(record.object_id), record.facts["reason"]) == ("session.end", anothers.id, "not_found")


async def test_what_a_service_refuses_is_that_services_to_record(over: Any) -> None:
    """It knows what it refused; here the same would be counted twice."""
    refusal = Failure(Code.CODE_FORBIDDEN, "not among your rights")
    world, browser, _ = await over(mandate={"SearchCandidates": refusal}, basket={"GetBasket": refusal})
    async with browser:
        assert (await browser.get("/api/v1/basket")).status_code == 403
    assert await world.records() == []


async def test_what_is_answered_or_merely_wrong_is_no_refused_access(over: Any) -> None:
    empty = notification_pb2.ListNoticesResponse()
    world, browser, _ = await over(notification={"ListNotices": empty})
    async with browser:
        answers = [await browser.get("/api/v1/notifications"), await browser.get("/api/v1/nothing")]
        answers.append(await browser.post("/api/v1/mandates", json={}))
    assert [one.status_code for one in answers] == [200, 404, 400]
    assert await world.records() == []


FLOOD, AT_ONCE = tries(briefly=1_000, long=10_000), 10
"""The kit's own test of the journal takes ten thousand each time; here each is a request over a connection."""


async def _flood(port: int, origin: str, many: int) -> int:
    """Ask so often over one connection, in batches; how many were answered 403."""
    head = f"POST /api/v1/mandates HTTP/1.1\r\nHost: here\r\nOrigin: {origin}\r\nContent-Length: 0\r\n\r\n".encode()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    refused = 0
    for _ in range(many // 5):
        writer.write(head * 5)
        for _ in range(5):
            answer = await reader.readuntil(b"\r\n\r\n")
            length = next(
                int(line.partition(b":")[2]) for line in answer.split(b"\r\n") if line.startswith(b"content-length")
            )
            await reader.readexactly(length)
            refused += answer.startswith(b"HTTP/1.1 403")
    writer.close()
    return refused


@pytest.mark.long
async def test_a_flood_of_refused_requests_is_two_records_two_statements_and_in_nobodys_way(served: Serve) -> None:
    gateway = await served()
    journal = gateway.world.dependencies.denials
    written: list[int] = []
    write = journal._write

    async def counted(records: Any) -> None:
        written.append(len(records))
        await write(records)

    journal._write = counted
    signed = await gateway.world.session()
    parts = [_flood(gateway.port, "https://evil.test", FLOOD // AT_ONCE) for _ in range(AT_ONCE)]
    flood = asyncio.gather(*parts)
    statuses = []
    async with gateway.browser(signed) as person:
        while not flood.done():
            statuses.append((await person.get("/auth/session", timeout=5)).status_code)
    assert sum(await flood) == FLOOD
    assert set(statuses) == {200}
    gateway.world.clock.pass_(seconds=61)
    records = await gateway.denied(2)
    assert sum(int(record.facts["count"]) for record in records) == FLOOD
    assert {record.facts["reason"] for record in records} == {"cross_site"}
    assert written == [1, 1]
    assert len(journal) == 0


async def test_an_officer_reads_refusals_over_rest_with_what_is_known_of_them(over: Any) -> None:
    record = Record(
        id="r-1",
        source="mandate",
        action="access.denied",
        object_kind="rpc",
        object_id="mandate.v1.MandateService/ListMandates",
        outcome=OUTCOME_REFUSED,
        actor=Actor(kind=Actor.KIND_SYSTEM, id="notification"),
        facts={"reason": "principal_forged", "count": "500"},
    )
    answer = audit_pb2.ListSecurityRecordsResponse(records=[audit_pb2.LoggedRecord(record=record)], next_cursor="r-1")
    world, manager, services = await over(audit={"ListSecurityRecords": answer})
    path = "/api/v1/audit/security-records"
    async with manager:
        assert (await manager.get(path)).status_code == 403
    async with world.browser(await world.session(role="security_officer")) as browser:
        page = (await browser.get(path, params={"action": "access.denied", "schoolId": "school-2"})).json()
        await browser.get(path)
    (item,) = page["items"]
    assert (item["action"], item["outcome"], item["actor"]) == (
        "access.denied",
        "refused",
        {"kind": "system", "id": "notification", "roles": []},
    )
    assert item["facts"] == {"reason": "principal_forged", "count": "500"}
    assert page["nextCursor"] == "r-1"
    asked = [(list(one.actions), one.school_id, one.limit) for one in services["audit"].asked]
    assert asked == [(["access.denied"], "school-2", 50), ([], "", 50)]
