"""Who is not free, calendars read, and private addresses that only those who know them can use."""

from datetime import UTC, datetime
from typing import Any

import pytest

from resapermis.scheduling.v1 import availability_pb2
from resapermis_kit.errors import Code, Failure

from .test_traces import spans  # noqa: F401 - the fixture

pytestmark = pytest.mark.req("R-18")
KEY = {"Idempotency-Key": "act-1"}
CALENDAR = {"Content-Type": "text/calendar; charset=utf-8"}
IMPORT = "/api/v1/unavailabilities/import?subject=trainer&subjectId=u-1"
TRAINER = availability_pb2.Subject(kind=availability_pb2.SUBJECT_KIND_TRAINER, id="u-1")


def _unavailable() -> availability_pb2.Unavailability:
    one = availability_pb2.Unavailability(
        id="n-1", subject=TRAINER, rrule="FREQ=WEEKLY;BYDAY=MO", time_zone="Europe/Paris"
    )
    one.starts_at.FromDatetime(datetime(2026, 12, 7, 7, tzinfo=UTC))
    one.ends_at.FromDatetime(datetime(2026, 12, 7, 11, tzinfo=UTC))
    return one


@pytest.mark.req("R-17")
async def test_an_unavailability_is_added_on_the_schools_clock_and_tells_what_it_meets(over: Any) -> None:
    added = availability_pb2.AddUnavailabilityResponse(unavailability=_unavailable(), met_line_ids=["l-1"])
    listed = availability_pb2.ListUnavailabilitiesResponse(occurrences=[_unavailable()])
    _, browser, services = await over(
        scheduling_rules={
            "AddUnavailability": added,
            "ListUnavailabilities": listed,
            "RemoveUnavailability": availability_pb2.RemoveUnavailabilityResponse(),
        }
    )
    body = {
        "subject": {"kind": "trainer", "id": "u-1"},
        "startsAt": "2026-12-07T08:00",
        "endsAt": "2026-12-07T12:00",
        "rrule": "FREQ=WEEKLY;BYDAY=MO",
    }
    async with browser:
        made = await browser.post("/api/v1/unavailabilities", json=body, headers=KEY)
        window = "from=2026-12-01&to=2027-03-10"
        shown = (await browser.get(f"/api/v1/unavailabilities?{window}&subject=trainer&subjectId=u-1")).json()
        gone = await browser.delete("/api/v1/unavailabilities/n-1")
    sent = services["scheduling-rules"].asked[0]
    expected = _unavailable()
    expected.id = ""
    assert (sent.request_id, sent.unavailability) == ("act-1", expected)
    assert made.json()["metLineIds"] == ["l-1"]
    assert made.json()["unavailability"] == shown["items"][0]
    assert (shown["items"][0]["startsAt"], shown["items"][0]["subject"]) == (
        "2026-12-07T08:00",
        {"kind": "trainer", "id": "u-1"},
    )
    assert services["scheduling-rules"].asked[1].subject == TRAINER
    assert gone.status_code == 204


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"endsAt": "2026-12-07T08:00"}, "endsAt"),
        ({"startsAt": "2026-02-30T08:00"}, "startsAt"),
        ({"timeZone": "Mars/Olympus"}, "timeZone"),
        ({"timeZone": "../../etc/passwd"}, "timeZone"),
        ({"subject": {"kind": "school", "id": "x"}}, "subject.id"),
        ({"subject": {"kind": "trainer"}}, "subject.id"),
        ({"startsAt": "2026-12-07T08:00+01:00"}, "startsAt"),
    ],
)
async def test_what_cannot_be_read_is_named(over: Any, change: dict[str, Any], field: str) -> None:
    _, browser, services = await over(scheduling_rules={})
    body = {
        "subject": {"kind": "trainer", "id": "u-1"},
        "startsAt": "2026-12-07T08:00",
        "endsAt": "2026-12-07T12:00",
    }
    async with browser:
        answer = await browser.post("/api/v1/unavailabilities", json=body | change, headers=KEY)
    assert (answer.status_code, answer.json()["violations"][0]["field"]) == (422, field)
    assert services["scheduling-rules"].asked == []


async def test_a_calendar_is_passed_on_whole_up_to_a_mebibyte(over: Any) -> None:
    answer = availability_pb2.ImportCalendarResponse(kept=2, left_out={"past": 1})
    _, browser, services = await over(scheduling_rules={"ImportCalendar": answer})
    calendar = b"BEGIN:VCALENDAR\r\n" + b"X" * (1024 * 1024 - 17)
    async with browser:
        read = await browser.post(IMPORT, content=calendar, headers=CALENDAR)
        larger = await browser.post(IMPORT, content=calendar + b"X", headers=CALENDAR)
    assert read.json() == {
        "kept": 2,
        "leftOut": {"past": 1},
        "needsConfirmation": False,
        "wouldKeep": 0,
        "lost": [],
    }
    assert services["scheduling-rules"].asked == [
        availability_pb2.ImportCalendarRequest(subject=TRAINER, calendar=calendar)
    ]
    assert (larger.status_code, larger.json()["code"]) == (413, "PAYLOAD_TOO_LARGE")


async def test_an_import_that_would_lose_something_is_answered_with_what_and_confirmed(over: Any) -> None:
    lost = availability_pb2.LostEvent(why="unreadable", starts="2027-01-04T09:00", repeats=True)
    answer = availability_pb2.ImportCalendarResponse(
        left_out={"unreadable": 2}, needs_confirmation=True, would_keep=1, lost=[lost, {"why": "too_many"}]
    )
    _, browser, services = await over(scheduling_rules={"ImportCalendar": answer})
    async with browser:
        asked = await browser.post(IMPORT, content=b"BEGIN:VCALENDAR", headers=CALENDAR)
        await browser.post(f"{IMPORT}&despiteLosses=true", content=b"BEGIN:VCALENDAR", headers=CALENDAR)
    assert asked.json() == {
        "kept": 0,
        "leftOut": {"unreadable": 2},
        "needsConfirmation": True,
        "wouldKeep": 1,
        "lost": [
            {"why": "unreadable", "starts": "2027-01-04T09:00", "repeats": True},
            {"why": "too_many", "starts": None, "repeats": False},
        ],
    }
    assert [one.despite_losses for one in services["scheduling-rules"].asked] == [False, True]


@pytest.mark.req("S-05")
@pytest.mark.parametrize(
    ("path", "kind", "content", "status"),
    [
        (IMPORT, "application/json", b"{}", 415),
        (IMPORT, "text/calendar; charset=latin-1", b"x", 415),
        (IMPORT, "text/calendar", b"\xff", 400),
        (IMPORT, "text/calendar", b"", 422),
        (IMPORT, None, b"x", 415),
        ("/api/v1/unavailabilities", "text/calendar", b"BEGIN:VCALENDAR", 415),
        ("/api/v1/unavailabilities/import/", "text/calendar", b"BEGIN:VCALENDAR", 404),
        ("/api/v1/candidates/search", "text/calendar", b"BEGIN:VCALENDAR", 415),
    ],
)
async def test_one_route_alone_takes_calendars_and_takes_nothing_else(
    over: Any, path: str, kind: str | None, content: bytes, status: int
) -> None:
    _, browser, services = await over(scheduling_rules={})
    async with browser:
        answer = await browser.post(path, content=content, headers={"Content-Type": kind} if kind else {})
    assert (answer.status_code, services["scheduling-rules"].asked) == (status, [])


async def test_a_private_address_is_made_and_ended(over: Any) -> None:
    created = availability_pb2.CreateFeedResponse(token="tok-1")
    _, browser, services = await over(
        scheduling_rules={"CreateFeed": created, "RevokeFeed": availability_pb2.RevokeFeedResponse()}
    )
    async with browser:
        made = await browser.post("/api/v1/calendar-feeds/u-1")
        ended = await browser.delete("/api/v1/calendar-feeds/u-1")
    assert made.json() == {"address": "https://resapermis.test/calendars/tok-1.ics"}
    assert ended.status_code == 204
    assert [type(one).__name__ for one in services["scheduling-rules"].asked] == [
        "CreateFeedRequest",
        "RevokeFeedRequest",
    ]


async def test_a_private_address_needs_no_session_and_is_asked_for_by_nobody(over: Any) -> None:
    feed = availability_pb2.GetFeedResponse(calendar=b"BEGIN:VCALENDAR\r\n")
    world, browser, services = await over(scheduling_rules={"GetFeed": feed})
    await browser.aclose()
    async with world.browser(headers={"Sec-Fetch-Site": "cross-site", "Origin": "https://calendar.example"}) as program:
        answer = await program.get("/calendars/tok-1.ics")
    assert (answer.status_code, answer.content) == (200, b"BEGIN:VCALENDAR\r\n")
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"].startswith("private")
    assert "set-cookie" not in answer.headers
    caller = services["scheduling-rules"].callers[0]
    assert (caller.service, caller.person) == ("auth-gateway", None)


@pytest.mark.req("S-05")
async def test_an_address_that_ended_is_answered_as_one_that_never_was(over: Any) -> None:
    world, browser, services = await over(scheduling_rules={"GetFeed": Failure(Code.CODE_NOT_FOUND, "revoked")})
    await browser.aclose()
    async with world.browser() as program:
        answers = [await program.get(f"/calendars/{token}.ics") for token in ("tok-1", "x" * 201, "%00", "é")]
    assert {(answer.status_code, answer.text) for answer in answers} == {(404, answers[0].text)}
    assert [one.token for one in services["scheduling-rules"].asked] == ["tok-1", "é"]


async def test_private_addresses_are_counted_for_each_client(over: Any, make_world: Any) -> None:
    world, browser, _ = await over(scheduling_rules={"GetFeed": Failure(Code.CODE_NOT_FOUND, "none")})
    await browser.aclose()
    counted = await make_world(world.running, calendar_rate="2/minute")
    async with counted.browser() as program:
        statuses = [(await program.get(f"/calendars/guess-{n}.ics")).status_code for n in range(4)]
    assert statuses == [404, 404, 429, 429]


async def test_a_token_stands_in_no_trace_and_no_log(
    spans: Any,  # noqa: F811 - the fixture
    over: Any,
    make_world: Any,
    capsys: Any,
) -> None:
    running, browser, _ = await over(scheduling_rules={"GetFeed": availability_pb2.GetFeedResponse(calendar=b"x")})
    await browser.aclose()
    world = await make_world(running.running)
    async with world.browser() as program:
        await program.get("/calendars/secret-token.ics")
        await program.get("/calendars/secret-token/and-more")
        await program.post("/calendars/secret-token.ics")
    finished = spans.get_finished_spans()
    assert "GET /calendars/{token}.ics" in {span.name for span in finished}
    printed = capsys.readouterr()
    for text in (" ".join(span.to_json() for span in finished), printed.out + printed.err):
        assert "secret-token" not in text
