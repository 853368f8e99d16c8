"""A local day is not a UTC midnight: what repeats until a day repeats on that day too, and never on the next."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from scheduling_peers import NOW

from resapermis.scheduling.v1 import availability_pb2 as pb
from resapermis_places.table import PLACES
from resapermis_scheduling_rules.availability.ical.recurrence import expand
from resapermis_scheduling_rules.availability.ical.reduced_calendar import reduce_calendar
from resapermis_scheduling_rules.availability.wire import declared_of

ZONES = sorted({place.zone for place in PLACES.values()} | {"Pacific/Marquesas", "Pacific/Gambier"})
"""Every zone of France."""
MONDAYS = [date(2026, 12, 7), date(2026, 12, 14), date(2026, 12, 21)]
HOURS = [(time(0), 24), (time(9), 1), (time(21), 1), (time(23, 30), 1)]


def days(zone: str, begins: time, hours: int, until: date) -> Sequence[date]:
    """Local days on which "every Monday until that day" begins, from 7 December on."""
    first = datetime.combine(MONDAYS[0], begins, ZoneInfo(zone))
    message = pb.Unavailability(
        subject=pb.Subject(kind=pb.SUBJECT_KIND_SCHOOL),
        rrule=f"FREQ=WEEKLY;BYDAY=MO;UNTIL={until:%Y%m%d}",
        time_zone=zone,
    )
    message.starts_at.FromDatetime(first)
    message.ends_at.FromDatetime(first + timedelta(hours=hours))
    declared = declared_of(message, NOW, "75")
    found = expand(reduce_calendar(declared.calendar()), ZoneInfo(declared.time_zone), NOW, NOW + timedelta(days=366))
    return [starts.astimezone(ZoneInfo(zone)).date() for starts, _ in found.spans]


@pytest.mark.req("R-18")
@pytest.mark.parametrize("zone", ZONES)
def test_until_the_day_before_the_last_one_is_not_meant(zone: str) -> None:
    found = {begins: days(zone, begins, hours, date(2026, 12, 20)) for begins, hours in HOURS}
    assert found == {begins: MONDAYS[:2] for begins, _ in HOURS}


@pytest.mark.req("R-18")
@pytest.mark.parametrize("zone", ZONES)
def test_until_the_day_itself_it_is(zone: str) -> None:
    found = {begins: days(zone, begins, hours, date(2026, 12, 21)) for begins, hours in HOURS}
    assert found == {begins: MONDAYS for begins, _ in HOURS}
