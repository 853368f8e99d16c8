"""What ended is revoked at the provider: once it takes it, restarts and outages included."""

from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest
import sqlalchemy as sa

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_FAILED
from resapermis_auth_gateway import tables, tokens
from resapermis_auth_gateway.egress.revocations import LONGEST_PAUSE_SECONDS, Revocations, pause
from resapermis_kit.clock import utc_now
from resapermis_kit.database.transaction import transaction
from resapermis_kit.denials.denial import Denial
from resapermis_kit.events.outbox import Outbox

from .hostile_provider import Clock
from .responder import Responder

pytestmark = pytest.mark.req("S-02", "S-14")
GRANT = tables.tokens.c.kind == "grant"


async def _sign_out(world: Any, **tokens_of: Any) -> UUID:
    session: UUID = await world.sign_in(**tokens_of)
    async with transaction(world.engine) as tx:
        await tokens.end_tokens(tx, session_id=session, reason="signed_out", now=utc_now())
    return session


def _revoked(responder: Responder) -> list[str]:
    return [parse_qs(asked.body.decode())["token"][0] for asked in responder.calls("POST /revoke")]


async def _waiting(world: Any) -> int:
    async with transaction(world.engine) as tx:
        return int((await tx.execute(sa.select(sa.func.count()).select_from(tables.revocations))).scalar_one())


async def test_the_refresh_token_is_revoked_else_the_access_token_and_then_forgotten(
    world: Any, responder: Responder
) -> None:
    await _sign_out(world)
    await _sign_out(world, refresh="")
    await world.revocations.revoke_due()
    assert _revoked(responder) == ["refresh-1", "access-1"]
    await world.revocations.revoke_due()
    assert (len(_revoked(responder)), await _waiting(world)) == (2, 0)
    recorded = await world.records("token.revoke")
    assert [(one.outcome, one.facts["kind"], one.object_kind) for one in recorded] == [
        (OUTCOME_DONE, "refresh", "token"),
        (OUTCOME_DONE, "access", "token"),
    ]


async def test_a_provider_that_offers_no_revocation_is_not_said_to_have_taken_one(
    world: Any, responder: Responder
) -> None:
    _, document = responder.replies["GET /realm/.well-known/openid-configuration"]
    responder.replies["GET /realm/.well-known/openid-configuration"] = 200, {**document, "revocation_endpoint": None}
    await _sign_out(world)
    await world.revocations.revoke_due()
    (recorded,) = await world.records("token.revoke")
    assert (recorded.outcome, recorded.facts["reason"]) == (OUTCOME_FAILED, "not_offered")
    assert (_revoked(responder), await _waiting(world)) == ([], 0)


async def test_while_the_provider_is_away_it_is_kept_and_tried_again_later(world: Any, responder: Responder) -> None:
    await _sign_out(world)
    clock = Clock(utc_now())
    box, denied = Outbox("auth-gateway"), list[Denial]()
    revocations = Revocations(world.engine, world.vault, world.provider, box, denied.append, clock)
    for answer in ((503, None), (500, None), (401, None), (302, None)):
        responder.replies["POST /revoke"] = answer
        await revocations.revoke_due()
        await revocations.revoke_due()  # not due again yet
        clock.pass_(minutes=3)
    assert len(_revoked(responder)) == 4
    assert [(one.action, one.outcome, one.reason) for one in denied] == [
        ("token.revoke", OUTCOME_FAILED, "RDVPERMIS_DOWN")
    ] * 4
    assert await world.records("token.revoke") == []
    responder.replies["POST /revoke"] = (200, None)
    await revocations.revoke_due()
    assert await _waiting(world) == 0


async def test_one_that_cannot_be_opened_or_has_ended_stops_no_other(world: Any, responder: Responder) -> None:
    for refresh in ("broken", "ended", "good"):
        await _sign_out(world, refresh=refresh)
    rows = tables.revocations
    async with transaction(world.engine) as tx:
        first, second, _ = (await tx.execute(sa.select(rows.c.id).order_by(rows.c.due_at))).scalars().all()
        await tx.execute(sa.update(rows).where(rows.c.id == first).values(sealed=b"dust"))
        await tx.execute(sa.update(rows).where(rows.c.id == second).values(ends_at=utc_now()))
    await world.revocations.revoke_due()
    assert (_revoked(responder), await _waiting(world)) == (["good"], 0)
    recorded = await world.records("token.revoke")
    assert [one.facts["reason"] for one in recorded] == ["unreadable", "given_up", ""]
    assert [one.outcome for one in recorded] == [OUTCOME_FAILED, OUTCOME_FAILED, OUTCOME_DONE]


async def _signed_out_with_a_grant(world: Any) -> Revocations:
    """Of somebody who has a grant, a session's token waits; return what revokes where all of theirs would end."""
    gone = await _sign_out(world, refresh="gone")
    await world.sign_in(refresh="stays", grant=True)
    account = sa.select(tables.sessions.c.account_id).where(tables.sessions.c.id == gone).scalar_subquery()
    async with transaction(world.engine) as tx:
        await tx.execute(sa.update(tables.tokens).where(GRANT).values(account_id=account))
    box = Outbox("auth-gateway")
    return Revocations(world.engine, world.vault, world.provider, box, world.denied.append, utc_now, ends="person")


async def test_where_it_would_end_what_is_in_use_it_waits_until_nothing_is(world: Any, responder: Responder) -> None:
    revocations = await _signed_out_with_a_grant(world)
    await _sign_out(world, refresh="another's")
    await revocations.revoke_due()
    assert (_revoked(responder), await _waiting(world)) == (["another's"], 1)
    async with transaction(world.engine) as tx:
        dead = {"dead_at": utc_now(), "access": None, "refresh": None}
        await tx.execute(sa.update(tables.tokens).where(GRANT).values(dead))
    await revocations.revoke_due()
    assert (_revoked(responder), await _waiting(world)) == (["another's", "gone"], 0)


async def test_what_ended_by_itself_while_it_waited_is_no_alarm(world: Any, responder: Responder) -> None:
    revocations = await _signed_out_with_a_grant(world)
    async with transaction(world.engine) as tx:
        await tx.execute(sa.update(tables.revocations).values(ends_at=utc_now()))
    await revocations.revoke_due()
    (recorded,) = await world.records("token.expire")
    assert (recorded.outcome, recorded.facts["reason"]) == (OUTCOME_DONE, "spared")
    assert await world.records("token.revoke") == []
    assert (_revoked(responder), await _waiting(world)) == ([], 0)


def test_pauses_grow_to_an_hour() -> None:
    assert [pause(tries).total_seconds() for tries in (0, 1, 2)] == [15, 30, 60]
    assert pause(1000) == timedelta(seconds=LONGEST_PAUSE_SECONDS)
