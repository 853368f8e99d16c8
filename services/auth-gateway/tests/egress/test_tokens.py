"""Tokens: sealed, renewed once however many want them, dead when the provider ends them."""

import asyncio
from datetime import timedelta
from urllib.parse import parse_qs

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from resapermis.audit.v1.events_pb2 import Record
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as pb
from resapermis_auth_gateway import tables, tokens
from resapermis_auth_gateway.egress.token_store import TokenOwner
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events import outbox as kit_outbox
from resapermis_testing.databases import as_owner
from resapermis_vault.errors import Unreadable
from resapermis_vault.person_key import row_of
from resapermis_vault.secret import open_secret

from .responder import BASE

pytestmark = pytest.mark.req("S-02")
PLANNING = pb.SearchPlanningRequest(category="B", centre_id="c-1", date="2026-12-09")
BEHALF = pb.OnBehalf(school_id="school-1")


class TokenEndpoint:
    """Rotates refresh tokens as Keycloak does: a used one is invalid_grant."""

    def __init__(self, responder, *, first="refresh-1"):
        self.valid, self.refreshes, self.gate = first, 0, asyncio.Event()
        self.gate.set()
        self.entered = asyncio.Event()
        responder.replies["POST /token"] = self.answer

    async def answer(self, asked):
        form = parse_qs(asked.body.decode())
        self.entered.set()
        await self.gate.wait()
        if form["refresh_token"] != [self.valid] or form["client_secret"] != ["invented"]:
            return 400, {"error": "invalid_grant"}
        self.refreshes += 1
        self.valid = f"refresh-{self.refreshes + 1}"
        return 200, {
            "access_token": f"access-{self.refreshes + 1}",
            "expires_in": 300,
            "token_type": "Bearer",
            "refresh_token": self.valid,
            "refresh_expires_in": 1800,
        }


async def rows(world):
    async with transaction(world.engine) as tx:
        return (await tx.execute(sa.select(tables.tokens))).all()


@pytest.mark.req("S14")
async def test_what_is_kept_is_sealed_and_bound_to_its_row(world):
    session = await world.sign_in()
    (row,) = await rows(world)
    assert b"access-1" not in row.access
    assert b"refresh-1" not in row.refresh
    (token,) = await tokens.of_sessions(world.engine, world.provider.issuer, [session])
    assert tokens.open_access(world.vault, token) == "access-1"
    with pytest.raises(Unreadable):
        open_secret(world.vault, token.access, row=row_of("token", "refresh", token.id))
    assert "access-1" not in repr(token)


@pytest.mark.req("S10")
async def test_two_hundred_callers_on_two_replicas_refresh_once(make_world, responder):
    provider = TokenEndpoint(responder)
    first = await make_world(responder.url, f"{responder.url}/realm")
    second = await make_world(responder.url, f"{responder.url}/realm", engine=first.engine, vault=first.vault)
    session = await first.sign_in(access_seconds=20)
    who = TokenOwner(session, "school-1")
    asking = [world.access(who) for world in (first, second) for _ in range(100)]
    got = {access.value for access in await asyncio.gather(*asking)}
    assert provider.refreshes == 1
    assert got <= {"access-1", "access-2"}  # the other replica may use what still stands
    assert (await first.access(who)).value == "access-2"
    assert len(responder.calls("POST /token")) == 1


async def test_an_expired_token_is_waited_for_by_the_other_replica(make_world, responder):
    provider = TokenEndpoint(responder)
    provider.gate.clear()
    first = await make_world(responder.url, f"{responder.url}/realm")
    second = await make_world(responder.url, f"{responder.url}/realm", engine=first.engine, vault=first.vault)
    who = TokenOwner(await first.sign_in(access_seconds=-1), "school-1")
    one = asyncio.create_task(first.access(who))
    await provider.entered.wait()
    two = asyncio.create_task(second.access(who))
    provider.gate.set()
    assert [(await one).value, (await two).value] == ["access-2", "access-2"]
    assert provider.refreshes == 1


async def test_a_refused_access_token_is_renewed_once_and_the_call_made_again(world, responder):
    TokenEndpoint(responder)
    session = await world.sign_in()
    responder.on(
        "POST",
        "/paniers/b-1/valider",
        lambda asked: (401, None) if asked.headers["authorization"] == "Bearer access-1" else (200, {"data": []}),
    )
    await world.ask("ValidateBasket", pb.ValidateBasketRequest(basket_id="b-1"), session)
    assert len(responder.calls(f"POST {BASE}")) == 2


async def test_a_token_refused_twice_asks_for_a_new_sign_in(world, responder):
    provider = TokenEndpoint(responder)
    session = await world.sign_in()
    responder.on("POST", "/planning/recherche", (401, None))
    assert (await world.refused("SearchPlanning", PLANNING, session)).code == Code.CODE_RECONNECT_NEEDED
    assert (len(responder.calls(f"POST {BASE}")), provider.refreshes) == (2, 1)


async def test_a_revoked_grant_is_dead_recorded_and_never_tried_again(world, responder):
    TokenEndpoint(responder, first="another")
    session = await world.sign_in(access_seconds=-1)
    for _ in range(2):
        assert (await world.refused("SearchPlanning", PLANNING, session)).code == Code.CODE_RECONNECT_NEEDED
    assert len(responder.calls("POST /token")) == 1
    (row,) = await rows(world)
    assert (row.reason, row.access, row.refresh) == ("invalid_grant", None, None)
    async with transaction(world.engine) as tx:
        written = sa.select(kit_outbox.outbox.c.type, kit_outbox.outbox.c.payload)
        published = (await tx.execute(written.order_by(kit_outbox.outbox.c.sequence))).all()
    records = [Record.FromString(one.payload) for one in published if one.type == Record.DESCRIPTOR.full_name]
    (record,) = [one for one in records if one.action == "token.refresh"]
    assert (record.source, record.facts["reason"]) == ("auth-gateway", "invalid_grant")
    assert all(b"refresh-1" not in one.payload for one in published)


async def test_without_a_token_the_answer_is_to_sign_in(world):
    from resapermis_kit.clock import new_id

    assert (await world.refused("SearchPlanning", PLANNING, new_id())).code == Code.CODE_RECONNECT_NEEDED
    behalf = pb.ListExamsRequest(on_behalf=BEHALF, category="B")
    assert (await world.refused("ListExams", behalf)).code == Code.CODE_RECONNECT_NEEDED
    budget = await world.ask("GetBudget", pb.GetBudgetRequest(on_behalf=BEHALF))
    assert (budget.connected, budget.calls_left) == (False, 0)


@pytest.mark.req("S-24")
async def test_background_work_takes_a_grant_first_and_never_another_schools_token(world, responder):
    await world.sign_in(access="of-a-session")
    await world.sign_in(access="of-a-grant", grant=True)
    await world.sign_in(access="elsewhere", school_id="school-2", grant=True)
    responder.on("GET", "/paniers", (200, []))
    await world.ask("ListBaskets", pb.ListBasketsRequest(on_behalf=BEHALF))
    assert {asked.headers["authorization"] for asked in responder.asked} == {"Bearer of-a-grant"}


async def test_a_dead_grant_gives_way_to_the_next_token_of_the_school(world, responder):
    TokenEndpoint(responder, first="another")
    await world.sign_in(access="of-a-session")
    await world.sign_in(access="of-a-grant", access_seconds=-1, grant=True)
    responder.on("GET", "/paniers", (200, []))
    await world.ask("ListBaskets", pb.ListBasketsRequest(on_behalf=BEHALF))
    assert responder.calls(f"GET {BASE}")[0].headers["authorization"] == "Bearer of-a-session"


@pytest.mark.req("S-03")
async def test_a_person_never_uses_a_colleagues_token(world, responder):
    from resapermis_kit.clock import new_id

    await world.sign_in(grant=True)
    responder.on("POST", "/planning/recherche", (200, []))
    assert (await world.refused("SearchPlanning", PLANNING, new_id())).code == Code.CODE_RECONNECT_NEEDED
    assert responder.asked == []


@pytest.mark.req("S-03")
async def test_a_session_of_one_school_never_acts_for_another(world, responder):
    session = await world.sign_in(school_id="school-2")
    responder.on("POST", "/planning/recherche", (200, []))
    assert (await world.refused("SearchPlanning", PLANNING, session)).code == Code.CODE_RECONNECT_NEEDED
    await world.ask("SearchPlanning", PLANNING, session, school_id="school-2")
    assert (await world.refused("SearchPlanning", PLANNING, session)).code == Code.CODE_RECONNECT_NEEDED
    assert len(responder.calls(f"POST {BASE}")) == 1


async def test_the_migrations_make_the_table_that_the_code_knows(world):
    def differences(connection):
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return [str(one) for one in compare_metadata(context, tables.metadata) if "token" in str(one)]

    async with world.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_sign_out_during_a_refresh_wins_and_the_new_token_is_revoked(world, responder):
    provider = TokenEndpoint(responder)
    provider.gate.clear()
    session = await world.sign_in(access_seconds=-1)
    waiting = asyncio.create_task(world.access(TokenOwner(session, "school-1")))
    await provider.entered.wait()
    async with transaction(world.engine) as tx:
        await tokens.end_tokens(tx, session_id=session, reason="signed_out", now=utc_now())
    provider.gate.set()
    with pytest.raises(Failure) as refused:
        await waiting
    assert refused.value.code == Code.CODE_RECONNECT_NEEDED
    await world.revocations.revoke_due()
    revoked = [parse_qs(asked.body.decode())["token"] for asked in responder.calls("POST /revoke")]
    assert revoked == [["refresh-1"], ["refresh-2"]]


async def test_a_caller_who_gives_up_does_not_lose_the_rotated_token(world, responder):
    provider = TokenEndpoint(responder)
    provider.gate.clear()
    who = TokenOwner(await world.sign_in(access_seconds=-1), "school-1")
    impatient = asyncio.create_task(world.access(who))
    await provider.entered.wait()
    impatient.cancel()
    with pytest.raises(asyncio.CancelledError):
        await impatient
    provider.gate.set()
    assert (await world.access(who)).value == "access-2"
    assert provider.refreshes == 1


@pytest.mark.req("S11")
async def test_a_pair_is_not_lost_while_the_database_restarts(world, responder, monkeypatch):
    provider, written, away = TokenEndpoint(responder), tokens.renewed, [1, 2]

    async def renewed(*arguments):
        if away:
            away.pop()
            raise Failure(Code.CODE_UNAVAILABLE, "the database is away")
        return await written(*arguments)

    monkeypatch.setattr(tokens, "renewed", renewed)
    who = TokenOwner(await world.sign_in(access_seconds=-1), "school-1")
    assert (await world.access(who)).value == "access-2"
    assert (provider.refreshes, away) == (1, [])


async def test_while_the_provider_stumbles_a_standing_token_serves_and_an_ended_one_is_down(world, responder):
    responder.replies["POST /token"] = (503, b"<html>")
    standing, ended = await world.sign_in(access_seconds=20), await world.sign_in(access_seconds=-1)
    assert (await world.access(TokenOwner(standing, "school-1"))).value == "access-1"
    with pytest.raises(Failure) as refused:
        await world.access(TokenOwner(ended, "school-1"))
    assert refused.value.code == Code.CODE_RDVPERMIS_DOWN
    assert [row.dead_at for row in await rows(world)] == [None, None]
    TokenEndpoint(responder)
    assert (await world.access(TokenOwner(ended, "school-1"))).value == "access-2"


async def test_a_session_outlives_a_quiet_half_hour(world, responder):
    provider = TokenEndpoint(responder)
    session = await world.sign_in(refresh_seconds=300)
    await world.token_store.renew_ending()
    assert provider.refreshes == 1
    (token,) = await tokens.of_sessions(world.engine, world.provider.issuer, [session])
    assert token.refresh_expires_at > utc_now() + timedelta(minutes=25)
    await world.token_store.renew_ending()
    assert provider.refreshes == 1


async def test_a_second_token_for_a_session_is_refused_by_the_database(world):
    session = await world.sign_in()
    (token,) = await tokens.of_sessions(world.engine, world.provider.issuer, [session])
    again = tokens.TokenPair("a", utc_now(), "r", None)
    with pytest.raises(sa.exc.IntegrityError):
        async with as_owner(world.engine) as tx:
            await tokens.store(
                tx,
                tokens.seal(world.vault, session, again),
                account_id=token.account_id,
                school_id="school-1",
                now=utc_now(),
                session_id=session,
            )


async def test_sessions_of_one_moment_share_a_statement_and_each_has_its_own_token(world, monkeypatch):
    ran = []
    run = Statement.run

    async def counted(self, *arguments):
        ran.append(self)
        return await run(self, *arguments)

    sessions = [await world.sign_in(f"school-{n}", access=f"access-{n}") for n in range(4)]
    monkeypatch.setattr(Statement, "run", counted)
    asked = [TokenOwner(session, f"school-{n}") for n, session in enumerate(sessions)]
    asked += [
        TokenOwner(sessions[0], "school-1"),
        TokenOwner(new_id(), "school-1"),
        TokenOwner(sessions[2], "school-2"),
    ]
    got = await asyncio.gather(*(world.access(who) for who in asked), return_exceptions=True)
    assert [one.value for one in (*got[:4], got[6])] == ["access-0", "access-1", "access-2", "access-3", "access-2"]
    assert [one.code for one in got[4:6]] == [Code.CODE_RECONNECT_NEEDED] * 2  # another school's session; nobody's
    assert len(ran) <= 2  # who waits for a sibling of the same session asks once it is through


async def test_who_signed_out_while_others_were_looked_up_is_not_found(world, monkeypatch):
    gate, began = asyncio.Event(), asyncio.Event()
    run = Statement.run

    async def held_up(self, *arguments):
        found = await run(self, *arguments)
        began.set()
        await gate.wait()
        return found

    early, late = await world.sign_in(), await world.sign_in("school-2")
    monkeypatch.setattr(Statement, "run", held_up)
    first = asyncio.create_task(world.access(TokenOwner(early, "school-1")))
    await began.wait()
    async with transaction(world.engine) as tx:
        await tokens.end_tokens(tx, reason="sign_out", now=utc_now(), session_id=late)
    second = asyncio.create_task(world.access(TokenOwner(late, "school-2")))
    await asyncio.sleep(0)
    gate.set()
    assert (await first).value == "access-1"
    with pytest.raises(Failure) as caught:
        await second
    assert caught.value.code == Code.CODE_RECONNECT_NEEDED


async def test_an_unreadable_token_harms_nobody_who_asks_beside_it(world):
    broken, whole = await world.sign_in(), await world.sign_in("school-2")
    async with transaction(world.engine) as tx:
        await tx.execute(sa.update(tables.tokens).where(tables.tokens.c.session_id == broken).values(access=b"dust"))
    asked = (TokenOwner(broken, "school-1"), TokenOwner(whole, "school-2"))
    one, other = await asyncio.gather(*(world.access(who) for who in asked), return_exceptions=True)
    assert one.code == Code.CODE_RECONNECT_NEEDED
    assert other.value == "access-1"


async def test_one_that_nobody_can_open_ends_and_stops_no_other_from_being_renewed(world, responder):
    provider = TokenEndpoint(responder)
    broken, whole = await world.sign_in(refresh_seconds=200), await world.sign_in("school-2", refresh_seconds=300)
    async with transaction(world.engine) as tx:
        await tx.execute(sa.update(tables.tokens).where(tables.tokens.c.session_id == broken).values(refresh=b"dust"))
    await world.token_store.renew_ending()
    assert provider.refreshes == 1
    one, other = await tokens.of_sessions(world.engine, world.provider.issuer, [broken, whole])
    assert one is None
    assert tokens.open_access(world.vault, other) == "access-2"
    async with as_owner(world.engine) as tx:
        ended = (
            await tx.execute(sa.select(tables.sessions.c.end_cause).where(tables.sessions.c.id == broken))
        ).scalar()
    assert ended == "grant"
