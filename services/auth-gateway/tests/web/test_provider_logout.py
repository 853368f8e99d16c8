"""The provider says by itself that somebody signed out there: which sessions end, and which do not."""

from datetime import timedelta
from typing import Any

import pytest

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_REFUSED, Actor, Record
from resapermis.iam.v1.events_pb2 import SessionEnded
from resapermis.oidc.v1.oidc_pb2 import CheckLogoutTokenResponse
from resapermis_auth_gateway import tables
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_kit.errors import Code, Failure

pytestmark = pytest.mark.req("S-02", "S-04")
HERE = "/auth/backchannel-logout"


async def _send(world: Any, token: str, **headers: str) -> Any:
    """As the provider does: no page of ours, no cookie, no token of a session."""
    async with world.browser() as provider:
        provider.headers = headers
        return await provider.post(HERE, data={"logout_token": token})


def _says(world: Any, token: str, **named: str) -> None:
    world.provider.logout_tokens[token] = CheckLogoutTokenResponse(token_id=f"id of {token}", **named)


async def _alive(world: Any, *signed: Any) -> list[bool]:
    found = []
    for one in signed:
        async with world.browser(one) as browser:
            found.append((await browser.get("/auth/session")).status_code == 200)
    return found


@pytest.mark.req("R9")
async def test_a_session_of_the_provider_ends_ours_with_event_record_and_tokens(with_egress: Any) -> None:
    here, other = await with_egress.session(sid="a"), await with_egress.session(sid="b")
    _says(with_egress, "t", provider_session_id="a")
    answer = await _send(with_egress, "t")
    assert (answer.status_code, answer.headers["cache-control"], answer.content) == (200, "no-store", b"")
    assert await _alive(with_egress, here, other) == [False, True]
    ended, recorded = [payload for _, payload in await with_egress.published()]
    assert (SessionEnded.FromString(ended).session_id, SessionEnded.FromString(ended).cause) == (
        str(here.id),
        "provider",
    )
    record = Record.FromString(recorded)
    assert (record.action, record.outcome, record.actor.kind) == ("session.end", OUTCOME_DONE, Actor.KIND_SYSTEM)
    assert await with_egress.count(tables.revocations) == 1


@pytest.mark.req("R11")
async def test_a_subject_alone_ends_all_of_that_persons(with_egress: Any) -> None:
    here = await with_egress.session(sid="a")
    there = await with_egress.session(sid="b", account_id=here.session.account_id)
    other = await with_egress.session(sid="a")
    _says(with_egress, "t", subject=str(here.session.account_id))
    assert (await _send(with_egress, "t")).status_code == 200
    assert await _alive(with_egress, here, there, other) == [False, False, True]


async def test_a_session_with_its_subject_ends_that_one_and_nobody_elses(with_egress: Any) -> None:
    here = await with_egress.session(sid="a")
    there = await with_egress.session(sid="b", account_id=here.session.account_id)
    other = await with_egress.session(sid="a")
    _says(with_egress, "t", subject=str(here.session.account_id), provider_session_id="a")
    assert (await _send(with_egress, "t")).status_code == 200
    assert await _alive(with_egress, here, there, other) == [False, True, True]


@pytest.mark.req("R9")
async def test_it_is_over_on_the_other_replica_at_once(make_with_egress: Any) -> None:
    first = await make_with_egress()
    second = await make_with_egress(engine=first.dependencies.sessions.engine)
    here = await first.session(sid="a")
    assert await _alive(second, here) == [True]
    _says(first, "t", provider_session_id="a")
    assert (await _send(first, "t")).status_code == 200
    assert await _alive(second, here) == [False]
    assert (await _send(second, "t")).status_code == 400, "and a token counts once on both"


async def test_who_is_signed_out_already_is_no_mistake(with_egress: Any) -> None:
    _says(with_egress, "t", provider_session_id="unknown")
    assert (await _send(with_egress, "t")).status_code == 200
    assert await with_egress.published() == []


@pytest.mark.req("S-14", "R11")
async def test_a_token_counts_once(with_egress: Any) -> None:
    await with_egress.session(sid="a")
    _says(with_egress, "t", provider_session_id="a")
    assert (await _send(with_egress, "t")).status_code == 200
    again = await with_egress.session(sid="a")
    answer = await _send(with_egress, "t")
    assert (answer.status_code, answer.json(), answer.headers["cache-control"]) == (
        400,
        {"error": "invalid_request"},
        "no-store",
    )
    assert await _alive(with_egress, again) == [True]
    assert [one.outcome for one in await with_egress.records()] == [OUTCOME_DONE, OUTCOME_REFUSED]


async def test_tokens_are_forgotten_once_they_would_not_be_believed(with_egress: Any) -> None:
    _says(with_egress, "t", provider_session_id="a")
    await _send(with_egress, "t")
    await with_egress.dependencies.sessions.forget_old()
    assert await with_egress.count(tables.logout_tokens) == 1
    with_egress.clock.pass_(minutes=12)
    await with_egress.dependencies.sessions.forget_old()
    assert await with_egress.count(tables.logout_tokens) == 0


@pytest.mark.req("S-14", "R10")
@pytest.mark.parametrize("why", ["not believed", "names nobody", "no id", "the provider is away", "egress is away"])
async def test_what_is_refused_ends_nothing_and_is_recorded(make_with_egress: Any, make_world: Any, why: str) -> None:
    world = await (make_world(request_seconds=0.5) if why == "egress is away" else make_with_egress())
    here = await world.session(sid="")
    if why == "names nobody":
        _says(world, "t")
    elif why == "no id":
        world.provider.logout_tokens["t"] = CheckLogoutTokenResponse(subject=str(here.session.account_id))
    elif why == "the provider is away":
        world.provider.failure = Failure(Code.CODE_RDVPERMIS_DOWN, "away")
    answer = await _send(world, "t")
    assert (answer.status_code, answer.headers["cache-control"]) == (400, "no-store")
    assert set(answer.json()) == {"error"}
    assert await world.count(tables.sessions, queries.LIVE) == 1
    (record,) = await world.records()
    assert (record.action, record.outcome, record.facts["cause"]) == ("session.end", OUTCOME_REFUSED, "provider")


@pytest.mark.parametrize(
    ("body", "kind", "status"),
    [
        ("logout_token=t&logout_token=t", "application/x-www-form-urlencoded", 400),
        ("", "application/x-www-form-urlencoded", 400),
        ("other=t", "application/x-www-form-urlencoded", 400),
        ("&".join(["a=b"] * 100) + "&logout_token=t", "application/x-www-form-urlencoded", 400),
        ("logout_token=\xff", "application/x-www-form-urlencoded", 400),
        ('{"logout_token": "t"}', "application/json", 415),
        ("logout_token=" + "t" * 70_000, "application/x-www-form-urlencoded", 413),
    ],
)
async def test_only_one_token_in_a_form_is_read(with_egress: Any, body: str, kind: str, status: int) -> None:
    here = await with_egress.session(sid="a")
    _says(with_egress, "t", provider_session_id="a")
    async with with_egress.browser() as provider:
        provider.headers = {"Content-Type": kind}
        answer = await provider.post(HERE, content=body.encode("latin-1"))
    assert answer.status_code == status
    assert await _alive(with_egress, here) == [True]


@pytest.mark.req("R11")
async def test_it_asks_for_no_cookie_and_none_helps(with_egress: Any) -> None:
    here = await with_egress.session(sid="a")
    async with with_egress.browser(here) as browser:
        assert (await browser.get(HERE)).status_code == 405
        assert (await browser.post(HERE, data={"logout_token": "forged"})).status_code == 400
    _says(with_egress, "t", provider_session_id="a")
    answer = await _send(with_egress, "t", **{"Origin": "https://idp.test", "Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 200
    assert "set-cookie" not in answer.headers


async def test_it_is_counted_by_itself_for_each_address(make_with_egress: Any) -> None:
    world = await make_with_egress(provider_rate="2/minute")
    assert [(await _send(world, "forged")).status_code for _ in range(3)] == [400, 400, 429]
    async with world.browser() as browser:
        assert (await browser.get("/auth/login")).status_code == 302


async def test_a_token_that_was_not_acted_upon_may_come_again(
    with_egress: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    here = await with_egress.session(sid="a")
    _says(with_egress, "t", provider_session_id="a")
    with monkeypatch.context() as broken:

        async def away(*_: Any, **__: Any) -> None:
            raise Failure(Code.CODE_UNAVAILABLE, "the database is away")

        broken.setattr(queries, "sessions_at_provider", away)
        assert (await _send(with_egress, "t")).status_code == 400
    assert (await _send(with_egress, "t")).status_code == 200
    assert await _alive(with_egress, here) == [False]
    assert with_egress.clock() - here.session.created_at < timedelta(minutes=1)
