"""Refreshing at a provider that lies or falls silent: nobody else's tokens are taken, and no refresh token is sent twice."""

import asyncio
import base64
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
import sqlalchemy as sa
from joserfc.jwk import OctKey

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_FAILED, Record
from resapermis.iam.v1.events_pb2 import SessionEnded
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_auth_gateway import tables, tokens
from resapermis_auth_gateway.egress.oidc.provider import RefreshEnded
from resapermis_auth_gateway.egress.token_store import REFRESHES, TokenOwner
from resapermis_kit.clock import utc_now
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events import outbox as kit_outbox
from resapermis_testing.databases import as_owner

from .conftest import MakeParty
from .hostile_provider import OTHER, SECRET, HostileProvider, RelyingParty
from .responder import CUT, Raw, Responder

pytestmark = pytest.mark.req("S-02")


def _claim(name: str, value: Any) -> dict[str, Any]:
    return {"claims": lambda claims: claims.__setitem__(name, value)}


def _unsigned(token: str) -> str:
    header = base64.urlsafe_b64encode(json.dumps({"alg": "none"}).encode()).rstrip(b"=").decode()
    return f"{header}.{token.split('.')[1]}."


WRONG: dict[str, dict[str, Any]] = {
    "another person's": _claim("sub", "employee-2"),
    "another issuer's": _claim("iss", "https://evil.test"),
    "for another client": _claim("aud", "somebody-else"),
    "asked by another client": _claim("azp", "somebody-else"),
    "expired": {"claims": lambda claims: claims.__setitem__("exp", claims["iat"] - 61)},
    "of an earlier answer": {"claims": lambda claims: claims.__setitem__("iat", claims["iat"] - 661)},
    "forged": {"sign_with": OTHER, "header": {"kid": "one"}},
    "unsigned": {"tamper": _unsigned},
    "signed with our secret": {
        "sign_with": OctKey.import_key(SECRET, {"kid": "one"}),
        "header": {"alg": "HS256", "kid": "one"},
    },
}


@pytest.mark.req("R8")
@pytest.mark.parametrize("wrong", WRONG)
async def test_an_id_token_of_a_refresh_is_checked_as_at_the_sign_in(party: RelyingParty, wrong: str) -> None:
    for name, value in WRONG[wrong].items():
        setattr(party.hostile, name, value)
    with pytest.raises(RefreshEnded) as ended:
        await party.provider.refresh("refresh-1", "employee-1")
    assert (ended.value.reason, ended.value.left_over) == ("id_token_refused", "refresh-2")


@pytest.mark.req("R8")
async def test_a_good_one_gives_a_new_pair_and_one_without_id_token_too(party: RelyingParty) -> None:
    assert (await party.provider.refresh("refresh-1", "employee-1")).refresh == "refresh-2"
    party.hostile.answer = {"id_token": ""}
    assert (await party.provider.refresh("refresh-2", "employee-1")).access == "access-3"


UNKNOWN: dict[str, Any] = {
    "cut": CUT,
    "half": Raw(b"HTTP/1.1 200 x\r\ncontent-length: 100\r\n\r\nhalf"),
    "no JSON": (200, b"<html>"),
    "no token": (200, {"token_type": "Bearer"}),
    "another type": (200, {"access_token": "a", "token_type": "mac"}),
    "failed": (500, {"error": "server_error"}),
    "behind a proxy": (504, b"<html>"),
    "elsewhere": (302, None, {"location": "/elsewhere"}),
}


@pytest.mark.parametrize("unknown", UNKNOWN)
async def test_where_nobody_knows_whether_it_was_used_the_grant_is_over(
    party: RelyingParty, responder: Responder, unknown: str
) -> None:
    responder.replies["POST /token"] = UNKNOWN[unknown]
    with pytest.raises(RefreshEnded) as ended:
        await party.provider.refresh("refresh-1", "employee-1")
    assert ended.value.reason == "answer_lost"
    assert party.hostile.calls("token") == 1


async def test_an_answer_that_drips_is_a_lost_one(make_party: MakeParty, responder: Responder) -> None:
    async def drip(writer: asyncio.StreamWriter) -> None:
        for _ in range(1000):
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.02)

    party = make_party(call_seconds=0.3)
    responder.replies["POST /token"] = Raw(b"HTTP/1.1 200 x\r\ncontent-length: 100000\r\n\r\n", drip)
    async with asyncio.timeout(5):
        with pytest.raises(RefreshEnded, match="answer_lost"):
            await party.provider.refresh("refresh-1", "employee-1")


NOT_USED: dict[str, tuple[str, Any]] = {
    "busy": ("POST /token", (429, None)),
    "not in service": ("POST /token", (503, b"<html>")),
    "not its client": ("POST /token", (401, {"error": "invalid_client"})),
    "no keys": ("GET /certs", CUT),
    "no document": ("GET /realm/.well-known/openid-configuration", CUT),
}


@pytest.mark.parametrize("why", NOT_USED)
async def test_where_it_was_surely_not_used_it_may_be_tried_again(
    party: RelyingParty, responder: Responder, why: str
) -> None:
    path, reply = NOT_USED[why]
    good, responder.replies[path] = responder.replies[path], reply
    with pytest.raises(Failure) as refused:
        await party.provider.refresh("refresh-1", "employee-1")
    assert refused.value.code == Code.CODE_RDVPERMIS_DOWN
    responder.replies[path] = good
    assert (await party.provider.refresh("refresh-1", "employee-1")).refresh == "refresh-2"


async def _ended(world: Any) -> tuple[Any, list[str]]:
    """The one token row, and why the journal says that it ended."""
    async with transaction(world.engine) as tx:
        (row,) = (await tx.execute(sa.select(tables.tokens))).all()
    return row, [one.facts["reason"] for one in await _records(world) if one.action == "token.refresh"]


async def _records(world: Any) -> list[Record]:
    return [Record.FromString(payload) for payload in await _published(world, Record)]


async def _published(world: Any, kind: Any) -> list[bytes]:
    box = kit_outbox.outbox.c
    statement = sa.select(box.payload).where(box.type == kind.DESCRIPTOR.full_name).order_by(box.sequence)
    async with transaction(world.engine) as tx:
        return list((await tx.execute(statement)).scalars())


def _used(responder: Responder) -> list[str]:
    return [parse_qs(asked.body.decode())["refresh_token"][0] for asked in responder.calls("POST /token")]


@pytest.mark.req("S11")
async def test_after_a_lost_answer_the_token_is_dead_recorded_and_never_sent_again(
    world: Any, responder: Responder
) -> None:
    responder.replies["POST /token"] = CUT
    who = TokenOwner(await world.sign_in(access_seconds=20), "school-1")  # it would still do for a moment
    for _ in range(3):
        with pytest.raises(Failure) as refused:
            await world.access(who)
        assert refused.value.code == Code.CODE_RECONNECT_NEEDED
    row, reasons = await _ended(world)
    assert (row.access, row.refresh, reasons) == (None, None, ["answer_lost"])
    assert _used(responder) == ["refresh-1"]


@pytest.mark.req("S11")
async def test_a_replica_that_died_in_a_refresh_leaves_a_token_that_nobody_sends(
    world: Any, responder: Responder
) -> None:
    session = await world.sign_in(access_seconds=-1)
    (token,) = await tokens.of_sessions(world.engine, world.provider.issuer, [session])
    async with transaction(world.engine) as tx:
        assert await tokens.lease(tx, token, utc_now() - tokens.LEASE - timedelta(seconds=1))
    with pytest.raises(Failure) as refused:
        await world.access(TokenOwner(session, "school-1"))
    assert refused.value.code == Code.CODE_RECONNECT_NEEDED
    _, reasons = await _ended(world)
    assert (reasons, _used(responder)) == (["answer_lost"], [])


@pytest.mark.req("R8")
async def test_another_persons_tokens_end_the_grant_and_are_revoked(world: Any, responder: Responder) -> None:
    hostile = HostileProvider(responder, utc_now, accepts=("client_secret_post",))  # type: ignore[arg-type] - any clock
    hostile.discovery = {"jwks_uri": f"{responder.url}/certs"}
    answer: Callable[[str], dict[str, Any]] = lambda token: {  # noqa: E731 - one use
        "access_token": "access-2",
        "token_type": "Bearer",
        "refresh_token": "refresh-2",
        "id_token": token,
    }
    responder.replies["POST /token"] = lambda _: (200, answer(hostile.id_token("")))
    responder.replies["POST /revoke"] = (200, None)
    session = await world.sign_in(access_seconds=-1)  # its account is not employee-1's
    with pytest.raises(Failure) as refused:
        await world.access(TokenOwner(session, "school-1"))
    assert refused.value.code == Code.CODE_RECONNECT_NEEDED
    row, reasons = await _ended(world)
    assert (row.access, row.refresh, reasons) == (None, None, ["id_token_refused"])
    await world.revocations.revoke_due()
    assert [parse_qs(asked.body.decode())["token"] for asked in responder.calls("POST /revoke")] == [["refresh-2"]]


def _count(reason: str) -> float:
    (metric,) = REFRESHES.collect()
    return next(one.value for one in metric.samples if one.labels == {"outcome": reason} and "total" in one.name)


DEAD: dict[str, Any] = {
    "invalid_grant": (400, {"error": "invalid_grant"}),  # revoked there, or sent twice by a thief and by us
    "answer_lost": CUT,
    "id_token_refused": (
        200,
        {"access_token": "a", "token_type": "Bearer", "refresh_token": "r", "id_token": "not.a.token"},
    ),
    "refresh_expired": None,
}


@pytest.mark.req("S-04", "S12")
@pytest.mark.parametrize("reason", DEAD)
async def test_a_session_ends_with_its_grant_everywhere_and_is_counted(
    world: Any, responder: Responder, reason: str
) -> None:
    responder.replies["POST /token"] = DEAD[reason]
    counted = _count(reason)
    session = await world.sign_in(access_seconds=-1, refresh_seconds=-1 if reason == "refresh_expired" else 1800)
    other = await world.sign_in(school_id="school-2")
    for _ in range(2):
        with pytest.raises(Failure):
            await world.access(TokenOwner(session, "school-1"))
    async with as_owner(world.engine) as tx:
        rows = {row.id: row for row in await tx.execute(sa.select(tables.sessions))}
    assert (rows[session].end_cause, rows[other].ended_at) == ("grant", None)
    assert rows[session].ended_at is not None
    (event,) = [SessionEnded.FromString(payload) for payload in await _published(world, SessionEnded)]
    assert (event.session_id, event.account_id) == (str(session), str(rows[session].account_id))
    assert (event.school_id, event.cause) == ("school-1", "grant")
    ended, token = sorted(await _records(world), key=lambda one: one.action)
    assert (ended.action, ended.object_id, ended.actor.id) == ("session.end", str(session), "egress")
    assert dict(ended.facts) == {"cause": "grant", "reason": reason}
    assert (token.action, token.facts["reason"]) == ("token.refresh", reason)
    assert _count(reason) == counted + 1


async def test_a_session_that_was_signed_out_meanwhile_ends_once(world: Any, responder: Responder) -> None:
    session = await world.sign_in(access_seconds=-1)

    async def sign_out(asked: Any) -> Any:
        ending = sa.update(tables.sessions).where(tables.sessions.c.id == session)
        async with transaction(world.engine) as tx:
            await tx.execute(ending.values(ended_at=utc_now(), end_cause="signed_out"))
        return 400, {"error": "invalid_grant"}

    responder.replies["POST /token"] = sign_out
    with pytest.raises(Failure):
        await world.access(TokenOwner(session, "school-1"))
    assert await _published(world, SessionEnded) == []
    async with as_owner(world.engine) as tx:
        assert (await tx.execute(sa.select(tables.sessions.c.end_cause))).scalar() == "signed_out"


async def test_a_grant_without_a_session_ends_nobodys(world: Any, responder: Responder) -> None:
    responder.replies["POST /token"] = (400, {"error": "invalid_grant"})
    await world.sign_in(access_seconds=-1, grant=True)
    behalf = pb.OnBehalf(school_id="school-1")
    assert (await world.refused("ListBaskets", pb.ListBasketsRequest(on_behalf=behalf))).name == "RECONNECT_NEEDED"
    assert await _published(world, SessionEnded) == []
    assert sorted(one.action for one in await _records(world)) == ["grant.end", "token.refresh"]


@pytest.mark.req("S-14")
async def test_a_refresh_is_recorded_with_the_pair_that_it_brought(world: Any, responder: Responder) -> None:
    answer = {"access_token": "access-2", "token_type": "Bearer", "refresh_token": "refresh-2"}
    responder.replies["POST /token"] = (200, answer)
    session = await world.sign_in(access_seconds=-1)
    await world.access(TokenOwner(session, "school-1"))
    (token,) = await tokens.of_sessions(world.engine, world.provider.issuer, [session])
    (record,) = await world.records("token.refresh")
    assert (record.outcome, record.object_id, record.actor.on_behalf_of) == (OUTCOME_DONE, str(token.id), "school-1")
    assert dict(record.facts) == {"kind": "session", "account": str(token.account_id)}
    assert "access-2" not in str(record)


@pytest.mark.req("S-14")
@pytest.mark.parametrize("why", ["busy", "not its client"])
async def test_a_refresh_that_failed_and_may_be_tried_again_is_reported(
    world: Any, responder: Responder, why: str
) -> None:
    path, reply = NOT_USED[why]
    responder.replies[path] = reply
    session = await world.sign_in(access_seconds=-1)
    with pytest.raises(Failure):
        await world.access(TokenOwner(session, "school-1"))
    (denied,) = world.denied
    assert (denied.action, denied.outcome, denied.reason) == ("token.refresh", OUTCOME_FAILED, "RDVPERMIS_DOWN")
    assert await world.records("token.refresh") == []
