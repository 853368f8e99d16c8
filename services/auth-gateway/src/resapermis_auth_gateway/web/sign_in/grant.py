"""A grant for background work: its owner gives it at the provider, sees it and withdraws it (ADR 36)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from typing import Any, Literal
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1 import events_pb2 as audit
from resapermis.oidc.v1 import oidc_pb2
from resapermis_auth_gateway import accounts, grants
from resapermis_auth_gateway.grants import Grant, OfSchool
from resapermis_auth_gateway.settings import SERVICE
from resapermis_auth_gateway.tables import tokens as rows
from resapermis_auth_gateway.tokens import SealedPair
from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_auth_gateway.web.sign_in import queries
from resapermis_auth_gateway.web.sign_in.attempts import Attempt, Attempts
from resapermis_auth_gateway.web.sign_in.cookies import derive, new_secret
from resapermis_auth_gateway.web.sign_in.sessions import Sessions, denial_of, person, system
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.denials.denial import Denial
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc import peers
from resapermis_kit.rpc.auth import Caller, Principal

PAGE = "/compte"
"""The page of one's own account: the way to a grant begins and ends there."""
PERMISSION = "grant.give"
USES = ("reconciliation", "results", "polls", "mandates")
"""What works on a grant, and waits whenever nobody is signed in where there is none."""
Outcome = Literal[
    "given",
    "refused",
    "other_person",
    "other_school",
    "not_offered",
    "signed_out",
    "no_right",
    "unavailable",
    "failed",
]
REFUSED_AT_PROVIDER = "access_denied"
"""The person said no there (RFC 6749, 4.1.2.1)."""
_OUTCOMES: Mapping[Code.ValueType, Outcome] = {
    Code.CODE_GRANT_OTHER_PERSON: "other_person",
    Code.CODE_GRANT_OTHER_SCHOOL: "other_school",
    Code.CODE_GRANT_NOT_OFFERED: "not_offered",
    Code.CODE_UNAUTHENTICATED: "signed_out",
    Code.CODE_FORBIDDEN: "no_right",
    Code.CODE_RDVPERMIS_DOWN: "unavailable",
    Code.CODE_RDVPERMIS_BUDGET: "unavailable",
    Code.CODE_UNAVAILABLE: "unavailable",
    Code.CODE_OVERLOADED: "unavailable",
    Code.CODE_DEADLINE: "unavailable",
}
log = structlog.get_logger()


@dataclass(frozen=True)
class ProviderAnswer:
    """What the provider's redirect brought of an answer; `browser` is the secret of the browser that left with it."""

    code: str
    state: str
    iss: str
    error: str
    browser: str


@dataclass(frozen=True)
class Leaving:
    """Where a browser goes, and the secret by which its way back is known."""

    url: str
    browser: str


@dataclass(frozen=True)
class Grants:
    """People's grants for background work."""

    settings: WebSettings
    engine: AsyncEngine
    outbox: Outbox
    provider: Any
    """Stub of ProviderService."""
    sessions: Sessions
    attempts: Attempts
    allows: Callable[[Caller, str], bool]
    """Whether policy lets somebody do something."""
    now: Clock

    def may_give(self, roles: tuple[str, ...]) -> bool:
        """Whether who has these roles at a school may give a grant there, and keep it."""
        asker = Principal(account_id="", session_id="", school_id="", roles=roles)
        return self.allows(Caller(SERVICE, asker), PERMISSION)

    async def begin(self, session: queries.Session, browser: str) -> Leaving:
        """The address at the provider where the person says who they are, unless they lately did, and consents.

        FORBIDDEN where their role does not allow it.

        `browser`: the secret of a sign-in under way in another tab, or "".
        """
        self._require(session)
        browser, state = browser or new_secret(), new_secret()
        attempt = Attempt(PAGE, self._proof_wanted(session), session.id)
        question = oidc_pb2.BeginSignInRequest(
            state=state,
            nonce=_nonce(browser, state),
            code_verifier=_verifier(browser, state),
            max_age_seconds=attempt.max_age_seconds,
            purpose=oidc_pb2.PURPOSE_GRANT,
        )
        answer = await peers.ask(self.provider.BeginSignIn, question, principal="")
        await self.attempts.begin(state, browser, attempt)
        return Leaving(answer.authorization_url, browser)

    async def finish(
        self, answer: ProviderAnswer, attempt: Attempt, session: queries.Session | None, place: str
    ) -> Outcome:
        """Keep the grant that came, or say why there is none; what is refused is recorded."""
        try:
            await self._finish(answer, attempt, session, place)
        except Failure as failure:
            reason, outcome = failure.name, _OUTCOMES.get(failure.code, "failed")
            if failure.denied == REFUSED_AT_PROVIDER:
                reason, outcome = REFUSED_AT_PROVIDER, "refused"
            log.warning("grant.refused", error_code=reason, why=failure.detail)
            self._denied(reason, outcome, session, place)
            return outcome
        return "given"

    async def _finish(
        self, answer: ProviderAnswer, attempt: Attempt, session: queries.Session | None, place: str
    ) -> None:
        if session is None or session.id != attempt.grant_session_id:
            raise _signed_out()
        self._require(session)
        if answer.error or not answer.code:
            raise Failure(Code.CODE_SIGN_IN_FAILED, "the provider refused", denied=answer.error)
        async with transaction(self.engine) as tx:
            issuer, subject = await accounts.person_of(tx, session.account_id)
        question = oidc_pb2.RedeemGrantRequest(
            code=answer.code,
            iss=answer.iss,
            nonce=_nonce(answer.browser, answer.state),
            code_verifier=_verifier(answer.browser, answer.state),
            account_id=str(session.account_id),
            issuer=issuer,
            subject=subject,
            school_id=session.school_id,
            max_age_seconds=attempt.max_age_seconds,
        )
        # Once, as a sign-in's code. What it gave is revoked unless it is kept below: egress has written that down.
        redeemed = await peers.call(self.provider.RedeemGrant, question, principal="")
        now = self.now()
        async with transaction(self.engine) as tx:
            await grants.lock_owner(tx, session.account_id)
            standing = await queries.live_session_of(tx, session.account_id, session.id)
            if standing is None:
                raise _signed_out()
            self._require(standing)
            if not await grants.give(
                tx,
                self.outbox,
                sealed_of(redeemed.tokens),
                account_id=session.account_id,
                school_id=session.school_id,
                ends_at=now + timedelta(days=self.settings.grant_days),
                now=now,
                actor=person(session, place),
            ):
                raise Failure(Code.CODE_UNAVAILABLE, "the tokens came too late to be kept")

    async def of(self, session: queries.Session) -> Grant | None:
        """The person's grant at the school of this session: the live one, else the one given last."""
        async with transaction(self.engine) as tx:
            return await grants.newest(tx, session.account_id, session.school_id)

    async def withdraw(self, session: queries.Session, place: str) -> None:
        """End the person's grant at this school at once; the provider is to revoke it, as soon as that ends nothing they use."""
        whose = (rows.c.account_id == session.account_id, rows.c.school_id == session.school_id)
        actor = person(session, place)
        async with transaction(self.engine) as tx:
            await grants.end(
                tx,
                self.outbox,
                *whose,
                reason=grants.WITHDRAWN,
                now=self.now(),
                actor=actor,
                action="grant.withdraw",
            )

    async def of_school(self, school_id: str) -> OfSchool:
        """What background work of a school has."""
        async with transaction(self.engine) as tx:
            return await grants.of_school(tx, school_id, self.now())

    async def end_unfit(self, tx: Tx, session: queries.Session) -> None:
        """Of who just signed in, end the grants at other schools, and the one here where their role no longer allows it."""
        now, actor = self.now(), system(session)
        own = rows.c.account_id == session.account_id
        elsewhere = rows.c.school_id != session.school_id
        await grants.end(tx, self.outbox, own, elsewhere, reason=grants.OTHER_SCHOOL, now=now, actor=actor)
        if not self.may_give(session.roles):
            await grants.end(tx, self.outbox, own, reason=grants.NO_RIGHT, now=now, actor=actor)

    def _proof_wanted(self, session: queries.Session) -> int:
        """How recent a proof of who it is the provider is asked for: none where the person gave one lately anyway (S-06)."""
        lasts, proved = self.settings.step_up_seconds, session.authenticated_at
        return 0 if proved is not None and self.now() - proved <= timedelta(seconds=lasts) else lasts

    def _require(self, session: queries.Session) -> None:
        if not self.may_give(session.roles):
            raise Failure(Code.CODE_FORBIDDEN, "the role does not allow a grant", denied="no_right")

    def _denied(self, reason: str, outcome: Outcome, session: queries.Session | None, place: str) -> None:
        denial = Denial(reason, place=place) if session is None else denial_of(reason, session, place)
        failed = audit.OUTCOME_FAILED if outcome == "unavailable" else audit.OUTCOME_REFUSED
        self.sessions.denied(replace(denial, action="grant.give", object_kind="grant", outcome=failed))


def sealed_of(message: oidc_pb2.SealedTokens) -> SealedPair:
    """Tokens as egress sealed them, for the row that keeps them."""
    return SealedPair(
        token_id=UUID(message.token_id),
        access=message.access,
        access_expires_at=message.access_expires_at.ToDatetime(UTC),
        refresh=message.refresh if message.HasField("refresh") else None,
        refresh_expires_at=(
            message.refresh_expires_at.ToDatetime(UTC) if message.HasField("refresh_expires_at") else None
        ),
    )


def _nonce(browser: str, state: str) -> str:
    """Other than a sign-in's: what was begun for the one is of no use for the other."""
    return derive(browser, f"grant nonce {state}")


def _verifier(browser: str, state: str) -> str:
    return derive(browser, f"grant verifier {state}")


def _signed_out() -> Failure:
    return Failure(Code.CODE_UNAUTHENTICATED, "the session that asked for the grant has ended", denied="session_ended")
