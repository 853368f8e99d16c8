"""Sessions: opened by one cookie, ended by the person, by time, everywhere."""

import asyncio
from datetime import datetime
from typing import Any

import pytest
import sqlalchemy as sa

from resapermis.audit.v1.events_pb2 import Actor, Record
from resapermis.iam.v1.events_pb2 import SessionEnded
from resapermis_auth_gateway import tables, tokens
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure

pytestmark = pytest.mark.req("S-04")
ENDED, RECORD = SessionEnded.DESCRIPTOR.full_name, Record.DESCRIPTOR.full_name


ACT = {"X-Resapermis-Act": "1"}


async def _alive(world: Any, signed: Any, path: str = "/auth/session", *, act: bool = False) -> bool:
    async with world.browser(signed) as browser:
        return (await browser.get(path, headers=ACT if act else {})).status_code != 401


@pytest.mark.req("S13")
@pytest.mark.parametrize(("seconds", "alive"), [(899, True), (900, False), (901, False)])
async def test_a_session_ends_after_fifteen_idle_minutes(world: Any, seconds: int, alive: object) -> None:
    signed = await world.session()
    world.clock.pass_(seconds=seconds)
    assert await _alive(world, signed) is alive


@pytest.mark.req("S13")
@pytest.mark.parametrize(("seconds", "alive"), [(-1, True), (0, False), (1, False)])
async def test_a_session_ends_eight_hours_after_sign_in_however_busy(world: Any, seconds: int, alive: object) -> None:
    signed = await world.session()
    for _ in range(40):
        world.clock.pass_(minutes=12)
        if world.clock() - signed.session.created_at < world.dependencies.sessions.limits.absolute:
            assert await _alive(world, signed, act=True)
    world.clock.at = signed.session.created_at
    world.clock.pass_(hours=8, seconds=seconds)
    assert await _alive(world, signed) is alive


@pytest.mark.req("S-12", "S13")
@pytest.mark.parametrize(
    ("path", "headers"),
    [
        ("/api/v1/notifications", {}),
        ("/api/v1/basket", {}),
        ("/auth/session", {}),
        ("/auth/session", {"X-Resapermis-Act": "0"}),
        ("/auth/session", {"X-Resapermis-Act": "yes"}),
        ("/auth/callback?state=x&code=y", {}),
    ],
)
async def test_what_a_page_reads_by_itself_keeps_no_session_alive(
    world: Any, path: str, headers: dict[str, str]
) -> None:
    signed = await world.session()
    async with world.browser(signed) as browser:
        for _ in range(3):
            world.clock.pass_(minutes=4, seconds=59)
            assert (await browser.get(path, headers=headers)).status_code != 401
        world.clock.pass_(seconds=3)
        assert (await browser.get("/auth/session", headers=ACT)).status_code == 401


@pytest.mark.req("S-12")
@pytest.mark.parametrize(
    ("headers", "lives"),
    [
        ({}, True),  # whoever changes something is there
        ({"X-Resapermis-Act": "0"}, False),  # but the page knows better
        ({"X-CSRF-Token": "another's"}, False),
        ({"Sec-Fetch-Site": "cross-site"}, False),
    ],
)
async def test_a_change_that_is_a_persons_keeps_a_session_alive(
    world: Any, headers: dict[str, str], *, lives: bool
) -> None:
    signed = await world.session()
    world.clock.pass_(minutes=10)
    async with world.browser(signed) as browser:
        await browser.post("/api/v1/basket", json={}, headers=headers)
    world.clock.pass_(minutes=10)
    assert await _alive(world, signed) is lives


async def test_an_act_moves_the_end_and_says_when(world: Any) -> None:
    signed = await world.session()
    world.clock.pass_(minutes=10)
    async with world.browser(signed) as browser:
        read = (await browser.get("/auth/session")).json()
        answer = (await browser.get("/auth/session", headers=ACT)).json()
    assert (datetime.fromisoformat(read["expiresAt"]) - world.clock()).total_seconds() == 300
    assert (datetime.fromisoformat(answer["expiresAt"]) - world.clock()).total_seconds() == 900
    world.clock.pass_(minutes=10)
    assert await _alive(world, signed)


@pytest.mark.req("S-12")
async def test_many_who_ask_in_one_moment_each_find_their_own_session(world: Any) -> None:
    signed = [await world.session() for _ in range(3)]
    ended = await world.session()
    await world.dependencies.sessions.end(ended.session, "signed_out")

    async def whose(one: Any) -> tuple[int, str]:
        async with world.browser(one) as browser:
            answer = await browser.get("/auth/session")
            return answer.status_code, answer.json().get("user", {}).get("id", "")

    found = await asyncio.gather(*(whose(one) for one in (*signed, ended, *signed)))
    expected = [(200, str(one.session.account_id)) for one in signed]
    assert found == [*expected, (401, ""), *expected]


async def test_the_end_is_written_down_at_most_once_a_minute(world: Any) -> None:
    signed = await world.session()
    seen = sa.select(tables.sessions.c.seen_at)
    moments = []
    for seconds in (59, 1):
        world.clock.pass_(seconds=seconds)
        await _alive(world, signed, act=True)
        async with world.dependencies.sessions.engine.connect() as connection:
            moments.append((await connection.execute(seen)).scalar())
    assert moments == [signed.session.seen_at, world.clock()]


@pytest.mark.req("S2")
@pytest.mark.parametrize(
    "cookies",
    [
        "{name}={value}; {name}={value}",
        "{name}={other}; {name}={value}",
        "\u2000{name}={value}",
        "x\u2000{name}={value}",
        "\x85{name}={value}",
        "\xa0{name}={value}",
        '$Version=1; "{name}"={value}',
        '{name}="{value}"',
        "{lower}={value}",
        "{name}",
        "{name}=",
        "{name}={value}x",
        "resapermis={value}",
    ],
)
async def test_only_our_one_cookie_to_the_letter_opens_a_session(world: Any, cookies: str) -> None:
    signed = await world.session()
    header = cookies.format(name=world.cookie, lower=world.cookie.lower(), value=signed.cookie, other="B" * 43)
    async with world.browser(headers={"Cookie": header.encode()}) as browser:
        assert (await browser.get("/auth/session")).status_code == 401


@pytest.mark.req("S2")
async def test_two_cookie_headers_are_a_double_too(world: Any) -> None:
    signed = await world.session()
    one = ("Cookie", f"{world.cookie}={signed.cookie}")
    async with world.browser() as browser:
        browser.headers = [*browser.headers.multi_items(), one, one]
        assert (await browser.get("/auth/session")).status_code == 401


@pytest.mark.req("S-02", "R12")
async def test_signing_out_ends_everything(with_egress: Any) -> None:
    signed = await with_egress.session()
    async with with_egress.browser(signed) as browser:
        answer = await browser.post("/auth/logout")
        assert answer.status_code == 200
        assert answer.json()["redirect"] == f"{with_egress.issuer}/logout?sid=sid-1"
        assert answer.headers["clear-site-data"] == '"cache", "cookies", "storage"'
        assert f'{with_egress.cookie}=""; ' in answer.headers["set-cookie"]
        assert "Max-Age=0" in answer.headers["set-cookie"]
        assert (await browser.get("/auth/session")).status_code == 401
    assert await with_egress.count(tables.tokens, tokens.LIVE) == 0
    due = (tables.revocations.c.kind == "refresh", tables.revocations.c.sealed == b"refresh")
    assert await with_egress.count(tables.revocations, *due) == 1
    published = await with_egress.published()
    assert [kind for kind, _ in published] == [ENDED, RECORD]
    assert SessionEnded.FromString(published[0][1]).cause == "signed_out"
    assert Record.FromString(published[1][1]).actor.id == str(signed.session.account_id)


@pytest.mark.parametrize("away", ["egress", "the provider"])
async def test_signing_out_does_not_wait_for_who_is_away(make_with_egress: Any, make_world: Any, away: str) -> None:
    world = await (make_world() if away == "egress" else make_with_egress())
    world.provider.failure = Failure(Code.CODE_RDVPERMIS_DOWN, "away")
    signed = await world.session()
    async with world.browser(signed) as browser:
        answer = await browser.post("/auth/logout")
        assert answer.json()["redirect"] == f"{world.public}/"
        assert (await browser.get("/auth/session")).status_code == 401


async def test_a_session_that_ran_out_is_ended_by_the_clock_and_published(world: Any) -> None:
    idle = await world.session()
    world.clock.pass_(minutes=15)
    await world.session(school="school-2")
    await world.dependencies.sessions.end_overdue()
    assert await world.count(tables.sessions, queries.LIVE) == 1
    ended, record = [payload for _, payload in await world.published()]
    assert SessionEnded.FromString(ended).session_id == str(idle.id)
    assert SessionEnded.FromString(ended).cause == "idle"
    assert Record.FromString(record).actor.kind == Actor.KIND_SYSTEM


async def test_a_session_ends_once(world: Any) -> None:
    signed = await world.session()
    for _ in range(2):
        await world.dependencies.sessions.end(signed.session, "signed_out")
    assert [kind for kind, _ in await world.published()] == [ENDED, RECORD]


async def test_on_loopback_over_http_the_cookie_has_a_plain_name(make_with_egress: Any) -> None:
    world = await make_with_egress(public_url="http://localhost:8080")
    async with world.browser() as browser:
        cookie = (await browser.get("http://localhost:8080/auth/login")).headers["set-cookie"]
    assert cookie.startswith("resapermis-sign-in=")
    assert "Secure" not in cookie


def test_plain_http_beyond_loopback_is_refused_at_the_start(settings: Any) -> None:
    insecure = settings.model_copy(update={"public_url": "http://resapermis.example"})
    with pytest.raises(ValueError, match="plain http"):
        _ = insecure.secure


async def test_a_session_whose_school_is_not_known_yet_opens_nothing(world: Any) -> None:
    signed = await world.session()
    async with transaction(world.dependencies.sessions.engine) as tx:
        await queries.set_session_school(tx, signed.id, "", "", "")
    assert not await _alive(world, signed)
