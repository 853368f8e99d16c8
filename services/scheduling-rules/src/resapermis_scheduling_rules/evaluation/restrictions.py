"""What exams, cancellations and RdvPermis' own penalties mean for candidates: basket's facts become bars (R-PENALTY)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from resapermis.basket.v1 import basket_pb2 as basket
from resapermis.basket.v1.events_pb2 import LineChanged, PenaltiesFound, ResultFound
from resapermis_kit.database.transaction import Tx
from resapermis_kit.events.event import Event
from resapermis_scheduling_rules.domain.parameters import Parameters, Rulebook
from resapermis_scheduling_rules.domain.penalties import Outcome, after_cancellation, after_exam, after_result
from resapermis_scheduling_rules.evaluation import bar_queries as bars
from resapermis_scheduling_rules.evaluation.bar_queries import Found, Whom
from resapermis_scheduling_rules.parameters import queries as parameter_queries

OUTCOMES: Mapping[int, Outcome] = {
    basket.Result.OUTCOME_PASSED: Outcome.PASSED,
    basket.Result.OUTCOME_FAILED: Outcome.FAILED,
    basket.Result.OUTCOME_ABSENT: Outcome.ABSENT,
}
_ENDS = {basket.LINE_STATE_CANCELLED, basket.LINE_STATE_DONE}


async def bar_after(tx: Tx, batch: Sequence[tuple[LineChanged, Event]]) -> None:
    """A late cancellation bars; an exam that took place bars until its result is there.

    A cancellation found at RdvPermis was made at a moment that we do not know: whether it was late, RdvPermis says.
    """
    ended = [(event, fact) for event, fact in batch if event.to in _ENDS and event.candidate_id]
    if not ended:
        return
    rulebook = Rulebook(await parameter_queries.approved_parameters(tx))
    for event, fact in ended:
        if not event.HasField("starts_at"):
            continue
        whom = Whom(event.school_id, event.candidate_id, event.category)
        starts_at, at = event.starts_at.ToDatetime(UTC), fact.occurred_at
        parameters = rulebook.at(at, event.department, event.category)
        if event.to == basket.LINE_STATE_DONE:
            if not await bars.has_result(tx, event.line_id):
                await bars.of_line(tx, whom, event.line_id, after_exam(starts_at, event.kind, parameters))
        elif not event.found_elsewhere:
            barred = after_cancellation(at, starts_at, event.department, parameters)
            if barred is not None:
                await bars.of_line(tx, whom, event.line_id, barred)


async def on_result_found(tx: Tx, event: ResultFound, fact: Event) -> None:
    """An exam's result is there: it takes the place of the waiting for it; what it bars counts from the exam on."""
    outcome = OUTCOMES.get(event.result.outcome)
    if outcome is None or not event.candidate_id or not event.HasField("starts_at"):
        return
    exam_at = event.starts_at.ToDatetime(UTC)
    parameters = await _parameters(tx, event.department, event.category, fact.occurred_at)
    points = event.result.points if event.result.HasField("points") else None
    barred = after_result(outcome, points, exam_at, event.kind, event.department, parameters)
    await bars.of_result(tx, Whom(event.school_id, event.candidate_id, event.category), event.line_id, barred)


async def on_penalties_found(tx: Tx, event: PenaltiesFound, fact: Event) -> None:
    """RdvPermis' whole list takes the place of the one before, its motifs verbatim."""
    seen_at = event.seen_at.ToDatetime(UTC) if event.HasField("seen_at") else fact.occurred_at
    found = [Found(one.reason, one.until.ToDatetime(UTC) if one.HasField("until") else None) for one in event.penalties]
    await bars.of_rdvpermis(tx, Whom(event.school_id, event.candidate_id, event.category), found, seen_at)


async def _parameters(tx: Tx, department: str, category: str, at: datetime) -> Parameters:
    return Rulebook(await parameter_queries.approved_parameters(tx)).at(at, department, category)
