"""The database's clock, and which commands were asked before."""

from datetime import UTC, datetime

import sqlalchemy as sa

from resapermis_kit.database import idempotency
from resapermis_kit.database.transaction import Tx


async def now(tx: Tx) -> datetime:
    """The database's clock: the only one that decides about expiry, whatever a replica's own says."""
    moment: datetime = (await tx.execute(sa.select(sa.func.now()))).scalar_one()
    return moment.astimezone(UTC)


async def was_asked(tx: Tx, caller: str, request_id: str) -> bool:
    """Whether a command with this request id has committed its intention."""
    mine = (idempotency.requests.c.caller == caller, idempotency.requests.c.request_id == request_id)
    return (await tx.execute(sa.select(sa.literal(1)).where(*mine))).first() is not None


async def forget_request(tx: Tx, caller: str, request_id: str) -> None:
    """Let the same request id be tried again: what it asked surely did not happen."""
    mine = (idempotency.requests.c.caller == caller, idempotency.requests.c.request_id == request_id)
    await tx.execute(sa.delete(idempotency.requests).where(*mine))
