"""Where a department is decides what a day is there: each has the zone that IANA says, overseas too."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from scheduling_peers import NOW

from resapermis.scheduling.v1 import availability_pb2 as pb
from resapermis.scheduling.v1 import school_pb2
from resapermis_kit.errors import Code
from resapermis_scheduling_rules.availability.wire import declared_of
from resapermis_scheduling_rules.domain.days import day_start, local_day, zone_of
from resapermis_scheduling_rules.school.wire import term_of
from resapermis_testing.known_fault import KnownFault, wrongly_refused

OVERSEAS = {
    "971": "America/Guadeloupe",
    "972": "America/Martinique",
    "973": "America/Cayenne",
    "974": "Indian/Reunion",
    "975": "America/Miquelon",
    "976": "Indian/Mayotte",
    "977": "America/St_Barthelemy",
    "978": "America/Marigot",
    "986": "Pacific/Wallis",
    "987": "Pacific/Tahiti",
    "988": "Pacific/Noumea",
}
"""By zone.tab of the IANA database: GP, MQ, GF, RE, PM, YT, BL, MF, WF, PF (Papeete), NC."""
UNKNOWN = ("977", "978", "986", "987", "988")
PLACES = [
    pytest.param(
        department,
        zone,
        marks=[pytest.mark.xfail(strict=True, raises=AssertionError, reason="fault 1: read as Paris time")]
        if department in UNKNOWN
        else [],
    )
    for department, zone in OVERSEAS.items()
]


@pytest.mark.parametrize(("department", "zone"), PLACES)
def test_a_department_keeps_its_own_time_all_year(department: str, zone: str) -> None:
    ours, theirs = ZoneInfo(zone_of(department)), ZoneInfo(zone)
    hours = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=n) for n in range(2 * 8760)]
    assert [at for at in hours if at.astimezone(ours).utcoffset() != at.astimezone(theirs).utcoffset()] == []


@pytest.mark.parametrize(("department", "zone"), PLACES)
def test_a_day_begins_at_midnight_there(department: str, zone: str) -> None:
    noon = datetime(2026, 12, 9, 12, tzinfo=ZoneInfo(zone))
    assert local_day(noon, department) == noon.date()
    assert day_start(noon.date(), department) == noon - timedelta(hours=12)


@pytest.mark.req("R-18")
@pytest.mark.parametrize(("department", "zone"), PLACES)
def test_an_absence_that_names_no_zone_is_meant_on_the_clock_of_the_school(department: str, zone: str) -> None:
    nine = datetime(2026, 12, 9, 9, tzinfo=ZoneInfo(zone))
    message = pb.Unavailability(subject=pb.Subject(kind=pb.SUBJECT_KIND_SCHOOL), rrule="FREQ=WEEKLY")
    message.starts_at.FromDatetime(nine)
    message.ends_at.FromDatetime(nine + timedelta(hours=1))
    assert b":20261209T090000\r\n" in declared_of(message, NOW, department).calendar()


@pytest.mark.req("R-28")
@pytest.mark.parametrize(
    "department",
    [
        pytest.param(
            one,
            marks=[pytest.mark.xfail(strict=True, raises=KnownFault, reason="fault 1: not a department here")]
            if one in UNKNOWN
            else [],
        )
        for one in OVERSEAS
    ],
)
def test_a_trainer_may_teach_in_every_overseas_department(department: str) -> None:
    trainer = school_pb2.Trainer(id="t1", department=department, categories=["B"])
    with wrongly_refused(Code.CODE_MALFORMED):
        term = term_of(trainer, NOW)
    assert term.department == department
