"""What an account may read and change in a minute, in whatever sessions, and how its programs learn of it."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from resapermis_auth_gateway.web.sign_in import queries
from resapermis_auth_gateway.web.sign_in.cookies import derive, digest, new_secret
from resapermis_auth_gateway.web.sign_in.device import Device
from resapermis_kit.clock import new_id
from resapermis_kit.database.transaction import transaction

pytestmark = pytest.mark.req("S-05")
SEARCH = "/api/v1/candidates/search"


async def again(world: Any, signed: Any) -> Any:
    """Another session of the same account."""
    cookie = new_secret()
    session = replace(signed.session, id=new_id())
    async with transaction(world.dependencies.sessions.engine) as tx:
        await queries.start_session(tx, digest(cookie), session, Device())
    return type(signed)(cookie, derive(cookie, "csrf"), session)


async def test_all_sessions_of_an_account_read_from_one_budget_and_are_told_what_is_left(make_world: Any) -> None:
    world = await make_world(read_rate="3/minute")
    one = await world.session()
    other, stranger = await again(world, one), await world.session()
    answers = []
    for signed in (one, other, one, other):
        world.clock.at = datetime.now(UTC)  # budgets are counted on the machine's clock, however slow it is
        async with world.browser(signed) as browser:
            answers.append(await browser.get("/auth/session"))
    assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
    assert [answer.headers["ratelimit"].partition(";t=")[0] for answer in answers] == [
        '"read";r=2',
        '"read";r=1',
        '"read";r=0',
        '"read";r=0',
    ]
    assert {answer.headers["ratelimit-policy"] for answer in answers} == {'"read";q=3;w=60'}
    assert answers[3].json()["code"] == "OVERLOADED"
    assert 1 <= int(answers[3].headers["retry-after"]) <= 61
    async with world.browser(stranger) as browser:
        assert (await browser.get("/auth/session")).status_code == 200


async def test_changes_are_counted_by_themselves_and_leave_reads_and_the_way_out(make_world: Any) -> None:
    world = await make_world(write_rate="2/minute", read_rate="2/minute")
    one = await world.session()
    other = await again(world, one)
    statuses = []
    for signed in (one, other, one):
        async with world.browser(signed) as browser:
            answer = await browser.post(SEARCH, json={})
            statuses.append((answer.status_code, answer.headers["ratelimit"].partition(";t=")[0]))
    assert statuses == [(422, '"write";r=1'), (422, '"write";r=0'), (429, '"write";r=0')]
    async with world.browser(one) as browser:
        assert (await browser.get("/auth/session")).status_code == 200
        out = await browser.post("/auth/logout")
    assert out.status_code == 200
    assert "ratelimit" not in out.headers


async def test_what_is_refused_before_it_counts_costs_nobody_anything(make_world: Any) -> None:
    world = await make_world(write_rate="1/minute", read_rate="1/minute")
    signed = await world.session()
    async with world.browser(signed) as browser:
        for _ in range(3):
            assert (await browser.post(SEARCH, json={}, headers={"X-CSRF-Token": "x"})).status_code == 403
            assert (await browser.get("/auth/session", headers={"Sec-Fetch-Site": "cross-site"})).status_code == 403
        assert (await browser.post(SEARCH, json={})).status_code == 422
        assert (await browser.get("/auth/session")).status_code == 200
