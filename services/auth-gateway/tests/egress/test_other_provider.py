"""Settings name another provider than before: nothing that the first one gave is ever sent to the second."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import pytest
import sqlalchemy as sa

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, Actor
from resapermis.iam.v1.events_pb2 import GrantEnded, SessionEnded
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_auth_gateway import tables, tokens
from resapermis_auth_gateway.egress.revocations import Ends, Revocations
from resapermis_auth_gateway.egress.token_store import TokenOwner
from resapermis_auth_gateway.tokens import TokenPair
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_testing.databases import as_owner

from .conftest import MakeWorld, World, answering
from .hostile_provider import Clock
from .responder import Responder

pytestmark = pytest.mark.req("S-02", "S-04", "S-24")
DISCOVERY = "GET /realm/.well-known/openid-configuration"
TOLD = ("one's session", "one's grant", "one's old session", "one's unadopted")


@dataclass
class Change:
    """The same database before one provider, and now before the other."""

    before: World
    now: World
    first: Responder
    second: Responder
    session: UUID
    """Of the first's, and there is a grant of the first's too."""

    def told(self, responder: Responder) -> list[str]:
        """Which of the first's tokens a provider was ever sent, in whatever form."""
        sent = [asked.body.decode() + str(asked.headers) for asked in responder.asked]
        return [name for name in TOLD if any(name.replace(" ", "-").replace("'", "") in one for one in sent)]

    async def revoke(self, world: World, ends: Ends, **later: float) -> None:
        clock = Clock(utc_now())
        clock.pass_(**later)
        box = Outbox("auth-gateway")
        denied = world.denied.append
        await Revocations(world.engine, world.vault, world.provider, box, denied, clock, ends=ends).revoke_due()


def _token(name: str) -> str:
    return name.replace(" ", "-").replace("'", "")


@pytest.fixture
async def change(make_world: MakeWorld, responder: Responder) -> AsyncIterator[Change]:
    async with answering() as second:
        before = await make_world(responder.url, f"{responder.url}/realm")
        session = await before.sign_in(refresh=_token("one's session"), access_seconds=10, refresh_seconds=300)
        await before.sign_in(refresh=_token("one's grant"), access_seconds=10, refresh_seconds=None, grant=True)
        ended = await before.sign_in(refresh=_token("one's old session"))
        lost = TokenPair("-", utc_now() + timedelta(minutes=5), _token("one's unadopted"), None)
        async with transaction(before.engine) as tx:
            await tokens.end_tokens(tx, session_id=ended, reason="signed_out", now=utc_now())
            others = tables.sessions.c.id != session  # the one that ended, and the one that the grant was given in
            await tx.execute(sa.update(tables.sessions).where(others).values(ended_at=utc_now()))
            sealed = tokens.seal(before.vault, new_id(), lost)
            await tokens.keep_unadopted(tx, sealed, utc_now(), issuer=before.provider.issuer, subject="employee-1")
        now = await make_world(second.url, f"{second.url}/realm", engine=before.engine, vault=before.vault)
        yield Change(before, now, responder, second, session)


async def _live(world: World) -> int:
    async with transaction(world.engine) as tx:
        live = sa.select(sa.func.count()).select_from(tables.tokens).where(tables.tokens.c.dead_at.is_(None))
        return int((await tx.execute(live)).scalar_one())


@pytest.mark.parametrize("ends", ["family", "person"])
async def test_no_token_of_the_first_is_ever_sent_to_the_second(change: Change, ends: Ends) -> None:
    with pytest.raises(Failure) as refused:
        await change.now.access(TokenOwner(change.session, "school-1"))
    assert refused.value.code == Code.CODE_RECONNECT_NEEDED
    question = pb.ListBasketsRequest(on_behalf=pb.OnBehalf(school_id="school-1"))
    assert (await change.now.refused("ListBaskets", question)).code == Code.CODE_RECONNECT_NEEDED
    await change.now.token_store.renew_ending()
    await change.revoke(change.now, ends, minutes=2)
    await change.now.token_store.end_other_providers()
    await change.revoke(change.now, ends, minutes=2)
    assert change.told(change.second) == []
    assert change.second.calls("POST ") == []
    await change.revoke(change.before, ends, minutes=2)
    assert change.told(change.first) == list(TOLD), "should settings name it again, it takes its own"


async def test_what_the_first_gave_ends_and_is_told(change: Change) -> None:
    ours = await change.now.sign_in()
    await change.now.sign_in(grant=True)
    for _ in range(2):
        await change.now.token_store.end_other_providers()
    (session,) = await change.now.said(SessionEnded)
    assert (session.session_id, session.school_id, session.cause) == (
        str(change.session),
        "school-1",
        "other_provider",
    )
    (grant,) = await change.now.said(GrantEnded)
    assert (grant.reason, grant.school_id, grant.left) == ("other_provider", "school-1", 1)
    for action, fact in (("session.end", "cause"), ("grant.end", "reason")):
        (record,) = await change.now.records(action)
        assert (record.actor.kind, record.outcome) == (Actor.KIND_SYSTEM, OUTCOME_DONE)
        assert record.facts[fact] == "other_provider"
    assert (await change.now.access(TokenOwner(ours, "school-1"))).value == "access-1"
    assert await _live(change.now) == 2


async def test_until_the_second_has_shown_itself_nothing_ends(change: Change) -> None:
    document = change.second.replies[DISCOVERY]
    for answer in ((404, None), (200, {"issuer": "https://another.test"})):
        change.second.replies[DISCOVERY] = answer
        with pytest.raises(Failure) as refused:
            await change.now.token_store.end_other_providers()
        assert refused.value.code == Code.CODE_RDVPERMIS_DOWN
    assert await _live(change.now) == 2
    change.second.replies[DISCOVERY] = document
    await change.now.token_store.end_other_providers()
    assert await _live(change.now) == 0


async def test_where_nothing_is_anothers_nobody_is_asked(change: Change) -> None:
    await change.before.token_store.end_other_providers()
    assert change.first.asked == []
    assert await _live(change.before) == 2


async def test_more_than_a_hundred_end_at_once(change: Change) -> None:
    more = [{"id": new_id(), "account_id": await _account(change), "cookie_hash": new_id().bytes} for _ in range(150)]
    plain = {"school_id": "school-1", "school_name": "", "department": "", "provider_sid": ""}
    moments = {"created_at": utc_now(), "seen_at": utc_now()}
    async with as_owner(change.now.engine) as tx:
        await tx.execute(sa.insert(tables.sessions), [one | plain | moments for one in more])
    await change.now.token_store.end_other_providers()
    assert len(await change.now.said(SessionEnded)) == 151


async def _account(change: Change) -> UUID:
    async with transaction(change.now.engine) as tx:
        mine = sa.select(tables.sessions.c.account_id).where(tables.sessions.c.id == change.session)
        return UUID(str((await tx.execute(mine)).scalar_one()))


async def test_what_waited_for_the_first_until_it_ended_is_recorded_as_that(change: Change) -> None:
    async with transaction(change.now.engine) as tx:
        await tx.execute(sa.update(tables.revocations).values(ends_at=utc_now()))
    await change.revoke(change.now, "person", minutes=2)
    recorded = await change.now.records("token.expire")
    assert [(one.outcome, one.facts["reason"]) for one in recorded] == [(OUTCOME_DONE, "other_provider")] * 2
    assert change.second.calls("POST ") == []


async def test_a_row_that_says_whose_a_waiting_token_is_stays(change: Change) -> None:
    old = utc_now() - tokens.KEPT - timedelta(days=1)
    async with transaction(change.now.engine) as tx:
        dead = tables.tokens.c.dead_at.is_not(None)
        await tx.execute(sa.update(tables.tokens).where(dead).values(dead_at=old))
        await tokens.forget_old(tx, utc_now())
    await change.revoke(change.before, "family")
    assert change.told(change.first) == ["one's old session"]
    async with transaction(change.now.engine) as tx:
        await tokens.forget_old(tx, utc_now())
    assert await _live(change.now) == 2
