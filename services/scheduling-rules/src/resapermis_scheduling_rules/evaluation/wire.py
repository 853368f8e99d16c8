"""A snapshot between messages and values: what Evaluate is asked, what is kept of it, and how it is read years later."""

from collections.abc import Iterable
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation

from google.protobuf.timestamp_pb2 import Timestamp

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.errors import malformed
from resapermis_scheduling_rules.domain.availability import (
    Conflict,
    LineAvailability,
    OccupationCause,
    ResourceKind,
    Trainer,
    Vehicle,
)
from resapermis_scheduling_rules.domain.parameters import NAMES, Parameter, Rulebook
from resapermis_scheduling_rules.domain.quota import Quota, ThresholdKey
from resapermis_scheduling_rules.domain.restrictions import Restriction
from resapermis_scheduling_rules.domain.slots import Centre, School, Slot, Status
from resapermis_scheduling_rules.domain.snapshot import Action, Candidate, EvaluationSnapshot, Purpose
from resapermis_scheduling_rules.wire import timestamp, word

ASKED = {purpose.value: purpose for purpose in Purpose if purpose is not Purpose.SEARCH}
_STATUS = {pb.SlotStatus.Value(f"SLOT_STATUS_{status.value}"): status for status in Status}
LONGEST_CODE = 200
"""RdvPermis' words are kept as they are, also odd ones."""
OURSELVES, ANOTHER = "asker", "another"
"""Who holds a slot of a kept snapshot: whether it was the asker is known, by its status; who, no longer matters."""


def purpose_of(text: str) -> Purpose:
    """Read what a verdict is asked for."""
    if text not in ASKED:
        raise malformed("purpose", f"one of {', '.join(ASKED)}")
    return ASKED[text]


def _moment(message: Timestamp) -> datetime:
    return message.ToDatetime(UTC)


def check_line(line: pb.EvaluateLine, n: int) -> None:
    """MALFORMED where a line has ids that cannot be, or a time that is none."""
    word(line.slot_id, f"lines[{n}].slot_id")
    for field in ("candidate_id", "trainer_id", "vehicle_id", "line_id"):
        if value := getattr(line, field):
            word(value, f"lines[{n}].{field}")
    if len(line.rdvpermis_code) > LONGEST_CODE:
        raise malformed(f"lines[{n}].rdvpermis_code", f"at most {LONGEST_CODE} characters")
    try:
        _moment(line.rdvpermis_seen_at)
    except (ValueError, OverflowError) as error:
        raise malformed(f"lines[{n}].rdvpermis_seen_at", "not a time") from error


def candidate_of(line: pb.EvaluateLine) -> Candidate | None:
    """Read a line's candidate; None while unnamed."""
    if not line.candidate_id:
        return None
    return Candidate(
        line.candidate_id,
        line.mandate_active,
        line.mandate_category,
        line.mandate_gearbox,
        line.candidate_busy,
        line.rdvpermis_eligible if line.HasField("rdvpermis_eligible") else None,
        line.rdvpermis_code,
        _moment(line.rdvpermis_seen_at) if line.HasField("rdvpermis_seen_at") else None,
    )


def changeable_of(line: pb.EvaluateLine) -> bool | None:
    """RdvPermis' estModifiable; None where it was not asked."""
    return line.changeable if line.HasField("changeable") else None


def usage_of(usage: Iterable[pb.Usage]) -> dict[ThresholdKey, int]:
    """Slots taken by threshold, as basket counts them."""
    return {ThresholdKey(one.department, one.month, one.category): one.taken for one in usage}


def held_of(usage: Iterable[pb.Usage]) -> dict[ThresholdKey, int]:
    """Slots held and not booked yet by threshold, as basket counts them."""
    return {ThresholdKey(one.department, one.month, one.category): one.held for one in usage}


def snapshot(judged: EvaluationSnapshot, action: Action, line: pb.EvaluateLine, slot: pb.Slot) -> pb.EvaluationSnapshot:
    """Everything that the rules looked at, without names; `slot` as it stood for the asker."""
    quota, situation = judged.quota, judged.situation
    trainer, vehicle = situation.trainer, situation.vehicle
    return pb.EvaluationSnapshot(
        at=timestamp(judged.now),
        purpose=judged.purpose.value,
        slot=slot,
        school_department=judged.school.department,
        licensed_until=_maybe(judged.school.licensed_until),
        taken=quota.taken,
        elsewhere=quota.elsewhere,
        asked=judged.asked,
        fte_hundredths=None if quota.fte is None else int(quota.fte * 100),
        rdvpermis_limit=quota.rdvpermis_limit,
        rdvpermis_says_reached=quota.rdvpermis_says_reached,
        lines=action.lines,
        lines_in_basket=action.lines_in_basket,
        replacements_left=action.replacements_left,
        replacements_per_month=action.replacements_per_month,
        line=line,
        namesakes=judged.namesakes,
        restrictions=[_restriction(restriction) for restriction in judged.restrictions],
        conflicts=[_conflict(one) for one in situation.conflicts],
        trainer_authorised_until=None if trainer is None else _maybe(trainer.authorised_until),
        trainer_known=trainer is not None,
        vehicle_gearbox="" if vehicle is None else vehicle.gearbox,
        vehicle_categories=() if vehicle is None else vehicle.categories,
        passed_kinds=judged.passed_kinds,
    )


def _maybe(at: datetime | None) -> Timestamp | None:
    return None if at is None else timestamp(at)


def _restriction(restriction: Restriction) -> pb.Restriction:
    return pb.Restriction(
        id=restriction.id,
        reason=restriction.reason,
        since=timestamp(restriction.since),
        until=_maybe(restriction.until),
        from_rdvpermis=restriction.from_rdvpermis,
        waived=restriction.waived,
    )


def _conflict(one: Conflict) -> pb.Conflict:
    return pb.Conflict(
        whose=one.whose.value,
        what=one.what.value,
        id=one.id,
        starts_at=timestamp(one.starts_at),
        ends_at=timestamp(one.ends_at),
        travel_minutes=one.travel_minutes,
    )


def read_snapshot(kept: pb.EvaluationSnapshot, rulebook: Rulebook) -> tuple[EvaluationSnapshot, Action]:
    """Inverse of `snapshot`, with the parameters in force at its moment."""
    at = _moment(kept.at)
    slot = _slot(kept.slot)
    parameters = rulebook.at(at, slot.department, slot.category)
    line, purpose = kept.line, Purpose(kept.purpose)
    read = EvaluationSnapshot(
        now=at,
        purpose=purpose,
        school=School(
            OURSELVES,
            kept.school_department,
            licensed_until=_moment(kept.licensed_until) if kept.HasField("licensed_until") else None,
        ),
        slot=slot,
        parameters=parameters,
        quota=Quota(
            rate=parameters.threshold_rate,
            fte=Decimal(kept.fte_hundredths) / 100 if kept.HasField("fte_hundredths") else None,
            taken=kept.taken,
            elsewhere=kept.elsewhere,
            rdvpermis_limit=kept.rdvpermis_limit if kept.HasField("rdvpermis_limit") else None,
            rdvpermis_says_reached=kept.rdvpermis_says_reached,
        ),
        asked=kept.asked,
        candidate=candidate_of(line),
        namesakes=kept.namesakes,
        trainer_id=line.trainer_id,
        vehicle_id=line.vehicle_id,
        situation=_situation(kept),
        restrictions=tuple(_read_restriction(restriction) for restriction in kept.restrictions),
        passed_kinds=tuple(kept.passed_kinds),
        changeable=changeable_of(line),
    )
    action = Action(
        purpose,
        kept.lines,
        kept.lines_in_basket,
        rulebook.at(at),
        kept.replacements_left if kept.HasField("replacements_left") else None,
        kept.replacements_per_month if kept.HasField("replacements_per_month") else None,
    )
    return read, action


def _slot(kept: pb.Slot) -> Slot:
    status, known = _STATUS.get(kept.status, Status.OTHER), kept.centre
    located = known.HasField("latitude_degrees") and known.HasField("longitude_degrees")
    place = (known.latitude_degrees, known.longitude_degrees) if located else (None, None)
    mirrored = {Status.OURS: Status.TAKEN, Status.THRESHOLD_REACHED: Status.FREE}.get(status, status)
    return Slot(
        id=kept.id,
        centre=Centre(known.id, known.name, known.department, *place),
        starts_at=_moment(kept.starts_at),
        ends_at=_moment(kept.ends_at),
        category=kept.category,
        kind=kept.kind,
        published_at=_moment(kept.published_at),
        status=mirrored,
        seen_at=_moment(kept.seen_at),
        holder=OURSELVES if status is Status.OURS else ANOTHER,
    )


def _situation(kept: pb.EvaluationSnapshot) -> LineAvailability:
    trainer = None
    if kept.trainer_known:
        until = _moment(kept.trainer_authorised_until) if kept.HasField("trainer_authorised_until") else None
        trainer = Trainer(kept.line.trainer_id, authorised_until=until)
    vehicle = None
    if kept.vehicle_gearbox:
        vehicle = Vehicle(kept.line.vehicle_id, kept.vehicle_gearbox, tuple(kept.vehicle_categories))
    conflicts = [
        Conflict(
            ResourceKind(one.whose),
            OccupationCause(one.what),
            one.id,
            _moment(one.starts_at),
            _moment(one.ends_at),
            one.travel_minutes,
        )
        for one in kept.conflicts
    ]
    return LineAvailability(tuple(conflicts), trainer, vehicle)


def _read_restriction(kept: pb.Restriction) -> Restriction:
    return Restriction(
        id=kept.id,
        reason=kept.reason,
        since=_moment(kept.since),
        until=_moment(kept.until) if kept.HasField("until") else None,
        from_rdvpermis=kept.from_rdvpermis,
        waived=kept.waived,
    )


def parameter_of(message: pb.Parameter) -> Parameter:
    """Read a value to judge by as if it were in force."""
    if message.name not in NAMES:
        raise malformed("changed.name", "not a parameter")
    try:
        value = Decimal(message.value)
    except InvalidOperation as error:
        raise malformed("changed.value", "not a number") from error
    if not value.is_finite() or value < 0:
        raise malformed("changed.value", "not a number from 0 on")
    return Parameter(message.name, message.department or None, message.category or None, value)
