"""A grant for background work: given by its owner, seen, withdrawn; and each way in which there is none."""

import asyncio
from datetime import timedelta
from typing import Any

import httpx2
import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_FAILED, OUTCOME_REFUSED, Actor, Record
from resapermis.iam.v1.events_pb2 import GrantEnded, GrantGiven
from resapermis.oidc.v1 import oidc_pb2
from resapermis.rdvpermis.v1 import rdvpermis_pb2
from resapermis_auth_gateway import grants, tables
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_testing.databases import as_owner, as_role
from resapermis_testing.eventually import eventually

pytestmark = pytest.mark.req("S-24")
MINE, SCHOOL = "/api/v1/me/grant", "/api/v1/school/background-work"
USES = ["reconciliation", "results", "polls", "mandates"]
EGRESS = "auth_gateway_egress"
GRANT = tables.tokens.c.kind == "grant"
LIVE = tables.tokens.c.dead_at.is_(None)


async def _signed_in(world: Any, browser: httpx2.AsyncClient, subject: str = "employee-1") -> None:
    await world.sign_in(browser, subject)
    browser.headers["X-CSRF-Token"] = (await browser.get("/auth/session")).json()["csrfToken"]


async def _begin(world: Any, browser: httpx2.AsyncClient, subject: str = "employee-1") -> str:
    """Press the button, agree at the provider; return the way back."""
    begun = await browser.post(MINE)
    assert begun.status_code == 200, begun.text
    way_back: str = world.provider.sign_in(begun.json()["authorizationUrl"], subject)
    return way_back


async def _give(world: Any, browser: httpx2.AsyncClient, subject: str = "employee-1") -> str:
    """The whole way; return where it ends."""
    answer = await browser.get(await _begin(world, browser, subject))
    assert answer.status_code == 302
    return str(answer.headers["location"])


async def _said(world: Any, kind: Any) -> list[Any]:
    return [kind.FromString(body) for name, body in await world.published() if name == kind.DESCRIPTOR.full_name]


async def _recorded(world: Any, action: str) -> list[Record]:
    return [one for one in await world.records() if one.action == action]


async def _kept(world: Any) -> list[Any]:
    async with as_owner(world.dependencies.sessions.engine) as tx:
        return list(await tx.execute(sa.select(tables.tokens).where(GRANT).order_by(tables.tokens.c.created_at)))


async def test_a_person_gives_sees_and_withdraws_a_grant(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        nothing = (await browser.get(MINE)).json()
        assert (nothing["grant"], nothing["ended"], nothing["mayGive"], nothing["uses"]) == (None, None, True, USES)
        without = (await browser.get(SCHOOL)).json()
        assert (without["granted"], without["employees"], without["endsAt"], without["waits"]) == (False, 0, None, USES)

        assert await _give(with_egress, browser) == "/compte?grant=given"
        now = with_egress.clock()
        given = (await browser.get(MINE)).json()
        a_year = (now + timedelta(days=365)).isoformat().replace("+00:00", "Z")
        assert given["grant"] == {
            "givenAt": now.isoformat().replace("+00:00", "Z"),
            "endsAt": a_year,
            "lastUsedAt": None,
            "refusedAt": None,
        }
        assert given["ended"] is None
        school = (await browser.get(SCHOOL)).json()
        assert (school["granted"], school["employees"], school["endsAt"], school["waits"]) == (True, 1, a_year, [])
        assert (await browser.get("/auth/session")).status_code == 200, "the session goes on"

        assert (await browser.delete(MINE)).status_code == 204
        gone = (await browser.get(MINE)).json()
        assert (gone["grant"], gone["ended"]) == (
            None,
            {"endedAt": now.isoformat().replace("+00:00", "Z"), "reason": "withdrawn"},
        )
        assert (await browser.get(SCHOOL)).json()["waits"] == USES
    (row,) = await _kept(with_egress)
    assert (row.school_id, row.session_id, row.access, row.refresh) == ("school-1", None, None, None)


async def test_what_is_given_and_withdrawn_is_said_recorded_and_revoked(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        before = await with_egress.count(tables.revocations)
        await _give(with_egress, browser)
        assert await with_egress.count(tables.revocations) == before == 0, "what is kept is not revoked"
        with_egress.provider.failure = Failure(Code.CODE_RDVPERMIS_DOWN, "away")
        for _ in range(2):
            assert (await browser.delete(MINE)).status_code == 204
    (row,) = await _kept(with_egress)
    (given,), (ended,) = await _said(with_egress, GrantGiven), await _said(with_egress, GrantEnded)
    assert (given.grant_id, given.account_id, given.school_id) == (str(row.id), str(row.account_id), "school-1")
    assert (ended.grant_id, ended.reason, ended.left) == (str(row.id), "withdrawn", 0)
    (gave,), (withdrew,) = await _recorded(with_egress, "grant.give"), await _recorded(with_egress, "grant.withdraw")
    for record in (gave, withdrew):
        assert (record.actor.kind, record.actor.id) == (Actor.KIND_PERSON, str(row.account_id))
        assert (record.object_kind, record.object_id, record.school_id) == ("grant", str(row.id), "school-1")
        assert (record.outcome, record.actor.place) == (OUTCOME_DONE, "127.0.0.0/24")
    assert await with_egress.count(tables.revocations) == 1
    for _, payload in await with_egress.published():
        for secret in (b"Camille", b"camille@", b"sealed access", b"sealed refresh"):
            assert secret not in payload


async def test_the_way_to_the_provider_is_bound_to_the_browser_and_to_nothing_else(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        begun = await browser.post(MINE)
        cookie = begun.headers["set-cookie"]
        assert cookie.startswith("__Host-resapermis-sign-in=")
        assert {"HttpOnly", "Secure", "Path=/", "SameSite=lax", "Max-Age=600"} <= set(cookie.split("; "))
        signing_in, giving = with_egress.provider.begun.values()
        assert giving.purpose == oidc_pb2.PURPOSE_GRANT
        assert signing_in.purpose == oidc_pb2.PURPOSE_UNSPECIFIED
        assert len({giving.state, giving.nonce, giving.code_verifier}) == 3
        way_back = with_egress.provider.sign_in(begun.json()["authorizationUrl"])
        async with with_egress.browser() as other:
            assert (await other.get(way_back)).status_code == 401
        assert await _kept(with_egress) == []


@pytest.mark.req("S-06")
async def test_who_gives_it_has_lately_proved_who_they_are_or_does_so_there(with_egress: Any) -> None:
    asked = []
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        for minutes in (5, 1):
            with_egress.clock.pass_(minutes=minutes)
            assert await _give(with_egress, browser) == "/compte?grant=given"
            begun, redeemed = list(with_egress.provider.begun.values())[-1], with_egress.provider.redeemed[-1]
            asked.append((begun.max_age_seconds, redeemed.max_age_seconds))
    assert asked == [(0, 0), (300, 300)]


REFUSED = {
    Code.CODE_GRANT_OTHER_PERSON: "other_person",
    Code.CODE_GRANT_OTHER_SCHOOL: "other_school",
    Code.CODE_GRANT_NOT_OFFERED: "not_offered",
    Code.CODE_SIGN_IN_FAILED: "failed",
    Code.CODE_RECONNECT_NEEDED: "failed",
    Code.CODE_INTERNAL: "failed",
    Code.CODE_RDVPERMIS_DOWN: "unavailable",
    Code.CODE_RDVPERMIS_BUDGET: "unavailable",
}


@pytest.mark.parametrize("code", REFUSED)
async def test_what_egress_refuses_leads_home_with_a_word_and_is_recorded(
    with_egress: Any, code: Code.ValueType
) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        way_back = await _begin(with_egress, browser)
        with_egress.provider.failure = Failure(code, "not this one")
        answer = await browser.get(way_back)
        with_egress.provider.failure = None
        assert (answer.status_code, answer.headers["location"]) == (302, f"/compte?grant={REFUSED[code]}")
        assert (await browser.get(MINE)).json()["grant"] is None
    assert await _kept(with_egress) == []
    assert await _said(with_egress, GrantGiven) == []
    (record,) = await _recorded(with_egress, "grant.give")
    assert (record.facts["reason"], record.school_id) == (Failure(code, "").name, "school-1")
    failed = REFUSED[code] == "unavailable"
    assert record.outcome == (OUTCOME_FAILED if failed else OUTCOME_REFUSED)


async def test_whoever_else_is_signed_in_there_gives_nothing(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        assert await _give(with_egress, browser, "employee-2") == "/compte?grant=other_person"
    assert await _kept(with_egress) == []
    assert await with_egress.count(tables.accounts) == 1
    (asked,) = [one for one in with_egress.provider.redeemed if isinstance(one, oidc_pb2.RedeemGrantRequest)]
    assert (asked.subject, asked.school_id) == ("employee-1", "school-1")


@pytest.mark.parametrize(("error", "outcome"), [("access_denied", "refused"), ("server_error", "failed")])
async def test_who_says_no_there_gives_nothing_and_the_code_is_not_asked_for(
    with_egress: Any, error: str, outcome: str
) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        way_back = httpx2.URL(await _begin(with_egress, browser))
        refused = {"error": error, "state": way_back.params["state"], "iss": way_back.params["iss"]}
        answer = await browser.get("/auth/callback", params=refused)
        assert answer.headers["location"] == f"/compte?grant={outcome}"
    assert len(with_egress.provider.redeemed) == 1, "the sign-in's"
    (record,) = await _recorded(with_egress, "grant.give")
    assert record.facts["reason"] == ("access_denied" if outcome == "refused" else "SIGN_IN_FAILED")


async def test_a_way_back_that_is_taken_twice_gives_once(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        way_back = await _begin(with_egress, browser)
        places = [(await browser.get(way_back)).headers["location"] for _ in range(2)]
    assert places == ["/compte?grant=given", "/compte"]
    assert len(await _kept(with_egress)) == 1
    assert len(await _said(with_egress, GrantGiven)) == 1


async def test_given_anew_it_replaces_the_old_one_which_is_revoked(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        await _give(with_egress, browser)
        with_egress.clock.pass_(minutes=5)
        await _give(with_egress, browser)
    old, new = await _kept(with_egress)
    assert (old.reason, new.dead_at) == ("replaced", None)
    async with transaction(with_egress.dependencies.sessions.engine) as tx:
        waiting = (await tx.execute(sa.select(tables.revocations.c.token_id))).scalars().all()
    assert waiting == [old.id]
    assert await _said(with_egress, GrantEnded) == [], "the school has one all along"
    (record,) = await _recorded(with_egress, "grant.end")
    assert record.facts["reason"] == "replaced"


async def test_an_account_has_one_grant_at_a_school_by_the_database(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        await _give(with_egress, browser)
    (row,) = await _kept(with_egress)
    with pytest.raises(sa.exc.IntegrityError):
        async with transaction(with_egress.dependencies.sessions.engine) as tx:
            await tx.execute(sa.insert(tables.tokens).values({**row._asdict(), "id": row.account_id}))


async def test_of_a_session_that_ended_meanwhile_nothing_is_given(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        way_back = await _begin(with_egress, browser)
        await browser.post("/auth/logout")
        answer = await browser.get(way_back)
    assert answer.headers["location"] == "/compte?grant=signed_out"
    assert len(with_egress.provider.redeemed) == 1
    assert await _kept(with_egress) == []


async def test_another_session_of_the_browser_does_not_give_what_this_one_began(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        way_back = await _begin(with_egress, browser)
        await _signed_in(with_egress, browser)
        answer = await browser.get(way_back)
    assert answer.headers["location"] == "/compte?grant=signed_out"


async def test_a_session_that_ends_while_the_code_is_redeemed_keeps_nothing_and_what_came_is_revoked(
    with_egress: Any,
) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        way_back = await _begin(with_egress, browser)

        async def sign_out() -> None:
            await browser.post("/auth/logout")

        with_egress.provider.meanwhile = sign_out
        answer = await browser.get(way_back)
    assert answer.headers["location"] == "/compte?grant=signed_out"
    assert await _kept(with_egress) == []
    assert await with_egress.count(tables.revocations) == 2, "the session's and the grant's"


@pytest.mark.req("S-04")
async def test_who_signs_in_for_another_school_in_the_same_moment_leaves_no_grant_at_the_first(
    with_egress: Any,
) -> None:
    engine = with_egress.dependencies.sessions.engine
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    signing_in = []

    async def end_it(connection: AsyncConnection) -> None:
        """The last step of that sign-in, which has written the account: its first session ends."""

        async def waited_for() -> bool:
            async with engine.connect() as watcher:
                return bool((await watcher.execute(sa.text(waiting))).scalar())

        await eventually(waited_for)
        await connection.execute(sa.update(tables.sessions).values(ended_at=with_egress.clock()))
        await connection.commit()
        await connection.close()

    async def elsewhere() -> None:
        connection = await engine.connect()
        await connection.execute(sa.update(tables.accounts).values(school_id="school-2"))
        signing_in.append(asyncio.create_task(end_it(connection)))

    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        with_egress.provider.meanwhile = elsewhere
        assert await _give(with_egress, browser) == "/compte?grant=signed_out"
    await asyncio.gather(*signing_in)
    assert await _kept(with_egress) == []


async def test_tokens_that_are_being_revoked_are_not_kept(with_egress: Any) -> None:
    with_egress.provider.engine = None  # nothing is there to be adopted
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        assert await _give(with_egress, browser) == "/compte?grant=unavailable"
    assert await _kept(with_egress) == []


async def test_a_grant_that_rdvpermis_does_not_take_is_shown_so_and_the_schools_work_waits(with_egress: Any) -> None:
    engine = with_egress.dependencies.sessions.engine
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        await _give(with_egress, browser)
        ((mine, *_),) = await _kept(with_egress)
        with_egress.clock.pass_(minutes=1)
        since = with_egress.clock()
        async with as_role(engine, EGRESS) as tx:
            assert await grants.refused(tx, mine, since) == since
        shown = (await browser.get(MINE)).json()
        assert shown["grant"]["refusedAt"] == since.isoformat().replace("+00:00", "Z")
        school = (await browser.get(SCHOOL)).json()
        assert (school["granted"], school["employees"], school["endsAt"], school["waits"]) == (False, 0, None, USES)
        async with as_role(engine, EGRESS) as tx:
            assert (await grants.of_school(tx, "school-1", since)).count == 1, "it has not ended"
            await grants.used(tx, mine, since)
        assert (await browser.get(MINE)).json()["grant"]["refusedAt"] is None
        school = (await browser.get(SCHOOL)).json()
        assert (school["granted"], school["employees"], school["waits"]) == (True, 1, [])
        async with as_role(engine, EGRESS) as tx:
            await grants.refused(tx, mine, since)
        assert await _give(with_egress, browser) == "/compte?grant=given", "given anew, it is another"
        assert (await browser.get(MINE)).json()["grant"]["refusedAt"] is None
        assert (await browser.get(SCHOOL)).json()["granted"]


async def test_a_year_later_it_is_over_whatever_nobody_swept(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        await _give(with_egress, browser)
        with_egress.clock.pass_(days=364)
        await _signed_in(with_egress, browser)
        assert (await browser.get(MINE)).json()["grant"] is not None
        with_egress.clock.pass_(days=1)
        await _signed_in(with_egress, browser)
        over = (await browser.get(MINE)).json()
        assert (over["grant"], over["ended"]["reason"]) == (None, "run_out")
        assert not (await browser.get(SCHOOL)).json()["granted"]


@pytest.mark.req("S-04")
async def test_who_signs_in_for_another_school_leaves_no_grant_at_the_first(with_egress: Any, egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        await _give(with_egress, browser)
        egress.school = rdvpermis_pb2.GetSchoolResponse(school_id="school-2", name="Autre", department="94")
        await _signed_in(with_egress, browser)
        mine = (await browser.get(MINE)).json()
        assert (mine["grant"], mine["ended"]) == (None, None), "of this school there never was one"
    (row,), (ended,) = await _kept(with_egress), await _said(with_egress, GrantEnded)
    assert (row.reason, ended.school_id, ended.reason) == ("other_school", "school-1", "other_school")
    (record,) = await _recorded(with_egress, "grant.end")
    assert (record.actor.kind, record.school_id) == (Actor.KIND_SYSTEM, "school-1")


async def test_who_signs_in_again_for_the_same_school_keeps_it(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        await _give(with_egress, browser)
        await _signed_in(with_egress, browser)
        await browser.post("/auth/logout")
    assert await with_egress.count(tables.tokens, GRANT, LIVE) == 1


@pytest.mark.req("S-04")
async def test_a_role_that_no_longer_allows_it_ends_it(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        await _give(with_egress, browser)
        async with transaction(with_egress.dependencies.sessions.engine) as tx:
            await tx.execute(sa.update(tables.account_roles).values(roles=["trainer"]))
        await _signed_in(with_egress, browser)
        mine = (await browser.get(MINE)).json()
        assert (mine["mayGive"], mine["ended"]["reason"]) == (False, "no_right")


async def test_who_loses_the_right_while_the_code_is_redeemed_gives_none(with_egress: Any) -> None:
    async def demoted() -> None:
        async with transaction(with_egress.dependencies.sessions.engine) as tx:
            await tx.execute(sa.update(tables.account_roles).values(roles=["trainer"]))

    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        with_egress.provider.meanwhile = demoted
        assert await _give(with_egress, browser) == "/compte?grant=no_right"
    assert await _kept(with_egress) == []


@pytest.mark.parametrize("role", ["trainer", "security_officer"])
async def test_who_does_not_run_the_school_gives_none(with_egress: Any, role: str) -> None:
    async with with_egress.browser(await with_egress.session(role=role)) as browser:
        refused = await browser.post(MINE)
        assert (refused.status_code, refused.json()["code"]) == (403, "FORBIDDEN")
        assert not (await browser.get(MINE)).json()["mayGive"]
        assert (await browser.get(SCHOOL)).status_code == (200 if role == "trainer" else 403)
    assert with_egress.provider.begun == {}


async def test_a_colleagues_grant_is_neither_shown_nor_withdrawn(with_egress: Any) -> None:
    async with with_egress.browser() as browser, with_egress.browser(await with_egress.session()) as colleague:
        await _signed_in(with_egress, browser)
        await _give(with_egress, browser)
        mine = (await colleague.get(MINE)).json()
        assert (mine["grant"], mine["ended"]) == (None, None)
        assert (await colleague.get(SCHOOL)).json()["granted"]
        assert (await colleague.delete(MINE)).status_code == 204
    assert await with_egress.count(tables.tokens, GRANT, LIVE) == 1
    async with with_egress.browser(await with_egress.session(school="school-2")) as stranger:
        assert not (await stranger.get(SCHOOL)).json()["granted"]


async def test_of_two_the_second_that_goes_leaves_the_school_without(with_egress: Any) -> None:
    async with with_egress.browser() as one, with_egress.browser() as two:
        for browser, subject in ((one, "employee-1"), (two, "employee-2")):
            await _signed_in(with_egress, browser, subject)
            await _give(with_egress, browser, subject)
        assert (await one.get(SCHOOL)).json()["employees"] == 2
        for browser in (one, two):
            await browser.delete(MINE)
    assert [one.left for one in await _said(with_egress, GrantEnded)] == [1, 0]


async def test_while_egress_is_away_nothing_begins_and_withdrawing_works(world: Any) -> None:
    async with world.browser(await world.session()) as browser:
        assert (await browser.post(MINE)).status_code == 503
        assert (await browser.delete(MINE)).status_code == 204
    assert await world.count(tables.attempts) == 0


async def test_a_change_without_the_pages_token_is_none(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        await _give(with_egress, browser)
        del browser.headers["X-CSRF-Token"]
        for method in ("POST", "DELETE"):
            assert (await browser.request(method, MINE)).status_code == 403
    assert await with_egress.count(tables.tokens, GRANT, LIVE) == 1


@pytest.mark.req("S-03")
async def test_until_rdvpermis_says_which_school_it_is_a_fresh_token_serves_none(with_egress: Any, egress: Any) -> None:
    engine = with_egress.dependencies.sessions.engine
    seen = []

    async def looks(request: Any, context: Any) -> rdvpermis_pb2.GetSchoolResponse:
        async with transaction(engine) as tx:
            seen.append(list((await tx.execute(sa.select(tables.tokens.c.school_id).where(LIVE))).scalars()))
        return egress.school

    async with with_egress.browser() as first, with_egress.browser() as second:
        await with_egress.sign_in(first)
        egress.answer = looks
        await with_egress.sign_in(second)
        assert (await second.get("/auth/session")).json()["school"]["id"] == "school-1"
    ((known, fresh),) = [sorted(one, key=len) for one in seen]
    assert known == "school-1"
    assert fresh.startswith("account "), "not the school of last time"


async def test_a_sign_ins_tokens_are_adopted_with_its_session(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await with_egress.sign_in(browser)
    assert await with_egress.count(tables.revocations) == 0
    (asked,) = with_egress.provider.redeemed
    assert asked.adopts


async def test_whose_provider_knows_a_person_is_as_egress_says_and_said_to_it(with_egress: Any) -> None:
    """While settings change the web face may still have the issuer of before."""
    with_egress.provider.issuer = "https://another.test"
    async with with_egress.browser() as browser:
        await _signed_in(with_egress, browser)
        await _give(with_egress, browser)
    async with with_egress.dependencies.sessions.engine.connect() as connection:
        issuers = (await connection.execute(sa.select(tables.accounts.c.issuer))).scalars().all()
    asked = with_egress.provider.redeemed[-1]
    assert (issuers, asked.issuer, asked.subject) == (["https://another.test"], "https://another.test", "employee-1")
