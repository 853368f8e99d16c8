"""Every booking judged again by what the rules looked at and by what was in force then (R-23).

What a rule answered once it must answer for ever of the same facts. Where it does not, code has changed, not the booking: published,
written into the journal, counted; nothing is undone by it.
"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from uuid import UUID
from zoneinfo import ZoneInfo

import structlog
from google.protobuf.message import Message
from prometheus_client import Gauge

from resapermis.basket.v1.events_pb2 import ComplianceDrifted
from resapermis.scheduling.v1.scheduling_pb2 import EvaluationSnapshot, Parameter, RejudgedSnapshot
from resapermis_basket import events
from resapermis_basket.compliance.queries import (
    START,
    ComplianceCheck,
    Judgement,
    judgements_of_bookings,
    judgements_of_coming,
    keep_check,
    last_check,
    mark_drift,
)
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.line.queries import database_now
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_places.table import PARIS

log = structlog.get_logger()
DRIFT = Gauge("resapermis_compliance_drift", "Kept judgements of bookings that today's code says otherwise of")
CHECKED = Gauge("resapermis_compliance_bookings_checked", "Bookings that the last compliance check judged again")
LAST_RUN = Gauge("resapermis_compliance_last_run_seconds", "When the last compliance check ended, seconds since 1970")
BATCH = 500
SHOWN = 20
NIGHT_HOUR = 3
NextJudgements = Callable[[Tx, tuple[UUID, str], int], Awaitable[list[Judgement]]]


@dataclass
class Report:
    """What a check found; ids and rules only."""

    began_at: datetime
    ended_at: datetime
    bookings: int = 0
    judgements: int = 0
    drifted: int = 0
    by_rule: Counter[str] = field(default_factory=Counter)
    examples: list[dict[str, str]] = field(default_factory=list)

    def as_json(self) -> dict[str, object]:
        """The report as JSON-ready dict, for a terminal; `compliant` is true without any drift."""
        return vars(self) | {
            "began_at": self.began_at.isoformat(),
            "ended_at": self.ended_at.isoformat(),
            "by_rule": dict(sorted(self.by_rule.items())),
            "compliant": self.drifted == 0,
        }


async def check_nightly(dependencies: Dependencies) -> None:
    """Check once a night, whichever replica and however often it was started again."""
    async with transaction(dependencies.engine) as tx:
        now, last = await database_now(tx), await last_check(tx)
    if last is not None:
        _measure(last)
    if last is None or last.ended_at < night_before(now):
        report = await check_all(dependencies)
        log.info("compliance.checked", bookings=report.bookings, drifted=report.drifted)


async def check_all(dependencies: Dependencies) -> Report:
    """Judge every booking again; publish and record each that is judged otherwise now and was not published before."""
    report = await _over(dependencies, judgements_of_bookings, partial(_publish, dependencies))
    made = ComplianceCheck(
        dependencies.new_id(), report.began_at, report.ended_at, report.bookings, report.judgements, report.drifted
    )
    async with transaction(dependencies.engine) as tx:
        await keep_check(tx, made)
    _measure(made)
    return report


async def preview(dependencies: Dependencies, changed: Parameter) -> Report:
    """What live lines would be refused by, had this value been in force; those refused anyway are left out."""

    async def nothing(_batch: Sequence[Judgement], _found: Sequence[str]) -> None:
        return None

    return await _over(dependencies, judgements_of_coming, nothing, changed)


async def _over(
    dependencies: Dependencies,
    following: NextJudgements,
    then: Callable[[Sequence[Judgement], Sequence[str]], Awaitable[None]],
    changed: Parameter | None = None,
) -> Report:
    async with transaction(dependencies.engine) as tx:
        began = await database_now(tx)
    report, last = Report(began, began), START
    counted = last[0]
    while True:
        async with transaction(dependencies.engine) as tx:
            batch = await following(tx, last, BATCH)
            report.ended_at = await database_now(tx)
        if not batch:
            return report
        last = (batch[-1].line_id, batch[-1].purpose)
        found = await _against(dependencies, batch, changed)
        await then(batch, found)
        # Judgements come by line: only the first line of a batch may have been counted with the one before.
        report.bookings += len({one.line_id for one in batch} - {counted})
        counted = last[0]
        report.judgements += len(batch)
        _count(report, batch, found)


async def _against(dependencies: Dependencies, batch: Sequence[Judgement], changed: Parameter | None) -> list[str]:
    """Rules that now refuse each judgement, with commas; "" for none."""
    snapshots = [EvaluationSnapshot.FromString(one.facts) for one in batch]
    today = await dependencies.peers.rejudge(snapshots)
    if changed is None:
        return [_rules(one) for one in today]
    then = await dependencies.peers.rejudge(snapshots, changed)
    return [_rules(one) if before.allowed else "" for before, one in zip(today, then, strict=True)]


async def _publish(dependencies: Dependencies, batch: Sequence[Judgement], found: Sequence[str]) -> None:
    news = {(one.line_id, one.purpose): rules for one, rules in zip(batch, found, strict=True) if rules != one.drift}
    if not news:
        return
    async with transaction(dependencies.engine) as tx:
        now = await database_now(tx)
        messages: list[Message] = []
        for one in batch:
            rules = news.get((one.line_id, one.purpose), "")
            if rules:
                event = ComplianceDrifted(line_id=str(one.line_id), school_id=one.school_id, rules=rules.split(","))
                messages += [event, events.drift_record(str(one.line_id), one.school_id, one.purpose, rules)]
        await mark_drift(tx, news)
        await dependencies.outbox.add(tx, now, *messages)


def night_before(now: datetime) -> datetime:
    """The newest three o'clock in the morning, French time."""
    local = now.astimezone(ZoneInfo(PARIS))
    tonight = local.replace(hour=NIGHT_HOUR, minute=0, second=0, microsecond=0)
    return tonight if tonight <= local else tonight - timedelta(days=1)


def _rules(judged: RejudgedSnapshot) -> str:
    return ",".join(sorted({verdict.rule for verdict in judged.against if not verdict.allowed}))


def _count(report: Report, batch: Sequence[Judgement], found: Sequence[str]) -> None:
    for one, rules in zip(batch, found, strict=True):
        if not rules:
            continue
        report.drifted += 1
        report.by_rule.update(rules.split(","))
        if len(report.examples) < SHOWN:
            report.examples.append(
                {"line": str(one.line_id), "school": one.school_id, "purpose": one.purpose, "rules": rules}
            )


def _measure(made: ComplianceCheck) -> None:
    DRIFT.set(made.drifted)
    CHECKED.set(made.bookings)
    LAST_RUN.set(made.ended_at.timestamp())
