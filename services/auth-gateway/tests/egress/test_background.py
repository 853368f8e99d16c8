"""Work that nobody asked for: on whose token, for how long, and what ends a grant."""

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs
from uuid import UUID

import pytest
import sqlalchemy as sa
from prometheus_client import REGISTRY

from resapermis.audit.v1.events_pb2 import Actor
from resapermis.iam.v1.events_pb2 import GrantEnded, GrantEnding, SessionEnded
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_auth_gateway import grants, tables
from resapermis_auth_gateway.egress.budget import Limits
from resapermis_auth_gateway.egress.token_store import TokenOwner
from resapermis_kit.clock import utc_now
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_testing.eventually import eventually

from .conftest import MakeWorld, World
from .responder import BASE, CUT, ReceivedRequest, Reply, Responder

pytestmark = pytest.mark.req("S-24", "R-31")
LIST = pb.ListBasketsRequest(on_behalf=pb.OnBehalf(school_id="school-1"))
GRANTS = tables.tokens.c.kind == "grant"


@pytest.fixture(autouse=True)
def baskets(responder: Responder) -> None:
    responder.on("GET", "/paniers", (200, []))


def _used(responder: Responder, path: str = "/paniers") -> list[str]:
    """With which tokens RdvPermis was asked, in order."""
    asked = responder.calls(f"GET {BASE}{path}")
    return [one.headers["authorization"].removeprefix("Bearer ") for one in asked]


async def _set(world: World, *where: Any, **values: Any) -> None:
    async with transaction(world.engine) as tx:
        await tx.execute(sa.update(tables.tokens).where(*where).values(values))


async def _grant(world: World) -> Any:
    async with transaction(world.engine) as tx:
        return (await tx.execute(sa.select(tables.tokens).where(GRANTS))).one()


async def _all_grants(world: World) -> list[UUID]:
    async with transaction(world.engine) as tx:
        return list((await tx.execute(sa.select(tables.tokens.c.id).where(GRANTS))).scalars())


async def _waiting(world: World) -> list[UUID]:
    async with transaction(world.engine) as tx:
        return list((await tx.execute(sa.select(tables.revocations.c.token_id))).scalars())


async def _ended(world: World, reason: str, why: str) -> None:
    """The only grant is over: row, event, record, secrets."""
    row = await _grant(world)
    assert (row.reason, row.access, row.refresh) == (why, None, None)
    (event,) = await world.said(GrantEnded)
    assert (event.grant_id, event.account_id, event.school_id) == (str(row.id), str(row.account_id), "school-1")
    assert (event.reason, event.left) == (reason, 0)
    (record,) = await world.records("grant.end")
    assert (record.actor.kind, record.actor.id, record.school_id) == (Actor.KIND_SYSTEM, "egress", "school-1")
    assert dict(record.facts) == {"reason": why, "account": str(row.account_id)}


async def test_whose_token_it_is_rdvpermis_is_asked_once_in_a_minute(world: World, responder: Responder) -> None:
    await world.sign_in(access="of-a-grant", grant=True)
    for _ in range(3):
        await world.ask("ListBaskets", LIST)
    assert (_used(responder, "/moi"), _used(responder)) == (["of-a-grant"], ["of-a-grant"] * 3)
    now = utc_now()
    used_at = (await _grant(world)).used_at
    assert now - timedelta(hours=1) < used_at <= now
    assert (used_at.minute, used_at.second, used_at.microsecond) == (0, 0, 0), "to the hour"


@dataclass
class Seconds:
    """A process's clock that a test moves."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@dataclass
class Replicas:
    """Two of egress over one database, which remember a grant's owner, the second half a minute later than the first."""

    one: World
    two: World
    clock: Seconds

    async def once_the_first_knows(self) -> None:
        """The first one's memory ends, and it asks; less than a second later the second has work."""
        self.clock.at += 31
        assert (await self.one.refused("ListBaskets", LIST)).code == Code.CODE_RECONNECT_NEEDED
        self.clock.at += 0.99


@pytest.fixture
async def replicas(make_world: MakeWorld, responder: Responder) -> Replicas:
    clock, issuer = Seconds(), f"{responder.url}/realm"
    one = await make_world(responder.url, issuer, clock=clock)
    two = await make_world(responder.url, issuer, clock=clock, engine=one.engine, vault=one.vault)
    await one.sign_in(grant=True)
    for world in (one, two):
        await world.ask("ListBaskets", LIST)
        clock.at += 30
    clock.at -= 30
    assert len(_used(responder, "/moi")) == len(_used(responder)) == 2
    return Replicas(one, two, clock)


@pytest.mark.req("S-04")
@pytest.mark.parametrize("gone", ["elsewhere", "refused"])
async def test_what_one_replica_is_told_of_a_leaver_the_other_knows_within_a_second(
    replicas: Replicas, responder: Responder, gone: str
) -> None:
    there = {"id": "school-2", "nom": "École"}
    responder.on("GET", "/moi", (200, there) if gone == "elsewhere" else (403, {"erreur": "ACTION_INTERDITE"}))
    await replicas.once_the_first_knows()
    assert (await replicas.two.refused("ListBaskets", LIST)).code == Code.CODE_RECONNECT_NEEDED
    assert len(_used(responder)) == 2, "no work on that grant since"


async def test_a_grant_that_one_replica_finds_taken_again_works_at_the_other(
    replicas: Replicas, responder: Responder
) -> None:
    responder.on("GET", "/moi", (403, {"erreur": "ACTION_INTERDITE"}))
    await replicas.once_the_first_knows()
    assert (await replicas.two.refused("ListBaskets", LIST)).code == Code.CODE_RECONNECT_NEEDED
    responder.on("GET", "/moi", (200, {"id": "school-1", "nom": "École"}))
    replicas.clock.at += 59.5
    await replicas.one.ask("ListBaskets", LIST)
    replicas.clock.at += 0.4
    await replicas.two.ask("ListBaskets", LIST)
    assert len(_used(responder)) == 4


async def test_calls_on_a_grant_are_the_systems_act_with_its_owner_as_a_fact(world: World) -> None:
    await world.sign_in(grant=True)
    await world.ask("ListBaskets", LIST)
    await world.calls.write()
    (record,) = await world.records("rdvpermis.call")
    assert record.actor == Actor(kind=Actor.KIND_SYSTEM, id="egress", on_behalf_of="school-1")
    facts = {name: record.facts[name] for name in ("account", "kind", "paniers.liste.ok", "moi.ok")}
    account = str((await _grant(world)).account_id)
    assert facts == {"account": account, "kind": "grant", "paniers.liste.ok": "1", "moi.ok": "1"}


def _moved(responder: Responder, *tokens: str) -> None:
    """RdvPermis counts the owners of these to another school."""

    def me(asked: ReceivedRequest) -> Reply:
        elsewhere = asked.headers["authorization"].removeprefix("Bearer ") in tokens
        return 200, {"id": "school-2" if elsewhere else "school-1", "nom": "École"}

    responder.on("GET", "/moi", me)


async def test_of_two_that_end_at_once_one_is_said_to_be_the_last(world: World) -> None:
    for _ in range(2):
        await world.sign_in(grant=True)
    box, actor = Outbox("auth-gateway"), Actor(kind=Actor.KIND_SYSTEM, id="egress")
    one, other = (await _all_grants(world))[:2]

    async def end(tx: Tx, which: UUID) -> None:
        how = {"reason": grants.WITHDRAWN, "now": utc_now(), "actor": actor}
        await grants.end(tx, box, tables.tokens.c.id == which, **how)

    async def end_other() -> None:
        async with transaction(world.engine) as tx:
            await end(tx, other)

    waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
    async with transaction(world.engine) as tx:
        await end(tx, one)
        second = asyncio.create_task(end_other())

        async def waits() -> bool:
            return second.done() or bool((await tx.execute(sa.text(waiting))).scalar_one())

        await eventually(waits)
    await second
    assert [event.left for event in await world.said(GrantEnded)] == [1, 0]


async def test_a_grant_of_who_works_elsewhere_serves_nobody_and_ends(world: World, responder: Responder) -> None:
    await world.sign_in(access="of-a-session")
    await world.sign_in(access="of-a-grant", grant=True)
    _moved(responder, "of-a-grant")
    await world.ask("ListBaskets", LIST)
    assert _used(responder) == ["of-a-session"]
    await _ended(world, "other_school", "other_school")
    assert await _waiting(world) == [(await _grant(world)).id]


@pytest.mark.req("S-04")
async def test_a_session_of_who_works_elsewhere_serves_no_background_work_and_ends(
    world: World, responder: Responder
) -> None:
    session = await world.sign_in(access="of-a-session")
    _moved(responder, "of-a-session")
    for _ in range(2):
        assert (await world.refused("ListBaskets", LIST)).code == Code.CODE_RECONNECT_NEEDED
    assert _used(responder) == []
    (event,) = await world.said(SessionEnded)
    assert (event.session_id, event.cause) == (str(session), "other_school")
    assert len(await _waiting(world)) == 1


@pytest.mark.parametrize("refusal", [(401, None), (403, {"erreur": "ACTION_INTERDITE"})])
async def test_a_grant_that_rdvpermis_refuses_is_not_used_and_ends_after_a_day(
    make_world: MakeWorld, responder: Responder, refusal: Any
) -> None:
    world = await make_world(responder.url, f"{responder.url}/realm")
    answer = {"access_token": "renewed", "token_type": "Bearer", "refresh_token": "r-2", "refresh_expires_in": 0}
    responder.replies["POST /token"] = (200, answer)
    await world.sign_in(access="of-a-session")
    await world.sign_in(access="of-a-grant", grant=True)
    good = (200, {"id": "school-1", "nom": "École"})
    responder.on("GET", "/moi", lambda asked: good if "of-a-session" in asked.headers["authorization"] else refusal)
    for _ in range(2):
        await world.ask("ListBaskets", LIST)
    asked = len(_used(responder, "/moi"))
    assert _used(responder) == ["of-a-session"] * 2
    assert (await _grant(world)).dead_at is None, "it may be RdvPermis' own trouble"
    await world.ask("ListBaskets", LIST)
    assert len(_used(responder, "/moi")) == asked, "asked again in a minute"
    await _set(world, GRANTS, refused_at=utc_now() - timedelta(hours=25))
    later = await make_world(responder.url, f"{responder.url}/realm", engine=world.engine, vault=world.vault)
    await later.ask("ListBaskets", LIST)
    await _ended(world, "refused", "rdvpermis")


async def test_a_grant_that_rdvpermis_takes_again_begins_anew(world: World) -> None:
    await world.sign_in(grant=True)
    await _set(world, GRANTS, refused_at=utc_now() - timedelta(hours=25))
    await world.ask("ListBaskets", LIST)
    assert (await _grant(world)).refused_at is None


@pytest.mark.parametrize("answer", [(503, None), CUT, (200, {"nom": "sans identifiant"})])
async def test_while_rdvpermis_does_not_say_whose_it_is_nothing_is_asked_and_nothing_ends(
    world: World, responder: Responder, answer: Any
) -> None:
    await world.sign_in(grant=True)
    responder.on("GET", "/moi", answer)
    refused = await world.refused("ListBaskets", LIST)
    assert refused.code in {Code.CODE_RDVPERMIS_DOWN, Code.CODE_RDVPERMIS_UNEXPECTED}
    assert _used(responder) == []
    row = await _grant(world)
    assert (row.dead_at, row.refused_at, row.used_at) == (None, None, None)
    responder.on("GET", "/moi", (200, {"id": "school-1", "nom": "École"}))
    await world.ask("ListBaskets", LIST)


async def test_a_grant_without_calls_left_gives_way_to_a_colleague_with_some(
    make_world: MakeWorld, responder: Responder
) -> None:
    world = await make_world(responder.url, f"{responder.url}/realm", limits=Limits(4, 100, 0.5))
    await world.sign_in(access="of-a-session")
    await world.sign_in(access="of-a-grant", grant=True)
    for _ in range(2):
        await world.ask("ListBaskets", LIST)
    assert _used(responder) == ["of-a-grant", "of-a-session"]
    counted = {"work": "background"}
    before = REGISTRY.get_sample_value("resapermis_rdvpermis_budget_refusals_total", counted) or 0
    refused = await world.refused("ListBaskets", LIST)
    assert (refused.code, refused.retry_at is None) == (Code.CODE_RDVPERMIS_BUDGET, False)
    assert (REGISTRY.get_sample_value("resapermis_rdvpermis_budget_refusals_total", counted) or 0) > before


async def test_a_grant_is_found_behind_the_sessions_of_a_large_school(world: World, responder: Responder) -> None:
    await world.sign_in(access="of-a-grant", grant=True)
    for number in range(20):
        await world.sign_in(access=f"of-session-{number}")
    await world.ask("ListBaskets", LIST)
    assert _used(responder) == ["of-a-grant"]


async def test_a_grant_whose_time_is_over_is_not_used_and_ends(world: World, responder: Responder) -> None:
    await world.sign_in(grant=True, grant_seconds=-1)
    assert (await world.refused("ListBaskets", LIST)).code == Code.CODE_RECONNECT_NEEDED
    assert not (await world.ask("GetBudget", pb.GetBudgetRequest(on_behalf=LIST.on_behalf))).connected
    assert responder.asked == []
    await world.token_store.end_run_out()
    await world.token_store.end_run_out()
    await _ended(world, "run_out", "run_out")
    assert await _waiting(world) == [(await _grant(world)).id]


def _metric(name: str, **labels: str) -> float:
    value = REGISTRY.get_sample_value(name, labels)
    assert value is not None, "there from the start"
    return value


async def test_operators_see_how_many_grants_live_are_refused_and_why_others_ended(world: World) -> None:
    ends = {
        reason: _metric("resapermis_grants_ended_total", reason=reason) for reason in (*grants.REFUSED, *grants.LOST)
    }
    before = _metric("resapermis_grants_ended_total", reason="run_out")
    for seconds in (3600, 3600, 3600, -1):
        await world.sign_in(grant=True, grant_seconds=seconds)
    await _set(world, tables.tokens.c.id == (await _all_grants(world))[0], refused_at=utc_now())
    await world.token_store.end_run_out()
    seen = [_metric("resapermis_grants", state=state) for state in ("live", "refused")]
    assert (seen, _metric("resapermis_grant_schools")) == ([2, 1], 1)
    assert _metric("resapermis_grants_ended_total", reason="run_out") == before + 1
    assert {reason: _metric("resapermis_grants_ended_total", reason=reason) for reason in ends} == ends
    await _set(world, GRANTS, refused_at=utc_now())
    await world.token_store.end_run_out()
    assert _metric("resapermis_grant_schools") == 0, "none that works"


async def test_a_session_that_cannot_be_opened_is_counted(world: World) -> None:
    before = _metric("resapermis_token_refreshes_total", outcome="unreadable")
    session = await world.sign_in()
    await _set(world, tables.tokens.c.session_id == session, access=b"dust")
    with pytest.raises(Failure):
        await world.access(TokenOwner(session, "school-1"))
    assert _metric("resapermis_token_refreshes_total", outcome="unreadable") == before + 1


async def test_that_a_grant_runs_out_is_said_a_month_and_a_week_before_each_once(world: World) -> None:
    await world.sign_in(grant=True)
    said = []
    for days in (40, 29, 28, 6, 5, 1):
        await _set(world, GRANTS, ends_at=utc_now() + timedelta(days=days))
        await world.token_store.end_run_out()
        said.append(len(await world.said(GrantEnding)))
    assert said == [0, 1, 1, 2, 2, 2]
    row, event = await _grant(world), (await world.said(GrantEnding))[0]
    assert row.dead_at is None, "it still runs"
    assert (event.grant_id, event.account_id, event.school_id) == (str(row.id), str(row.account_id), "school-1")
    await _set(world, GRANTS, ends_at=utc_now() + timedelta(days=3), warned_days=None)
    await world.token_store.end_run_out()
    assert len(await world.said(GrantEnding)) == 3, "of one that was given for a week, once"


async def test_whether_a_school_has_a_grant_is_told_with_its_budget(world: World) -> None:
    question = pb.GetBudgetRequest(on_behalf=LIST.on_behalf)
    await world.sign_in()
    without = await world.ask("GetBudget", question)
    assert (without.connected, without.granted) == (True, False)
    await world.sign_in(grant=True)
    other = pb.GetBudgetRequest(on_behalf=pb.OnBehalf(school_id="school-2"))
    assert not (await world.ask("GetBudget", other)).granted


LOST = {"invalid_grant": "refused", "answer_lost": "lost"}


@pytest.mark.parametrize("why", LOST)
async def test_a_grant_that_the_provider_does_not_renew_ends_and_is_told(
    world: World, responder: Responder, why: str
) -> None:
    responder.replies["POST /token"] = CUT if why == "answer_lost" else (400, {"error": "invalid_grant"})
    await world.sign_in(access_seconds=-1, refresh="old", refresh_seconds=None, grant=True)
    for _ in range(2):
        assert (await world.refused("ListBaskets", LIST)).code == Code.CODE_RECONNECT_NEEDED
    await _ended(world, LOST[why], why)
    await world.revocations.revoke_due()
    revoked = [parse_qs(asked.body.decode())["token"] for asked in responder.calls("POST /revoke")]
    assert revoked == ([["old"]] if why == "answer_lost" else []), "what the lost answer gave lives on there"


async def test_a_grant_that_nobody_can_open_ends_and_is_told(world: World) -> None:
    await world.sign_in(grant=True)
    await _set(world, GRANTS, access=b"dust")
    assert (await world.refused("ListBaskets", LIST)).code == Code.CODE_RECONNECT_NEEDED
    await _ended(world, "lost", "unreadable")


async def test_a_grant_that_nobody_uses_is_renewed_once_a_day(world: World, responder: Responder) -> None:
    answer = {"access_token": "a-2", "token_type": "Bearer", "refresh_token": "r-2", "refresh_expires_in": 0}
    responder.replies["POST /token"] = (200, answer)
    await world.sign_in(access_seconds=-23 * 3600, refresh_seconds=None, grant=True)
    await world.token_store.renew_ending()
    assert responder.asked == []
    await _set(world, GRANTS, access_expires_at=utc_now() - timedelta(hours=25))
    await world.token_store.renew_ending()
    await world.token_store.renew_ending()
    assert len(responder.calls("POST /token")) == 1
