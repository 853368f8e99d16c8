"""Sign-ins under way, and ways to a grant: each counts once, for its browser, for ten minutes; where it leads is sealed."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

import sqlalchemy as sa
import structlog
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_auth_gateway.tables import attempts
from resapermis_auth_gateway.web.sign_in.cookies import digest
from resapermis_auth_gateway.web.sign_in.return_to import HOME
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import transaction
from resapermis_vault.errors import Unreadable
from resapermis_vault.kek import KeyEncryption
from resapermis_vault.person_key import row_of
from resapermis_vault.secret import open_secret, seal_secret

LIVES = timedelta(minutes=10)
"""As long as the sign-in's cookie; used or not, the row goes then."""
log = structlog.get_logger()


@dataclass(frozen=True)
class Attempt:
    """A sign-in under way: where the person wanted to go, and how recent a proof was asked for (0: none).

    `grant_session_id`: it is no sign-in, but the way to a grant for background work, and began in that session.
    """

    return_to: str
    max_age_seconds: int = 0
    grant_session_id: UUID | None = None


@dataclass(frozen=True)
class Attempts:
    """The sign-ins under way of this database, found by the state and the browser that they left with."""

    engine: AsyncEngine
    vault: KeyEncryption
    now: Clock

    async def begin(self, state: str, browser: str, attempt: Attempt) -> None:
        """Remember one that leaves for the provider."""
        state_hash = digest(state)
        row = {
            "state_hash": state_hash,
            "browser_hash": digest(browser),
            "return_to": HOME,  # a replica of release 0.2.0 reads no other
            "page": seal_secret(self.vault, attempt.return_to, row=_row(state_hash)),
            "max_age_seconds": attempt.max_age_seconds,
            "grant_session_id": attempt.grant_session_id,
            "started_at": self.now(),
        }
        async with transaction(self.engine) as tx:
            await tx.execute(insert(attempts).values(row))

    async def use(self, state: str, browser: str) -> Attempt | None:
        """Use up the one of this state and this browser, once; None where there is none."""
        if not browser or not state:
            return None
        state_hash, now = digest(state), self.now()
        statement = (
            sa.update(attempts)
            .where(
                attempts.c.state_hash == state_hash,
                attempts.c.browser_hash == digest(browser),
                attempts.c.started_at >= now - LIVES,
                attempts.c.used_at.is_(None),
            )
            .values(used_at=now)
            .returning(attempts.c.page, attempts.c.max_age_seconds, attempts.c.grant_session_id)
        )
        async with transaction(self.engine) as tx:
            row = (await tx.execute(statement)).one_or_none()
        if row is None:
            return None
        return Attempt(self._page(state_hash, row.page), row.max_age_seconds, row.grant_session_id)

    async def page_of(self, state: str) -> str:
        """The page that a used one led to: a path of ours, as it was judged when it began; home once that is forgotten.

        Asks for no browser: who is signed in, and comes back to the callback, is led on.
        """
        state_hash = digest(state)
        statement = sa.select(attempts.c.page).where(
            attempts.c.state_hash == state_hash,
            attempts.c.started_at >= self.now() - LIVES,
            attempts.c.used_at.is_not(None),
        )
        async with transaction(self.engine) as tx:
            return self._page(state_hash, (await tx.execute(statement)).scalar())

    async def forget_old(self) -> None:
        """Delete those whose ten minutes are over. Run every minute by one replica."""
        async with transaction(self.engine) as tx:
            await tx.execute(sa.delete(attempts).where(attempts.c.started_at < self.now() - LIVES))

    def _page(self, state_hash: bytes, sealed: bytes | None) -> str:
        """Home for what another release began, or nobody can open: a sign-in does not fail for where it leads."""
        if sealed is None:
            return HOME
        try:
            return open_secret(self.vault, sealed, row=_row(state_hash)).reveal()
        except Unreadable:
            log.error("sign_in.page_unreadable")
            return HOME


def _row(state_hash: bytes) -> str:
    return row_of("sign_in_attempt", "page", state_hash.hex())
