"""People who are not RdvPermis employees: the first administrator, invitations, passkeys, suspension; and what is refused."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_REFUSED, Record
from resapermis.iam.v1.events_pb2 import PersonInvited, SessionEnded, SessionStarted
from resapermis_auth_gateway import tables
from resapermis_kit.rpc.auth import Caller, Principal
from resapermis_persons.roles import OF_NO_SCHOOL, Role
from resapermis_testing.databases import as_owner

from .authenticator import Authenticator
from .people_desk import (
    ANNE,
    CODE,
    PAGE,
    SAM,
    Someone,
    accept,
    administrator,
    begin,
    begin_first,
    finish_first,
    invite,
    invited,
    let_code_count,
    live_sessions,
    someone_at,
    word_of,
)

pytestmark = pytest.mark.req("S-23", "S-07")
OUTSIDER_ROLES = [
    pytest.param(role.value, marks=() if role is Role.SUPERVISOR else pytest.mark.long_only)
    for role in sorted(OF_NO_SCHOOL)
]
OTHER_ROLES = [
    pytest.param(role.value, marks=() if role in {Role.SCHOOL_ADMIN, Role.AUDITOR} else pytest.mark.long_only)
    for role in Role
    if role is not Role.PLATFORM_ADMIN
]


async def _actions(world: Any, *, outcome: int = OUTCOME_DONE) -> list[str]:
    return [one.action for one in await world.records() if one.outcome == outcome]


async def _refusal(world: Any) -> Record:
    return [one for one in await world.records() if one.outcome == OUTCOME_REFUSED][-1]


async def test_the_first_administrator_comes_in_by_the_operators_code_and_a_passkey(world: Any) -> None:
    admin = await administrator(world)
    session = await admin.session()
    assert (session["roles"], session["school"], session["scope"]) == (["platform_admin"], None, [])
    assert session["user"]["displayName"] == "Anne Roche"
    assert await _actions(world) == ["person.first", "session.start"]
    started = [payload for name, payload in await world.published() if name == SessionStarted.DESCRIPTOR.full_name]
    assert SessionStarted.FromString(started[0]).school_id == ""
    record = (await world.records())[0]
    assert (record.actor.id, record.object_id, record.school_id) == (admin.id, admin.id, "")
    assert record.actor.place == "127.0.0.0/24"


@pytest.mark.parametrize("typed", ["abcde fghjk lmnpq rstuv wxyz2", "ABCDEFGHJKLMNPQRSTUVWXYZ2"])
async def test_a_code_counts_however_it_is_typed(world: Any, typed: str) -> None:
    await let_code_count(world)
    assert (await begin_first(someone_at(world), code=typed)).status_code == 200


async def test_there_is_one_first_administrator_whatever_codes_there_are(world: Any) -> None:
    other_code = "22222-33333-44444-55555-66666"
    await let_code_count(world, other_code)
    late = someone_at(world)
    options = (await begin_first(late, code=other_code)).json()["publicKey"]
    await administrator(world)
    assert (await finish_first(late, options, code=other_code)).status_code == 404
    assert (await begin_first(someone_at(world), code=other_code)).status_code == 404
    assert (await begin_first(someone_at(world))).status_code == 404  # used
    assert await world.count(tables.people) == 1
    refused = await _refusal(world)
    assert (refused.action, refused.facts["reason"]) == ("person.first", "NOT_FOUND")


async def test_of_two_at_once_one_becomes_the_first_administrator(world: Any) -> None:
    await let_code_count(world)
    both = [someone_at(world), someone_at(world)]
    options = [(await begin_first(one)).json()["publicKey"] for one in both]
    answers = await asyncio.gather(*(finish_first(one, asked) for one, asked in zip(both, options, strict=True)))
    assert sorted(answer.status_code for answer in answers) == [204, 404]
    assert await world.count(tables.people) == 1


@pytest.mark.parametrize("hours", [71.9, 72.0])
async def test_a_code_ends_after_its_time(world: Any, hours: float) -> None:
    await let_code_count(world)
    world.clock.pass_(hours=hours)
    assert (await begin_first(someone_at(world))).status_code == (200 if hours < 72 else 404)


async def test_an_invitation_makes_account_mail_and_record_once_a_key(world: Any) -> None:
    admin = await administrator(world)
    answers = [await invite(admin, "same-act") for _ in range(2)]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].json() == answers[1].json()
    view = answers[0].json()
    assert (view["displayName"], view["role"], view["scope"], view["state"]) == (
        "Sam Petit",
        "supervisor",
        ["94"],
        "invited",
    )
    assert "email" not in view
    assert (await invite(admin, "same-act", displayName="Another")).json()["code"] == "KEY_REUSED"
    kind = PersonInvited.DESCRIPTOR.full_name
    (event,) = [PersonInvited.FromString(payload) for name, payload in await world.published() if name == kind]
    assert (event.account_id, event.role) == (view["id"], "supervisor")
    assert event.school_id == f"account {view['id']}"
    assert (await _actions(world)).count("person.invite") == 1
    raw = json.dumps([str(payload) for _, payload in await world.published()])
    assert "Petit" not in raw
    assert "prefecture.example" not in raw


@pytest.mark.parametrize(
    "changed",
    [
        {"scope": []},
        {"role": "dpo"},
        {"role": "school_admin", "scope": []},
        {"scope": ["94", "94"]},
        {"scope": ["nowhere"]},
        {"email": "not an address"},
        {"displayName": " "},
        {"state": "active"},
    ],
    ids=str,
)
async def test_what_no_invitation_can_say_is_refused(world: Any, changed: dict[str, Any]) -> None:
    admin = await administrator(world)
    assert (await invite(admin, **changed)).json()["code"] == "MALFORMED"
    assert await world.count(tables.people) == 1


@pytest.mark.parametrize("role", OUTSIDER_ROLES)
async def test_who_accepts_is_in_with_their_role_and_nothing_of_a_school(world: Any, role: str) -> None:
    admin = await administrator(world)
    scope = ["94", "2A"] if role == Role.SUPERVISOR.value else []
    someone = await invited(world, admin, role=role, scope=scope)
    session = await someone.session()
    assert (session["roles"], session["scope"], session["school"]) == ([role], scope, None)
    assert await live_sessions(world, someone.id) == 1
    browser = someone.browser
    assert (await browser.get("/api/v1/basket")).status_code == 503  # the service decides, and is away here
    (own,) = (await browser.get("/api/v1/me/sessions")).json()["items"]
    assert own["current"]
    assert (await browser.post("/auth/logout")).json()["redirect"] == f"{world.public}/"
    assert (await browser.get("/auth/session")).status_code == 401


async def test_services_hear_of_no_school(over: Any) -> None:
    world, _, services = await over(audit={})
    admin = await administrator(world)
    auditor = await invited(world, admin, role="auditor", scope=[])
    for one, status in ((admin, 403), (auditor, 500)):  # the second is let through, and finds a test's empty service
        assert (await one.browser.get("/api/v1/audit/checkpoint")).status_code == status
    (who,) = services["audit"].callers
    assert (who.person.account_id, who.person.school_id, who.person.roles) == (auditor.id, "", ("auditor",))


Spoil = Callable[[Any, Someone, str], Awaitable[Someone]]


async def _used(world: Any, someone: Someone, word: str) -> Someone:
    other = someone_at(world)
    assert (await accept(other, word, (await begin(other, word)).json()["publicKey"])).status_code == 204
    return someone


async def _expired(world: Any, someone: Someone, word: str) -> Someone:
    world.clock.pass_(hours=72)
    assert (await begin(someone, word)).status_code == 404
    return someone


async def _other_browser(world: Any, someone: Someone, word: str) -> Someone:
    return someone_at(world, someone.authenticator)


async def _other_origin(world: Any, someone: Someone, word: str) -> Someone:
    someone.authenticator.origin = "https://resapermis.test.evil.example"
    return someone


async def _other_host(world: Any, someone: Someone, word: str) -> Someone:
    someone.authenticator.relying_party = "evil.example"
    return someone


async def _unverified(world: Any, someone: Someone, word: str) -> Someone:
    someone.authenticator.verifies = False
    return someone


async def _late(world: Any, someone: Someone, word: str) -> Someone:
    world.clock.pass_(minutes=5)
    return someone


SPOILT: dict[str, tuple[Spoil, int, str]] = {
    "used": (_used, 404, "NOT_FOUND"),
    "expired": (_expired, 401, "challenge"),
    "another browser": (_other_browser, 401, "challenge"),
    "another origin": (_other_origin, 401, "passkey"),
    "another host": (_other_host, 401, "passkey"),
    "the person was not verified": (_unverified, 401, "passkey"),
    "after five minutes": (_late, 401, "challenge"),
}


@pytest.mark.parametrize("spoilt", SPOILT)
async def test_an_invitation_opens_nothing_where(world: Any, spoilt: str) -> None:
    spoil, status, reason = SPOILT[spoilt]
    admin = await administrator(world)
    await invite(admin)
    word, someone = await word_of(world), someone_at(world)
    options = (await begin(someone, word)).json()["publicKey"]
    someone = await spoil(world, someone, word)
    before = await world.count(tables.sessions)
    answer = await accept(someone, word, options)
    assert answer.status_code == status
    assert world.cookie not in answer.headers.get("set-cookie", "")
    assert await world.count(tables.sessions) == before
    refused = await _refusal(world)
    assert (refused.action, refused.facts["reason"]) == ("person.accept", reason)


async def test_a_challenge_is_answered_once_whatever_the_answer_was_worth(world: Any) -> None:
    admin = await administrator(world)
    await invite(admin)
    word, someone = await word_of(world), someone_at(world)
    options = (await begin(someone, word)).json()["publicKey"]
    someone.authenticator.verifies = False
    assert (await accept(someone, word, options)).status_code == 401
    someone.authenticator.verifies = True
    assert (await accept(someone, word, options)).status_code == 401
    assert await world.count(tables.passkeys) == 1  # the administrator's
    options = (await begin(someone, word)).json()["publicKey"]
    assert (await accept(someone, word, options)).status_code == 204


async def test_a_word_that_never_was_is_as_one_that_was_used(world: Any) -> None:
    someone = someone_at(world)
    answer = await begin(someone, "A" * 43)
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    refused = await _refusal(world)
    assert (refused.action, refused.object_kind) == ("person.accept", "invitation")
    assert "A" * 43 not in str(refused)


async def test_a_new_invitation_ends_the_one_before(world: Any) -> None:
    admin = await administrator(world)
    person_id = (await invite(admin)).json()["id"]
    old = await word_of(world)
    again = await admin.browser.post(f"{PAGE}/{person_id}/invitation")
    assert again.status_code == 200
    new, someone = await word_of(world), someone_at(world)
    assert (await begin(someone, old)).status_code == 404
    assert (await begin(someone, new)).status_code == 200
    assert (await begin(someone, await word_of(world))).status_code == 200  # a mail may go out twice
    assert (await begin(someone, new)).status_code == 200


async def test_a_passkey_proves_again_who_it_is_under_a_new_cookie_and_opens_a_session_elsewhere(world: Any) -> None:
    admin = await administrator(world)
    first, before = await admin.session(), admin.browser.cookies[world.cookie]
    (own,) = (await admin.browser.get("/api/v1/me/sessions")).json()["items"]
    assert (await admin.sign_in()).status_code == 204
    second = await admin.session()
    assert second["csrfToken"] != first["csrfToken"]
    assert [one["id"] for one in (await admin.browser.get("/api/v1/me/sessions")).json()["items"]] == [own["id"]]
    async with world.browser(headers={"Cookie": f"{world.cookie}={before}"}) as stolen:
        assert (await stolen.get("/auth/session")).status_code == 401
    assert (await _actions(world))[-1] == "session.prove"
    elsewhere = someone_at(world, admin.authenticator)
    assert (await elsewhere.sign_in()).status_code == 204
    assert await live_sessions(world, admin.id) == 2
    assert (await _actions(world))[-1] == "session.start"


async def test_a_passkey_replaces_the_session_of_somebody_else_in_the_same_browser(world: Any) -> None:
    admin = await administrator(world)
    someone = await invited(world, admin)
    taken = Someone(someone.browser, admin.authenticator)
    assert (await taken.sign_in()).status_code == 204
    assert (await taken.session())["roles"] == ["platform_admin"]
    assert await live_sessions(world, someone.id) == 0
    assert (await _actions(world))[-2:] == ["session.end", "session.start"]


async def _of_another(world: Any, someone: Someone) -> None:
    someone.authenticator.user_handle = uuid4().bytes


async def _other_key(world: Any, someone: Someone) -> None:
    someone.authenticator.key = Authenticator().key


async def _unknown(world: Any, someone: Someone) -> None:
    someone.authenticator.credential_id = b"never made here."


async def _not_verified(world: Any, someone: Someone) -> None:
    someone.authenticator.verifies = False


async def _phished(world: Any, someone: Someone) -> None:
    someone.authenticator.origin = "https://evil.example"


WRONG: dict[str, tuple[Callable[[Any, Someone], Awaitable[None]], str]] = {
    "it names another account": (_of_another, "passkey"),
    "another key signed": (_other_key, "passkey"),
    "nobody made it here": (_unknown, "unknown_passkey"),
    "it did not verify its owner": (_not_verified, "passkey"),
    "it was asked by another site": (_phished, "passkey"),
}


@pytest.mark.parametrize("wrong", WRONG)
async def test_a_passkey_opens_nothing_where(world: Any, wrong: str) -> None:
    admin = await administrator(world)
    spoil, reason = WRONG[wrong]
    elsewhere = someone_at(world, admin.authenticator)
    await spoil(world, elsewhere)
    answer = await elsewhere.sign_in()
    assert (answer.status_code, answer.json()["code"]) == (401, "SIGN_IN_FAILED")
    assert (await elsewhere.browser.get("/auth/session")).status_code == 401
    refused = await _refusal(world)
    assert (refused.action, refused.facts["reason"]) == ("session.start", reason)


async def test_an_answer_opens_one_session_in_the_browser_that_was_asked(world: Any) -> None:
    admin = await administrator(world)
    asked = await admin.browser.post("/auth/passkey/begin")
    answer = {"credential": admin.authenticator.sign(asked.json()["publicKey"])}
    thief = someone_at(world)
    await thief.browser.post("/auth/passkey/begin")
    assert (await thief.browser.post("/auth/passkey/finish", json=answer)).status_code == 401
    assert (await admin.browser.post("/auth/passkey/finish", json=answer)).status_code == 204
    assert (await admin.browser.post("/auth/passkey/finish", json=answer)).status_code == 401


async def test_a_count_that_went_back_is_refused_and_alarmed(world: Any) -> None:
    admin = await administrator(world)
    admin.authenticator.count = 7
    assert (await admin.sign_in()).status_code == 204
    name = "resapermis_passkey_counts_went_back_total"
    before = REGISTRY.get_sample_value(name) or 0
    for count in (7, 6, 0):
        admin.authenticator.count = count
        assert (await admin.sign_in()).status_code == 401
    assert (REGISTRY.get_sample_value(name) or 0) == before + 3
    assert (await _refusal(world)).facts["reason"] == "count_went_back"
    admin.authenticator.count = 8
    assert (await admin.sign_in()).status_code == 204


@pytest.mark.parametrize("path", ["/auth/passkey/begin", "/auth/passkey/finish", "/auth/first-administrator/begin"])
@pytest.mark.parametrize(
    "headers",
    [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site"}],
    ids=str,
)
async def test_no_other_site_begins_or_ends_a_way_in(world: Any, path: str, headers: dict[str, str]) -> None:
    async with world.browser(headers=headers) as browser:
        answer = await browser.post(path, json={})
    assert (answer.status_code, answer.json()["code"]) == (403, "CSRF")
    assert await world.count(tables.passkey_challenges) == 0


async def test_ways_in_are_counted_for_each_address(make_world: Any) -> None:
    world = await make_world(sign_in_rate="3/minute")
    async with world.browser() as browser:
        statuses = [(await browser.post("/auth/passkey/begin")).status_code for _ in range(4)]
    assert statuses == [200, 200, 200, 429]


@pytest.mark.parametrize("act", ["suspension", "end"])
async def test_who_is_suspended_or_gone_is_out_at_once_and_stays_out(world: Any, act: str) -> None:
    admin = await administrator(world)
    someone = await invited(world, admin)
    here, there = someone.browser, someone_at(world, someone.authenticator)
    assert (await there.sign_in()).status_code == 204
    path = f"{PAGE}/{someone.id}"
    answer = await (admin.browser.post(f"{path}/suspension") if act == "suspension" else admin.browser.delete(path))
    assert (answer.status_code, answer.json()["state"]) == (200, "suspended" if act == "suspension" else "left")
    for browser in (here, there.browser):
        assert (await browser.get("/auth/session")).status_code == 401
    kind = SessionEnded.DESCRIPTOR.full_name
    ended = [SessionEnded.FromString(payload) for name, payload in await world.published() if name == kind]
    assert {one.cause for one in ended} == {"suspended" if act == "suspension" else "left"}
    assert len(ended) == 2
    assert (await there.sign_in()).status_code == 401
    acted = [one for one in await world.records() if one.action in {"person.suspend", "person.end"}]
    assert [(one.actor.id, one.object_id) for one in acted] == [(admin.id, someone.id)]
    back = await admin.browser.delete(f"{path}/suspension")
    if act == "suspension":
        assert back.json()["state"] == "active"
        assert (await there.sign_in()).status_code == 204
    else:
        assert (back.status_code, back.json()["code"]) == (409, "ILLEGAL_TRANSITION")
        assert await world.count(tables.passkeys) == 1


async def test_who_is_gone_before_they_accept_cannot(world: Any) -> None:
    admin = await administrator(world)
    person_id = (await invite(admin)).json()["id"]
    word, someone = await word_of(world), someone_at(world)
    options = (await begin(someone, word)).json()["publicKey"]
    assert (await admin.browser.delete(f"{PAGE}/{person_id}")).status_code == 200
    assert (await accept(someone, word, options)).status_code == 404
    assert (await admin.browser.post(f"{PAGE}/{person_id}/invitation")).status_code == 409


async def test_nobody_suspends_or_ends_themselves(world: Any) -> None:
    admin = await administrator(world)
    for answer in (
        await admin.browser.post(f"{PAGE}/{admin.id}/suspension"),
        await admin.browser.delete(f"{PAGE}/{admin.id}"),
    ):
        assert answer.status_code == 403
    assert (await _refusal(world)).facts["reason"] == "own_account"
    assert (await admin.session())["roles"] == ["platform_admin"]


async def test_of_two_administrators_who_suspend_each_other_one_stays(world: Any) -> None:
    first = await administrator(world)
    second = await invited(world, first, role="platform_admin", scope=[])
    answers = await asyncio.gather(
        first.browser.post(f"{PAGE}/{second.id}/suspension"), second.browser.post(f"{PAGE}/{first.id}/suspension")
    )
    assert sorted(answer.status_code for answer in answers) == [200, 401]


async def test_an_act_wants_a_recent_proof_and_a_passkey_is_one(world: Any) -> None:
    admin = await administrator(world)
    world.clock.pass_(minutes=6)
    answer = await invite(admin)
    assert (answer.status_code, answer.json()["code"]) == (403, "STEP_UP_NEEDED")
    assert (await admin.sign_in()).status_code == 204
    await admin.session()
    assert (await invite(admin)).status_code == 201


ACTS = [
    ("GET", PAGE),
    ("POST", PAGE),
    *(
        (method, f"{PAGE}/{uuid4()}{rest}")
        for method, rest in (
            ("POST", "/invitation"),
            ("POST", "/suspension"),
            ("DELETE", "/suspension"),
            ("DELETE", ""),
        )
    ),
]


@pytest.mark.req("S-07")
@pytest.mark.parametrize("role", OTHER_ROLES)
async def test_people_are_kept_by_the_platforms_administrators_alone(world: Any, role: str) -> None:
    if Role(role) in OF_NO_SCHOOL:
        admin = await administrator(world)
        browser = (await invited(world, admin, role=role, scope=["94"] if role == "supervisor" else [])).browser
    else:
        browser = world.browser(await world.session(role=role))
    for method, path in ACTS:
        more = {"json": SAM, "headers": {"Idempotency-Key": "k"}} if (method, path) == ("POST", PAGE) else {}
        answer = await browser.request(method, path, **more)
        assert (answer.status_code, answer.json()["code"]) == (403, "FORBIDDEN"), path
    assert (await _refusal(world)).facts["reason"] == "no_right"


@pytest.mark.req("S-07")
@pytest.mark.parametrize("role", list(Role))
def test_only_the_gateway_carries_what_people_do_about_people(authorizer: Any, role: Role) -> None:
    person = Principal("account-1", "session-1", "", (role.value,))
    for permission in ("people.read", "people.invite", "people.suspend", "people.end"):
        assert authorizer.allows(Caller("auth-gateway", person), permission) == (role is Role.PLATFORM_ADMIN)
        assert not authorizer.allows(Caller("basket", person), permission)
        assert not authorizer.allows(Caller("auth-gateway", None), permission)
    assert authorizer.allows(Caller("auth-gateway", person), "session.follow")


async def test_the_list_shows_states_and_no_address_and_is_recorded(world: Any) -> None:
    admin = await administrator(world)
    await invited(world, admin)
    await invite(admin, displayName="Zoé Blanc", role="dpo", scope=[])
    page = (await admin.browser.get(PAGE, params={"limit": 2})).json()
    assert [(one["displayName"], one["state"]) for one in page["items"]]
    rest = (await admin.browser.get(PAGE, params={"limit": 2, "cursor": page["nextCursor"]})).json()
    everybody = page["items"] + rest["items"]
    assert {(one["displayName"], one["role"], one["state"], one["own"]) for one in everybody} == {
        ("Anne Roche", "platform_admin", "active", True),
        ("Sam Petit", "supervisor", "active", False),
        ("Zoé Blanc", "dpo", "invited", False),
    }
    assert rest["nextCursor"] is None
    assert "@" not in json.dumps(everybody)
    assert (await _actions(world)).count("person.read") == 2


async def test_challenges_are_forgotten_after_five_minutes(world: Any) -> None:
    await world.browser().post("/auth/passkey/begin")
    await world.dependencies.passkeys.forget_old()
    assert await world.count(tables.passkey_challenges) == 1
    world.clock.pass_(minutes=6)
    await world.dependencies.passkeys.forget_old()
    assert await world.count(tables.passkey_challenges) == 0


async def test_what_a_database_holds_opens_nothing(world: Any) -> None:
    """S14: words, codes, challenges and cookies are hashes; name and address are sealed."""
    admin = await administrator(world)
    await invite(admin)
    word = await word_of(world)
    found = []
    async with as_owner(world.dependencies.sessions.engine) as tx:  # the web face itself may not read all of it
        for table in tables.metadata.sorted_tables:
            found += [str(row) for row in await tx.execute(table.select())]
    text = "\n".join(found)
    for secret in (word, CODE, CODE.replace("-", ""), ANNE["email"], SAM["email"], "Anne Roche", "Sam Petit"):
        assert str(secret) not in text
