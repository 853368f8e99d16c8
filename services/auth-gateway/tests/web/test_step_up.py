"""Acts that ask who is there: their owner proves anew at the provider who they are, in a session with a new cookie."""

from typing import Any
from uuid import uuid4

import httpx2
import pytest

from resapermis.audit.v1.events_pb2 import OUTCOME_REFUSED
from resapermis_auth_gateway import tables
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_kit.errors import Code, Failure

pytestmark = pytest.mark.req("S-06")
MINE = "/api/v1/me/sessions"
LOGIN = "/auth/login"


async def _end(browser: httpx2.AsyncClient, session_id: object, csrf: str = "") -> httpx2.Response:
    return await browser.delete(f"{MINE}/{session_id}", headers={"X-CSRF-Token": csrf} if csrf else None)


@pytest.mark.parametrize(("seconds", "status"), [(0, 204), (300, 204), (301, 403)])
async def test_a_proof_counts_for_five_minutes(world: Any, seconds: int, status: int) -> None:
    here = await world.session()
    there = await world.session(account_id=here.session.account_id)
    world.clock.pass_(seconds=seconds)
    async with world.browser(here) as browser:
        assert (await _end(browser, there.id)).status_code == status


@pytest.mark.req("S-06", "S-14")
async def test_who_proved_it_too_long_ago_ends_nothing_and_is_told_what_to_do(world: Any) -> None:
    here = await world.session()
    there = await world.session(account_id=here.session.account_id)
    world.clock.pass_(minutes=6)
    async with world.browser(here) as browser:
        answer = await _end(browser, there.id)
    assert (answer.status_code, answer.json()["code"]) == (403, "STEP_UP_NEEDED")
    assert answer.json()["remedy"] == "confirm_identity"
    assert await world.count(tables.sessions, queries.LIVE) == 2
    (record,) = await world.records()
    assert (record.action, record.outcome, record.object_id) == (
        "access.denied",
        OUTCOME_REFUSED,
        f"DELETE {MINE}/{{session_id}}",
    )
    assert (record.facts["reason"], record.actor.id) == ("step_up", str(here.session.account_id))


async def test_signing_out_here_asks_for_no_proof(world: Any) -> None:
    here = await world.session()
    world.clock.pass_(minutes=6)
    async with world.browser(here) as browser:
        assert (await _end(browser, here.id)).status_code == 204


@pytest.mark.req("S-04", "S-06", "S1")
async def test_who_proves_it_anew_has_a_new_session_that_may_and_the_one_before_is_dead(with_egress: Any) -> None:
    async with with_egress.browser() as browser, with_egress.browser() as elsewhere:
        await with_egress.sign_in(elsewhere)
        await with_egress.sign_in(browser, to="/compte")
        (other,) = [one["id"] for one in (await browser.get(MINE)).json()["items"] if not one["current"]]
        with_egress.clock.pass_(minutes=6)
        before = browser.cookies[with_egress.cookie]
        csrf = (await browser.get("/auth/session")).json()["csrfToken"]
        assert (await _end(browser, other, csrf)).json()["code"] == "STEP_UP_NEEDED"
        out = await browser.get(LOGIN, params={"returnTo": "/compte", "fresh": "true"})
        back = await browser.get(with_egress.provider.sign_in(out.headers["location"]))
        assert (back.status_code, back.headers["location"]) == (302, "/compte")
        assert browser.cookies[with_egress.cookie] != before
        csrf = (await browser.get("/auth/session")).json()["csrfToken"]
        assert (await _end(browser, other, csrf)).status_code == 204
        assert (await elsewhere.get("/auth/session")).status_code == 401
    async with with_egress.browser(headers={"Cookie": f"{with_egress.cookie}={before}"}) as thief:
        assert (await thief.get("/auth/session")).status_code == 401
    asked = [one.max_age_seconds for one in with_egress.provider.begun.values()]
    assert asked == [one.max_age_seconds for one in with_egress.provider.redeemed] == [0, 0, 300]


async def test_each_tab_is_held_to_what_it_left_with(with_egress: Any) -> None:
    """Which one wants a proof stands in the database: no address and no cookie says so."""
    async with with_egress.browser() as browser:
        fresh = await browser.get(LOGIN, params={"fresh": "true"})
        plain = await browser.get(LOGIN, params={"fresh": "false"})
        for out in (plain, fresh):
            await browser.get(with_egress.provider.sign_in(out.headers["location"]))
    assert [one.max_age_seconds for one in with_egress.provider.redeemed] == [0, 300]


async def test_what_the_provider_does_not_prove_renews_nothing(with_egress: Any) -> None:
    async with with_egress.browser() as browser:
        await with_egress.sign_in(browser)
        before = browser.cookies[with_egress.cookie]
        out = await browser.get(LOGIN, params={"fresh": "true"})
        with_egress.provider.failure = Failure(
            Code.CODE_SIGN_IN_INCOMPLETE, "no auth_time", violations=[("auth_time", "not stated")]
        )
        back = await browser.get(with_egress.provider.sign_in(out.headers["location"]), headers={"Accept": "text/html"})
        assert back.status_code == 403
        assert "auth_time" in back.text
        assert browser.cookies[with_egress.cookie] == before
        assert (await browser.get("/auth/session")).status_code == 200, "what was open stays open"


async def test_a_session_of_which_nobody_knows_when_it_was_proved_does_not_pass(with_egress: Any) -> None:
    """As those of a provider that states no `auth_time`, or of the release before."""
    with_egress.provider.states_time = False
    async with with_egress.browser() as browser:
        await with_egress.sign_in(browser)
        csrf = (await browser.get("/auth/session")).json()["csrfToken"]
        assert (await _end(browser, uuid4(), csrf)).json()["code"] == "STEP_UP_NEEDED"
