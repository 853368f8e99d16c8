"""Signing in: the way out to RdvPermis, the way back, and the session that it opens."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import sqlalchemy as sa
import structlog
from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from resapermis.audit.v1 import events_pb2 as audit
from resapermis.iam.v1.events_pb2 import SessionStarted
from resapermis.rdvpermis.v1 import rdvpermis_pb2
from resapermis_auth_gateway import store, tokens
from resapermis_auth_gateway.web import sessions
from resapermis_auth_gateway.web.address import place_of
from resapermis_auth_gateway.web.cookies import derive, digest, new_secret, session_cookie, sign_in_cookie
from resapermis_auth_gateway.web.gateway import SERVICE, Gateway
from resapermis_auth_gateway.web.oidc import SignedIn, sign_in_failed
from resapermis_auth_gateway.web.profile import Profile
from resapermis_auth_gateway.web.return_to import safe_return_to
from resapermis_kit.clock import new_id
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Failure
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Principal

ADMIN, MANAGER = "school_admin", "school_manager"
LONGEST_NAME, LONGEST_EMAIL = 200, 254
log = structlog.get_logger()


@dataclass(frozen=True)
class Answer:
    """What the provider's redirect carries."""

    code: str = field(repr=False)
    state: str = field(repr=False)
    iss: str
    error: str


async def begin(gateway: Gateway, request: Request, return_to: str) -> Response:
    """Send the browser to the provider, bound to this browser by a cookie."""
    cookie = sign_in_cookie(gateway.settings.secure)
    browser = cookie.read(request.scope) or new_secret()
    state = new_secret()
    url = await gateway.provider.authorization_url(state, _nonce(browser, state), _verifier(browser, state))
    async with transaction(gateway.engine) as tx:
        await store.begin_attempt(tx, digest(state), digest(browser), safe_return_to(return_to), gateway.now())
    response = RedirectResponse(url, status_code=302)
    cookie.set(response, browser)
    return response


def _nonce(browser: str, state: str) -> str:
    return derive(browser, f"nonce {state}")


def _verifier(browser: str, state: str) -> str:
    return derive(browser, f"verifier {state}")


async def finish(gateway: Gateway, request: Request, answer: Answer) -> Response:
    """Open a session, or refuse and record that."""
    place = place_of(request.scope)
    try:
        return await _finish(gateway, request, answer, place)
    except Failure as failure:
        log.warning("sign_in.refused", error_code=failure.name, why=failure.detail)
        await _record_refusal(gateway, failure, place)
        raise


async def _finish(gateway: Gateway, request: Request, answer: Answer, place: str) -> Response:
    before = sign_in_cookie(gateway.settings.secure)
    browser = before.read(request.scope)
    if not browser or not answer.state:
        raise sign_in_failed("the browser that came back did not leave from here")
    async with transaction(gateway.engine) as tx:
        return_to = await store.take_attempt(tx, digest(answer.state), digest(browser), gateway.now())
    if return_to is None:
        raise sign_in_failed("no sign-in under way for this state and browser")
    await gateway.provider.check_answer(answer.iss)
    if answer.error or not answer.code:
        raise sign_in_failed("the provider refused")
    signed_in = await gateway.provider.redeem(
        answer.code, _nonce(browser, answer.state), _verifier(browser, answer.state)
    )
    cookie = session_cookie(gateway.settings.secure)
    value = new_secret()
    await _open(gateway, signed_in, new_cookie=value, old_cookie=cookie.read(request.scope), place=place)
    response = RedirectResponse(return_to, status_code=302)
    cookie.set(response, value)
    before.clear(response)
    return response


async def _open(gateway: Gateway, signed_in: SignedIn, *, new_cookie: str, old_cookie: str, place: str) -> None:
    """Write the session without a school, ask RdvPermis which school it is, then let it act for that school."""
    subject = str(signed_in.claims["sub"])
    profile = await _profile(gateway, signed_in, subject)
    session, counted_for = await _begin_session(gateway, signed_in, subject, profile, digest(new_cookie))
    try:
        school = await _school(gateway, session, counted_for, place)
    except Failure:
        await sessions.end(gateway, session, "provider", by_system=True)
        raise
    old: list[str] = []
    async with transaction(gateway.engine) as tx:
        await store.lock_school(tx, school.school_id)
        roles = await _roles(tx, gateway, session, subject, school.school_id)
        account = store.Account(session.account_id, school.school_id, roles, session.person_key, session.profile)
        now = gateway.now()
        await store.save_account(tx, gateway.settings.oidc_issuer, subject, account, now)
        await store.place_session(tx, session.id, school.school_id, school.name, school.department)
        await tx.execute(
            sa.update(tokens.tokens).where(tokens.tokens.c.session_id == session.id).values(school_id=school.school_id)
        )
        if old_cookie and (previous := await store.live_session(tx, digest(old_cookie))) is not None:
            old = await sessions.end_in(tx, gateway, previous, "signed_out", by_system=False, place=place)
        placed = replace(session, school_id=school.school_id, roles=roles)
        started = SessionStarted(
            session_id=str(session.id), account_id=str(session.account_id), school_id=school.school_id
        )
        await gateway.outbox.add(tx, now, started, sessions.record("session.start", placed, place=place))
    sessions.revoke_soon(gateway, old)


async def _begin_session(
    gateway: Gateway, signed_in: SignedIn, subject: str, profile: Profile, cookie_hash: bytes
) -> tuple[store.Session, str]:
    """Write account, session and tokens; return the session and the school that its first call counts for."""
    issuer, now = gateway.settings.oidc_issuer, gateway.now()
    sid = signed_in.claims.get("sid")
    async with transaction(gateway.engine) as tx:
        known = await store.account_of(tx, issuer, subject)
        account_id = known.id if known else new_id()
        person_key = known.person_key if known else gateway.profiles.new_key(account_id)
        account = store.Account(
            account_id,
            known.school_id if known else "",
            known.roles if known else (),
            person_key,
            gateway.profiles.seal(account_id, person_key, profile),
        )
        await store.save_account(tx, issuer, subject, account, now)
        session = store.Session(
            id=new_id(),
            account_id=account_id,
            school_id="",
            school_name="",
            department="",
            provider_sid=sid[:LONGEST_NAME] if isinstance(sid, str) else "",
            created_at=now,
            seen_at=now,
            roles=account.roles,
            person_key=person_key,
            profile=account.profile,
        )
        await store.start_session(tx, cookie_hash, session)
        await tokens.keep(
            tx,
            gateway.vault,
            signed_in.pair,
            token_id=new_id(),
            account_id=account_id,
            school_id=_provisional(account),
            session_id=session.id,
            now=now,
        )
    return session, _provisional(account)


def _provisional(account: store.Account) -> str:
    """The school known from last time, else a word that is no school's: calls are counted for it until RdvPermis answers."""
    return account.school_id or f"account {account.id}"


async def _school(
    gateway: Gateway, session: store.Session, counted_for: str, place: str
) -> rdvpermis_pb2.GetSchoolResponse:
    """Ask in the new session's name; nothing but this question is ever signed before the school is known."""
    principal = Principal(
        account_id=str(session.account_id),
        session_id=str(session.id),
        school_id=counted_for,
        roles=(MANAGER,),
        place=place,
    )
    answer: rdvpermis_pb2.GetSchoolResponse = await peers.ask(
        gateway.peers.rdvpermis.GetSchool,
        rdvpermis_pb2.GetSchoolRequest(),
        principal=gateway.signer.sign(principal),
    )
    if not answer.school_id:
        raise sign_in_failed("RdvPermis names no school for this employee")
    return answer


async def _roles(tx: Tx, gateway: Gateway, session: store.Session, subject: str, school_id: str) -> tuple[str, ...]:
    """Keep the roles an account has at this school; the first of a school administers it, later ones manage."""
    named = {one.strip() for one in gateway.settings.school_admins.split(",") if one.strip()}
    if subject in named:
        return (ADMIN,)
    known = await store.account_of(tx, gateway.settings.oidc_issuer, subject)
    if known is not None and known.school_id == school_id and known.roles:
        return known.roles
    return (MANAGER,) if await store.school_has_admin(tx, school_id, session.account_id) else (ADMIN,)


async def _profile(gateway: Gateway, signed_in: SignedIn, subject: str) -> Profile:
    claims: Mapping[str, Any] = signed_in.claims
    if not _name(claims):
        claims = {**await gateway.provider.userinfo(signed_in.pair.access, subject), **claims}
    locale = _text(claims, "locale", 10)
    return Profile(
        display_name=_name(claims),
        email=_text(claims, "email", LONGEST_EMAIL),
        locale="en" if locale.lower().startswith("en") else "fr",
    )


def _name(claims: Mapping[str, Any]) -> str:
    parts = [_text(claims, "given_name", LONGEST_NAME), _text(claims, "family_name", LONGEST_NAME)]
    return (
        _text(claims, "name", LONGEST_NAME)
        or " ".join(part for part in parts if part)
        or _text(claims, "preferred_username", LONGEST_NAME)
    )


def _text(claims: Mapping[str, Any], name: str, longest: int) -> str:
    value = claims.get(name)
    return value.strip()[:longest] if isinstance(value, str) else ""


async def _record_refusal(gateway: Gateway, failure: Failure, place: str) -> None:
    refused = audit.Record(
        actor=audit.Actor(kind=audit.Actor.KIND_SYSTEM, id=SERVICE, place=place),
        action="session.start",
        object_kind="session",
        outcome=audit.OUTCOME_REFUSED,
        facts={"code": failure.name},
    )
    try:
        async with transaction(gateway.engine) as tx:
            await gateway.outbox.add(tx, gateway.now(), refused)
    except Failure as unwritten:
        log.error("sign_in.refusal_not_recorded", error_code=unwritten.name)
