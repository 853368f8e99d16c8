"""What the rules say of a hold before anything is asked: every reason at once."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.mandate.v1.mandate_pb2 import MandateAnswer
from resapermis.scheduling.v1 import scheduling_pb2
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket import refusals, store
from resapermis_basket.acts import (
    Parts,
    Time,
    caller_key,
    look_after_call,
    parse_id,
    refuse,
)
from resapermis_basket.domain import (
    BASKET,
    LARGEST_GROUP,
    Answer,
    Eligibility,
    Key,
    Line,
    Outcome,
    Refusal,
    Slot,
    State,
    Words,
    held,
    key_of,
    unseen_slot,
)
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc.auth import Principal

LONGEST_ID = 255
MOST_EVALUATED = 36
"""More lines than RdvPermis' own basket takes are refused without asking the rules."""
R_GROUP_SOURCE = "RdvPermis charter 3.2, basket limits"


@dataclass(frozen=True)
class Wanted:
    """One line of the command."""

    slot_id: str
    candidate_id: UUID | None
    trainer_id: str = ""
    vehicle_id: str = ""


def parse_hold(request: pb.HoldSlotsRequest | pb.CheckHoldRequest) -> list[Wanted]:
    """Read the command; MALFORMED names each field that cannot be read."""
    seen: set[str] = set()
    wanted = []
    for index, line in enumerate(request.lines):
        if not 1 <= len(line.slot_id) <= LONGEST_ID:
            raise malformed(f"lines[{index}].slot_id", f"1 to {LONGEST_ID} characters")
        if line.slot_id in seen:
            raise malformed(f"lines[{index}].slot_id", "the same slot twice")
        seen.add(line.slot_id)
        candidate = parse_id(line.candidate_id, f"lines[{index}].candidate_id") if line.candidate_id else None
        for name in ("trainer_id", "vehicle_id"):
            if len(getattr(line, name)) > LONGEST_ID:
                raise malformed(f"lines[{index}].{name}", f"at most {LONGEST_ID} characters")
        wanted.append(Wanted(line.slot_id, candidate, line.trainer_id, line.vehicle_id))
    return wanted


def question(who: Principal, wanted: Sequence[Wanted], request_id: str) -> store.Question:
    """What to look up in our own database before anybody else is asked."""
    slots = frozenset(line.slot_id for line in wanted)
    candidates = frozenset(line.candidate_id for line in wanted if line.candidate_id)
    return store.Question(who.school_id, caller_key(who), request_id, slots, candidates)


def slot_of(said: scheduling_pb2.Slot, month: str) -> Slot:
    """A slot as we keep it."""
    return Slot(
        said.id,
        said.centre.department,
        said.category,
        month,
        said.starts_at.ToDatetime(UTC),
        said.ends_at.ToDatetime(UTC),
        said.time_zone,
        said.centre.name,
        said.SerializeToString(deterministic=True),
        said.centre.id,
        said.kind,
    )


def as_taken(slot: Slot) -> Slot:
    """What any school may be told of a slot that another line has: nothing that was said for that line's school."""
    said = scheduling_pb2.Slot.FromString(slot.snapshot)
    said.status = scheduling_pb2.SLOT_STATUS_TAKEN
    said.ClearField("distance_km")
    said.ClearField("travel_minutes")
    return replace(slot, snapshot=said.SerializeToString(deterministic=True))


@dataclass(frozen=True)
class Situation:
    """What our own database knows before anybody else is asked."""

    time: Time
    asked_before: bool
    counted: dict[Key, int]
    conflicts: store.Conflicts
    words: Words = field(default_factory=dict)
    """RdvPermis' own on candidates, where it was asked lately."""


@dataclass(frozen=True)
class Judged:
    """Lines ready to be written, with the limits that the database enforces on them."""

    lines: list[Line]
    caps: dict[Key, int]
    rules: dict[str, list[str]]
    """Rule ids that refused, by slot id."""
    cases: dict[UUID, bytes]
    """What the rules looked at, by line, to be kept with it."""


class Judging:
    """Has mandate and every rule answer about the lines of a hold."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        self._parts = parts

    async def judge(
        self,
        who: Principal,
        wanted: Sequence[Wanted],
        situation: Situation,
        mandates: list[MandateAnswer],
        group_id: UUID,
    ) -> Judged:
        """Have every rule answer; refuse here the action as a whole, leave refused lines to the answer."""
        said = scheduling_pb2.EvaluateResponse()
        answers = dict(zip((line.slot_id for line in wanted if line.candidate_id), mandates, strict=True))
        if len(wanted) <= MOST_EVALUATED:
            said = await self._evaluate(wanted, situation, answers)
            other = self._of_another_category(wanted, said, answers)
            if other:
                asked = await self._parts.peers.mandates(list(other.values()))
                answers |= dict(zip(other, asked, strict=True))
                said = await self._evaluate(wanted, situation, answers)
        against = [verdict for verdict in said.action_verdicts if not verdict.allowed]
        limit = min(self._parts.peers.limits.group, LARGEST_GROUP)
        if not 1 <= len(wanted) <= limit and all(verdict.rule != "R-GROUP" for verdict in against):
            against.append(group_limit(len(wanted), limit))
        if against:
            for line in said.lines:
                against += [_of_slot(verdict, line.slot_id) for verdict in line.verdicts if not verdict.allowed]
            failure = refusals.of_rules(against)
            failure = Failure(Code.CODE_RULE_REFUSED, failure.detail, verdicts=against, retry_at=failure.retry_at)
            raise await refuse(self._parts, who, "basket.hold", "school", who.school_id, failure, situation.time.now)
        return self._lines(who, wanted, situation, said, answers, group_id)

    def late(
        self, who: Principal, wanted: Sequence[Wanted], taken: Sequence[Slot], now: datetime, group_id: UUID
    ) -> list[Line]:
        """The refused lines of an action whose slots are all taken; `taken`: what they are, in the lines' order."""
        refused = Answer(Outcome.REFUSED, refusals.slot_taken())
        return [
            held(self._fresh(who, line, position, as_taken(slot), now, group_id), refused, now)
            for position, (line, slot) in enumerate(zip(wanted, taken, strict=True))
        ]

    def _fresh(
        self,
        who: Principal,
        line: Wanted,
        position: int,
        slot: Slot,
        now: datetime,
        group_id: UUID,
        rdvpermis_candidate_id: str = "",
    ) -> Line:
        return Line(
            id=self._parts.new_id(),
            group_id=group_id,
            position=position,
            school_id=who.school_id,
            account_id=who.account_id,
            slot=slot,
            state=State.ASKING,
            since=now,
            candidate_id=line.candidate_id,
            rdvpermis_candidate_id=rdvpermis_candidate_id,
            expires_at=now + timedelta(seconds=self._parts.peers.limits.hold_ttl_seconds),
            next_look_at=look_after_call(self._parts, now),
            trainer_id=line.trainer_id,
            vehicle_id=line.vehicle_id,
        )

    async def explain(
        self, wanted: Sequence[Wanted], situation: Situation, mandates: list[MandateAnswer]
    ) -> scheduling_pb2.ExplainResponse:
        """What would have to change for these lines to be allowed; asked as a hold asks, with no effect."""
        answers = dict(zip((line.slot_id for line in wanted if line.candidate_id), mandates, strict=True))
        peers, counted = self._parts.peers, situation.counted
        said = await peers.explain(self._asked(wanted, situation, answers), "hold", counted)
        other = self._of_another_category(wanted, said.verdicts, answers)
        if other:
            answers |= dict(zip(other, await peers.mandates(list(other.values())), strict=True))
            said = await peers.explain(self._asked(wanted, situation, answers), "hold", counted)
        return said

    async def _evaluate(
        self, wanted: Sequence[Wanted], situation: Situation, answers: dict[str, MandateAnswer]
    ) -> scheduling_pb2.EvaluateResponse:
        asked = self._asked(wanted, situation, answers)
        return await self._parts.peers.evaluate(asked, "hold", situation.counted)

    @staticmethod
    def _asked(
        wanted: Sequence[Wanted], situation: Situation, answers: dict[str, MandateAnswer]
    ) -> list[scheduling_pb2.EvaluateLine]:
        lines = []
        for line in wanted:
            asked = scheduling_pb2.EvaluateLine(
                slot_id=line.slot_id, trainer_id=line.trainer_id, vehicle_id=line.vehicle_id
            )
            mandate = answers.get(line.slot_id)
            if line.candidate_id is not None and mandate is not None:
                asked.candidate_id = str(line.candidate_id)
                asked.mandate_active = mandate.active
                asked.mandate_category = mandate.category
                asked.mandate_gearbox = mandate.gearbox
                busy = (line.candidate_id, mandate.category) in situation.conflicts.candidates
                asked.candidate_busy = mandate.active and busy  # of another school's candidate nothing is told
                say(asked, situation.words.get((mandate.category, mandate.rdvpermis_candidate_id)))
            lines.append(asked)
        return lines

    @staticmethod
    def _of_another_category(
        wanted: Sequence[Wanted], said: scheduling_pb2.EvaluateResponse, answers: dict[str, MandateAnswer]
    ) -> dict[str, tuple[str, str]]:
        """Questions to ask again: mandate answered about a category that the slot turned out not to be of."""
        categories = {line.slot_id: line.slot.category for line in said.lines if line.HasField("slot")}
        return {
            line.slot_id: (str(line.candidate_id), categories[line.slot_id])
            for line in wanted
            if line.candidate_id
            and line.slot_id in categories
            and answers[line.slot_id].category not in {"", categories[line.slot_id]}
        }

    def _lines(
        self,
        who: Principal,
        wanted: Sequence[Wanted],
        situation: Situation,
        said: scheduling_pb2.EvaluateResponse,
        answers: dict[str, MandateAnswer],
        group_id: UUID,
    ) -> Judged:
        now = situation.time.now
        judged = Judged([], {BASKET: self._parts.peers.limits.basket}, {}, {})
        for position, (line, verdict) in enumerate(zip(wanted, said.lines, strict=True)):
            slot = _slot_said(verdict)
            refusal = self._refusal(line, verdict, situation)
            if refusal is not None and not verdict.allowed:
                judged.rules[line.slot_id] = [one.rule for one in verdict.verdicts if not one.allowed]
            judged.caps[key_of(slot)] = verdict.quota_limit
            mandate = answers.get(line.slot_id)
            theirs = mandate.rdvpermis_candidate_id if mandate is not None else ""
            fresh = self._fresh(who, line, position, slot, now, group_id, theirs)
            judged.cases[fresh.id] = verdict.snapshot.SerializeToString(deterministic=True)
            judged.lines.append(fresh if refusal is None else held(fresh, Answer(Outcome.REFUSED, refusal), now))
        return judged

    @staticmethod
    def _refusal(line: Wanted, verdict: scheduling_pb2.LineVerdict, situation: Situation) -> Refusal | None:
        if not verdict.allowed or not verdict.HasField("slot"):
            return refusals.keep(refusals.of_rules(verdict.verdicts))
        if line.slot_id in situation.conflicts.slots:
            return refusals.slot_taken()
        return None


def say(line: scheduling_pb2.EvaluateLine, word: Eligibility | None) -> None:
    """Put RdvPermis' own word on the candidate into the question."""
    if word is not None:
        line.rdvpermis_eligible = word.eligible
        line.rdvpermis_code = word.word
        line.rdvpermis_seen_at.FromDatetime(word.seen_at)


def group_limit(asked: int, limit: int) -> Verdict:
    """R-GROUP: one booking action takes at most four slots.

    Source: RdvPermis charter 3.2. Said here only where scheduling-rules was not asked.
    """
    return Verdict(
        rule="R-GROUP",
        allowed=1 <= asked <= limit,
        facts={"asked": str(asked), "limit": str(limit)},
        source=R_GROUP_SOURCE,
        remedy="ask_fewer",
    )


def _of_slot(verdict: Verdict, slot_id: str) -> Verdict:
    """The verdict with the slot it is about, for a list that mixes slots."""
    about = Verdict()
    about.CopyFrom(verdict)
    about.facts["slot"] = slot_id
    return about


def _slot_said(verdict: scheduling_pb2.LineVerdict) -> Slot:
    if verdict.HasField("slot"):
        return slot_of(verdict.slot, verdict.month)
    return unseen_slot(verdict.slot_id, scheduling_pb2.Slot(id=verdict.slot_id).SerializeToString())
