"""Between messages and values of a school's people: parsed here once, answered from here."""

import re
from collections.abc import Sequence
from datetime import datetime

from resapermis.scheduling.v1 import school_pb2 as pb
from resapermis_kit.errors import malformed
from resapermis_places.days import day_start, local_day, month_of
from resapermis_places.table import CODE_PATTERN
from resapermis_scheduling_rules.domain.slots import School
from resapermis_scheduling_rules.school.fte import Fte, Hours, Kind, oldest_month
from resapermis_scheduling_rules.school.staff import Term, Vehicle
from resapermis_scheduling_rules.wire import moment, timestamp, word

DEPARTMENT = re.compile(CODE_PATTERN)
CATEGORY = re.compile(r"[A-Z][A-Z0-9]{0,3}")
MONTH = re.compile(r"[0-9]{4}-(0[1-9]|1[0-2])")
GEARBOXES = ("manual", "automatic")
MOST_CATEGORIES, MOST_HOURS, LONGEST_LABEL = 20, 1000, 80
MOST_HUNDREDTHS = 74_400
"""A month of 31 days has no more."""


def _code(value: str, field: str, shape: re.Pattern[str], meaning: str) -> str:
    if shape.fullmatch(value) is None:
        raise malformed(field, meaning)
    return value


def _categories(values: Sequence[str], field: str) -> tuple[str, ...]:
    if not 1 <= len(values) <= MOST_CATEGORIES:
        raise malformed(field, f"1 to {MOST_CATEGORIES}")
    return tuple(sorted({_code(value, field, CATEGORY, 'a category, e.g. "B"') for value in values}))


def term_of(message: pb.Trainer, now: datetime) -> Term:
    """Read a trainer's term; days begin at midnight where it is taught, and today when no first day is given."""
    department = _code(message.department, "trainer.department", DEPARTMENT, 'a department, e.g. "91"')

    def day(name: str) -> datetime | None:
        if not message.HasField(name):  # type: ignore[arg-type]  # one of the message's own fields
            return None
        return day_start(local_day(moment(getattr(message, name), f"trainer.{name}"), department), department)

    active_from = day("active_from") or day_start(local_day(now, department), department)
    active_until = day("active_until")
    if active_until is not None and active_until <= active_from:
        raise malformed("trainer.active_until", "a day after active_from")
    authorised = message.HasField("authorised_until")
    return Term(
        word(message.id, "trainer.id"),
        department,
        _categories(message.categories, "trainer.categories"),
        active_from,
        active_until,
        moment(message.authorised_until, "trainer.authorised_until") if authorised else None,
    )


def vehicle_of(message: pb.Vehicle, new_id: str = "") -> Vehicle:
    """Read a vehicle; without an id it is a new one, by `new_id`."""
    label = message.label.strip()
    if not 1 <= len(label) <= LONGEST_LABEL or not label.isprintable():
        raise malformed("vehicle.label", f"1 to {LONGEST_LABEL} printable characters")
    if message.gearbox not in GEARBOXES:
        raise malformed("vehicle.gearbox", '"manual" or "automatic"')
    categories = _categories(message.categories, "vehicle.categories")
    vehicle_id = word(message.id, "vehicle.id") if message.id else new_id
    return Vehicle(vehicle_id, label, categories, message.gearbox, message.retired)


def hours_of(messages: Sequence[pb.Hours], now: datetime, department: str) -> list[Hours]:
    """Read declared hours of this month and the last ones that an FTE may count; a figure stands once in a request."""
    if not 1 <= len(messages) <= MOST_HOURS:
        raise malformed("hours", f"1 to {MOST_HOURS}")
    today = local_day(now, department)
    latest, earliest = month_of(today), oldest_month(today)
    found: dict[tuple[str, str, str, str], Hours] = {}
    for n, message in enumerate(messages):
        month = _code(message.month, f"hours[{n}].month", MONTH, 'a month, e.g. "2026-11"')
        if not earliest <= month <= latest:
            raise malformed(f"hours[{n}].month", f"{earliest} to {latest}")
        if message.kind not in set(Kind):
            raise malformed(f"hours[{n}].kind", '"practical", "accompanied" or "theory"')
        if not 0 <= message.hundredths <= MOST_HUNDREDTHS:
            raise malformed(f"hours[{n}].hundredths", f"0 to {MOST_HUNDREDTHS}")
        category = _code(message.category, f"hours[{n}].category", CATEGORY, 'a category, e.g. "B"')
        trainer_id = word(message.trainer_id, f"hours[{n}].trainer_id")
        key = (trainer_id, month, category, message.kind)
        if key in found:
            raise malformed(f"hours[{n}]", "given twice in one request")
        found[key] = Hours(trainer_id, month, category, Kind(message.kind), message.hundredths)
    return list(found.values())


def school(known: School, seen_at: datetime) -> pb.School:
    """A school → pb.School, as RdvPermis described it at `seen_at`."""
    message = pb.School(
        id=known.id,
        licence_number=known.licence_number,
        department=known.department,
        declared_fte=None if known.fte is None else float(known.fte),
        seen_at=timestamp(seen_at),
        latitude_degrees=known.latitude,
        longitude_degrees=known.longitude,
    )
    if known.licensed_until is not None:
        message.licensed_until.FromDatetime(known.licensed_until)
    return message


def trainer(term: Term, now: datetime) -> pb.Trainer:
    """A trainer's term → pb.Trainer; whether they may accompany is as of `now`."""
    message = pb.Trainer(
        id=term.trainer_id,
        department=term.department,
        categories=term.categories,
        active_from=timestamp(term.active_from),
        may_accompany=term.may_accompany(now),
    )
    if term.active_until is not None:
        message.active_until.FromDatetime(term.active_until)
    if term.authorised_until is not None:
        message.authorised_until.FromDatetime(term.authorised_until)
    return message


def vehicle(known: Vehicle) -> pb.Vehicle:
    """A vehicle → pb.Vehicle, its label included."""
    return pb.Vehicle(
        id=known.id, label=known.label, categories=known.categories, gearbox=known.gearbox, retired=known.retired
    )


def hours(declared: Hours) -> pb.Hours:
    """Declared hours of a trainer and month → pb.Hours, in hundredths of an hour."""
    return pb.Hours(
        trainer_id=declared.trainer_id,
        month=declared.month,
        category=declared.category,
        kind=declared.kind,
        hundredths=declared.hundredths,
    )


def fte(computed: Fte, at: datetime) -> pb.Fte:
    """A computed FTE → pb.Fte, in hundredths; `at`: when it was computed."""
    return pb.Fte(
        department=computed.department,
        category=computed.category,
        hundredths=computed.hundredths,
        first_month=computed.months.first,
        last_month=computed.months.last,
        computed_at=timestamp(at),
    )
