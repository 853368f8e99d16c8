"""Acts that stop in the middle of their transaction, with their locks, as long as a test wants; and lines that break."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import sqlalchemy as sa
from basket_peers import Basket
from prometheus_client import REGISTRY

from resapermis_kit.database.transaction import transaction
from resapermis_testing.databases import as_owner
from resapermis_testing.eventually import eventually

LOCK = 1_680_101
BODY = f"BEGIN PERFORM pg_advisory_xact_lock_shared({LOCK}); RETURN NEW; END"
STOPS = (
    f"CREATE OR REPLACE FUNCTION stop() RETURNS trigger LANGUAGE plpgsql AS '{BODY}'",
    "CREATE OR REPLACE TRIGGER stop BEFORE UPDATE ON basket_line FOR EACH ROW EXECUTE FUNCTION stop()",
)


@contextlib.asynccontextmanager
async def stopped_updates(basket: Basket) -> AsyncIterator[None]:
    """Within it whoever changes a line has its school's turn and waits."""
    async with as_owner(basket.engine) as tx:
        for statement in STOPS:
            await tx.execute(sa.text(statement))
    async with transaction(basket.engine) as tx:
        await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(LOCK)))
        yield


async def waits_or_ended(basket: Basket, task: "asyncio.Task[Any]", many: int) -> None:
    """Until `many` connections wait for a lock, or the task has ended without."""
    waiting = (
        "SELECT count(*) AS many FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )

    async def stopped() -> bool:
        return task.done() or (await basket.rows(waiting))[0].many >= many

    await eventually(stopped)


BREAKS = (
    "CREATE FUNCTION breaks() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''s1 breaks''; END'",
    "CREATE TRIGGER breaks BEFORE UPDATE ON basket_line FOR EACH ROW WHEN (NEW.slot_id = 's1') EXECUTE FUNCTION breaks()",
)


async def break_s1(basket: Basket) -> None:
    """From now on no change of the line of s1 can be written."""
    async with as_owner(basket.engine) as tx:
        for statement in BREAKS:
            await tx.execute(sa.text(statement))


def broken(state: str) -> float:
    """How many lines were counted as broken, in this state, by this process."""
    return REGISTRY.get_sample_value("resapermis_basket_lines_failed_total", {"state": state}) or 0.0
