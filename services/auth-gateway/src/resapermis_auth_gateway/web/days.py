"""Days, hours and months as people write them, and the instants that services speak; days are a department's own."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from google.protobuf.timestamp_pb2 import Timestamp

from resapermis_kit.errors import malformed
from resapermis_places.days import day_start, local_day

FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)


def known_zone(name: str, field: str) -> ZoneInfo:
    """A zone that somebody wrote; MALFORMED for what is none."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise malformed(field, "an IANA zone such as Europe/Paris") from None


def timestamp(moment: datetime) -> Timestamp:
    """An aware datetime → Timestamp; a naive one would be read in the machine's zone."""
    found = Timestamp()
    found.FromDatetime(moment.astimezone(UTC))
    return found


def plausible_day(day: date, field: str) -> date:
    """The day itself; MALFORMED, naming `field`, outside FIRST_DAY to LAST_DAY."""
    if not FIRST_DAY <= day <= LAST_DAY:
        raise malformed(field, "a day between 2000 and 2100")
    return day


def midnight(day: date, department: str) -> Timestamp:
    """The instant at which a day begins in a department."""
    return timestamp(day_start(day, department))


def end_of(last: date | None, department: str, field: str) -> Timestamp | None:
    """The instant after a last day, included; None for no end."""
    return None if last is None else midnight(plausible_day(last, field) + timedelta(days=1), department)


def last_day(end: datetime | None, department: str) -> date | None:
    """The last day before an end: what `end_of` was made from."""
    return None if end is None else local_day(end - timedelta(microseconds=1), department)


def minutes(clock: str | None) -> int | None:
    """Minutes after midnight of "08:30"; the shape is checked before."""
    if clock is None:
        return None
    hour, _, minute = clock.partition(":")
    return int(hour) * 60 + int(minute)


def clock_of(count: int) -> str:
    """Minutes after midnight as the hour on the clock: 510 is "08:30". Inverse of `minutes`."""
    return f"{count // 60:02d}:{count % 60:02d}"


def local_instant(text: str, zone: ZoneInfo, field: str) -> Timestamp:
    """The instant of "2026-12-09T08:32" on the clock of a place; MALFORMED for no such hour in the calendar."""
    try:
        moment = datetime.fromisoformat(text)
        plausible_day(moment.date(), field)
        return timestamp(moment.replace(tzinfo=zone))
    except ValueError:
        raise malformed(field, "a day and an hour such as 2026-12-09T08:32") from None
