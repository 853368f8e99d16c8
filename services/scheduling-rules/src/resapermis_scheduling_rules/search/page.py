"""A page of slots judged and written: what several slots share is decided and written once."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from google.protobuf.timestamp_pb2 import Timestamp

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.verdict.v1 import verdict_pb2
from resapermis_places.table import zone_of
from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules import wire
from resapermis_scheduling_rules.domain.distance import distance_km, travel_minutes
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import Quota, ThresholdKey
from resapermis_scheduling_rules.domain.slots import Centre, Point, School, Slot, Status
from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot, Purpose
from resapermis_scheduling_rules.evaluation import judge
from resapermis_scheduling_rules.evaluation.judge import Rule
from resapermis_scheduling_rules.rules import SLOT_RULES


class RuleInputs(NamedTuple):
    """What a rule reads of a slot in one search, `PlaceTerms` apart: slots alike in it share its verdict."""

    decides: Callable[[EvaluationSnapshot], Hashable]
    """By what it allows or refuses."""
    verdict: Callable[[EvaluationSnapshot], Hashable]
    """By what its whole verdict is the same."""


def _nothing(snapshot: EvaluationSnapshot) -> None:
    del snapshot


def _month(snapshot: EvaluationSnapshot) -> Hashable:
    return snapshot.slot.department, snapshot.slot.month


RULE_INPUTS: Mapping[str, RuleInputs] = {
    "published": RuleInputs(
        lambda snapshot: (snapshot.status, snapshot.now >= snapshot.slot.published_at),
        lambda snapshot: (snapshot.status, snapshot.slot.seen_at, snapshot.slot.published_at),
    ),
    "past": RuleInputs(
        lambda snapshot: snapshot.now >= snapshot.slot.starts_at, lambda snapshot: snapshot.slot.starts_at
    ),
    "notice": RuleInputs(
        lambda snapshot: snapshot.now <= snapshot.slot.starts_at - _notice(snapshot.parameters),
        lambda snapshot: (snapshot.slot.starts_at, snapshot.slot.department),
    ),
    "territory": RuleInputs(
        lambda snapshot: snapshot.now >= snapshot.slot.opens_to_all_at(snapshot.parameters),
        lambda snapshot: (snapshot.slot.published_at, snapshot.slot.department),
    ),
    "licensed": RuleInputs(_nothing, _nothing),
    "threshold": RuleInputs(_nothing, _month),
    "api_pace": RuleInputs(_nothing, _month),
}
"""By the names of rules; one that is not listed is asked for each slot.

A property test holds every page against `judge.slot`.
"""
_ALL_OF_IT = RuleInputs(lambda snapshot: snapshot.slot, lambda snapshot: snapshot.slot)
_RULE_INPUTS = [RULE_INPUTS.get(rule.__name__, _ALL_OF_IT) for rule in SLOT_RULES]


def _notice(parameters: Parameters) -> timedelta:
    return timedelta(seconds=parameters.notice_seconds)


@dataclass(frozen=True, slots=True, eq=False)
class PlaceTerms:
    """What slots of one department and month stand on; its own key, for it is made once a page."""

    parameters: Parameters
    quota: Quota
    notice: timedelta


@dataclass(frozen=True, slots=True, eq=False)
class SlotJudgement:
    """How slots stand for the asker that share terms, status, publication and poll; its own key, like their terms."""

    status: Status
    parameters: Parameters
    allowed: bool
    against: Sequence[Verdict]
    """The verdicts against them."""
    opens_at: datetime | None


class Judged(NamedTuple):
    """A slot and what the rules say of it for the asker."""

    slot: Slot
    judgement: SlotJudgement

    @property
    def allowed(self) -> bool:
        """Whether every rule allows it now."""
        return self.judgement.allowed

    @property
    def against(self) -> Sequence[Verdict]:
        """Verdicts that refuse, in the order of the rules."""
        return self.judgement.against

    @property
    def opens_at(self) -> datetime | None:
        """When time alone opens it; None when it is open, or when time does not."""
        return self.judgement.opens_at


@dataclass
class PageJudge:
    """Judges slots of one category for one school at one moment."""

    school: School
    now: datetime
    parameters_in: Callable[[str], Parameters]
    """By department."""
    quota_of: Callable[[ThresholdKey], Quota]
    _terms: dict[Hashable, PlaceTerms] = field(init=False, default_factory=dict)
    _judgements: dict[Hashable, SlotJudgement] = field(init=False, default_factory=dict)
    _refusing: dict[Hashable, Sequence[Rule]] = field(init=False, default_factory=dict)
    _rules: Sequence[Rule] = field(init=False)

    def __post_init__(self) -> None:
        """Let each rule remember its verdicts."""
        self._rules = [_remembering(rule, asks) for rule, asks in zip(SLOT_RULES, _RULE_INPUTS, strict=True)]

    def judge(self, slot: Slot) -> Judged:
        """Judge as `judge.slot` does; of the verdicts only those against.

        Slots of one poll that begin late enough share a judgement: until it opens, and the notice before they begin, what
        a rule decides by the hour itself is allowed, and its facts are not shown.
        """
        terms = self._terms_of(slot)
        status = slot.status_for(self.school.id, threshold_reached=terms.quota.rdvpermis_says_reached)
        key = (terms, status, slot.published_at, slot.seen_at)
        latest = slot.starts_at - terms.notice
        shared = self._judgements.get(key)
        if shared is not None and latest > (shared.opens_at or self.now):
            return Judged(slot, shared)
        at_its_hour = (key, slot.starts_at)
        judgement = self._judgements.get(at_its_hour)
        if judgement is None:
            snapshot = EvaluationSnapshot(self.now, Purpose.SEARCH, self.school, slot, terms.parameters, terms.quota)
            against = [rule(snapshot) for rule in self._that_refuse(terms, snapshot)]
            waits = bool(against) and all(verdict.opens_at is not None for verdict in against)
            opens_at = judge.opens_at(snapshot, against, self._rules) if waits else None
            judgement = SlotJudgement(status, terms.parameters, not against, against, opens_at)
            closes_first = waits and opens_at is None
            common = latest > (opens_at or self.now) and not closes_first
            self._judgements[key if common else at_its_hour] = judgement
        return Judged(slot, judgement)

    def _terms_of(self, slot: Slot) -> PlaceTerms:
        here = (slot.starts_at, slot.centre.department)
        known = self._terms.get(here)
        if known is None:
            place = slot.place
            known = self._terms.get(place)
            if known is None:
                parameters = self.parameters_in(place.department)
                known = self._terms[place] = PlaceTerms(parameters, self.quota_of(place), _notice(parameters))
            self._terms[here] = known
        return known

    def _that_refuse(self, terms: PlaceTerms, snapshot: EvaluationSnapshot) -> Sequence[Rule]:
        """The rules that refuse a slot: mostly none, known by what decides alone."""
        key = (terms, *[asks.decides(snapshot) for asks in _RULE_INPUTS])
        known = self._refusing.get(key)
        if known is None:
            known = self._refusing[key] = [rule for rule in self._rules if not rule(snapshot).allowed]
        return known


def _remembering(rule: Rule, asks: RuleInputs) -> Rule:
    """A rule with a memory of its own: one that were its page's would hold the page in a circle, for Python's collector."""
    known: dict[Hashable, Verdict] = {}

    def remembered(snapshot: EvaluationSnapshot) -> Verdict:
        key = (snapshot.now, asks.verdict(snapshot))
        verdict = known.get(key)
        if verdict is None:
            verdict = known[key] = rule(snapshot)
        return verdict

    return remembered


@dataclass
class PageWriter:
    """Writes judged slots; what is the same for several is serialised once."""

    school: Point | None
    _centres: dict[str, pb.Centre] = field(init=False, default_factory=dict)
    _verdicts: dict[int, tuple[Verdict, verdict_pb2.Verdict]] = field(init=False, default_factory=dict)
    _written: dict[Hashable, bytes] = field(init=False, default_factory=dict)

    def centre(self, known: Centre, parameters: Parameters) -> pb.Centre:
        """A centre → pb.Centre, with the distance from the school in km where both places are known; made once."""
        message = self._centres.get(known.id)
        if message is None:
            message = self._centres[known.id] = wire.centre(known)
            if self.school is not None and known.point is not None:
                message.distance_km = round(distance_km(self.school, known.point), 1)
                message.travel_minutes = travel_minutes(self.school, known.point, parameters)
        return message

    def write(self, response: pb.SearchSlotsResponse, judged: Judged) -> None:
        """Add one slot: its verdicts are those against it."""
        slot = judged.slot
        key = (slot.centre.id, slot.kind, judged.judgement)
        alike = self._written.get(key)
        if alike is None:
            alike = self._written[key] = self._alike(judged)
        entry = response.slots.add()
        entry.MergeFromString(alike)
        written = entry.slot
        written.id = slot.id
        _stamp(written.starts_at, slot.starts_at)
        _stamp(written.ends_at, slot.ends_at)

    def _alike(self, judged: Judged) -> bytes:
        """All but what each slot has alone."""
        slot, judgement = judged
        message = pb.JudgedSlot()
        message.MergeFromString(self._of_centre(slot, judgement.parameters))
        message.allowed = judgement.allowed
        message.verdicts.extend([self._verdict(one) for one in judgement.against])
        written = message.slot
        written.kind = slot.kind
        written.status = wire.status(judgement.status)
        _stamp(written.published_at, slot.published_at)
        _stamp(written.opens_to_all_at, slot.opens_to_all_at(judgement.parameters))
        _stamp(written.seen_at, slot.seen_at)
        if judgement.opens_at is not None:
            _stamp(message.opens_at, judgement.opens_at)
        return message.SerializeToString()

    def _of_centre(self, slot: Slot, parameters: Parameters) -> bytes:
        """What all slots at a centre have in common."""
        known = self._written.get(slot.centre.id)
        if known is None:
            centre = self.centre(slot.centre, parameters)
            written = pb.Slot(centre=centre, time_zone=zone_of(slot.department), category=slot.category)
            if centre.HasField("distance_km"):
                written.distance_km, written.travel_minutes = centre.distance_km, centre.travel_minutes
            known = self._written[slot.centre.id] = pb.JudgedSlot(slot=written).SerializeToString()
        return known

    def _verdict(self, verdict: Verdict) -> verdict_pb2.Verdict:
        known = self._verdicts.get(id(verdict))
        if known is None:  # the verdict is kept beside it, so that its id stays its own
            known = self._verdicts[id(verdict)] = (verdict, wire.verdict(verdict))
        return known[1]


def _stamp(message: Timestamp, at: datetime) -> None:
    """Write `at` into `message`, to the microsecond, without making a message of its own."""
    since = at - wire.EPOCH
    message.seconds = since.days * 86_400 + since.seconds
    if since.microseconds:
        message.nanos = since.microseconds * 1000
