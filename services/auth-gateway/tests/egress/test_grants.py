"""A grant for background work at the provider: asked for by itself, and nothing of it stays alive that nobody keeps."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

import pytest
import sqlalchemy as sa

from resapermis.oidc.v1 import oidc_pb2 as pb
from resapermis_auth_gateway import tables, tokens
from resapermis_auth_gateway.egress.provider_servicer import ProviderServicer
from resapermis_auth_gateway.egress.revocations import Ends, Revocations
from resapermis_kit.clock import utc_now
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_vault.person_key import row_of
from resapermis_vault.secret import open_secret

from .conftest import MakeWorld, World
from .hostile_provider import CLIENT_ID, NONCE, SECRET, STATE, VERIFIER, Clock, HostileProvider
from .responder import CUT, Responder

pytestmark = pytest.mark.req("S-24", "S-02")
OFFLINE = {"scope": "openid rdvpermis offline_access", "refresh_expires_in": 0}


@dataclass
class Giving:
    """Egress before a provider that gives offline tokens, and RdvPermis."""

    world: World
    hostile: HostileProvider
    servicer: ProviderServicer

    async def begin(self, purpose: pb.Purpose.ValueType = pb.PURPOSE_GRANT, max_age_seconds: int = 0) -> str:
        asked = pb.BeginSignInRequest(
            state=STATE, nonce=NONCE, code_verifier=VERIFIER, purpose=purpose, max_age_seconds=max_age_seconds
        )
        return (await self.servicer.BeginSignIn(asked, None)).authorization_url

    async def redeem(self, max_age_seconds: int = 0, issuer: str = "") -> pb.RedeemGrantResponse:
        request = pb.RedeemGrantRequest(
            code=self.hostile.sign_in(await self.begin()),
            iss=self.hostile.issuer,
            nonce=NONCE,
            code_verifier=VERIFIER,
            account_id="account-1",
            subject="employee-1",
            school_id="school-1",
            max_age_seconds=max_age_seconds,
            issuer=issuer,
        )
        return await self.servicer.RedeemGrant(request, None)

    async def sign_in(self, *, adopts: bool) -> pb.RedeemCodeResponse:
        code = self.hostile.sign_in(await self.begin(pb.PURPOSE_UNSPECIFIED))
        request = pb.RedeemCodeRequest(
            code=code, iss=self.hostile.issuer, nonce=NONCE, code_verifier=VERIFIER, adopts=adopts
        )
        return await self.servicer.RedeemCode(request, None)

    async def waiting(self) -> list[Any]:
        async with transaction(self.world.engine) as tx:
            return list(await tx.execute(sa.select(tables.revocations)))

    async def revoked(self, *, ends: Ends = "family", **later: float) -> list[str]:
        """What the provider has been told to revoke, so long after now, by an egress that takes a revocation to end so much."""
        world, clock = self.world, Clock(utc_now())
        clock.pass_(**later)
        box = Outbox("auth-gateway")
        denied = world.denied.append
        await Revocations(world.engine, world.vault, world.provider, box, denied, clock, ends=ends).revoke_due()
        return [parse_qs(asked.body.decode())["token"][0] for asked in self.hostile.responder.calls("POST /revoke")]


@pytest.fixture
async def giving(make_world: MakeWorld, responder: Responder) -> Giving:
    hostile = HostileProvider(responder, Clock(), answer=dict(OFFLINE))
    world = await make_world(responder.url, hostile.issuer, client_id=CLIENT_ID, secret=SECRET)
    servicer = ProviderServicer(world.provider, world.vault, world.engine, world.rdvpermis, utc_now)
    return Giving(world, hostile, servicer)


async def test_the_person_is_asked_for_it_by_itself_and_never_at_sign_in(giving: Giving) -> None:
    asked = parse_qs(urlsplit(await giving.begin()).query)
    assert (asked["scope"], asked["prompt"]) == (["openid offline_access"], ["consent"])
    signing_in = parse_qs(urlsplit(await giving.begin(pb.PURPOSE_UNSPECIFIED)).query)
    assert (signing_in["scope"], signing_in.get("prompt")) == (["openid"], None)


@pytest.mark.req("S-06")
async def test_a_recent_proof_is_asked_for_and_looked_at_where_it_is_wanted(giving: Giving) -> None:
    asked = parse_qs(urlsplit(await giving.begin(max_age_seconds=300)).query)
    assert (asked["prompt"], asked["max_age"]) == (["login consent"], ["300"])
    now = int(utc_now().timestamp())
    for proved, code in ((now - 600, Code.CODE_SIGN_IN_FAILED), (None, Code.CODE_SIGN_IN_INCOMPLETE), (now, None)):
        giving.hostile.claims = lambda claims, at=proved: claims.update({"auth_time": at} if at else {})
        if code is None:
            assert (await giving.redeem(300)).tokens.token_id
            continue
        with pytest.raises(Failure) as refused:
            await giving.redeem(300)
        assert refused.value.code == code
    assert len(await giving.revoked()) == 2, "what came with the others"


async def test_a_grant_comes_sealed_and_waits_for_the_row_that_keeps_it(giving: Giving) -> None:
    redeemed = (await giving.redeem()).tokens
    assert b"refresh-1" not in redeemed.SerializeToString()
    assert not redeemed.HasField("refresh_expires_at")
    (waiting,) = await giving.waiting()
    assert (str(waiting.token_id), waiting.tries) == (redeemed.token_id, 0)
    row = row_of("token", "refresh", waiting.token_id)
    for sealed in (waiting.sealed, redeemed.refresh):
        assert open_secret(giving.world.vault, sealed, row=row).reveal() == "refresh-1"
    assert waiting.due_at > utc_now() + timedelta(seconds=30)
    async with transaction(giving.world.engine) as tx:
        assert await tokens.adopt(tx, waiting.token_id)
        assert not await tokens.adopt(tx, waiting.token_id)
    assert await giving.revoked(minutes=2) == []


def _claims(**changed: str) -> Callable[[Giving], None]:
    def change(giving: Giving) -> None:
        giving.hostile.claims = lambda claims: claims.update(changed)

    return change


def _answer(**changed: Any) -> Callable[[Giving], None]:
    return lambda giving: giving.hostile.answer.update(changed)


def _rdvpermis(status: int, content: Any = None) -> Callable[[Giving], None]:
    return lambda giving: giving.hostile.responder.on("GET", "/moi", (status, content))


UNFIT: dict[str, tuple[Callable[[Giving], None], Code.ValueType]] = {
    "another person": (_claims(sub="employee-2"), Code.CODE_GRANT_OTHER_PERSON),
    "another school": (_rdvpermis(200, {"id": "school-2", "nom": "Autre"}), Code.CODE_GRANT_OTHER_SCHOOL),
    "not offline": (_answer(scope="openid"), Code.CODE_GRANT_NOT_OFFERED),
    "no refresh token": (_answer(refresh_token=""), Code.CODE_GRANT_NOT_OFFERED),
    "not believed": (_claims(aud="another"), Code.CODE_SIGN_IN_FAILED),
    "RdvPermis is away": (_rdvpermis(503), Code.CODE_RDVPERMIS_DOWN),
    "RdvPermis does not take it": (_rdvpermis(401), Code.CODE_RECONNECT_NEEDED),
    "RdvPermis forbids it": (_rdvpermis(403, {"erreur": "ACTION_INTERDITE"}), Code.CODE_FORBIDDEN),
}


@pytest.mark.parametrize("why", UNFIT)
async def test_what_does_not_fit_is_no_grant_and_is_revoked(giving: Giving, why: str) -> None:
    change, code = UNFIT[why]
    change(giving)
    with pytest.raises(Failure) as refused:
        await giving.redeem()
    assert refused.value.code == code
    given = ["access-1"] if why == "no refresh token" else ["refresh-1"]
    assert await giving.revoked() == given
    assert await giving.waiting() == []


async def test_the_same_name_at_another_provider_is_another_person(giving: Giving) -> None:
    with pytest.raises(Failure) as refused:
        await giving.redeem(issuer="https://another.test")
    assert refused.value.code == Code.CODE_GRANT_OTHER_PERSON
    assert (await giving.redeem(issuer=giving.hostile.issuer)).tokens.token_id


async def test_a_code_that_the_provider_refuses_gave_nothing(giving: Giving) -> None:
    giving.hostile.responder.replies["POST /token"] = (400, {"error": "invalid_grant"})
    with pytest.raises(Failure) as refused:
        await giving.redeem()
    assert refused.value.code == Code.CODE_SIGN_IN_FAILED
    assert await giving.waiting() == []


async def _end(world: World, session: UUID) -> None:
    """Its tokens end, and nothing is left to be revoked of them."""
    async with transaction(world.engine) as tx:
        await tx.execute(sa.delete(tables.tokens).where(tables.tokens.c.session_id == session))


async def test_a_grant_that_fails_ends_nothing_in_use_and_is_revoked_once_nothing_is(giving: Giving) -> None:
    session = await giving.world.sign_in(subject="employee-1", refresh="in use")
    giving.hostile.responder.on("GET", "/moi", (503, None))
    with pytest.raises(Failure):
        await giving.redeem()
    assert await giving.revoked(ends="person", minutes=2) == []
    await _end(giving.world, session)
    assert await giving.revoked(ends="person", minutes=2) == ["refresh-1"]


@pytest.mark.parametrize("lost", ["sign-in", "grant"])
async def test_tokens_that_nobody_adopted_wait_while_their_owner_has_something_in_use(
    giving: Giving, lost: str
) -> None:
    world = giving.world
    session = await world.sign_in(subject="employee-1", refresh="in use")
    await world.sign_in(subject="employee-2", refresh="another's")
    await world.sign_in(subject="employee-1", issuer="https://another.test", refresh="elsewhere")
    await (giving.sign_in(adopts=True) if lost == "sign-in" else giving.redeem())
    assert await giving.revoked(ends="person", minutes=2) == []
    await _end(world, session)
    assert await giving.revoked(ends="person", minutes=2) == ["refresh-1"]
    assert await giving.waiting() == []


async def test_what_is_not_believed_ends_nothing_of_whom_it_names(giving: Giving) -> None:
    session = await giving.world.sign_in(subject="employee-1", refresh="in use")
    giving.hostile.claims = lambda claims: claims.update(aud="another")
    with pytest.raises(Failure):
        await giving.sign_in(adopts=True)
    assert await giving.revoked(ends="person", minutes=2) == []
    await _end(giving.world, session)
    assert await giving.revoked(ends="person", minutes=2) == ["refresh-1"]


async def test_where_the_provider_does_not_say_whose_a_grant_is_it_is_who_asked_for_it(giving: Giving) -> None:
    await giving.world.sign_in(subject="employee-1", refresh="in use")
    giving.hostile.answer["id_token"] = "none"
    with pytest.raises(Failure):
        await giving.redeem()
    assert [one.subject for one in await giving.waiting()] == ["employee-1"]
    assert await giving.revoked(ends="person", minutes=2) == []


@pytest.mark.parametrize("answer", [(503, None), CUT])
async def test_while_the_provider_is_away_there_is_no_grant(giving: Giving, answer: Any) -> None:
    giving.hostile.responder.replies["POST /token"] = answer
    with pytest.raises(Failure) as refused:
        await giving.redeem()
    assert refused.value.code == Code.CODE_RDVPERMIS_DOWN
    assert await giving.waiting() == []


async def test_tokens_whose_answer_is_lost_on_its_way_are_revoked_a_minute_later(giving: Giving) -> None:
    await giving.redeem()
    assert await giving.revoked() == []
    await giving.sign_in(adopts=True)
    assert await giving.revoked(minutes=2) == ["refresh-1", "refresh-1"]
    assert await giving.waiting() == []


async def test_of_a_web_face_that_adopts_nothing_yet_no_session_is_revoked(giving: Giving) -> None:
    await giving.sign_in(adopts=False)
    assert await giving.waiting() == []


async def test_tokens_that_cannot_be_written_down_are_revoked_at_once(
    giving: Giving, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: Any, **__: Any) -> None:
        raise Failure(Code.CODE_UNAVAILABLE, "the database is away")

    monkeypatch.setattr(tokens, "keep_unadopted", away)
    with pytest.raises(Failure) as refused:
        await giving.redeem()
    assert refused.value.code == Code.CODE_UNAVAILABLE
    assert await giving.revoked() == ["refresh-1"]
    giving.hostile.responder.replies["POST /revoke"] = (503, None)
    with pytest.raises(Failure) as refused:
        await giving.redeem()
    assert refused.value.code == Code.CODE_UNAVAILABLE
    world, asked = giving.world, len(giving.hostile.responder.calls("POST /revoke"))
    giving.servicer = ProviderServicer(
        world.provider, world.vault, world.engine, world.rdvpermis, utc_now, ends="person"
    )
    with pytest.raises(Failure):
        await giving.redeem()
    assert len(giving.hostile.responder.calls("POST /revoke")) == asked, "it might end what they use"


@pytest.mark.parametrize("field", ["code", "nonce", "code_verifier", "account_id", "subject", "school_id"])
async def test_whose_grant_it_is_to_be_must_be_said(giving: Giving, field: str) -> None:
    whole = dict.fromkeys(("code", "nonce", "code_verifier", "account_id", "subject", "school_id"), "x")
    with pytest.raises(Failure) as refused:
        await giving.servicer.RedeemGrant(pb.RedeemGrantRequest(**(whole | {field: ""})), None)
    assert refused.value.code == Code.CODE_MALFORMED
