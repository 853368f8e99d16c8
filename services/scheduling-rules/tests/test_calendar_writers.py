"""Calendars as Outlook, Google, Apple and Lotus write them, and an import that loses something says so before it replaces."""

import contextlib
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import grpc
import pytest
from scheduling_peers import NOW
from school_desk import Desk
from test_availability import trainer
from test_ical import BERLIN_BY_HAND, calendar, hours, read

from resapermis.scheduling.v1 import availability_pb2 as pb

OUTLOOK = "(UTC+01:00) Brussels, Copenhagen, Madrid, Paris"
LOTUS = "Western/Central Europe"
JANUARY_5 = "01-05T08:00/01-05T09:00"


def zone(name: str, first_year: str = "1981") -> str:
    return BERLIN_BY_HAND.replace("Hand made", name).replace("1981", first_year).replace("1996", first_year)


def starts(rule: str, first: str, zone: str = "Europe/Paris") -> list[str]:
    """Days on which a series begins, on the clock of `zone`."""
    found = read(f"UID:1\n{first}\nDURATION:{'P1D' if 'VALUE=DATE' in first else 'PT1H'}\nRRULE:{rule}", zone=zone)
    return [f"{begins.astimezone(ZoneInfo(zone)):%d}" for begins, _ in found.spans]


@pytest.mark.req("R-18")
@pytest.mark.parametrize("first_year", ["1981", "1601"])
def test_a_zone_may_have_a_colon_and_commas_in_its_name(first_year: str) -> None:
    found = read(
        f'UID:1\nDTSTART;TZID="{OUTLOOK}":20270105T090000\nDTEND;TZID="{OUTLOOK}":20270105T100000',
        before=zone(OUTLOOK, first_year),
    )
    assert (hours(found), dict(found.left_out)) == ([JANUARY_5], {})


@pytest.mark.req("R-18")
def test_dates_that_such_a_series_leaves_out_are_left_out() -> None:
    found = read(
        f'UID:1\nDTSTART;TZID="{OUTLOOK}":20270104T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3\n'
        f'EXDATE;TZID="{OUTLOOK}":20270105T090000',
        before=zone(OUTLOOK),
    )
    assert hours(found) == ["01-04T08:00/01-04T09:00", "01-06T08:00/01-06T09:00"]


@pytest.mark.req("R-18")
def test_another_quoted_parameter_may_hold_what_separates_them() -> None:
    found = read('UID:1\nDTSTART;X-NOTE="a:b;c,d";TZID=Hand made:20270105T090000\nDURATION:PT1H', before=BERLIN_BY_HAND)
    assert (hours(found), dict(found.left_out)) == ([JANUARY_5], {})


@pytest.mark.req("R-18")
@pytest.mark.parametrize(
    ("event", "before"),
    [
        # Outlook, by the name that Windows gives a zone; quoted, as it writes it.
        (
            'DTSTART;TZID="W. Europe Standard Time":20270105T090000\nDTEND;TZID="W. Europe Standard Time":20270105T100000',
            zone("W. Europe Standard Time", "1601"),
        ),
        # Google: the name alone.
        ("DTSTART;TZID=Europe/Paris:20270105T090000\nDTEND;TZID=Europe/Paris:20270105T100000", ""),
        # Apple: with the zone beside it, or one that is a distance from Greenwich.
        (
            (
                "DTSTART;TZID=Europe/Paris:20270105T090000\nDTEND;TZID=Europe/Paris:20270105T100000\n"
                "RRULE:FREQ=WEEKLY;INTERVAL=1;UNTIL=20270105T225959Z"
            ),
            zone("Europe/Paris"),
        ),
        (
            "DTSTART;TZID=GMT+0100:20270105T090000\nDTEND;TZID=GMT+0100:20270105T100000",
            (
                "BEGIN:VTIMEZONE\nTZID:GMT+0100\nBEGIN:STANDARD\nDTSTART:20010101T000000\nTZOFFSETFROM:+0100\n"
                "TZOFFSETTO:+0100\nEND:STANDARD\nEND:VTIMEZONE\n"
            ),
        ),
        # Lotus: each time written out as a period, without a rule.
        (
            (
                f'DTSTART;TZID="{LOTUS}":20270105T090000\nDTEND;TZID="{LOTUS}":20270105T100000\n'
                f'RDATE;VALUE=PERIOD;TZID="{LOTUS}":20270105T090000/20270105T100000'
            ),
            zone(LOTUS),
        ),
    ],
)
def test_each_program_names_a_zone_its_own_way(event: str, before: str) -> None:
    found = read(f"UID:1\n{event}", before=before)
    assert (hours(found), dict(found.left_out)) == ([JANUARY_5], {})


@pytest.mark.req("R-18")
@pytest.mark.parametrize(
    ("home", "until"),
    [
        # Midnight at the beginning of 6 January where the school is, as a moment of UTC: what Exchange writes.
        ("Europe/Paris", "20270105T230000Z"),
        ("Indian/Reunion", "20270105T200000Z"),
        ("America/Guadeloupe", "20270106T040000Z"),
        # Its last second: what Google and Apple write.
        ("Europe/Paris", "20270106T225959Z"),
        ("Indian/Reunion", "20270106T195959Z"),
        ("America/Guadeloupe", "20270107T035959Z"),
    ],
)
def test_whole_days_until_a_moment_end_with_its_day(home: str, until: str) -> None:
    assert starts(f"FREQ=DAILY;UNTIL={until}", "DTSTART;VALUE=DATE:20270104", home) == ["04", "05", "06"]


@pytest.mark.req("R-18")
@pytest.mark.parametrize("first", ["DTSTART;TZID=Europe/Paris:20270104T090000", "DTSTART:20270104T090000"])
def test_times_until_a_day_include_that_day(first: str) -> None:
    assert starts("FREQ=DAILY;UNTIL=20270106", first) == ["04", "05", "06"]


@pytest.mark.req("R-18")
def test_moments_until_a_day_include_that_day() -> None:
    assert starts("FREQ=DAILY;UNTIL=20270106", "DTSTART:20270104T090000Z") == ["04", "05", "06"]


GOOD = [f"UID:{n}\nDTSTART:2027010{n}T090000Z\nDTEND:2027010{n}T100000Z" for n in (4, 5)]
BAD = [f"UID:{n}\nDTSTART;TZID=Nowhere:2027010{n}T090000\nDURATION:PT1H" for n in (4, 5)]


@pytest.mark.req("R-18")
@pytest.mark.parametrize("worse", [BAD, [GOOD[0], BAD[1]], []])
async def test_an_import_that_reads_less_than_it_finds_replaces_nothing_unasked(desk: Desk, worse: list[str]) -> None:
    await desk.bring(trainer(), calendar(*GOOD))
    busy = "BEGIN:VFREEBUSY\nUID:1\nFREEBUSY:20270105T090000Z/PT1H\nEND:VFREEBUSY\n"  # a component that is not read
    with contextlib.suppress(grpc.aio.AioRpcError):  # a refusal asks too
        await desk.bring(trainer(), calendar(*worse, before="" if worse else busy))
    found = await desk.listed(NOW, NOW + timedelta(days=100))
    assert [one.starts_at.ToDatetime(UTC) for one in found] == [datetime(2027, 1, n, 9, tzinfo=UTC) for n in (4, 5)]


@pytest.mark.req("R-18")
async def test_what_would_be_lost_is_named_and_replaces_once_it_is_confirmed(desk: Desk) -> None:
    await desk.bring(trainer(), calendar(*GOOD))
    asked = await desk.bring(trainer(), calendar(GOOD[0], BAD[1]))
    assert (asked.needs_confirmation, asked.kept, asked.would_keep) == (True, 0, 1)
    assert list(asked.lost) == [pb.LostEvent(why="unreadable", starts="2027-01-05T09:00", repeats=False)]
    done = await desk.bring(trainer(), calendar(GOOD[0], BAD[1]), despite_losses=True)
    assert (done.needs_confirmation, done.kept, done.would_keep, dict(done.left_out)) == (
        False,
        1,
        0,
        {"unreadable": 1},
    )
    found = await desk.listed(NOW, NOW + timedelta(days=100))
    assert [one.starts_at.ToDatetime(UTC) for one in found] == [datetime(2027, 1, 4, 9, tzinfo=UTC)]


@pytest.mark.req("R-18")
@pytest.mark.parametrize("nothing", [[], ["UID:1\nDTSTART:20200105T090000Z\nDTEND:20200105T100000Z"]])
async def test_a_calendar_that_brings_nothing_replaces_nothing_unasked(desk: Desk, nothing: list[str]) -> None:
    await desk.bring(trainer(), calendar(*GOOD))
    assert (await desk.bring(trainer(), calendar(*nothing))).needs_confirmation
    assert len(await desk.listed(NOW, NOW + timedelta(days=100))) == 2
    assert not (await desk.bring(trainer(), calendar(*nothing), despite_losses=True)).needs_confirmation
    assert await desk.listed(NOW, NOW + timedelta(days=100)) == []


@pytest.mark.req("R-18")
async def test_what_makes_nobody_busy_is_no_loss(desk: Desk) -> None:
    await desk.bring(trainer(), calendar(*GOOD))
    free = "UID:1\nDTSTART:20270105T090000Z\nDTEND:20270105T100000Z\nTRANSP:TRANSPARENT"
    task = "BEGIN:VTODO\nUID:2\nDUE:20270105T090000Z\nEND:VTODO\n"
    answer = await desk.bring(trainer(), calendar(GOOD[0], free, before=task))
    assert (answer.needs_confirmation, answer.kept, dict(answer.left_out)) == (False, 1, {"not_busy": 1})


@pytest.mark.req("R-18")
@pytest.mark.parametrize(
    ("name", "hour"),
    [
        ('"(UTC+01:00) Brussels, Copenhagen, Madrid, Paris"', "08"),
        ('"(UTC+01:00) Bruxelles, Copenhague, Madrid, Paris"', "08"),
        ('"(GMT+01:00) Brussels, Copenhagen, Madrid, Paris"', "08"),
        ("Western/Central Europe", "08"),
        ("Romance Standard Time", "08"),
        ("GMT+0100", "08"),
        ('"(UTC-04:00) Georgetown, La Paz, Manaus, San Juan"', "13"),
        ('"(UTC+04:00) Port Louis"', "05"),
        ("/mozilla.org/20050126_1/Europe/Paris", "08"),
        ("UTC", "09"),
    ],
)
def test_a_zone_that_the_file_does_not_describe_is_known_by_what_programs_show(name: str, hour: str) -> None:
    found = read(f"UID:1\nDTSTART;TZID={name}:20270105T090000\nDURATION:PT30M")
    assert (hours(found), dict(found.left_out)) == ([f"01-05T{hour}:00/01-05T{hour}:30"], {})


@pytest.mark.req("R-18")
def test_a_name_with_commas_may_be_escaped_where_it_is_described() -> None:
    found = read(
        f'UID:1\nDTSTART;TZID="{OUTLOOK}":20270105T090000\nDURATION:PT1H',
        before=zone(OUTLOOK.replace(",", "\\,")).replace("0100", "0300").replace("0200", "0300"),
    )
    assert hours(found) == ["01-05T06:00/01-05T07:00"]  # as the file describes it, not as we know it


@pytest.mark.req("R-18")
async def test_what_was_lost_is_counted_by_event_as_people_know_them(desk: Desk) -> None:
    series = "UID:weekly\nDTSTART;TZID=Nowhere:20270104T090000\nDURATION:PT1H\nRRULE:FREQ=WEEKLY;COUNT=4"
    moved = [
        f"UID:weekly\nRECURRENCE-ID;TZID=Nowhere:202701{day}T090000\nDTSTART;TZID=Nowhere:202701{day}T140000\nDURATION:PT1H"
        for day in (11, 18)
    ]
    answer = await desk.bring(trainer(), calendar(GOOD[0], series, *moved))
    assert dict(answer.left_out) == {"unreadable": 1}


@pytest.mark.req("R-18")
async def test_a_part_that_is_not_read_at_all_is_counted_as_lost(desk: Desk) -> None:
    busy = "BEGIN:VFREEBUSY\nUID:1\nFREEBUSY:20270105T090000Z/PT1H\nEND:VFREEBUSY\n"
    answer = await desk.bring(trainer(), calendar(GOOD[0], before=busy))
    assert sum(answer.left_out.values()) == 1
