"""Signing in: the way out to RdvPermis, the way back, and the session that it opens."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

import structlog
from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1 import events_pb2 as audit
from resapermis.iam.v1.events_pb2 import SessionStarted
from resapermis.oidc.v1 import oidc_pb2
from resapermis.rdvpermis.v1 import rdvpermis_pb2
from resapermis_auth_gateway import accounts, tokens
from resapermis_auth_gateway.profile import Profile, Profiles
from resapermis_auth_gateway.web.security.address import place_of
from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_auth_gateway.web.sign_in.attempts import Attempt, Attempts
from resapermis_auth_gateway.web.sign_in.cookies import derive, digest, new_secret, session_cookie, sign_in_cookie
from resapermis_auth_gateway.web.sign_in.device import Device, device_of
from resapermis_auth_gateway.web.sign_in.grant import PAGE, Grants, ProviderAnswer, sealed_of
from resapermis_auth_gateway.web.sign_in.return_to import safe_return_to
from resapermis_auth_gateway.web.sign_in.sessions import Sessions, person, record
from resapermis_kit.clock import Clock, new_id
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Principal, Signer
from resapermis_persons.roles import Role

ADMIN, MANAGER, OFFICER = Role.SCHOOL_ADMIN.value, Role.SCHOOL_MANAGER.value, Role.SECURITY_OFFICER.value
OTHER_SCHOOL = "other_school"
"""Why a session ends whose owner now works elsewhere."""
NO_SCHOOL = "no_school"
"""Why a session ends that never acted: RdvPermis did not say for which school."""
SIGN_OUT_URL_SECONDS = 2.0
"""A sign-out waits no longer for where to go on."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Answer:
    """The query of the provider's redirect back to us (RFC 6749, 4.1.2; `iss` by RFC 9207)."""

    code: str = field(repr=False)
    state: str = field(repr=False)
    iss: str
    error: str


@dataclass(frozen=True)
class SignIn:
    """The way out to the provider and the way back."""

    settings: WebSettings
    engine: AsyncEngine
    outbox: Outbox
    provider: Any
    """Stub of ProviderService: egress asks the provider."""
    profiles: Profiles
    signer: Signer
    rdvpermis: Any
    """Stub of RdvPermisService: answers which school an employee belongs to."""
    sessions: Sessions
    grants: Grants
    attempts: Attempts
    now: Clock

    async def begin(self, request: Request, return_to: str, *, fresh: bool = False) -> Response:
        """Send the browser to the provider, bound to this browser by a cookie; `fresh`: to prove anew who they are."""
        cookie = sign_in_cookie(self.settings.secure)
        browser = cookie.read(request.scope) or new_secret()
        state = new_secret()
        attempt = Attempt(safe_return_to(return_to), self.settings.step_up_seconds if fresh else 0)
        question = oidc_pb2.BeginSignInRequest(
            state=state,
            nonce=_nonce(browser, state),
            code_verifier=_verifier(browser, state),
            max_age_seconds=attempt.max_age_seconds,
        )
        answer = await peers.ask(self.provider.BeginSignIn, question, principal="")
        await self.attempts.begin(state, browser, attempt)
        response = RedirectResponse(answer.authorization_url, status_code=302)
        cookie.set(response, browser)
        return response

    async def finish(self, request: Request, answer: Answer) -> Response:
        """Open a session, or refuse and record that."""
        place = place_of(request.scope)
        try:
            return await self._finish(request, answer, place)
        except Failure as failure:
            log.warning("sign_in.refused", error_code=failure.name, why=failure.detail)
            self.sessions.denied(Denial(failure.name, "session", place=place, action="session.start"))
            raise

    async def _finish(self, request: Request, answer: Answer, place: str) -> Response:
        browser = sign_in_cookie(self.settings.secure).read(request.scope)
        attempt = await self.attempts.use(answer.state, browser)
        if attempt is None and await self._live(request) is not None:
            # The browser's way back: nothing is redeemed or ended.
            return RedirectResponse(await self.attempts.page_of(answer.state), status_code=302)
        if attempt is None:
            raise _failed("no sign-in under way for this state and browser")
        if attempt.grant_session_id is not None:
            came = ProviderAnswer(answer.code, answer.state, answer.iss, answer.error, browser)
            outcome = await self.grants.finish(came, attempt, await self._live(request), place)
            return RedirectResponse(f"{PAGE}?grant={outcome}", status_code=302)
        if answer.error or not answer.code:
            raise _failed("the provider refused")
        question = oidc_pb2.RedeemCodeRequest(
            code=answer.code,
            iss=answer.iss,
            nonce=_nonce(browser, answer.state),
            code_verifier=_verifier(browser, answer.state),
            max_age_seconds=attempt.max_age_seconds,
            adopts=True,
        )
        # Once, whatever becomes of it: a code that is sent twice costs the tokens that it gave.
        try:
            signed_in = await peers.call(self.provider.RedeemCode, question, principal="")
        except Failure as failure:
            self.sessions.denied(_not_granted(failure, place))
            raise
        cookie = session_cookie(self.settings.secure)
        value = new_secret()
        device = device_of(request.headers.get("user-agent", ""))
        await self._open(signed_in, device, new_cookie=value, old_cookie=cookie.read(request.scope), place=place)
        response = RedirectResponse(attempt.return_to, status_code=302)
        cookie.set(response, value)
        # The sign-in's own cookie stays its ten minutes: another tab may be under way with it, and each state counts once.
        return response

    async def _live(self, request: Request) -> queries.Session | None:
        """The session that the browser already has, if it acts for a school."""
        value = session_cookie(self.settings.secure).read(request.scope)
        session = await self.sessions.find(digest(value), act=False) if value else None
        return session if session is not None and session.school_id else None

    async def sign_out_url(self, session: queries.Session) -> str:
        """Where the browser goes to sign out of the provider as well; home where there is none, it offers nothing, or nobody answers."""
        if not session.employed:
            return self._home
        question = oidc_pb2.GetSignOutUrlRequest(provider_session_id=session.provider_sid)
        try:
            answer = await peers.call(self.provider.GetSignOutUrl, question, timeout=SIGN_OUT_URL_SECONDS, principal="")
        except Failure as failure:
            log.warning("sign_out.provider_kept", error_code=failure.name)
            return self._home  # signed out here all the same
        return str(answer.url) or self._home

    @property
    def _home(self) -> str:
        return f"{self.settings.public_url}/"

    async def _open(
        self, signed_in: oidc_pb2.RedeemCodeResponse, device: Device, *, new_cookie: str, old_cookie: str, place: str
    ) -> None:
        """Write the session without a school, ask RdvPermis which school it is, then let it act for that school."""
        subject = signed_in.person.subject
        session, counted_for = await self._begin_session(signed_in, device, digest(new_cookie), place)
        try:
            school = await self._school(session, counted_for, place)
        except Failure:
            await self.sessions.end(session, NO_SCHOOL)
            raise
        async with transaction(self.engine) as tx:
            await accounts.lock_school(tx, school.school_id)
            roles = await self._roles(tx, session, subject, school.school_id)
            account = accounts.Account(session.account_id, school.school_id, roles, session.person_key, session.profile)
            now = self.now()
            await accounts.save_account(tx, self._issuer(signed_in), subject, account, now)
            await queries.set_session_school(tx, session.id, school.school_id, school.name, school.department)
            await tokens.set_school(tx, session.id, school.school_id)
            placed = replace(session, school_id=school.school_id, roles=roles)
            if old_cookie and (previous := await queries.live_session(tx, digest(old_cookie))) is not None:
                await self.sessions.replace_in(tx, previous, placed, place)
            elsewhere = await queries.sessions_elsewhere(tx, session.account_id, school.school_id)
            for one in elsewhere:
                await self.sessions.end_in(tx, one, OTHER_SCHOOL)
            await self.grants.end_unfit(tx, placed)
            started = SessionStarted(
                session_id=str(session.id), account_id=str(session.account_id), school_id=school.school_id
            )
            await self.outbox.add(tx, now, started, record("session.start", placed, place=place))
        for one in elsewhere:
            self.sessions.close_feeds(str(one.id))

    async def _begin_session(
        self, signed_in: oidc_pb2.RedeemCodeResponse, device: Device, cookie_hash: bytes, place: str
    ) -> tuple[queries.Session, str]:
        """Write account, session and tokens; return the session and the school that its first call counts for."""
        issuer, now = self._issuer(signed_in), self.now()
        person, subject = signed_in.person, signed_in.person.subject
        profile = Profile(person.display_name, person.email, person.locale)
        async with transaction(self.engine) as tx:
            known = await accounts.account_of(tx, issuer, subject)
            account_id = known.id if known else new_id()
            person_key = known.person_key if known else self.profiles.new_key(account_id)
            account = accounts.Account(
                account_id,
                known.school_id if known else "",
                known.roles if known else (),
                person_key,
                self.profiles.seal(account_id, person_key, profile),
            )
            await accounts.save_account(tx, issuer, subject, account, now)
            session = queries.Session(
                id=new_id(),
                account_id=account_id,
                school_id="",
                school_name="",
                department="",
                provider_sid=person.provider_session_id,
                created_at=now,
                seen_at=now,
                roles=(),  # none before it acts for a school
                person_key=person_key,
                profile=account.profile,
                authenticated_at=_proved_at(signed_in),
            )
            await queries.start_session(tx, cookie_hash, session, device)
            sealed = sealed_of(signed_in.tokens)
            await tokens.adopt(tx, sealed.token_id)  # not there where egress is older: nothing waits to be revoked then
            await tokens.store(
                tx,
                sealed,
                account_id=account_id,
                # Until RdvPermis answered, a fresh token serves no school, whichever it was last time.
                school_id=accounts.no_school(account_id),
                session_id=session.id,
                now=now,
            )
            await self.outbox.add(tx, now, _granted(session, signed_in.tokens.token_id, place))
        return session, accounts.no_school(account_id)

    def _issuer(self, signed_in: oidc_pb2.RedeemCodeResponse) -> str:
        """Whose tokens came, as egress says: while settings change the two faces may have other ones."""
        return signed_in.person.issuer or self.settings.oidc_issuer

    async def _school(self, session: queries.Session, counted_for: str, place: str) -> rdvpermis_pb2.GetSchoolResponse:
        """Ask in the new session's name; nothing but this question is ever signed before the school is known."""
        principal = Principal(
            account_id=str(session.account_id),
            session_id=str(session.id),
            school_id=counted_for,
            roles=(MANAGER,),
            place=place,
        )
        try:
            answer: rdvpermis_pb2.GetSchoolResponse = await peers.ask(
                self.rdvpermis.GetSchool,
                rdvpermis_pb2.GetSchoolRequest(),
                principal=self.signer.sign(principal, "egress"),
            )
        except Failure as failure:
            if (
                failure.code == Code.CODE_RECONNECT_NEEDED
            ):  # it was just signed in: doing so again would lead here again
                raise _incomplete("token", "RdvPermis does not take the provider's token") from failure
            raise
        if not answer.school_id:
            raise _incomplete("school", "RdvPermis names no school for this employee")
        return answer

    async def _roles(self, tx: Tx, session: queries.Session, subject: str, school_id: str) -> tuple[str, ...]:
        """Their role at this school, and that of who watches over security where the deployment names them, no longer than it does."""
        own = await self._role(tx, session, subject, school_id)
        return (*own, OFFICER) if subject in _named(self.settings.security_officers) else own

    async def _role(self, tx: Tx, session: queries.Session, subject: str, school_id: str) -> tuple[str, ...]:
        """Keep the roles an account has at this school; the first of a school administers it, later ones manage."""
        if subject in _named(self.settings.school_admins):
            return (ADMIN,)
        known = await accounts.roles_at(tx, session.account_id, school_id)
        kept = tuple(role for role in known if role != OFFICER)
        if kept:
            return kept
        return (MANAGER,) if await accounts.school_has_admin(tx, school_id, session.account_id) else (ADMIN,)


def _named(subjects: str) -> frozenset[str]:
    return frozenset(one.strip() for one in subjects.split(",") if one.strip())


def _granted(session: queries.Session, token_id: str, place: str) -> audit.Record:
    """The provider traded a code for tokens; which school acts with them is not known yet."""
    return audit.Record(
        actor=person(session, place),
        action="token.grant",
        object_kind="token",
        object_id=token_id,
        outcome=audit.OUTCOME_DONE,
        facts={"kind": "code", "session": str(session.id)},
    )


def _not_granted(failure: Failure, place: str) -> Denial:
    refused = failure.code in {Code.CODE_SIGN_IN_FAILED, Code.CODE_SIGN_IN_INCOMPLETE}
    return Denial(
        failure.name,
        "token",
        place=place,
        facts=(("kind", "code"),),
        action="token.grant",
        outcome=audit.OUTCOME_REFUSED if refused else audit.OUTCOME_FAILED,
    )


def _nonce(browser: str, state: str) -> str:
    return derive(browser, f"nonce {state}")


def _verifier(browser: str, state: str) -> str:
    return derive(browser, f"verifier {state}")


def _proved_at(signed_in: oidc_pb2.RedeemCodeResponse) -> datetime | None:
    return signed_in.authenticated_at.ToDatetime(UTC) if signed_in.HasField("authenticated_at") else None


def _incomplete(missing: str, detail: str) -> Failure:
    """What RdvPermis does not say of who signed in; another sign-in would change nothing."""
    return Failure(Code.CODE_SIGN_IN_INCOMPLETE, detail, violations=[(missing, "not stated")])


def _failed(detail: str) -> Failure:
    """A refusal of a sign-in; `detail` for the logs."""
    return Failure(Code.CODE_SIGN_IN_FAILED, detail)
