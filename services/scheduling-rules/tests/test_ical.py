"""Other people's calendars: read as RFC 5545 means them, and never more work than they are worth."""

import asyncio
import random
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar.timezone import tzp
from scheduling_peers import NOW

from resapermis_kit.errors import Failure
from resapermis_scheduling_rules.availability.ical.reader_process import CalendarReader
from resapermis_scheduling_rules.availability.ical.recurrence import BusyTimes, expand
from resapermis_scheduling_rules.availability.ical.reduced_calendar import LARGEST, NotACalendar, reduce_calendar

YEAR = timedelta(days=366)
PATIENCE = 50
"""Seconds that reading a calendar may take where it is not about that: a busy machine shows nothing."""
PARIS = ZoneInfo("Europe/Paris")
GOOD = "UID:good\nDTSTART:20270105T090000Z\nDTEND:20270105T100000Z"
FULL = ";".join(
    f"BY{name}={','.join(map(str, values))}"
    for name, values in (
        ("MONTH", range(1, 13)),
        ("MONTHDAY", range(1, 32)),
        ("HOUR", range(24)),
        ("MINUTE", range(60)),
        ("SECOND", range(60)),
    )
)
BERLIN_BY_HAND = """BEGIN:VTIMEZONE
TZID:Hand made
BEGIN:DAYLIGHT
DTSTART:19810329T020000
TZOFFSETFROM:+0100
TZOFFSETTO:+0200
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=3
END:DAYLIGHT
BEGIN:STANDARD
DTSTART:19961027T030000
TZOFFSETFROM:+0200
TZOFFSETTO:+0100
RRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10
END:STANDARD
END:VTIMEZONE
"""


def calendar(*events: str, before: str = "") -> bytes:
    body = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events)
    return f"BEGIN:VCALENDAR\nVERSION:2.0\n{before}{body}END:VCALENDAR\n".replace("\n", "\r\n").encode()


def read(*events: str, zone: str = "Europe/Paris", since: datetime = NOW, before: str = "") -> BusyTimes:
    """As a process does that reads no other: the library remembers a calendar's own zones for as long as a process lives."""
    tzp.use_default()
    return expand(reduce_calendar(calendar(*events, before=before)), ZoneInfo(zone), since, since + YEAR)


def hours(found: BusyTimes) -> list[str]:
    """Starts and ends, UTC, to the minute."""
    return [f"{starts:%m-%dT%H:%M}/{ends:%m-%dT%H:%M}" for starts, ends in found.spans]


@pytest.mark.req("R-18", "B3")
@pytest.mark.parametrize(
    ("event", "expected"),
    [
        ("DTSTART:20270105T090000Z\nDTEND:20270105T100000Z", ["01-05T09:00/01-05T10:00"]),
        ("DTSTART;TZID=Europe/Paris:20270105T090000\nDURATION:PT90M", ["01-05T08:00/01-05T09:30"]),
        ("DTSTART;TZID=Romance Standard Time:20270105T090000\nDURATION:PT1H", ["01-05T08:00/01-05T09:00"]),
        ("DTSTART:20270105T090000\nDURATION:PT1H", ["01-05T08:00/01-05T09:00"]),
        ("DTSTART;VALUE=DATE:20270105", ["01-04T23:00/01-05T23:00"]),
        ("DTSTART;VALUE=DATE:20270105\nDTEND;VALUE=DATE:20270107", ["01-04T23:00/01-06T23:00"]),
        # 02:30 does not exist on 28 March 2027, and exists twice on 24 October 2027.
        ("DTSTART;TZID=Europe/Paris:20270328T023000\nDURATION:PT1H", ["03-28T01:30/03-28T02:30"]),
        (
            "DTSTART;TZID=Europe/Paris:20270328T010000\nDTEND;TZID=Europe/Paris:20270328T040000",
            ["03-28T00:00/03-28T02:00"],
        ),
        ("DTSTART;VALUE=DATE:20270328", ["03-27T23:00/03-28T22:00"]),
        ("DTSTART;TZID=Europe/Paris:20270327T120000\nDURATION:P1D", ["03-27T11:00/03-28T10:00"]),
    ],
)
def test_an_event_is_when_it_says(event: str, expected: list[str]) -> None:
    assert hours(read(f"UID:1\n{event}")) == expected


@pytest.mark.req("R-18", "B3")
def test_an_hour_that_clocks_show_twice_is_the_first() -> None:
    found = read("UID:1\nDTSTART;TZID=Europe/Paris:20261025T023000\nDURATION:PT1H", since=NOW - timedelta(days=60))
    assert hours(found) == ["10-25T00:30/10-25T01:30"]


@pytest.mark.req("R-18")
def test_floating_times_are_the_schools() -> None:
    assert hours(read("UID:1\nDTSTART:20270105T090000\nDURATION:PT1H", zone="Indian/Reunion")) == [
        "01-05T05:00/01-05T06:00"
    ]


@pytest.mark.req("R-18")
def test_a_recurrence_keeps_its_hour_through_a_change_of_clocks() -> None:
    found = read("UID:1\nDTSTART;TZID=Europe/Paris:20270326T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=4")
    assert [f"{starts:%d %H}" for starts, _ in found.spans] == ["26 08", "27 08", "28 07", "29 07"]
    assert {ends - starts for starts, ends in found.spans} == {timedelta(hours=1)}


@pytest.mark.req("R-18")
def test_each_occurrence_lasts_as_long_as_the_first() -> None:
    found = read(
        "UID:1\nDTSTART;TZID=Europe/Paris:20270327T023000\nDTEND;TZID=Europe/Paris:20270327T033000\nRRULE:FREQ=DAILY;COUNT=3"
    )
    assert hours(found) == ["03-27T01:30/03-27T02:30", "03-28T01:30/03-28T02:30", "03-29T00:30/03-29T01:30"]


@pytest.mark.req("R-18")
def test_a_time_zone_may_be_described_in_the_file() -> None:
    found = read("UID:1\nDTSTART;TZID=Hand made:20270705T090000\nDURATION:PT1H", before=BERLIN_BY_HAND)
    assert hours(found) == ["07-05T07:00/07-05T08:00"]


@pytest.mark.req("R-18")
def test_an_office_calendar_with_a_zone_of_its_own_is_read() -> None:
    zone = BERLIN_BY_HAND.replace("Hand made", "Customized Time Zone").replace("19810329", "16010101")
    found = read(
        'UID:1\nDTSTART;TZID="Customized Time Zone":20270105T090000\nDTEND;TZID="Customized Time Zone":20270105T100000\n'
        "RRULE:FREQ=WEEKLY;UNTIL=20270801T000000Z;INTERVAL=1;BYDAY=TU;WKST=MO\nX-MICROSOFT-CDO-BUSYSTATUS:BUSY",
        before=zone,
    )
    assert (hours(found)[0], hours(found)[-1], len(found.spans)) == (
        "01-05T08:00/01-05T09:00",
        "07-27T07:00/07-27T08:00",
        30,
    )


@pytest.mark.req("R-18")
def test_a_series_may_change_from_one_occurrence_on() -> None:
    found = read(
        "UID:1\nDTSTART;TZID=Europe/Paris:20270104T090000\nDTEND;TZID=Europe/Paris:20270104T100000\n"
        "RRULE:FREQ=WEEKLY;COUNT=4",
        "UID:1\nRECURRENCE-ID;RANGE=THISANDFUTURE;TZID=Europe/Paris:20270118T090000\n"
        "DTSTART;TZID=Europe/Paris:20270118T140000\nDTEND;TZID=Europe/Paris:20270118T160000",
    )
    assert hours(found) == [
        "01-04T08:00/01-04T09:00",
        "01-11T08:00/01-11T09:00",
        "01-18T13:00/01-18T15:00",
        "01-25T13:00/01-25T15:00",
    ]


@pytest.mark.req("R-18")
def test_dates_are_added_taken_out_and_moved() -> None:
    found = read(
        "UID:1\nDTSTART:20270104T090000Z\nDTEND:20270104T100000Z\nRRULE:FREQ=DAILY;COUNT=4\n"
        "EXDATE:20270105T090000Z\nRDATE:20270110T090000Z",
        "UID:1\nRECURRENCE-ID:20270106T090000Z\nDTSTART:20270106T150000Z\nDTEND:20270106T170000Z",
        "UID:1\nRECURRENCE-ID:20270107T090000Z\nSTATUS:CANCELLED\nDTSTART:20270107T090000Z\nDTEND:20270107T100000Z",
    )
    assert hours(found) == ["01-04T09:00/01-04T10:00", "01-06T15:00/01-06T17:00", "01-10T09:00/01-10T10:00"]


@pytest.mark.req("R-18")
def test_periods_have_their_own_ends() -> None:
    found = read(
        "UID:1\nDTSTART:20270104T090000Z\nDTEND:20270104T100000Z\n"
        "RDATE;VALUE=PERIOD:20270105T090000Z/20270105T130000Z,20270106T090000Z/PT30M"
    )
    assert hours(found) == ["01-04T09:00/01-04T10:00", "01-05T09:00/01-05T13:00", "01-06T09:00/01-06T09:30"]


@pytest.mark.req("R-18", "B3", "B5")
@pytest.mark.parametrize(
    ("event", "why"),
    [
        ("DTSTART:20270105T090000Z\nDTEND:20270105T100000Z\nTRANSP:TRANSPARENT", "not_busy"),
        ("DTSTART:20270105T090000Z\nDTEND:20270105T100000Z\nSTATUS:CANCELLED", "not_busy"),
        ("DTSTART:20270105T090000Z", "not_busy"),  # it takes no time
        ("DTSTART:20200105T090000Z\nDTEND:20200105T100000Z", "past"),
        ("DTSTART:20300105T090000Z\nDTEND:20300105T100000Z", "past"),  # not within a year
        ("DTSTART:20200105T090000Z\nDTEND:20200105T100000Z\nRRULE:FREQ=DAILY;COUNT=5", "past"),
        ("SUMMARY:when?", "unreadable"),
        ("DTSTART:20260229T090000Z\nDURATION:PT1H", "unreadable"),
        ("DTSTART:20270101T240000Z\nDURATION:PT1H", "unreadable"),
        ("DTSTART:20270101T096000Z\nDURATION:PT1H", "unreadable"),
        ("DTSTART:00000101T000000Z\nDURATION:PT1H", "unreadable"),
        ("DTSTART:100000101T000000Z\nDURATION:PT1H", "unreadable"),
        ("DTSTART;TZID=../x:20270105T090000\nDURATION:PT1H", "unreadable"),
        ("DTSTART;TZID=/etc/passwd:20270105T090000\nDURATION:PT1H", "unreadable"),
        ("DTSTART;TZID=Nowhere/Atall:20270105T090000\nDURATION:PT1H", "unreadable"),
        ("DTSTART:20270105T090000Z\nDURATION:PT1H\nRRULE:FREQ=SOMETIMES", "unreadable"),
        ("DTSTART:20270105T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY;INTERVAL=0", "too_many"),
        ("DTSTART:20270105T090000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY\nEXRULE:FREQ=DAILY", "unreadable"),
        ("DTSTART:20270105T090000Z\nDURATION:PT1H\nRDATE:" + "20270105T090000Z," * 2000, "unreadable"),
        ("DTSTART:20270105T090000Z\nDURATION:PT1H\nRRULE:FREQ=SECONDLY", "too_many"),
        ("DTSTART:20270105T090000Z\nDURATION:PT1H\nRRULE:FREQ=MINUTELY;COUNT=1000000000", "too_many"),
        ("DTSTART:20270105T090000Z\nDURATION:PT1H\nRRULE:FREQ=HOURLY;UNTIL=21000101T000000Z", "too_many"),
        (f"DTSTART:20270105T090000Z\nDURATION:PT1S\nRRULE:FREQ=YEARLY;{FULL}", "too_many"),
        (f"DTSTART:20270105T090000Z\nDURATION:PT1S\nRRULE:FREQ=DAILY;{FULL}", "too_many"),
        ("DTSTART:00010101T000000Z\nDURATION:PT1H\nRRULE:FREQ=DAILY", "too_many"),
    ],
)
def test_what_cannot_be_kept_is_counted_and_the_rest_is_kept(event: str, why: str) -> None:
    found = read(f"UID:1\n{event}", GOOD)
    assert (hours(found), dict(found.left_out)) == (["01-05T09:00/01-05T10:00"], {why: 1})


@pytest.mark.req("R-18", "B5")
@pytest.mark.parametrize(
    ("rule", "count"),
    [
        ("FREQ=DAILY;COUNT=1000000000", 324),
        (f"FREQ=YEARLY;{FULL};COUNT=1", 1),
        ("FREQ=YEARLY;BYDAY=4TH;BYMONTHDAY=24", 1),
        ("FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", 1),  # its own start alone
        ("FREQ=HOURLY;COUNT=24", 24),
    ],
)
def test_rules_that_break_libraries_end_in_time(rule: str, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # The slowest takes four fifths of the real limit on a quiet machine; what is shown is that they end, and with what.
    monkeypatch.setattr("resapermis_scheduling_rules.availability.ical.recurrence.SERIES_SECONDS", 5)
    started = time.process_time()
    found = read(f"UID:1\nDTSTART:20270105T090000Z\nDURATION:PT1M\nRRULE:{rule}")
    assert len(found.spans) == count
    assert time.process_time() - started < 4


@pytest.mark.req("R-18", "B5")
def test_a_calendar_brings_no_more_than_five_thousand_and_says_so() -> None:
    weekly = [
        f"UID:{n}\nDTSTART;TZID=Europe/Paris:202501{1 + n % 28:02}T{n % 24:02}{n % 60:02}00\nDURATION:PT1H\nRRULE:FREQ=WEEKLY"
        for n in range(120)
    ]
    found = read(*weekly)
    assert len(found.spans) <= 5000
    assert found.left_out["too_many"] > 0


@pytest.mark.req("R-18", "B5")
@pytest.mark.parametrize(
    ("body", "what"),
    [
        (b"", "empty"),
        (b"hello", "BEGIN:VCALENDAR"),
        (b"\x00\xff\xfe", "BEGIN:VCALENDAR"),
        (b"BEGIN:VEVENT\nEND:VEVENT", "BEGIN:VCALENDAR"),
        (b"BEGIN:VCALENDAR\nEND:VEVENT", "not open"),
        (b"BEGIN:VCALENDAR\nBEGIN:VEVENT\n", "before its END"),
        (b"BEGIN:VCALENDAR\n" + b"BEGIN:VALARM\n" * 10_000, "nested"),
        (b"BEGIN:VCALENDAR\n" + b"BEGIN:VEVENT\nEND:VEVENT\n" * 10_001 + b"END:VCALENDAR", "events"),
        (b"x" * (LARGEST + 1), "larger"),
    ],
)
def test_what_is_no_calendar_is_refused_by_what_is_wrong(body: bytes, what: str) -> None:
    with pytest.raises(NotACalendar, match=what):
        reduce_calendar(body)


@pytest.mark.req("R-18", "B5")
def test_nothing_is_kept_of_what_a_calendar_is_about() -> None:
    secrets = ["Jeanne Martin", "jeanne@example.org", "https://example.org/secret", "3 rue des Lilas", "uid-of-jeanne"]
    event = (
        "UID:uid-of-jeanne\nSUMMARY:Jeanne Martin\nATTENDEE;CN=Jeanne Martin:mailto:jeanne@example.org\n"
        "ATTACH:https://example.org/secret\nLOCATION:3 rue des Lilas\nDTSTART:20270105T090000Z\nDURATION:PT1H\n"
        "BEGIN:VALARM\nACTION:AUDIO\nATTACH;VALUE=URI:https://example.org/secret\nTRIGGER:-PT15M\nEND:VALARM"
    )
    reduced = reduce_calendar(calendar(event))
    kept = reduced.text(reduced.events)
    assert not [secret for secret in secrets if secret in kept]
    assert hours(expand(reduce_calendar(kept.encode()), PARIS, NOW, NOW + YEAR)) == ["01-05T09:00/01-05T10:00"]


@pytest.mark.req("R-18")
def test_folded_lines_and_either_line_end_are_read() -> None:
    body = calendar(GOOD).replace(b"20270105T090000Z", b"202701\r\n 05T0900\r\n\t00Z")
    assert hours(expand(reduce_calendar(body), PARIS, NOW, NOW + YEAR)) == ["01-05T09:00/01-05T10:00"]
    body = b"\xef\xbb\xbf" + calendar(GOOD).replace(b"\r\n", b"\n")
    assert hours(expand(reduce_calendar(body), PARIS, NOW, NOW + YEAR)) == ["01-05T09:00/01-05T10:00"]


@pytest.mark.req("R-18", "B5")
@given(st.binary(max_size=300), st.integers(0, 2**32))
def test_no_bytes_break_it(noise: bytes, seed: int) -> None:
    whole = calendar(f"UID:1\n{GOOD[9:]}\nRRULE:FREQ=WEEKLY;BYDAY=MO\nEXDATE:20270111T090000Z", GOOD)
    at = random.Random(seed).randrange(len(whole))  # noqa: S311 - no secret
    for body in (noise, whole[:at] + noise + whole[at:], whole[:at] + noise + whole[at + len(noise) :]):
        try:
            found = expand(reduce_calendar(body), PARIS, NOW, NOW + YEAR)
        except NotACalendar:
            continue
        assert all(starts < ends for starts, ends in found.spans)


@pytest.mark.req("R-18")
async def test_it_is_read_in_a_process_of_its_own() -> None:
    answer = await CalendarReader(PATIENCE).read(calendar(GOOD, "UID:1\nSUMMARY:x"), "Europe/Paris", NOW, NOW + YEAR)
    assert answer.spans == [(datetime(2027, 1, 5, 9, tzinfo=UTC), datetime(2027, 1, 5, 10, tzinfo=UTC))]
    assert answer.left_out == {"unreadable": 1}
    with pytest.raises(Failure, match="BEGIN:VCALENDAR"):
        await CalendarReader(PATIENCE).read(b"nonsense", "Europe/Paris", NOW, NOW + YEAR)
    with pytest.raises(Failure, match="at most"):
        await CalendarReader(PATIENCE).read(b"x" * (LARGEST + 1), "Europe/Paris", NOW, NOW + YEAR)


@pytest.mark.req("R-18", "B5")
async def test_a_hostile_file_is_given_up_and_the_others_go_on() -> None:
    slow = f"DTSTART:20270105T090000Z\nDURATION:PT1S\nRRULE:FREQ=YEARLY;{FULL}"
    hostile = calendar(*(f"UID:{n}\n{slow}" for n in range(500)))
    with pytest.raises(Failure, match="more time or memory"):
        await CalendarReader(6).read(hostile, "Europe/Paris", NOW, NOW + YEAR)
    assert (await CalendarReader(PATIENCE).read(calendar(GOOD), "Europe/Paris", NOW, NOW + YEAR)).spans


@pytest.mark.req("R-18", "B5")
async def test_a_process_that_never_ends_is_killed_while_the_loop_goes_on(tmp_path: Path) -> None:
    beats = 0

    async def beat() -> None:
        nonlocal beats
        while True:
            await asyncio.sleep(0)
            beats += 1

    beating = asyncio.create_task(beat())
    with pytest.raises(Failure, match="more time or memory"):
        await CalendarReader(0.2, "http.server").read(calendar(GOOD), "Europe/Paris", NOW, NOW + YEAR)
    beating.cancel()
    assert beats > 10
