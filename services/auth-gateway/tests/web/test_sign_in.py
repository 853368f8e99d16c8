"""Signing in: who is let in, and everything that is not."""

import asyncio
import re
from datetime import UTC, datetime
from html import unescape
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx2
import pytest
import sqlalchemy as sa

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_REFUSED, Actor, Record
from resapermis.iam.v1.events_pb2 import SessionEnded, SessionStarted
from resapermis.rdvpermis.v1 import rdvpermis_pb2
from resapermis_auth_gateway import accounts, tables, tokens
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_auth_gateway.web.sign_in.return_to import safe_return_to
from resapermis_kit.clock import new_id
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_testing.databases import as_owner

pytestmark = pytest.mark.req("S-01")
RECORD, STARTED = Record.DESCRIPTOR.full_name, SessionStarted.DESCRIPTOR.full_name
ENDED = SessionEnded.DESCRIPTOR.full_name


@pytest.mark.req("S-01", "S-02", "S-14")
async def test_a_person_who_comes_back_from_rdvpermis_has_a_session(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        answer = await with_egress.sign_in(browser, to="/creneaux?department=94")
        assert (answer.status_code, answer.headers["location"]) == (302, "/creneaux?department=94")
        session = (await browser.get("/auth/session")).json()
    assert session["user"]["displayName"] == "Camille Martin"
    assert session["school"] == {"id": "school-1", "name": "École du Test", "department": "94"}
    assert session["roles"] == ["school_admin"]
    published = await with_egress.published()
    assert [kind for kind, _ in published] == [RECORD, STARTED, RECORD]
    granted, record = Record.FromString(published[0][1]), Record.FromString(published[2][1])
    assert (granted.action, granted.outcome, granted.actor.id) == ("token.grant", OUTCOME_DONE, record.actor.id)
    assert (granted.facts["kind"], granted.facts["session"]) == ("code", record.object_id)
    assert (record.action, record.outcome, record.school_id) == ("session.start", OUTCOME_DONE, "school-1")
    assert record.actor.place == "127.0.0.0/24"


async def test_the_way_out_binds_the_answer_to_this_browser_and_no_other(with_egress: Any) -> None:
    async with with_egress.browser() as browser, with_egress.browser() as other:
        answer = await browser.get("/auth/login")
        await browser.get("/auth/login")
        await other.get("/auth/login")
    assert (answer.status_code, answer.headers["location"].split("?")[0]) == (302, f"{with_egress.issuer}/auth")
    begun = list(with_egress.provider.begun.values())
    words = [word for one in begun for word in (one.state, one.nonce, one.code_verifier)]
    assert len(set(words)) == 9
    assert min(len(word) for word in words) >= 43
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-resapermis-sign-in=")
    assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax", "Max-Age=600"} <= set(cookie.split("; "))
    assert "Domain" not in cookie


@pytest.mark.req("S-02", "R18", "S14")
async def test_the_database_holds_no_secret_in_clear(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await with_egress.sign_in(browser)
        cookie = browser.cookies[with_egress.cookie]
    async with as_owner(with_egress.dependencies.sessions.engine) as connection:
        rows = [
            row
            for table in (tables.accounts, tables.sessions, tables.tokens)
            for row in await connection.execute(sa.select(table))
        ]
    text = repr(rows)
    for secret in (cookie, "Camille", "camille@"):
        assert secret not in text


async def test_the_first_of_a_school_administers_it_and_later_ones_manage(with_egress: Any) -> None:
    roles = []
    for subject in ("first", "second", "first"):
        async with with_egress.browser() as browser:
            await with_egress.sign_in(browser, subject)
            roles.append((await browser.get("/auth/session")).json()["roles"])
    assert roles == [["school_admin"], ["school_manager"], ["school_admin"]]
    assert await with_egress.count(tables.accounts) == 2


async def _signed_in_at(with_egress: Any, egress: Any, school: str, subject: str, browser: Any) -> list[str]:
    egress.school = rdvpermis_pb2.GetSchoolResponse(school_id=school, name=school, department="94")
    await with_egress.sign_in(browser, subject)
    roles: list[str] = (await browser.get("/auth/session")).json()["roles"]
    return roles


@pytest.mark.req("S-04")
async def test_roles_belong_to_a_person_at_a_school(with_egress: Any, egress: Any) -> None:
    roles = []
    for school, subject in (
        ("school-1", "first"),
        ("school-2", "other"),
        ("school-2", "first"),  # another administers it
        ("school-1", "second"),  # nobody administers it any more
        ("school-1", "first"),  # back
        ("school-2", "other"),
    ):
        async with with_egress.browser() as browser:
            roles.append((await _signed_in_at(with_egress, egress, school, subject, browser))[0])
    assert roles == ["school_admin", "school_admin", "school_manager", "school_admin", "school_admin", "school_admin"]


@pytest.mark.req("S-04", "S-14")
async def test_who_signs_in_for_another_school_is_signed_out_of_the_first_everywhere(
    with_egress: Any, egress: Any
) -> None:
    async with with_egress.browser() as before, with_egress.browser() as same, with_egress.browser() as after:
        await _signed_in_at(with_egress, egress, "school-1", "first", before)
        await _signed_in_at(with_egress, egress, "school-1", "first", same)
        assert (await before.get("/auth/session")).status_code == 200  # two sessions of one school stand side by side
        await _signed_in_at(with_egress, egress, "school-2", "first", after)
        answers = [await browser.get("/auth/session") for browser in (before, same, after)]
    assert [answer.status_code for answer in answers] == [401, 401, 200]
    ended = [SessionEnded.FromString(body) for kind, body in await with_egress.published() if kind == ENDED]
    assert [(one.school_id, one.cause) for one in ended] == [("school-1", "other_school")] * 2
    async with as_owner(with_egress.dependencies.sessions.engine) as connection:
        held = await connection.execute(sa.select(tables.tokens))
        dead = {row.school_id: (row.dead_at is not None, row.access is None, row.refresh is None) for row in held}
    assert dead == {"school-1": (True, True, True), "school-2": (False, False, False)}


async def test_a_session_has_the_roles_of_its_own_school_alone(world: Any) -> None:
    """As a session of release 0.2.0, which did not end when its owner went: where they may less, it may not more."""
    signed = await world.session(role="school_manager")
    engine = world.dependencies.sessions.engine
    moved = accounts.Account(
        signed.session.account_id, "school-2", ("school_admin",), signed.session.person_key, signed.session.profile
    )
    async with transaction(engine) as tx:
        await accounts.save_account(tx, world.issuer, str(moved.id), moved, world.clock())
    async with world.browser(signed) as browser:
        assert (await browser.get("/auth/session")).json()["roles"] == ["school_manager"]
    async with transaction(engine) as tx:
        await tx.execute(sa.delete(tables.account_roles))
    async with world.browser(signed) as browser:
        assert (await browser.get("/auth/session")).json()["roles"] == []


async def test_what_a_replica_of_0_2_0_writes_counts_at_the_accounts_own_school(world: Any) -> None:
    signed = await world.session(role="school_admin")
    async with transaction(world.dependencies.sessions.engine) as tx:
        await tx.execute(sa.delete(tables.account_roles))
        assert await accounts.roles_at(tx, signed.session.account_id, "school-1") == ("school_admin",)
        assert await accounts.roles_at(tx, signed.session.account_id, "school-2") == ()
        assert await accounts.school_has_admin(tx, "school-1", new_id())
    async with world.browser(signed) as browser:
        assert (await browser.get("/auth/session")).json()["roles"] == ["school_admin"]


@pytest.mark.parametrize(
    ("code", "status"),
    [
        (Code.CODE_SIGN_IN_FAILED, 401),
        (Code.CODE_SIGN_IN_INCOMPLETE, 403),
        (Code.CODE_RDVPERMIS_DOWN, 503),
        (Code.CODE_INTERNAL, 500),
    ],
)
async def test_who_is_not_believed_gets_no_session_and_it_is_recorded(
    with_egress: Any, egress: Any, code: Code.ValueType, status: int
) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login")
        with_egress.provider.failure = Failure(code, "as a test wants it")
        answer = await browser.get(with_egress.provider.sign_in(out.headers["location"]))
        assert (await browser.get("/auth/session")).status_code == 401
    assert (answer.status_code, answer.json()["code"]) == (status, Code.Name(code).removeprefix("CODE_"))
    assert "set-cookie" not in answer.headers
    assert await with_egress.count(tables.sessions) == 0
    assert egress.calls == 0
    believed = code in {Code.CODE_SIGN_IN_FAILED, Code.CODE_SIGN_IN_INCOMPLETE}
    assert [(one.action, one.outcome, one.facts["reason"]) for one in await with_egress.records()] == [
        ("token.grant", OUTCOME_REFUSED if believed else OUTCOME_FAILED, Code.Name(code).removeprefix("CODE_")),
        ("session.start", OUTCOME_REFUSED, Code.Name(code).removeprefix("CODE_")),
    ]


async def test_an_answer_on_its_way_that_is_lost_is_asked_for_once(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login")
        with_egress.provider.failure = Failure(Code.CODE_UNAVAILABLE, "egress stops")
        answer = await browser.get(with_egress.provider.sign_in(out.headers["location"]))
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")
    assert len(with_egress.provider.redeemed) == 1


async def test_without_egress_nobody_leaves_and_nobody_signs_in(world: Any) -> None:
    async with world.browser() as browser:
        answer = await browser.get("/auth/login")
    assert (answer.status_code, answer.json()["code"]) == (503, "UNAVAILABLE")


@pytest.mark.req("R16")
async def test_a_code_is_redeemed_once_however_often_the_callback_comes(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login")
        back = with_egress.provider.sign_in(out.headers["location"])
        assert (await browser.get(back)).status_code == 302
        again = await browser.get(back)
        assert (again.status_code, again.headers["location"]) == (302, "/")
        assert "set-cookie" not in again.headers
        browser.cookies.delete(with_egress.cookie)
        assert (await browser.get(back)).status_code == 401
    assert len(with_egress.provider.redeemed) == 1


@pytest.mark.req("R16")
async def test_of_callbacks_on_two_replicas_at_once_one_redeems(make_with_egress: Any) -> None:
    here = await make_with_egress()
    there = await make_with_egress(engine=here.dependencies.sessions.engine)
    async with here.browser() as browser, there.browser() as same:
        out = await browser.get("/auth/login")
        same.cookies.update(browser.cookies)
        back = here.provider.sign_in(out.headers["location"])
        answers = await asyncio.gather(browser.get(back), same.get(back))
    assert sorted(answer.status_code for answer in answers) == [302, 401]
    assert len(here.provider.redeemed) == 1


@pytest.mark.req("R13")
@pytest.mark.parametrize("state", ["", "<script>", "A" * 43])
async def test_without_the_state_that_it_left_with_nobody_is_signed_in(with_egress: Any, state: str) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login")
        query = parse_qs(urlsplit(with_egress.provider.sign_in(out.headers["location"])).query)
        back = {"code": query["code"][0], "iss": with_egress.issuer} | ({"state": state} if state else {})
        assert (await browser.get("/auth/callback", params=back)).status_code == 401
    assert with_egress.provider.redeemed == []


@pytest.mark.req("R14")
@pytest.mark.parametrize("name", ["iss", "state", "code"])
async def test_an_answer_that_says_something_twice_is_none(with_egress: Any, name: str) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login")
        back = with_egress.provider.sign_in(out.headers["location"])
        assert (await browser.get(f"{back}&{name}=twice")).status_code == 400
        assert with_egress.provider.redeemed == []
        assert (await browser.get(back)).status_code == 302, "and uses nothing up"


@pytest.mark.req("R14")
async def test_a_failed_answer_uses_the_state_up(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login")
        state = parse_qs(urlsplit(out.headers["location"]).query)["state"][0]
        refused = {"error": "access_denied", "state": state, "iss": with_egress.issuer}
        assert (await browser.get("/auth/callback", params=refused)).status_code == 401
        back = with_egress.provider.sign_in(out.headers["location"])
        assert (await browser.get(back)).status_code == 401
    assert with_egress.provider.redeemed == []


@pytest.mark.req("R16", "S3")
async def test_the_callback_of_somebody_else_signs_nobody_in(with_egress: Any) -> None:
    async with with_egress.browser() as attacker:
        out = await attacker.get("/auth/login")
    back = with_egress.provider.sign_in(out.headers["location"])
    async with with_egress.browser() as victim:
        assert (await victim.get(back)).status_code == 401
        await victim.get("/auth/login")  # now with a sign-in of their own under way
        assert (await victim.get(back)).status_code == 401
    assert with_egress.provider.redeemed == []


async def test_a_sign_in_waits_ten_minutes(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login")
        with_egress.clock.pass_(minutes=10, seconds=1)
        answer = await browser.get(with_egress.provider.sign_in(out.headers["location"]))
    assert answer.status_code == 401


@pytest.mark.req("R14")
@pytest.mark.parametrize("iss", ["https://idp.test/realms/formation/", "https://evil.test", ""])
async def test_who_answered_is_told_to_the_letter_to_who_judges_it(with_egress: Any, iss: str) -> None:
    async with with_egress.browser() as browser:
        out = await browser.get("/auth/login")
        query = parse_qs(urlsplit(with_egress.provider.sign_in(out.headers["location"])).query)
        back = {"code": query["code"][0], "state": query["state"][0]} | ({"iss": iss} if iss else {})
        await browser.get("/auth/callback", params=back)
    assert [one.iss for one in with_egress.provider.redeemed] == [iss]


@pytest.mark.req("S-02")
async def test_a_person_whose_school_is_not_known_gets_no_session_and_loses_the_tokens(
    with_egress: Any, egress: Any
) -> None:
    egress.failure = Failure(Code.CODE_RDVPERMIS_DOWN, "away")
    async with with_egress.browser() as browser:
        answer = await with_egress.sign_in(browser)
    assert (answer.status_code, answer.json()["code"]) == (503, "RDVPERMIS_DOWN")
    assert await with_egress.count(tables.sessions, queries.LIVE) == 0
    assert await with_egress.count(tables.tokens, tokens.LIVE) == 0
    assert await with_egress.count(tables.revocations, tables.revocations.c.sealed == b"sealed refresh") == 1
    (ended,) = [one for one in await with_egress.records() if one.action == "session.end"]
    assert ended.facts["cause"] == "no_school"


@pytest.mark.parametrize("missing", ["school", "token"])
async def test_whom_rdvpermis_does_not_know_is_told_what_is_missing(
    with_egress: Any, egress: Any, missing: str
) -> None:
    if missing == "school":
        egress.school.school_id = ""
    else:
        egress.failure = Failure(Code.CODE_RECONNECT_NEEDED, "401")
    async with with_egress.browser() as browser:
        answer = await with_egress.sign_in(browser)
    assert (answer.status_code, answer.json()["code"]) == (403, "SIGN_IN_INCOMPLETE")
    assert [one["field"] for one in answer.json()["violations"]] == [missing]
    assert await with_egress.count(tables.sessions, queries.LIVE) == 0


@pytest.mark.req("S1")
async def test_a_new_session_takes_a_new_cookie_and_the_old_one_is_dead(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await with_egress.sign_in(browser)
        old = browser.cookies[with_egress.cookie]
        await with_egress.sign_in(browser)
        assert browser.cookies[with_egress.cookie] != old
    async with with_egress.browser(headers={"Cookie": f"{with_egress.cookie}={old}"}) as thief:
        assert (await thief.get("/auth/session")).status_code == 401


@pytest.mark.req("S-14")
@pytest.mark.parametrize("who", ["the same person", "another person", "nobody for an hour"])
async def test_why_the_session_before_ended_is_recorded_and_whose_act_it_was(with_egress: Any, who: str) -> None:
    async with with_egress.browser() as browser:
        await with_egress.sign_in(browser, "first")
        if who == "nobody for an hour":
            with_egress.clock.pass_(hours=1)
        await with_egress.sign_in(browser, "second" if who == "another person" else "first")
    ended = [SessionEnded.FromString(body) for kind, body in await with_egress.published() if kind == ENDED]
    (record,) = [one for one in await with_egress.records() if one.action == "session.end"]
    expected = {
        "the same person": ("replaced", Actor.KIND_PERSON, ended[0].account_id),
        "another person": ("replaced", Actor.KIND_SYSTEM, "auth-gateway"),
        "nobody for an hour": ("idle", Actor.KIND_SYSTEM, "auth-gateway"),
    }
    assert (record.facts["cause"], record.actor.kind, record.actor.id) == expected[who]
    assert [(one.cause, one.session_id) for one in ended] == [(record.facts["cause"], record.object_id)]


@pytest.mark.req("S1")
async def test_a_cookie_that_was_planted_before_sign_in_opens_nothing(with_egress: Any) -> None:
    planted = "A" * 43
    async with with_egress.browser() as browser:
        browser.cookies.set(with_egress.cookie, planted, domain="resapermis.test")
        await with_egress.sign_in(browser)
    async with with_egress.browser(headers={"Cookie": f"{with_egress.cookie}={planted}"}) as attacker:
        assert (await attacker.get("/auth/session")).status_code == 401


async def test_a_person_is_shown_a_page_not_json(with_egress: Any) -> None:
    async with with_egress.browser(headers={"Accept": "text/html", "Accept-Language": "en"}) as browser:
        answer = await browser.get("/auth/callback", params={"code": "x", "state": "<script>"})
    assert answer.status_code == 401
    assert answer.headers["content-type"].startswith("text/html")
    assert "Start again" in answer.text
    assert "<script" not in answer.text


async def test_a_person_whom_the_provider_cannot_receive_is_shown_a_page_that_leads_to_what_was_asked(
    with_egress: Any,
) -> None:
    with_egress.provider.failure = Failure(Code.CODE_RDVPERMIS_DOWN, "away")
    asked = {"returnTo": '/journal?of="a"&b', "fresh": "true"}
    async with with_egress.browser(headers={"Accept": "text/html", "Accept-Language": "fr"}) as browser:
        refused = await browser.get("/auth/login", params=asked)
        plain = await browser.get("/auth/login")
        told = await browser.get("/auth/login", headers={"Accept": "application/json"})
        (link,) = re.findall('<a href="([^"]+)">Recommencer la connexion</a>', refused.text)
        with_egress.provider.failure = None
        again = await browser.get(unescape(link))
    assert refused.status_code == plain.status_code == 503
    assert refused.headers["content-type"].startswith("text/html")
    assert refused.headers["content-security-policy"].startswith("default-src 'none'")
    assert dict(httpx2.URL(unescape(link)).params) == asked
    assert 'href="/auth/login?returnTo=%2F"' in plain.text
    assert told.json()["code"] == "RDVPERMIS_DOWN"
    assert again.status_code == 302
    (begun,) = with_egress.provider.begun.values()
    assert begun.max_age_seconds > 0, "who they are is asked anew"


async def test_sign_ins_are_counted_for_each_address(make_with_egress: Any) -> None:
    world = await make_with_egress(sign_in_rate="2/minute")
    async with world.browser() as browser:
        statuses = [(await browser.get("/auth/login")).status_code for _ in range(3)]
        world.clock.at = datetime.now(UTC)  # rates are counted on the database's clock, however slow it is
        refused = await browser.get("/auth/login")
    assert statuses == [302, 302, 429]
    assert 1 <= int(refused.headers["retry-after"]) <= 61
    assert refused.json()["code"] == "OVERLOADED"
    assert refused.headers["ratelimit-policy"] == '"login";q=2;w=60'
    assert refused.headers["ratelimit"].startswith('"login";r=0;t=')


async def test_a_person_who_signs_in_too_often_is_shown_a_page(make_with_egress: Any) -> None:
    world = await make_with_egress(sign_in_rate="1/minute")
    async with world.browser(headers={"Accept": "text/html"}) as browser:
        await browser.get("/auth/login")
        refused = await browser.get("/auth/login")
    assert refused.status_code == 429
    assert refused.headers["content-type"].startswith("text/html")
    assert "Trop de demandes" in refused.text
    assert refused.headers["content-security-policy"].startswith("default-src 'none'")


async def test_leaving_coming_back_and_reports_are_counted_apart(make_with_egress: Any) -> None:
    world = await make_with_egress(sign_in_rate="1/minute", report_rate="2/minute")
    report = {"content": b"[]", "headers": {"Content-Type": "application/reports+json"}}
    async with world.browser() as browser:
        reports = [(await browser.post("/csp-reports", **report)).status_code for _ in range(4)]
        out = await browser.get("/auth/login")
        back = await browser.get(world.provider.sign_in(out.headers["location"]))
    assert reports == [204, 204, 429, 429]
    assert (out.status_code, back.status_code) == (302, 302)


@pytest.mark.parametrize(
    "embedded",
    [
        {"Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "iframe"},
        {"Sec-Fetch-Mode": "cors", "Sec-Fetch-Dest": "empty"},
        {"Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document", "Sec-Purpose": "prefetch;prerender"},
    ],
)
async def test_a_page_full_of_pictures_of_our_sign_in_locks_nobody_out(
    make_with_egress: Any, embedded: dict[str, str]
) -> None:
    world = await make_with_egress(sign_in_rate="2/minute")
    opened = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "navigate", "Sec-Fetch-Dest": "document"}
    async with world.browser(headers=opened) as browser:
        for path in ("/auth/login", "/auth/callback"):
            for _ in range(3):
                picture = await browser.get(path, headers=embedded)
                assert (picture.status_code, picture.json()["code"]) == (403, "CSRF")
        out = await browser.get("/auth/login")
        assert out.status_code == 302
        back = await browser.get(
            world.provider.sign_in(out.headers["location"]), headers={"Sec-Fetch-Site": "same-origin"}
        )
        assert back.status_code == 302


@pytest.mark.req("R17")
@pytest.mark.parametrize(
    "evil",
    [
        "//evil.test",
        "///evil.test",
        "/\\evil.test",
        "\\\\evil.test",
        "/%2fevil.test",
        "%2f%2fevil.test",
        "/%5cevil.test",
        "/%255cevil.test",
        "/%25252fevil.test",
        "/\tevil.test",
        "/\t/evil.test",
        "/%09/evil.test",
        "/\n/evil.test",
        "https://evil.test",
        "https:evil.test",
        "javascript:alert(1)",
        "evil.test",
        "/a//evil.test",
        "/..//evil.test",
        "/auth/logout",
        "/api/v1/candidates",
        "/\x00",
        "/é\u0085",
        "",
        "/" + "a" * 2001,
    ],
)
def test_nobody_is_sent_elsewhere(evil: str) -> None:
    assert safe_return_to(evil) == "/"


@pytest.mark.parametrize(
    "good", ["/", "/creneaux?department=94&from=2026-12-09", "/candidats/0199", "/panier?x=a%20b", "/réservations"]
)
def test_pages_of_ours_are_returned_to(good: str) -> None:
    assert safe_return_to(good) == good


@pytest.mark.req("S-14")
async def test_who_watches_over_security_is_named_by_the_deployment_and_no_longer_than_it_does(
    make_with_egress: Any,
) -> None:
    named = await make_with_egress(security_officers="employee-2, employee-1")
    after = await make_with_egress(engine=named.dependencies.sessions.engine)
    roles = []
    for world in (named, named, after):
        async with world.browser() as browser:
            await world.sign_in(browser)
            roles.append((await browser.get("/auth/session")).json()["roles"])
    both = ["school_admin", "security_officer"]
    assert roles == [both, both, ["school_admin"]]
