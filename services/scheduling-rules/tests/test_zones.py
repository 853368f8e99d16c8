"""Where a department is decides what a day is there: each has the zone that IANA says, overseas too."""

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from scheduling_peers import NOW

from resapermis.scheduling.v1 import availability_pb2 as pb
from resapermis.scheduling.v1 import school_pb2
from resapermis_places.table import PARIS, PLACES
from resapermis_scheduling_rules.availability.wire import declared_of
from resapermis_scheduling_rules.school.wire import term_of

OVERSEAS = {place.code: place.zone for place in PLACES.values() if place.zone != PARIS}


@pytest.mark.req("R-18")
@pytest.mark.parametrize(("department", "zone"), OVERSEAS.items())
def test_an_absence_that_names_no_zone_is_meant_on_the_clock_of_the_school(department: str, zone: str) -> None:
    nine = datetime(2026, 12, 9, 9, tzinfo=ZoneInfo(zone))
    message = pb.Unavailability(subject=pb.Subject(kind=pb.SUBJECT_KIND_SCHOOL), rrule="FREQ=WEEKLY")
    message.starts_at.FromDatetime(nine)
    message.ends_at.FromDatetime(nine + timedelta(hours=1))
    assert b":20261209T090000\r\n" in declared_of(message, NOW, department).calendar()


@pytest.mark.req("R-28")
@pytest.mark.parametrize("department", OVERSEAS)
def test_a_trainer_may_teach_in_every_overseas_department(department: str) -> None:
    trainer = school_pb2.Trainer(id="t1", department=department, categories=["B"])
    assert term_of(trainer, NOW).department == department
