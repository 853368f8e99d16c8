"""No token, secret, cookie, name or NEPH, nor what a person called a search, stands in a log, a trace, a metric, a dump or on the bus.

A school's work with values that only this test knows, refusals and faults among it; then all that it left behind is looked
through. The second test puts one value into each place and sees it found.
"""

import asyncio
import json
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

import asyncpg
import httpx2
import pytest
from journey import CATEGORY, DrivingSchool, Person, Schools, TheState, invented, until
from left_behind import Wanted, collect, like_secrets, standing_in
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2
from prometheus_client import CollectorRegistry, Gauge, start_http_server

from devstack.components import OPERATOR, SERVICES
from devstack.stack import Stack
from resapermis_kit.events import streams
from resapermis_kit.tls.certificates import Certificates
from resapermis_testing.certificates import NOBODY
from resapermis_testing.stand_ins.otlp import SpanReceiver

pytestmark = [pytest.mark.xdist_group("scan"), pytest.mark.long_only, pytest.mark.timeout(300)]
TRACED = {"auth-gateway", "egress", "mandate", "scheduling-rules", "basket", "audit", "notification"}

MUST_BE_READ = (
    *((f"{service.name}.log", "log") for service in SERVICES),
    *((service.name, "metrics") for service in SERVICES),
    *((service.database, "database") for service in SERVICES),
    *((f"events-{name}", "bus") for name in ("basket", "mandate", "scheduling-rules", "notification")),
    *((f"records-{name}", "bus") for name in ("auth-gateway", "basket", "mandate", "scheduling-rules")),
)
"""Places that hold something, or nothing was looked through."""


def _of(person: Person, who: str) -> dict[str, Wanted]:
    kinds = ("NEPH", "first name", "last name", "address")
    return {f"{kind} of {who}": Wanted(text, guessable=True) for kind, text in zip(kinds, person.traces, strict=True)}


def _work(stack: Stack, state: TheState, schools: Schools) -> dict[str, Wanted]:
    """A school's work, what it is refused and what goes wrong; what must stand nowhere afterwards, by what it is."""
    school, other = schools.new(), schools.new()
    found: dict[str, Wanted] = {}
    stranger, label, plate = invented(), f"Places pour Quiquampoix-{secrets.token_hex(4)}", secrets.token_hex(6)
    found |= _of(stranger, "a stranger") | {"label of a search": Wanted(label, guessable=True)}

    booked = school.booking()
    correction = invented()
    found |= _of(correction, "a correction")
    written = school.act("POST", "/api/v1/candidates", _named(invented_here := invented()))
    found |= _of(invented_here, "a candidate without a mandate")
    school.act("PATCH", f"/api/v1/candidates/{written['id']}", _named(correction))
    school.act("POST", "/api/v1/candidates/search", {"query": correction.last_name})
    school.send("POST", "/api/v1/candidates/search", {"query": stranger.neph})
    school.send("POST", "/api/v1/mandates", {"candidateId": written["id"], "category": CATEGORY})
    school.act(
        "POST",
        "/api/v1/saved-searches",
        {"label": label, "alert": True, "search": {"category": CATEGORY, "department": school.department}},
    )
    school.slots(2)  # which the search wants to hear of
    address = school.act("POST", f"/api/v1/calendar-feeds/{_trainer(school)}")["address"]
    found["token of a calendar"] = Wanted(address.rpartition("/")[2].removesuffix(".ics"))
    school.web.get(address)

    # What is refused, and where somebody writes what does not belong.
    school.send("POST", "/api/v1/candidates", _named(stranger) | {"neph": stranger.neph + "x" * 40})
    school.send("POST", "/api/v1/candidates", _named(stranger) | {stranger.last_name: stranger.neph})
    school.web.get(f"/candidats/{stranger.last_name}", params={"nom": stranger.first_name, "neph": stranger.neph})
    school.web.get(f"/api/v1/{stranger.last_name}", params={stranger.neph: stranger.first_name})
    school.web.get("/auth/callback", params={"code": plate + "code", "state": plate + "state"})
    found |= {"a code": Wanted(plate + "code"), "a state": Wanted(plate + "state")}
    forged = {"Cookie": f"resapermis={plate}{'A' * 31}", "Authorization": f"Bearer {plate}bearer"}
    with httpx2.Client(base_url=stack.url, verify=NOBODY, timeout=10) as nobody:
        nobody.get("/auth/session", headers=forged)
        nobody.post("/csp-reports", json=[{"body": {"blockedURL": f"https://x.test/{stranger.last_name}"}}])
    found |= {"a forged cookie": Wanted(f"{plate}{'A' * 31}"), "a forged token": Wanted(f"{plate}bearer")}
    with state.faults({"kind": "5xx", "status": 503, "path": "/paniers", "count": 1}):
        school.hold(school.slots(1), [school.candidate()])

    until(lambda: school.notices("booking.confirmed", booked["id"]), "the notice of the booking")
    until(
        lambda: any(one["kind"] == "search.matched" for one in school.get("/api/v1/notifications")["items"]),
        "the notice of the search",
    )
    for each in (school, other):
        session = each.get("/auth/session")
        found[f"CSRF token of {each.name}"] = Wanted(each.csrf)
        found[f"employee of {each.name}"] = Wanted(session["user"]["displayName"], guessable=True)
        for cookie in each.web.cookies.jar:
            if cookie.value and len(cookie.value) > 20:
                found[f"cookie {cookie.name} of {each.name}"] = Wanted(cookie.value)
    other.act("POST", "/auth/logout")
    for number, person in enumerate(state.people):
        found |= _of(person, f"person {number}")

    def kept() -> dict[str, Any] | None:
        truth: dict[str, Any] = json.loads((stack.home / "rdvpermis.state").read_text(encoding="utf-8"))
        return truth if booked["examId"] in truth["exams"] else None

    truth = until(kept, "the State to have written the booking down")
    for kind in ("accesses", "refreshes", "codes"):
        found |= {f"{kind} {number}": Wanted(token) for number, token in enumerate(truth[kind])}
    return found | _keys(stack)


def _named(person: Person) -> dict[str, str]:
    return {
        "lastName": person.last_name,
        "firstName": person.first_name,
        "neph": person.neph,
        "email": person.email,
    }


def _trainer(school: DrivingSchool) -> str:
    """One of the school's employees, now a trainer."""
    employee = str(school.get("/api/v1/school/trainers")["others"][0]["id"])
    plan = {"department": school.department, "categories": [CATEGORY], "activeFrom": "2026-01-01"}
    return str(school.act("PUT", f"/api/v1/school/trainers/{employee}", plan)["id"])


def _keys(stack: Stack) -> dict[str, Wanted]:
    """Each secret that a file of the stack holds: whole lines, and values of JSON."""
    found: dict[str, Wanted] = {}
    for file in stack.settings.secrets.iterdir():
        if file.name != "principal.jwks.json":
            text = file.read_text(encoding="utf-8").strip()
            pieces = list(_strings(json.loads(text))) if text.startswith("{") else [text]
            found |= {f"{file.name} {n}": Wanted(one) for n, one in enumerate(pieces) if len(one) >= 24}
    return found


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            if name not in {"typeUrl", "x", "kid"}:  # what is public of a key
                yield from _strings(one)
    elif isinstance(value, list):
        for one in value:
            yield from _strings(one)


@pytest.fixture(scope="module")
def marked(stack: Stack, state: TheState, schools: Schools, receiver: SpanReceiver) -> dict[str, Wanted]:
    found = _work(stack, state, schools)
    until(lambda: receiver.services() >= TRACED, "spans of every service")
    assert len(found) > 40
    return found


@pytest.mark.req("D-03", "S-02", "N-07")
def test_what_a_day_leaves_behind_holds_no_person_and_no_secret(
    stack: Stack, receiver: SpanReceiver, marked: dict[str, Wanted], tmp_path: Path
) -> None:
    collect(stack, receiver, tmp_path)
    places = {file.name.partition("-")[0] for file in tmp_path.iterdir()}
    assert places == {"log", "traces", "metrics", "database", "bus"}
    read = {file.name for file in tmp_path.iterdir() if file.stat().st_size}
    assert read >= {"traces", *(f"{kind}-{one}" for one, kind in MUST_BE_READ)}
    assert standing_in(tmp_path, marked) == set()
    assert like_secrets(tmp_path) == {}


@contextmanager
def _planted(stack: Stack, receiver: SpanReceiver, text: str) -> Iterator[dict[str, int]]:
    """The text in each kind of place, as it would come there; further pages of metrics."""
    with (stack.home / "log" / "basket.log").open("a", encoding="utf-8") as log:
        log.write(json.dumps({"event": "planted", "who": text}) + "\n")
    request = trace_service_pb2.ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add(name="planted")
    span.attributes.add(key="who").value.string_value = text
    receiver.Export(request, None)
    registry = CollectorRegistry()
    Gauge("planted", "A page of metrics.", ["who"], registry=registry).labels(text).set(1)
    server, thread = start_http_server(0, "127.0.0.1", registry)
    asyncio.run(_plant(stack, text))
    try:
        yield {"planted": server.server_port}
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        asyncio.run(_weed(stack))


async def _plant(stack: Stack, text: str) -> None:
    for database in {service.database for service in SERVICES}:
        connection = await asyncpg.connect(stack.owner_url(database))
        await connection.execute("CREATE TABLE planted (plain text, bytes bytea, long text)")
        await connection.execute(
            "INSERT INTO planted VALUES ($1, $2, $3)", text, b"\0" + text.encode() + b"\xff", 9000 * "a" + text
        )
        await connection.close()
    client = await streams.connect(
        f"tls://127.0.0.1:{stack.ports.nats}", Certificates(stack.settings.tls / OPERATOR), OPERATOR
    )
    stream = client.jetstream()
    await stream.add_stream(name="planted", subjects=["planted.>"])
    await stream.publish("planted.one", b"\x0a" + text.encode())
    await client.close()


async def _weed(stack: Stack) -> None:
    for database in {service.database for service in SERVICES}:
        connection = await asyncpg.connect(stack.owner_url(database))
        await connection.execute("DROP TABLE planted")
        await connection.close()
    client = await streams.connect(
        f"tls://127.0.0.1:{stack.ports.nats}", Certificates(stack.settings.tls / OPERATOR), OPERATOR
    )
    await client.jetstream().delete_stream("planted")
    await client.close()


def test_one_that_is_put_into_each_place_is_found_there(stack: Stack, receiver: SpanReceiver, tmp_path: Path) -> None:
    mark = f"Éléonore-{secrets.token_hex(5)}"
    with _planted(stack, receiver, mark) as more:
        collect(stack, receiver, tmp_path, more)
    found = {place for place, _ in standing_in(tmp_path, {"planted": Wanted(mark)})}
    databases = {f"database-{service.database}" for service in SERVICES}
    assert found == {"log-basket.log", "traces", "metrics-planted", "bus-planted", *databases}
    (tmp_path / "more").write_text("GET /auth/callback?code=abc person@mail.example", encoding="utf-8")
    assert like_secrets(tmp_path) == {"more": {b"?code=a", b"person@mail."}}


@pytest.mark.parametrize(
    "written",
    [
        "5ac3a9706879",
        "x WsOpcGh5",
        "Z\\303\\251phy",
        "Z%C3%A9phy",
        "zephy",
        '"Z\\u00e9phy"',
        sha256("Zéphy".encode()).hexdigest(),
    ],
)
def test_however_it_is_written_it_is_found(tmp_path: Path, written: str) -> None:
    (tmp_path / "place").write_text(f"before {written} after", encoding="utf-8")
    assert standing_in(tmp_path, {"a name": Wanted("Zéphy", guessable=True)}) == {("place", "a name")}
    assert standing_in(tmp_path, {"another": Wanted("Zéphyrine", guessable=True)}) == set()
