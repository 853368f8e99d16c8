"""Between messages and values: requests are parsed here once, answers made here."""

from collections.abc import Sequence
from datetime import UTC, datetime
from functools import lru_cache

from google.protobuf.timestamp_pb2 import Timestamp

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.verdict.v1 import verdict_pb2
from resapermis_kit.errors import Failure, malformed
from resapermis_places.table import zone_of
from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import Quota, ThresholdKey, next_pace_change, pace_day, paced
from resapermis_scheduling_rules.domain.slots import Centre, Slot, Status

LONGEST_ACTION = 100
"""Lines that are judged at all; R-GROUP refuses far fewer."""
LONGEST_WORD = 64
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
EARLIEST, LATEST = datetime(1990, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)
_STATUS = {status: pb.SlotStatus.Value(f"SLOT_STATUS_{status.value}") for status in Status}


def word(value: str, field: str) -> str:
    """Read an id or code. MALFORMED at `field`: not 1 to 64 printable characters, or blanks at an end."""
    if not 1 <= len(value) <= LONGEST_WORD or not value.isprintable() or value != value.strip():
        raise malformed(field, "1 to 64 printable characters")
    return value


def time_of(message: Timestamp, field: str) -> datetime:
    """Read a protobuf time as UTC. MALFORMED at `field`: out of range."""
    try:
        return message.ToDatetime(UTC)
    except (ValueError, OverflowError) as error:
        raise malformed(field, "not a time") from error


def moment(message: Timestamp, field: str) -> datetime:
    """Read a protobuf time as UTC. MALFORMED at `field`: not between 1990 and 2100, which nobody living can mean."""
    at = time_of(message, field)
    if not EARLIEST <= at < LATEST:
        raise malformed(field, "between 1990 and 2100")
    return at


@lru_cache(maxsize=8192)
def timestamp(at: datetime) -> Timestamp:
    """As a message, to be copied into another and not written to: a slot's hours go into every answer that has it."""
    since = at - EPOCH
    return Timestamp(seconds=since.days * 86_400 + since.seconds, nanos=since.microseconds * 1000)


@lru_cache(maxsize=8192)
def _verdict(
    rule: str, facts: tuple[tuple[str, str], ...], source: str, opens_at: datetime | None, remedy: str, *, allowed: bool
) -> verdict_pb2.Verdict:
    message = verdict_pb2.Verdict(rule=rule, allowed=allowed, facts=dict(facts), source=source, remedy=remedy)
    if opens_at is not None:
        message.opens_at.FromDatetime(opens_at)
    return message


def verdict(one: Verdict) -> verdict_pb2.Verdict:
    """As a message, to be copied into an answer and not written to: alike ones are made once.

    Lines of an action, and actions of a rush on the same slots, get mostly the same verdicts, and the map of facts
    is what costs in making one: a sixth of an answer's CPU.
    """
    return _verdict(one.rule, tuple(one.facts.items()), one.source, one.opens_at, one.remedy, allowed=one.allowed)


def verdicts(found: Sequence[Verdict]) -> list[verdict_pb2.Verdict]:
    """Verdicts in the same order, as `verdict` makes them."""
    return [verdict(one) for one in found]


def centre(known: Centre) -> pb.Centre:
    """A centre → pb.Centre, without its way from a school."""
    return pb.Centre(
        id=known.id,
        name=known.name,
        department=known.department,
        latitude_degrees=known.latitude,
        longitude_degrees=known.longitude,
    )


def status(of: Status) -> pb.SlotStatus.ValueType:
    """A slot's status → pb.SlotStatus."""
    return _STATUS[of]


def slot(known: Slot, status: Status, parameters: Parameters) -> pb.Slot:
    """A slot → pb.Slot, as it stands for the asker; to be copied into an answer and not written to."""
    return _slot(known, status, known.opens_to_all_at(parameters))


@lru_cache(maxsize=4096)
def _slot(known: Slot, status: Status, opens_to_all_at: datetime) -> pb.Slot:
    return pb.Slot(
        id=known.id,
        centre=centre(known.centre),
        starts_at=timestamp(known.starts_at),
        ends_at=timestamp(known.ends_at),
        time_zone=zone_of(known.department),
        category=known.category,
        kind=known.kind,
        status=_STATUS[status],
        published_at=timestamp(known.published_at),
        opens_to_all_at=timestamp(opens_to_all_at),
        seen_at=timestamp(known.seen_at),
    )


def threshold(place: ThresholdKey, quota: Quota, parameters: Parameters, now: datetime, held: int = 0) -> pb.Threshold:
    """A threshold → pb.Threshold: what is taken, what may be by today and in all, what is left, and when that next changes."""
    limit_today = paced(quota.limit, pace_day(place.month, place.department, now), parameters)
    return pb.Threshold(
        department=place.department,
        month=place.month,
        category=place.category,
        limit=quota.limit,
        paced_limit=limit_today,
        taken=quota.counted,
        rdvpermis_limit=quota.rdvpermis_limit,
        fte=float(quota.fte or 0),
        rate_per_fte=float(quota.rate),
        next_change_at=timestamp(next_pace_change(quota.limit, place.month, place.department, now, parameters)),
        held=held,
        elsewhere=quota.elsewhere,
        left=max(0, quota.limit - quota.counted),
        left_today=max(0, limit_today - quota.counted),
        own_limit=quota.own_limit,
        difference=quota.difference,
        warn_percent=parameters.warn_percent,
        fte_source=quota.fte_source,
        fte_as_of=None if quota.fte_as_of is None else timestamp(quota.fte_as_of),
    )


def limits(parameters: Parameters) -> pb.Limits:
    """Parameters → pb.Limits: those that basket enforces itself, in its transaction."""
    return pb.Limits(
        group=parameters.group,
        basket=parameters.basket,
        hold_ttl_seconds=parameters.hold_ttl_seconds,
        notice_seconds=parameters.notice_seconds,
    )


def too_many(field: str, most: int) -> Failure:
    """MALFORMED at `field`: more entries than `most`; to be raised."""
    return malformed(field, f"at most {most}")
