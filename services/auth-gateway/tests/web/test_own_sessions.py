"""One's own sessions: seen by their owner alone, each ended by its owner alone."""

from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_REFUSED, Record
from resapermis.iam.v1.events_pb2 import SessionEnded
from resapermis_auth_gateway import tables
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_auth_gateway.web.sign_in.device import BROWSERS, SYSTEMS, Device, device_of
from resapermis_auth_gateway.web.wire.session import OwnSessionView
from resapermis_kit.database.transaction import transaction

pytestmark = pytest.mark.req("S-04", "S-12")
MINE = "/api/v1/me/sessions"


async def _list(world: Any, signed: Any) -> list[dict[str, Any]]:
    async with world.browser(signed) as browser:
        answer = await browser.get(MINE)
    assert answer.status_code == 200
    return list(answer.json()["items"])


async def test_a_person_sees_where_they_are_signed_in_and_nobody_else(world: Any) -> None:
    here = await world.session()
    world.clock.pass_(minutes=2)
    there = await world.session(account_id=here.session.account_id, device=Device("safari", "ios"))
    world.clock.pass_(minutes=2)
    await world.session(account_id=here.session.account_id, device=Device())
    await world.session()  # a colleague's
    items = await _list(world, here)
    assert [(one["browser"], one["system"], one["current"]) for one in items] == [
        ("firefox", "linux", True),
        (None, None, False),
        ("safari", "ios", False),
    ]
    assert items[2]["id"] == str(there.id)
    assert items[2]["startedAt"] == items[2]["lastActAt"] == there.session.created_at.isoformat().replace("+00:00", "Z")
    assert set(items[0]) == {"id", "startedAt", "lastActAt", "browser", "system", "current"}


async def test_last_act_is_a_persons_and_what_is_over_is_not_shown(world: Any) -> None:
    here = await world.session()
    quiet = await world.session(account_id=here.session.account_id)
    world.clock.pass_(minutes=10)
    async with world.browser(here) as browser:
        await browser.get("/auth/session", headers={"X-Resapermis-Act": "1"})
    assert [one["lastActAt"] for one in await _list(world, here)] == [
        one.isoformat().replace("+00:00", "Z") for one in (world.clock(), quiet.session.seen_at)
    ]
    world.clock.pass_(minutes=5)  # nobody swept it yet
    assert [one["current"] for one in await _list(world, here)] == [True]
    async with transaction(world.dependencies.sessions.engine) as tx:
        nameless = await world.session(account_id=here.session.account_id)
        await queries.set_session_school(tx, nameless.id, "", "", "")  # a sign-in under way
    assert len(await _list(world, here)) == 1


async def test_one_ends_any_of_ones_own_with_tokens_event_and_record(world: Any) -> None:
    here = await world.session()
    there = await world.session(account_id=here.session.account_id)
    async with world.browser(here) as browser:
        assert (await browser.delete(f"{MINE}/{there.id}")).status_code == 204
        assert (await browser.get("/auth/session")).status_code == 200
    async with world.browser(there) as browser:
        assert (await browser.get("/auth/session")).status_code == 401
    ended, recorded = [payload for _, payload in await world.published()]
    event = SessionEnded.FromString(ended)
    assert (event.session_id, event.cause) == (str(there.id), "ended_elsewhere")
    record = Record.FromString(recorded)
    assert record.facts["cause"] == "ended_elsewhere"
    assert (record.action, record.object_id, record.outcome) == ("session.end", str(there.id), OUTCOME_DONE)
    assert record.actor.id == str(here.session.account_id)
    assert await world.count(tables.revocations) == 1
    assert (
        await world.count(tables.tokens, tables.tokens.c.session_id == there.id, tables.tokens.c.dead_at.is_(None)) == 0
    )


async def test_ending_this_one_is_signing_out(world: Any) -> None:
    here = await world.session()
    async with world.browser(here) as browser:
        answer = await browser.delete(f"{MINE}/{here.id}")
        assert answer.status_code == 204
        assert f'{world.cookie}=""; ' in answer.headers["set-cookie"]
        assert answer.headers["clear-site-data"] == '"cache", "cookies", "storage"'
        assert (await browser.get("/auth/session")).status_code == 401
    (record,) = [one for one in await world.records() if one.action == "session.end"]
    assert record.facts["cause"] == "signed_out"


@pytest.mark.req("S-14")
@pytest.mark.parametrize("whose", ["a colleague's", "another school's", "nobody's", "over"])
async def test_what_is_none_of_ones_own_is_not_found_and_recorded(world: Any, whose: str) -> None:
    here = await world.session()
    if whose == "over":
        other = await world.session(account_id=here.session.account_id)
        await world.dependencies.sessions.end(other.session, "signed_out")
    else:
        other = await world.session(school="school-2" if whose == "another school's" else "school-1")
    asked = uuid4() if whose == "nobody's" else other.id
    before = await world.count(tables.sessions, queries.LIVE)
    async with world.browser(here) as browser:
        answer = await browser.delete(f"{MINE}/{asked}")
    assert (answer.status_code, answer.json()["code"]) == (404, "NOT_FOUND")
    assert await world.count(tables.sessions, queries.LIVE) == before
    (refused,) = [one for one in await world.records() if one.outcome == OUTCOME_REFUSED]
    assert (refused.action, refused.object_id, refused.actor.id) == (
        "session.end",
        str(asked),
        str(here.session.account_id),
    )
    assert dict(refused.facts) == {
        "reason": "not_found",
        "count": "1",
        "session": str(here.id),
        "by": "auth-gateway",
    }


async def test_one_session_ended_from_two_places_at_once_ends_once(world: Any) -> None:
    here = await world.session()
    there = await world.session(account_id=here.session.account_id)
    async with world.browser(here) as browser:
        assert [(await browser.delete(f"{MINE}/{there.id}")).status_code for _ in range(2)] == [204, 404]
    assert [one.outcome for one in await world.records()] == [OUTCOME_DONE, OUTCOME_REFUSED]


async def test_of_the_browser_a_word_is_kept_and_nothing_else(with_egress: Any) -> None:
    stated = (
        "Mozilla/5.0 (Windows NT 10.0; Win64; x64; my own mark) AppleWebKit/537.36 Chrome/143.0.7444.9 Safari/537.36"
    )
    async with with_egress.browser(headers={"User-Agent": stated}) as browser:
        await with_egress.sign_in(browser)
        (item,) = (await browser.get(MINE)).json()["items"]
    assert (item["browser"], item["system"]) == ("chrome", "windows")
    async with with_egress.dependencies.sessions.engine.connect() as connection:
        row = repr((await connection.execute(sa.select(tables.sessions))).all())
    assert not any(mark in row for mark in ("Mozilla", "143", "my own mark", "127.0.0"))


@pytest.mark.parametrize(
    ("stated", "device"),
    [
        ("Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", Device("firefox", "linux")),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) Version/18.1 Mobile Safari/604.1",
            Device("safari", "ios"),
        ),
        ("Mozilla/5.0 (Linux; Android 15) Chrome/143.0 Mobile Safari/537.36", Device("chrome", "android")),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Chrome/143.0 Safari/537.36 Edg/143.0",
            Device("edge", "macos"),
        ),
        ("Mozilla/5.0 (X11; CrOS x86_64) Chrome/143.0 Safari/537.36", Device("chrome", "chromeos")),
        ("curl/8.14", Device()),
        ("", Device()),
        ("x" * 600 + "Firefox/140.0 Windows", Device()),
    ],
)
def test_a_browser_is_known_by_its_own_name(stated: str, device: Device) -> None:
    assert device_of(stated) == device


def test_the_contract_lists_each_word() -> None:
    properties = OwnSessionView.model_json_schema()["properties"]
    for name, words in (("browser", BROWSERS), ("system", SYSTEMS)):
        assert properties[name]["anyOf"][0]["enum"] == [word for word, _ in words]
