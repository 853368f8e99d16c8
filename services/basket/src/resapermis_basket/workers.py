"""What basket does unasked: leader tasks, and the events it consumes."""

import asyncio
from functools import partial

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.scheduling.v1.events_pb2 import SlotWithdrawn
from resapermis_basket import invariants
from resapermis_basket.booking.results import poll_results
from resapermis_basket.compliance.check import check_nightly
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.hold.queue import Admission
from resapermis_basket.opening.preparation import drop_unused
from resapermis_basket.reconcile.doubts import doubt_everything, settle_doubts
from resapermis_basket.reconcile.expiry import expire_and_warn, finish_begun_exams
from resapermis_basket.reconcile.outside_changes import Reconciliation
from resapermis_basket.reconcile.received_events import act_on_events, on_mandate_changed, on_slot_withdrawn
from resapermis_basket.reconcile.release import give_back
from resapermis_kit.process import invariants as kit_invariants
from resapermis_kit.process.process import Process

DAY_SECONDS = 24 * 3600.0


def add_workers(process: Process, dependencies: Dependencies, admission: Admission) -> None:
    """Have `process` run them: each task in one replica at a time, each event once."""
    settings = dependencies.settings
    reconciliation = Reconciliation(dependencies, admission.idle)
    process.every(settings.expire_every_seconds, "expire", partial(expire_and_warn, dependencies))
    process.every(settings.settle_every_seconds, "settle", partial(settle_and_give_back, dependencies))
    process.every(settings.reconcile_round_seconds, "reconcile", reconciliation.round)
    process.every(settings.results_round_seconds, "results", partial(poll_results, dependencies))
    process.every(settings.compliance_round_seconds, "compliance", partial(check_nightly, dependencies))
    process.every(settings.drop_round_seconds, "drop", partial(drop_unused, dependencies))
    process.every(DAY_SECONDS, "invariants of the past", partial(check_all_lines, process.engine))
    process.invariants |= {**invariants.LATELY, **invariants.IN_TIME}
    process.after_restore.append(partial(doubt_everything, dependencies))
    process.consume("scheduling-rules", {SlotWithdrawn: on_slot_withdrawn})
    process.consume("mandate", {MandateChanged: on_mandate_changed})


async def settle_and_give_back(dependencies: Dependencies) -> None:
    """One round of everything that may wait for RdvPermis or is in no hurry; none holds up another."""
    works = (_act_and_settle(dependencies), give_back(dependencies), finish_begun_exams(dependencies))
    for problem in await asyncio.gather(*works, return_exceptions=True):
        if isinstance(problem, BaseException):
            raise problem


async def _act_and_settle(dependencies: Dependencies) -> None:
    await act_on_events(dependencies)
    await settle_doubts(dependencies)


async def check_all_lines(engine: AsyncEngine) -> None:
    """All lines that ever were, once a day and at each start: seconds of one core for millions of them."""
    await kit_invariants.check(engine, invariants.EVER)
