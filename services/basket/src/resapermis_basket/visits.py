"""Which schools' people were here lately: those schools are reconciled, whether or not they have bookings."""

import sqlalchemy as sa
from cachetools import TTLCache
from sqlalchemy.dialects.postgresql import insert

from resapermis_basket.tables import watched
from resapermis_kit.database.transaction import Tx

PAUSE_SECONDS = 600.0
MOST = 20_000


class Visits:
    """Lets one visit in ten minutes of a school be written down, so that reading costs no write."""

    def __init__(self) -> None:
        """Of this process; at its start nobody was here."""
        self._seen: TTLCache[str, None] = TTLCache(MOST, PAUSE_SECONDS)

    def first_lately(self, school_id: str) -> bool:
        """Whether this visit is worth writing down."""
        if school_id in self._seen:
            return False
        self._seen[school_id] = None
        return True


async def keep_visit(tx: Tx, school_id: str) -> None:
    """Somebody of the school was here: it is watched from now on."""
    now = sa.func.now()
    statement = insert(watched).values(school_id=school_id, seen_at=now, next_reconciliation_at=now, failures=0)
    await tx.execute(statement.on_conflict_do_update(index_elements=[watched.c.school_id], set_={"seen_at": now}))
