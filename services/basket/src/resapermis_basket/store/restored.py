"""After a restore to the past: nothing that stands here is believed until RdvPermis has been read again."""

import sqlalchemy as sa

from resapermis_basket.domain import State
from resapermis_basket.store.tables import in_state, lines, watched
from resapermis_basket.store.watching import watch_who_has_bookings
from resapermis_kit.database.transaction import Tx


async def doubt_all(tx: Tx) -> int:
    """Have every hold read at RdvPermis now, and every school with bookings compared with its exams; return how many holds.

    Versions move, so that an act that read its line before is refused as stale.
    """
    held = sa.update(lines).where(in_state(State.HELD))
    doubted = await tx.execute(held.values(next_look_at=sa.func.now(), version=lines.c.version + 1))
    await watch_who_has_bookings(tx)
    await tx.execute(sa.update(watched).values(next_sweep_at=sa.func.now()))
    return doubted.rowcount
