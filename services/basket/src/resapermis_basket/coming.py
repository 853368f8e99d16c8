"""What every change of a coming booking asks before RdvPermis is asked: is it one, and what do the rules say."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.scheduling.v1.scheduling_pb2 import EvaluateLine
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket import refusals
from resapermis_basket.acts import refuse
from resapermis_basket.changing import LineActs, Situation
from resapermis_basket.domain import Line, State, in_doubt
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.auth import Principal

CHARTER = "RdvPermis charter 3.2"


@dataclass(frozen=True)
class Place:
    """A booked line, and who is to stand on it."""

    line: Line
    candidate_id: UUID


@dataclass(frozen=True)
class Allowed:
    """A change that nothing stands against."""

    rdvpermis_ids: list[str]
    """RdvPermis' ids of the candidates, in the order of the places."""
    cases: dict[UUID, bytes]


class Coming(LineActs):
    """Changes of bookings that have not begun."""

    async def require_coming(self, who: Principal, situation: Situation, word: str) -> None:
        """Refuse what is not a booking, is in doubt, has begun, or names nobody that we know."""
        for line in situation.lines:
            if in_doubt(line) or (line.state is State.BOOKED and not line.exam_id):
                raise Failure(
                    Code.CODE_UNKNOWN_OUTCOME, "RdvPermis was asked about this booking; its answer is not known yet"
                )
            if line.state not in {State.BOOKED, State.DONE}:
                raise Failure(Code.CODE_ILLEGAL_TRANSITION, f"the line is {line.state}, not booked")
        verdicts = [past(line, situation) for line in situation.lines]
        await self._refuse_unless(who, situation, word, verdicts)

    async def judge(
        self,
        who: Principal,
        situation: Situation,
        word: str,
        places: Sequence[Place],
        allowance: rdv.GetReplacementsResponse | None = None,
    ) -> Allowed:
        """Have mandate and every rule answer about these places; refuse with each verdict that stands against.

        What scheduling-rules has nothing to say of (a slot it never saw) is judged by what basket itself knows.
        """
        questions = [(str(place.candidate_id), place.line.slot.category) for place in places]
        mandates, changeable = await asyncio.gather(
            self.parts.peers.mandates(questions),
            asyncio.gather(*(self.changeable(place.line) for place in places)),
        )
        ours = {line.candidate_id for line in situation.lines}
        asked, own = [], []
        for place, mandate, may in zip(places, mandates, changeable, strict=True):
            line = place.line
            key = (place.candidate_id, line.slot.category)
            # Of a candidate without mandate here nothing is told: they may be another school's.
            busy = mandate.active and place.candidate_id not in ours and key in situation.conflicts.candidates
            asked.append(
                EvaluateLine(
                    slot_id=line.slot.id,
                    candidate_id=str(place.candidate_id),
                    mandate_active=mandate.active,
                    mandate_category=mandate.category,
                    mandate_gearbox=mandate.gearbox,
                    candidate_busy=busy,
                    trainer_id=line.trainer_id,
                    vehicle_id=line.vehicle_id,
                    changeable=may,
                    line_id=str(line.id),
                )
            )
            own.append([mandate_rule(active=mandate.active), one_active(busy=busy)])
        purpose = word.removeprefix("booking.")
        said = await self.parts.peers.evaluate(asked, purpose, situation.counted, allowance)
        verdicts = [verdict for verdict in said.action_verdicts if verdict.rule not in _OF_A_HOLD]
        for line_said, more in zip(said.lines, own, strict=True):
            spoken = [verdict for verdict in line_said.verdicts if verdict.facts.get("status") != "UNKNOWN"]
            verdicts += spoken + _unspoken(more, spoken)
        if allowance is not None:
            verdicts += _unspoken([replacements_rule(allowance)], verdicts)
        await self._refuse_unless(who, situation, word, verdicts)
        return Allowed(
            [mandate.rdvpermis_candidate_id for mandate in mandates],
            {
                place.line.id: line_said.snapshot.SerializeToString(deterministic=True)
                for place, line_said in zip(places, said.lines, strict=True)
            },
        )

    async def changeable(self, line: Line) -> bool | None:
        """RdvPermis' own word on whether the booking may be changed (estModifiable); None when it does not say."""
        slot = line.slot
        request = rdv.ListExamsRequest(
            category=slot.category, date=slot.local_day.isoformat(), time_zone=slot.time_zone
        )
        try:
            listed = await self.parts.peers.rdvpermis("ListExams", request)
        except Failure:
            return None  # asked for the change itself, it will say
        return next((exam.changeable for exam in listed.exams if exam.id == line.exam_id), None)

    async def _refuse_unless(
        self, who: Principal, situation: Situation, word: str, verdicts: Sequence[Verdict]
    ) -> None:
        if not all(verdict.allowed for verdict in verdicts):
            failure, now = refusals.of_rules(verdicts), situation.time.now
            raise await refuse(self.parts, who, word, "line", str(situation.line.id), failure, now)


_OF_A_HOLD = frozenset({"R-GROUP", "R-BASKET"})
"""Rules about taking more slots, which no change of a booking does."""


def _unspoken(own: Sequence[Verdict], spoken: Sequence[Verdict]) -> list[Verdict]:
    said = {verdict.rule for verdict in spoken}
    return [verdict for verdict in own if verdict.rule not in said]


def past(line: Line, situation: Situation) -> Verdict:
    """R-PAST: a slot that has begun is frozen; nobody cancels, replaces or swaps it.

    Source: RdvPermis charter 3.2, restrictions on past slots.
    """
    starts_at = line.slot.starts_at
    facts = {"startsAt": starts_at.isoformat()}
    return Verdict(rule="R-PAST", allowed=situation.time.now < starts_at, facts=facts, source=CHARTER)


def mandate_rule(*, active: bool) -> Verdict:
    """R-MANDATE: the school has an active mandate of the candidate for the slot's category.

    Source: RdvPermis charter 3.1.
    """
    facts = {"active": str(active).lower()}
    remedy = "" if active else "ask_mandate"
    return Verdict(rule="R-MANDATE", allowed=active, facts=facts, source="RdvPermis charter 3.1", remedy=remedy)


def one_active(*, busy: bool) -> Verdict:
    """R-ONE-ACTIVE: one upcoming booking a candidate and category.

    Source: RdvPermis charter 3.2.
    """
    remedy = "choose_another_candidate" if busy else ""
    return Verdict(rule="R-ONE-ACTIVE", allowed=not busy, source=CHARTER, remedy=remedy)


def replacements_rule(allowance: rdv.GetReplacementsResponse) -> Verdict:
    """R-REPLACE: replacements this month stay within RdvPermis' allowance.

    Source: RdvPermis API, nombre-de-remplacement.
    """
    facts = {"left": str(allowance.left), "perMonth": str(allowance.per_month)}
    return Verdict(rule="R-REPLACE", allowed=allowance.left > 0, facts=facts, source=CHARTER)
