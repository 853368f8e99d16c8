"""Who accompanies a line's candidate, and in what: ours alone, RdvPermis is not asked."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.scheduling.v1.scheduling_pb2 import EvaluateLine
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket import events, refusals, store, view
from resapermis_basket.acts import apply, caller_key, parse_id, refuse
from resapermis_basket.changing import LineActs, Situation
from resapermis_basket.coming import past
from resapermis_basket.domain import Change, Line, State, in_doubt
from resapermis_basket.judging import LONGEST_ID
from resapermis_kit.database import idempotency
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import Principal

WORD = "basket.accompany"
EXCLUSION_VIOLATION = "23P01"
_THEIRS = frozenset({"trainer", "vehicle"})
_REMEDIES = frozenset({"choose_another_trainer", "choose_another_vehicle"})


def _accompanied(lines: Sequence[Line]) -> pb.SetLineResourcesResponse:
    return pb.SetLineResourcesResponse(line=view.line(lines[-1]))


class Accompanying(LineActs):
    """Says who goes along."""

    async def accompany(self, who: Principal, request: pb.SetLineResourcesRequest) -> pb.SetLineResourcesResponse:
        """Put trainer and vehicle on a held or booked line; the database lets neither be at two exams at once."""
        for name in ("trainer_id", "vehicle_id"):
            if len(getattr(request, name)) > LONGEST_ID:
                raise malformed(name, f"at most {LONGEST_ID} characters")
        situation = await self.situation(who, request, parse_id(request.line_id, "line_id"))
        if situation.asked_before:
            return await self.earlier(who, request, situation, _accompanied)
        line, now = situation.line, situation.time.now
        require_alive(line)
        against = [verdict for verdict in [past(line, situation)] if not verdict.allowed]
        if not against and (request.trainer_id or request.vehicle_id):
            against = await self._judge(situation, request)
        if against:
            raise await refuse(self.parts, who, WORD, "line", str(line.id), refusals.of_rules(against), now)
        change = Change(line, replace(line, trainer_id=request.trainer_id, vehicle_id=request.vehicle_id))
        try:
            return await self._write(who, request, change, now)
        except sa.exc.IntegrityError as error:
            if getattr(error.orig, "sqlstate", "") != EXCLUSION_VIOLATION:
                raise
            busy = refusals.accompaniment_busy()
            raise await refuse(self.parts, who, WORD, "line", str(line.id), busy, now) from None

    async def _write(
        self, who: Principal, request: pb.SetLineResourcesRequest, change: Change, now: datetime
    ) -> pb.SetLineResourcesResponse:
        response = _accompanied([change.after])
        async with transaction(self.parts.engine) as tx:
            answer = await idempotency.earlier_answer(tx, caller_key(who), request, now)
            if answer is not None:
                return pb.SetLineResourcesResponse.FromString(answer)
            await store.lock_school(tx, who.school_id)
            messages = events.said([change], events.person(who), who.account_id)
            await apply(tx, self.parts, [change], messages, now)
            await idempotency.settle(tx, caller_key(who), request, response)
        return response

    async def _judge(self, situation: Situation, request: pb.SetLineResourcesRequest) -> list[Verdict]:
        """What the rules say against this trainer and this vehicle; of anything else they were asked when it was held."""
        line = situation.line
        asked = EvaluateLine(
            slot_id=line.slot.id, trainer_id=request.trainer_id, vehicle_id=request.vehicle_id, line_id=str(line.id)
        )
        if line.candidate_id is not None:
            (mandate,) = await self.parts.peers.mandates([(str(line.candidate_id), line.slot.category)])
            asked.candidate_id = str(line.candidate_id)
            asked.mandate_active = mandate.active
            asked.mandate_category = mandate.category
            asked.mandate_gearbox = mandate.gearbox
        said = await self.parts.peers.evaluate([asked], "validate", situation.counted)
        return [verdict for verdict in said.lines[0].verdicts if not verdict.allowed and _about_company(verdict)]


def require_alive(line: Line) -> None:
    """Refuse a line that has ended, or about which RdvPermis is being asked."""
    if in_doubt(line):
        raise Failure(Code.CODE_UNKNOWN_OUTCOME, "RdvPermis was asked about this line; its answer is not known yet")
    if line.state not in {State.HELD, State.BOOKED, State.DONE}:
        raise Failure(Code.CODE_ILLEGAL_TRANSITION, f"the line is {line.state}")


def _about_company(verdict: Verdict) -> bool:
    return verdict.remedy in _REMEDIES or bool(_THEIRS & set(verdict.facts.get("whose", "").split(",")))
