"""What must hold in a service's own database, asked from time to time by the service itself, with a metric each.

A question is a query that returns, a text a row, what breaks an invariant: ids and codes only. Questions are asked of one
snapshot. What is only true across services is asked by `resapermisctl invariants`.
"""

from collections.abc import Mapping

import sqlalchemy as sa
import structlog
from prometheus_client import Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.transaction import transaction

EVERY_SECONDS = 60.0
SHOWN = 5
BREACHES = Gauge(
    "resapermis_invariant_breaches", "What breaks an invariant of this service's database; alert above 0", ["name"]
)
KIT: Mapping[str, str] = {
    "outbox_numbers_have_no_gap": """
        SELECT stream FROM outbox_head CROSS JOIN LATERAL
            (SELECT count(*) AS many, min(number) AS first, max(number) AS last FROM outbox
             WHERE outbox.stream = outbox_head.stream AND number > last_number - 10000) AS kept
        WHERE many > 0 AND (many <> last - first + 1 OR last <> last_number)""",
    "no_dead_letter": "SELECT concat_ws(' ', source, type, id) FROM dead_letter",
}
"""What must hold of the kit's own tables in every service; of numbers only the newest are looked at, each was among them once."""
log = structlog.get_logger()


async def check(engine: AsyncEngine, questions: Mapping[str, str]) -> dict[str, int]:
    """Ask every question of one snapshot; set the metrics, log what is broken, return how much breaks each."""
    found: dict[str, int] = {}
    async with transaction(engine.execution_options(isolation_level="REPEATABLE READ")) as tx:
        await tx.execute(sa.text("SET LOCAL enable_seqscan = on"))  # some do read whole tables, and may take their time
        await tx.execute(sa.text("SET LOCAL statement_timeout = '5min'"))
        for name, question in questions.items():
            broken = list((await tx.execute(sa.text(question))).scalars())
            found[name] = len(broken)
            BREACHES.labels(name).set(len(broken))
            if broken:
                log.error("invariant.broken", name=name, breaches=len(broken), examples=broken[:SHOWN])
    return found
