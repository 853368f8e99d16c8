"""How a session ends, whichever process ends it: row, event and record in the caller's transaction.

The web face ends sessions for people, time and the provider's sign-out; egress those whose grant is dead.
"""

from datetime import datetime
from uuid import UUID

import sqlalchemy as sa

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, Actor, Record
from resapermis.iam.v1.events_pb2 import SessionEnded
from resapermis_auth_gateway.accounts import OWN, no_school
from resapermis_auth_gateway.tables import accounts, sessions
from resapermis_kit.database.transaction import Tx
from resapermis_kit.events.outbox import Outbox

AT_ONCE = 100


async def end_session(
    tx: Tx, outbox: Outbox, session_id: UUID, cause: str, now: datetime, *, actor: Actor, **facts: str
) -> bool:
    """End a session once, for `cause` (a word of SessionEnded); False when somebody already did.

    Its tokens are the caller's to end, after this: whoever ends both takes the session's row first.
    """
    statement = (
        sa.update(sessions)
        .where(sessions.c.id == session_id, sessions.c.ended_at.is_(None))
        .values(ended_at=now, end_cause=cause)
        .returning(sessions.c.account_id, sessions.c.school_id)
    )
    row = (await tx.execute(statement)).one_or_none()
    if row is None:
        return False
    school_id = "" if row.school_id == no_school(row.account_id) else row.school_id
    ended = SessionEnded(session_id=str(session_id), account_id=str(row.account_id), school_id=school_id, cause=cause)
    record = Record(
        actor=actor,
        action="session.end",
        object_kind="session",
        object_id=str(session_id),
        school_id=school_id,
        outcome=OUTCOME_DONE,
        facts={"cause": cause, **facts},
    )
    await outbox.add(tx, now, ended, record)
    return True


async def sessions_of_other_providers(tx: Tx, issuer: str) -> list[UUID]:
    """Sessions that have not ended of people of another provider than `issuer`, and not our own, at most a hundred."""
    others = sa.and_(accounts.c.id == sessions.c.account_id, accounts.c.issuer.not_in([issuer, OWN]))
    statement = (
        sa.select(sessions.c.id).where(sessions.c.ended_at.is_(None), others).order_by(sessions.c.id).limit(AT_ONCE)
    )
    return list((await tx.execute(statement)).scalars())
