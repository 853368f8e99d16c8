"""Trainer and vehicle of a line: ours alone, RdvPermis is not asked."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket import events
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Change, Line, State, in_doubt
from resapermis_basket.judgement import refusals, verdicts
from resapermis_basket.line.change import LineSituation, line_command, read_line_situation
from resapermis_basket.line.counters import lock_school
from resapermis_basket.line.queries import write_changes
from resapermis_basket.peers import line_question
from resapermis_basket.wire import LONGEST_ID, line_message
from resapermis_kit.database.idempotency import Command, begin, finish
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.fields import parse_id

ACTION = "basket.set_line_resources"
"""As the journal has it from the first release on."""
EXCLUSION_VIOLATION = "23P01"
_RESOURCES = frozenset({"trainer", "vehicle"})
_REMEDIES = frozenset({"choose_another_trainer", "choose_another_vehicle"})


async def set_line_resources(
    dependencies: Dependencies, who: Principal, request: pb.SetLineResourcesRequest
) -> pb.SetLineResourcesResponse:
    """Put trainer and vehicle on a held or booked line; the database lets neither be at two exams at once."""
    for name in ("trainer_id", "vehicle_id"):
        if len(getattr(request, name)) > LONGEST_ID:
            raise malformed(name, f"at most {LONGEST_ID} characters")
    line_id = parse_id(request.line_id, "line_id")
    command = line_command(who, request, pb.SetLineResourcesResponse, _with_resources, line_id)
    situation, answered = await read_line_situation(dependencies, who, command, line_id)
    if answered is not None:
        return answered
    line, now = situation.line, situation.time.now
    require_alive(line)
    against = verdicts.against([verdicts.past(line, now)])
    if not against and (request.trainer_id or request.vehicle_id):
        against = await _judge(dependencies, situation, request)
    if against:
        failure = refusals.of_rules(against)
        raise await refusals.record_refusal(dependencies, who, ACTION, "line", str(line.id), failure, now)
    change = Change(line, replace(line, trainer_id=request.trainer_id, vehicle_id=request.vehicle_id))
    try:
        return await _write(dependencies, who, command, change, now)
    except sa.exc.IntegrityError as error:
        if getattr(error.orig, "sqlstate", "") != EXCLUSION_VIOLATION:
            raise
        busy = refusals.line_resources_busy()
        raise await refusals.record_refusal(dependencies, who, ACTION, "line", str(line.id), busy, now) from None


async def _write(
    dependencies: Dependencies,
    who: Principal,
    command: Command[pb.SetLineResourcesRequest, pb.SetLineResourcesResponse],
    change: Change,
    now: datetime,
) -> pb.SetLineResourcesResponse:
    response = _with_resources([change.after])
    async with transaction(dependencies.engine) as tx:
        answered = await begin(tx, command, now)
        if answered is not None:
            return answered
        await lock_school(tx, who.school_id)
        messages = events.of_changes([change], events.person(who), who.account_id)
        await write_changes(tx, dependencies.outbox, [change], messages, now)
        await finish(tx, command, response)
    return response


async def _judge(
    dependencies: Dependencies, situation: LineSituation, request: pb.SetLineResourcesRequest
) -> list[Verdict]:
    """What the rules say against this trainer and this vehicle; of anything else they were asked when it was held."""
    line, mandate = situation.line, None
    if line.candidate_id is not None:
        (mandate,) = await dependencies.peers.mandates([(str(line.candidate_id), line.slot.category)])
    question = line_question(
        line.slot.id,
        line.candidate_id,
        mandate,
        trainer_id=request.trainer_id,
        vehicle_id=request.vehicle_id,
        line=line,
    )
    evaluated = await dependencies.peers.evaluate([question], "validate", situation.counted)
    return [verdict for verdict in verdicts.against(evaluated.lines[0].verdicts) if _about_resources(verdict)]


def require_alive(line: Line) -> None:
    """Refuse a line that has ended, or about which RdvPermis is being asked."""
    if in_doubt(line):
        raise Failure(Code.CODE_UNKNOWN_OUTCOME, "RdvPermis was asked about this line; its answer is not known yet")
    if line.state not in {State.HELD, State.BOOKED, State.DONE}:
        raise Failure(Code.CODE_ILLEGAL_TRANSITION, f"the line is {line.state}")


def _about_resources(verdict: Verdict) -> bool:
    return verdict.remedy in _REMEDIES or bool(_RESOURCES & set(verdict.facts.get("whose", "").split(",")))


def _with_resources(lines: Sequence[Line]) -> pb.SetLineResourcesResponse:
    return pb.SetLineResourcesResponse(line=line_message(lines[-1]))
