"""What exams, cancellations and RdvPermis' own penalties mean for candidates: basket's events become restrictions (R-PENALTY)."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from resapermis.basket.v1 import basket_pb2 as basket
from resapermis.basket.v1.events_pb2 import LineChanged, PenaltiesFound, ResultFound
from resapermis_kit.database.transaction import Tx
from resapermis_kit.events.event import Event
from resapermis_scheduling_rules.domain.parameters import Parameters, Rulebook
from resapermis_scheduling_rules.domain.restrictions import (
    ReportedOutcome,
    after_cancellation,
    after_exam,
    after_result,
)
from resapermis_scheduling_rules.evaluation import restriction_queries
from resapermis_scheduling_rules.evaluation.restriction_queries import PublishedRestriction, RestrictionSubject
from resapermis_scheduling_rules.parameters import queries as parameter_queries

OUTCOMES: Mapping[int, ReportedOutcome] = {
    basket.Result.OUTCOME_PASSED: ReportedOutcome.PASSED,
    basket.Result.OUTCOME_FAILED: ReportedOutcome.FAILED,
    basket.Result.OUTCOME_ABSENT: ReportedOutcome.ABSENT,
}
_ENDS = {basket.LINE_STATE_CANCELLED, basket.LINE_STATE_DONE}


async def restrict_after(tx: Tx, batch: Sequence[tuple[LineChanged, Event]]) -> None:
    """A late cancellation restricts; an exam that took place restricts until its result is there.

    A cancellation found at RdvPermis was made at a moment that we do not know: whether it was late, RdvPermis' own list shows.
    """
    ended = [(message, event) for message, event in batch if message.to in _ENDS and message.candidate_id]
    if not ended:
        return
    rulebook = Rulebook(await parameter_queries.approved_parameters(tx))
    for message, event in ended:
        if not message.HasField("starts_at"):
            continue
        whom = RestrictionSubject(message.school_id, message.candidate_id, message.category)
        starts_at, at = message.starts_at.ToDatetime(UTC), event.occurred_at
        parameters = rulebook.at(at, message.department, message.category)
        if message.to == basket.LINE_STATE_DONE:
            if not await restriction_queries.has_result(tx, message.line_id):
                await restriction_queries.write_line_restriction(
                    tx, whom, message.line_id, after_exam(starts_at, message.kind, parameters)
                )
        elif not message.found_elsewhere:
            restriction = after_cancellation(at, starts_at, message.department, parameters)
            if restriction is not None:
                await restriction_queries.write_line_restriction(tx, whom, message.line_id, restriction)


async def on_result_found(tx: Tx, message: ResultFound, event: Event) -> None:
    """An exam's result is there: it takes the place of the waiting for it; what it restricts counts from the exam on."""
    outcome = OUTCOMES.get(message.result.outcome)
    if outcome is None or not message.candidate_id or not message.HasField("starts_at"):
        return
    exam_at = message.starts_at.ToDatetime(UTC)
    parameters = await _parameters(tx, message.department, message.category, event.occurred_at)
    points = message.result.points if message.result.HasField("points") else None
    restriction = after_result(outcome, points, exam_at, message.kind, message.department, parameters)
    await restriction_queries.write_result_restriction(
        tx, RestrictionSubject(message.school_id, message.candidate_id, message.category), message.line_id, restriction
    )


async def on_penalties_found(tx: Tx, message: PenaltiesFound, event: Event) -> None:
    """RdvPermis' whole list takes the place of the one before, its motifs verbatim."""
    seen_at = message.seen_at.ToDatetime(UTC) if message.HasField("seen_at") else event.occurred_at
    found = [
        PublishedRestriction(one.reason, one.until.ToDatetime(UTC) if one.HasField("until") else None)
        for one in message.penalties
    ]
    await restriction_queries.replace_rdvpermis_restrictions(
        tx, RestrictionSubject(message.school_id, message.candidate_id, message.category), found, seen_at
    )


async def _parameters(tx: Tx, department: str, category: str, at: datetime) -> Parameters:
    return Rulebook(await parameter_queries.approved_parameters(tx)).at(at, department, category)
