"""Until when a series repeats, where its rule says it as something else than it should. Pure."""

from datetime import UTC, date, datetime, time, tzinfo

_LAST_SECOND = time(23, 59, 59)


def inclusive_until(until: date | datetime, first: date | datetime, zone: tzinfo) -> date | datetime:
    """UNTIL of the type that RFC 5545 (3.3.10) wants beside a DTSTART `first`, never earlier than it was meant.

    A day includes all of itself on the clock of `first`: its last second there, not the midnight of UTC. Whole days until a
    moment end with the day of that moment in `zone`, where the calendar's owner is; where the moment is a midnight of UTC,
    with that day.
    """
    if not isinstance(first, datetime):
        return _day(until, zone)
    if not isinstance(until, datetime):
        return _end_of_day(until, first, zone)
    if until.tzinfo is None:
        return until if first.tzinfo is None else until.replace(tzinfo=first.tzinfo).astimezone(UTC)
    return until.astimezone(UTC) if first.tzinfo is not None else until.astimezone(zone).replace(tzinfo=None)


def _day(until: date | datetime, zone: tzinfo) -> date:
    if not isinstance(until, datetime):
        return until
    if until.tzinfo is None:
        return until.date()
    at = until.astimezone(UTC)
    return at.date() if at.time() == time() else at.astimezone(zone).date()


def _end_of_day(until: date, first: datetime, zone: tzinfo) -> datetime:
    if first.tzinfo is None:
        return datetime.combine(until, _LAST_SECOND)
    ends = datetime.combine(until, _LAST_SECOND, first.tzinfo).astimezone(UTC)
    if str(first.tzinfo) != "UTC":
        return ends
    # A program that writes all in UTC may mean its day or the owner's: the later one loses nothing.
    return max(ends, datetime.combine(until, _LAST_SECOND, zone).astimezone(UTC))
