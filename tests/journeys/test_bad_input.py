"""Bad input: each is refused with a problem that says what to do, and changes nothing here nor at the State."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import asyncpg
import httpx2
import pytest
from journey import CATEGORY, DrivingSchool, Person, Schools, TheState, key, problem, until

from devstack.stack import Stack

pytestmark = pytest.mark.xdist_group("stack")
ABSENT = "01900000-0000-7000-8000-000000000000"
WRONG_SHAPES: dict[str, tuple[str, str, Any]] = {
    "a list where an object belongs": ("POST", "/api/v1/basket/items", []),
    "no items": ("POST", "/api/v1/basket/items", {"items": []}),
    "items of another type": ("POST", "/api/v1/basket/items", {"items": "all"}),
    "an unknown field": ("POST", "/api/v1/basket/items", {"items": [{"slotId": "cr-1"}], "price": 1}),
    "a slot id that is none": ("POST", "/api/v1/basket/items", {"items": [{"slotId": "'; DROP TABLE line"}]}),
    "a candidate id that is none of ours": ("POST", "/api/v1/mandates", {"candidateId": "x-1", "category": CATEGORY}),
    "a group id that is none of ours": ("POST", "/api/v1/basket/validation", {"groupId": "g1"}),
    "a candidate without NEPH": ("POST", "/api/v1/candidates", {"lastName": "A", "firstName": "B", "email": None}),
    "a control character": ("POST", "/api/v1/candidates", {"lastName": "A\u0000", "firstName": "B", "neph": "1"}),
    "more of a candidate than is asked": (
        "POST",
        "/api/v1/candidates",
        {"lastName": "A", "firstName": "B", "neph": "1", "email": None, "birthDate": "2001-01-01"},
    ),
    "an unknown category": ("POST", "/api/v1/mandates", {"candidateId": ABSENT, "category": "banana"}),
}
NO_JSON = (
    (b'{"items": [', "application/json", 400, "MALFORMED"),
    (b'{"items": [], "items": []}', "application/json", 400, "MALFORMED"),
    (b"items=1", "application/x-www-form-urlencoded", 415, "MALFORMED"),
    (b'{"items": "' + b"x" * 70_000 + b'"}', "application/json", 413, "PAYLOAD_TOO_LARGE"),
)


@dataclass
class Shop:
    """A school with something to lose: a named, held line, a booking, records; and a stranger who wants it."""

    school: DrivingSchool
    stranger: DrivingSchool
    person: Person
    group: dict[str, Any]
    booked: dict[str, Any]
    fresh: list[str]

    @property
    def line_id(self) -> str:
        return str(self.group["lines"][0]["id"])


@pytest.fixture(scope="module")
def shop(all_schools: Schools) -> Shop:
    school, stranger = all_schools.several(2)
    booked = school.booking()
    person = school.candidate()
    slots = school.slots(6)
    return Shop(school, stranger, person, school.held(slots[:1], [person]), booked, slots[1:])


@pytest.fixture(autouse=True)
def _nothing_changes(shop: Shop) -> Iterator[None]:
    before, strange = shop.school.picture(), shop.stranger.picture()
    yield
    assert shop.school.picture() == before
    assert shop.stranger.picture() == strange


def raw(school: DrivingSchool, drop: str = "", **headers: str) -> httpx2.Response:
    """A hold with these headers instead of the browser's."""
    sent = {"X-CSRF-Token": school.csrf, "Origin": str(school.web.base_url).rstrip("/"), "Idempotency-Key": key()}
    sent |= {name.replace("_", "-"): value for name, value in headers.items()}
    sent.pop(drop, "")
    return school.web.post("/api/v1/basket/items", json={"items": [{"slotId": "cr-1"}]}, headers=sent)


@pytest.mark.req("R-01")
def test_an_unknown_neph_is_refused_with_what_to_check(schools: Schools) -> None:
    school = schools.new()
    body = {"lastName": "Personne", "firstName": "Aucune", "neph": "999999999999", "email": "p@mail.example"}
    nobody = school.act("POST", "/api/v1/candidates", body)
    refused = school.send("POST", "/api/v1/mandates", {"candidateId": nobody["id"], "category": CATEGORY})
    body = problem(refused, 409, "RDVPERMIS_CANDIDATE_UNKNOWN")
    assert body["rdvpermisCode"] == "CANDIDAT_INCONNU"
    assert "999999999999" not in refused.text
    assert [m["state"] for m in school.get("/api/v1/mandates")["items"]] == ["refused"]


def test_an_unknown_slot_is_refused_and_rdvpermis_is_asked_for_nothing(shop: Shop, state: TheState) -> None:
    before = state.calls(shop.school.id, "POST /paniers")
    answer = shop.school.hold(["cr-of-nowhere"])
    assert answer.status_code == 207, answer.text
    (result,) = answer.json()["results"]
    assert result["state"] == "refused"
    assert result["problem"]["code"] == "RULE_REFUSED"
    assert len(result["problem"]["detail"]) > 20
    assert [v["rule"] for v in result["problem"]["verdicts"] if not v["allowed"]]
    assert state.calls(shop.school.id, "POST /paniers") == before


@pytest.mark.req("D-01")
def test_a_body_of_the_wrong_shape_is_refused_naming_the_field(shop: Shop) -> None:
    for wrong, (method, path, body) in WRONG_SHAPES.items():
        refusal = problem(shop.school.send(method, path, body), 422, "MALFORMED")
        assert refusal["violations"], wrong
        assert all(one["field"] and one["description"] for one in refusal["violations"]), wrong


def test_what_is_no_json_is_refused(shop: Shop) -> None:
    headers = {"X-CSRF-Token": shop.school.csrf, "Origin": str(shop.school.web.base_url).rstrip("/")}
    for content, kind, status, code in NO_JSON:
        sent = headers | {"Idempotency-Key": key(), "Content-Type": kind}
        problem(shop.school.web.post("/api/v1/basket/items", content=content, headers=sent), status, code)


@pytest.mark.req("C7")
def test_an_act_without_idempotency_key_is_refused(shop: Shop) -> None:
    refusal = problem(raw(shop.school, drop="Idempotency-Key"), 400, "MALFORMED")
    assert refusal["violations"][0]["field"] == "Idempotency-Key"


@pytest.mark.req("C6")
def test_a_key_used_for_another_body_is_refused(shop: Shop) -> None:
    press = key()
    first = shop.school.hold(["cr-of-nowhere"], key=press)
    assert first.status_code == 207
    problem(shop.school.hold(shop.fresh[:1], key=press), 422, "KEY_REUSED")
    assert shop.school.hold(["cr-of-nowhere"], key=press).json()["results"] == first.json()["results"]


@pytest.mark.req("S-05")
def test_a_missing_or_foreign_csrf_token_is_refused(shop: Shop) -> None:
    problem(raw(shop.school, drop="X-CSRF-Token"), 403, "CSRF")
    problem(raw(shop.school, X_CSRF_Token=shop.stranger.csrf), 403, "CSRF")


@pytest.mark.req("S-05")
def test_another_site_asks_for_nothing(shop: Shop) -> None:
    problem(raw(shop.school, Origin="https://elsewhere.example"), 403, "CSRF")
    problem(raw(shop.school, drop="Origin"), 403, "CSRF")
    problem(raw(shop.school, Sec_Fetch_Site="cross-site"), 403, "CSRF")


@pytest.mark.req("S-04")
async def test_an_expired_session_is_told_to_sign_in_again(schools: Schools, stack: Stack) -> None:
    school = schools.new()
    database = await asyncpg.connect(stack.database_url("auth_gateway"))
    try:
        statement = "UPDATE session SET seen_at = seen_at - interval '16 minutes' WHERE school_id = $1"
        assert await database.execute(statement, school.id) == "UPDATE 1"

        problem(school.web.get("/auth/session"), 401, "UNAUTHENTICATED")
        problem(school.hold(["cr-1"]), 401, "UNAUTHENTICATED")
        problem(school.web.get("/api/v1/basket"), 401, "UNAUTHENTICATED")
    finally:
        await database.close()


@pytest.mark.req("S-02", "S-04")
def test_after_sign_out_the_cookie_opens_nothing(schools: Schools, state: TheState) -> None:
    school = schools.new()
    with school.again() as stolen:
        school.act("POST", "/auth/logout")
        problem(stolen.get("/auth/session"), 401, "UNAUTHENTICATED")
        headers = {"X-CSRF-Token": school.csrf, "Origin": str(stolen.base_url).rstrip("/"), "Idempotency-Key": key()}
        problem(stolen.post("/api/v1/candidates", json={}, headers=headers), 401, "UNAUTHENTICATED")
    assert state.truth(school.id)["baskets"] == []


@pytest.mark.req("S-14")
def test_what_a_school_was_refused_stands_in_its_journal_and_in_no_other(schools: Schools) -> None:
    """From the web face through outbox, bus and audit back to a page, with its place in the tree."""
    school, stranger = schools.new(), schools.new()
    headers = {"X-CSRF-Token": stranger.csrf, "Origin": str(school.web.base_url).rstrip("/"), "Idempotency-Key": key()}
    for _ in range(3):
        problem(school.web.post("/api/v1/candidates", json={}, headers=headers), 403, "CSRF")

    def recorded() -> list[dict[str, Any]]:
        return [one for one in school.records("access.denied") if one["leafIndex"] is not None]

    (first,) = until(recorded, "the record of a refusal")
    assert (first["outcome"], first["service"], first["object"]) == (
        "refused",
        "auth-gateway",
        {"kind": "route", "id": "POST /api/v1/candidates"},
    )
    assert first["facts"]["reason"] == "csrf_token"
    assert first["actor"]["kind"] == "person"
    assert stranger.records("access.denied") == []
    problem(school.web.get("/api/v1/audit/security-records"), 403, "FORBIDDEN")


@pytest.mark.req("R-04")
def test_what_is_another_schools_is_answered_as_if_it_did_not_exist(shop: Shop) -> None:
    stranger, theirs = shop.stranger, shop.person.id

    def recorded() -> list[dict[str, Any]]:
        return [one for one in shop.school.records("booking.confirm") if one["leafIndex"] is not None]

    record_id = until(recorded, "the record of the booking")[0]["id"]
    reason = {"reason": "school"}
    asked: list[tuple[str, str, object]] = [
        ("GET", "/api/v1/candidates/{}", theirs),
        ("PUT", "/api/v1/basket/items/{}/candidate", shop.line_id),
        ("DELETE", "/api/v1/basket/items/{}", shop.line_id),
        ("POST", "/api/v1/basket/validation", shop.group["id"]),
        ("POST", "/api/v1/bookings/{}/cancellation", shop.booked["id"]),
        ("POST", "/api/v1/bookings/{}/replacement", shop.booked["id"]),
        ("GET", "/api/v1/audit/records/{}/proof", record_id),
    ]
    for method, path, theirs_id in asked:
        bodies: list[object] = []
        for one in (theirs_id, ABSENT):
            body: dict[str, Any] = {"groupId": one} if path.endswith("validation") else dict(reason)
            body = {"candidateId": None} if method == "PUT" else body
            body = {"candidateId": ABSENT} if path.endswith("replacement") else body
            refusal = problem(stranger.send(method, path.format(one), body), 404, "NOT_FOUND")
            bodies.append({name: value for name, value in refusal.items() if name != "instance"})
        assert bodies[0] == bodies[1], path
    found = stranger.act("POST", "/api/v1/candidates/search", {"query": shop.person.neph})
    assert found["items"] == []
    assert stranger.records("booking.confirm") == []


@pytest.mark.req("R-04")
def test_another_schools_candidate_is_never_named_on_a_line(shop: Shop, schools: Schools, state: TheState) -> None:
    stranger = schools.new()
    group = stranger.held(stranger.slots(1))
    path = f"/api/v1/basket/items/{group['lines'][0]['id']}/candidate"
    answer = stranger.send("PUT", path, {"candidateId": shop.person.id})
    absent = stranger.send("PUT", path, {"candidateId": ABSENT})
    assert (answer.status_code, answer.json()) == (absent.status_code, absent.json())
    assert answer.status_code in {404, 409}, answer.text
    (basket,) = state.truth(stranger.id)["baskets"]
    assert set(basket["lines"].values()) == {None}


@pytest.mark.req("R-14")
def test_an_action_of_five_slots_is_refused_whole(shop: Shop, state: TheState) -> None:
    before = state.calls(shop.school.id, "POST /paniers")
    refusal = problem(shop.school.hold(shop.fresh), 409, "RULE_REFUSED")
    rules = {verdict["rule"]: verdict for verdict in refusal["verdicts"] if not verdict["allowed"]}
    assert "R-GROUP" in rules
    assert rules["R-GROUP"]["facts"] == {"asked": "5", "limit": "4"}
    assert rules["R-GROUP"]["source"]
    assert state.calls(shop.school.id, "POST /paniers") == before
