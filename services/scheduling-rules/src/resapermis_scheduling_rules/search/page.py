"""A page of slots judged and written: what several slots share is decided and written once."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.verdict.v1 import verdict_pb2
from resapermis_scheduling_rules import wire
from resapermis_scheduling_rules.domain import (
    Case,
    Centre,
    Parameters,
    Place,
    Point,
    Purpose,
    Quota,
    School,
    Slot,
    Status,
    Verdict,
    distance_km,
    travel_minutes,
    zone_of,
)
from resapermis_scheduling_rules.judging import judge
from resapermis_scheduling_rules.judging.judge import Rule
from resapermis_scheduling_rules.rules import SLOT_RULES

ASKS: Mapping[str, Callable[[Case], Hashable]] = {
    "published": lambda case: (case.status, case.slot.seen_at, case.slot.published_at),
    "past": lambda case: case.slot.starts_at,
    "notice": lambda case: (case.slot.starts_at, case.slot.department),
    "territory": lambda case: (case.slot.published_at, case.slot.department),
    "licensed": lambda _: None,
    "threshold": lambda case: (case.slot.department, case.slot.month),
    "api_pace": lambda case: (case.slot.department, case.slot.month),
}
"""What of a slot each rule looks at in a search of one category by one school; a rule not listed is asked each time.

A property test holds every page against `judge.slot`.
"""


class Judged(NamedTuple):
    """A slot as it stands for the asker, with the verdicts against it."""

    slot: Slot
    status: Status
    parameters: Parameters
    allowed: bool
    against: Sequence[Verdict]
    opens_at: datetime | None


@dataclass
class PageJudge:
    """Judges slots of one category for one school at one moment."""

    school: School
    now: datetime
    parameters_in: Callable[[str], Parameters]
    """By department."""
    quota_of: Callable[[Place], Quota]
    _places: dict[tuple[datetime, str], tuple[Place, Parameters, Quota]] = field(init=False, default_factory=dict)
    _cases: dict[Place, tuple[Place, Parameters, Quota]] = field(init=False, default_factory=dict)
    _alike: dict[Hashable, tuple[bool, Sequence[Verdict]]] = field(init=False, default_factory=dict)
    _said: dict[Hashable, Verdict] = field(init=False, default_factory=dict)
    _rules: Sequence[Rule] = field(init=False)

    def __post_init__(self) -> None:
        """Let each rule remember what it said."""
        self._rules = [self._remembering(rule) for rule in SLOT_RULES]

    def judge(self, slot: Slot) -> Judged:
        """Say what `judge.slot` says, of the verdicts only those against.

        Slots of one look that lie far enough ahead share a judgement, unless time alone opens it: what a rule says of the
        hour itself is then allowed, and its facts are not shown.
        """
        place, parameters, quota = self._place(slot)
        status = slot.status_for(self.school.id, threshold_reached=quota.rdvpermis_says_reached)
        ahead = slot.starts_at - self.now > timedelta(seconds=parameters.notice_seconds)
        key = (place, status, slot.published_at, slot.seen_at, None if ahead else slot.starts_at)
        alike = self._alike.get(key)
        if alike is not None:
            return Judged(slot, status, parameters, *alike, None)
        case = Case(self.now, Purpose.SEARCH, self.school, slot, parameters, quota)
        verdicts = [rule(case) for rule in self._rules]
        against = [verdict for verdict in verdicts if not verdict.allowed]
        if against and all(verdict.opens_at is not None for verdict in against):
            return Judged(slot, status, parameters, False, against, judge.opens_at(case, verdicts, self._rules))
        self._alike[key] = (not against, against)
        return Judged(slot, status, parameters, not against, against, None)

    def _place(self, slot: Slot) -> tuple[Place, Parameters, Quota]:
        here = (slot.starts_at, slot.centre.department)
        known = self._places.get(here)
        if known is None:
            place = Place(slot.department, slot.month, slot.category)
            known = self._cases.get(place)
            if known is None:
                known = self._cases[place] = (place, self.parameters_in(place.department), self.quota_of(place))
            self._places[here] = known
        return known

    def _remembering(self, rule: Rule) -> Rule:
        asks, name = ASKS.get(rule.__name__), rule.__name__
        if asks is None:
            return rule

        def remembered(case: Case) -> Verdict:
            key = (name, case.now, asks(case))
            said = self._said.get(key)
            if said is None:
                said = self._said[key] = rule(case)
            return said

        return remembered


@dataclass
class PageWriter:
    """Writes judged slots; what is the same for several is serialised once."""

    school: Point | None
    _centres: dict[str, pb.Centre] = field(init=False, default_factory=dict)
    _verdicts: dict[int, tuple[Verdict, verdict_pb2.Verdict]] = field(init=False, default_factory=dict)
    _written: dict[Hashable, bytes] = field(init=False, default_factory=dict)

    def centre(self, known: Centre, parameters: Parameters) -> pb.Centre:
        """As a message, with the way from the school."""
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
        key = (
            slot.centre.id,
            slot.kind,
            judged.status,
            slot.published_at,
            slot.seen_at,
            judged.opens_at,
            tuple(map(id, judged.against)),
        )
        alike = self._written.get(key)
        if alike is None:
            alike = self._written[key] = self._alike(judged)
        entry = response.slots.add()
        entry.MergeFromString(alike)
        written = entry.slot
        written.id = slot.id
        for stamp, at in ((written.starts_at, slot.starts_at), (written.ends_at, slot.ends_at)):
            since = at - wire.EPOCH
            stamp.seconds = since.days * 86_400 + since.seconds
            if since.microseconds:
                stamp.nanos = since.microseconds * 1000

    def _alike(self, judged: Judged) -> bytes:
        slot, parameters = judged.slot, judged.parameters
        centre = self.centre(slot.centre, parameters)
        message = pb.JudgedSlot(
            allowed=judged.allowed,
            verdicts=[self._verdict(one) for one in judged.against],
            slot=pb.Slot(
                centre=centre,
                time_zone=zone_of(slot.department),
                category=slot.category,
                kind=slot.kind,
                status=wire.status(judged.status),
                published_at=wire.timestamp(slot.published_at),
                opens_to_all_at=wire.timestamp(slot.opens_to_all_at(parameters)),
                seen_at=wire.timestamp(slot.seen_at),
                distance_km=centre.distance_km if centre.HasField("distance_km") else None,
                travel_minutes=centre.travel_minutes if centre.HasField("travel_minutes") else None,
            ),
        )
        if judged.opens_at is not None:
            message.opens_at.CopyFrom(wire.timestamp(judged.opens_at))
        return message.SerializeToString()

    def _verdict(self, said: Verdict) -> verdict_pb2.Verdict:
        known = self._verdicts.get(id(said))
        if known is None:  # the verdict is kept beside it, so that its id stays its own
            known = self._verdicts[id(said)] = (said, wire.verdict(said))
        return known[1]
