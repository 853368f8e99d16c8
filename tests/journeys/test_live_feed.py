"""The live feed: server time, what happens, what was missed, and an end with the session."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
import pytest
from journey import TICK_SECONDS, DrivingSchool, problem, until

from resapermis_auth_gateway.web.settings import WebSettings
from resapermis_testing.certificates import NOBODY

pytestmark = pytest.mark.xdist_group("stack")


@dataclass
class Event:
    kind: str
    data: dict[str, Any]
    id: str = ""
    came_at: datetime = field(default_factory=lambda: datetime.now(UTC))


class Feed:
    """One open feed of a browser."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.ended = asyncio.Event()
        self._news = asyncio.Condition()

    async def read(self, answer: httpx2.Response) -> None:
        fields: dict[str, str] = {}
        try:
            async for line in answer.aiter_lines():
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    event = Event(fields.get("event", ""), json.loads(fields.get("data", "{}")), fields.get("id", ""))
                    fields = {}
                    async with self._news:
                        self.events.append(event)
                        self._news.notify_all()
        finally:
            self.ended.set()

    async def until(self, wanted: Callable[[Event], bool], seconds: float, count: int = 1) -> list[Event]:
        """The first `count` events that are wanted."""
        async with asyncio.timeout(seconds), self._news:
            while len(found := [event for event in self.events if wanted(event)]) < count:
                await self._news.wait()
            return found


@contextlib.asynccontextmanager
async def feed(school: DrivingSchool, last_event_id: str = "") -> AsyncIterator[Feed]:
    headers = {"Last-Event-ID": last_event_id} if last_event_id else {}
    cookies, opened = dict(school.web.cookies), Feed()
    async with (
        httpx2.AsyncClient(base_url=school.web.base_url, cookies=cookies, timeout=30, verify=NOBODY) as browser,
        browser.stream("GET", "/api/v1/notifications/stream", headers=headers) as answer,
    ):
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        reading = asyncio.create_task(opened.read(answer))
        try:
            yield opened
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, httpx2.HTTPError):
                await reading


def is_notice(kind: str, object_id: str = "") -> Callable[[Event], bool]:
    return lambda event: (
        event.kind == "notification"
        and event.data["kind"] == kind
        and (not object_id or event.data["objectId"] == object_id)
    )


@pytest.mark.req("N-04", "R-15")
async def test_the_feed_says_the_servers_time_at_once_and_every_ten_seconds(school: DrivingSchool) -> None:
    assert WebSettings.model_fields["tick_seconds"].default == 10  # this stack's are shorter
    async with feed(school) as live:
        first, second = await live.until(lambda event: event.kind == "tick", TICK_SECONDS + 1, 2)
    assert (second.came_at - first.came_at).total_seconds() > TICK_SECONDS / 2
    for tick in (first, second):
        server_time = datetime.fromisoformat(tick.data["serverTime"])
        assert abs((tick.came_at - server_time).total_seconds()) < 1
    assert (second.came_at - first.came_at).total_seconds() < TICK_SECONDS + 1


@pytest.mark.req("N-03", "N-04")
async def test_a_booking_is_told_live_and_what_was_missed_is_told_again(school: DrivingSchool) -> None:
    async with feed(school) as live:
        booked = await asyncio.to_thread(school.booking)
        (notice,) = await live.until(is_notice("booking.confirmed", booked["id"]), 10)
        await live.until(lambda event: event.kind == "change" and event.data["topic"] == "booking", 10)
    assert notice.id == notice.data["id"]
    assert notice.data["text"]["fr"]
    assert notice.data["text"]["en"]
    missed = [(await asyncio.to_thread(school.booking))["id"] for _ in range(2)]
    for one in missed:
        await asyncio.to_thread(until, lambda one=one: school.notices("booking.confirmed", one), "a notice unheard")
    async with feed(school, last_event_id=notice.id) as live:
        for one in missed:
            await live.until(is_notice("booking.confirmed", one), 5)
        replayed = [event for event in live.events if event.kind == "notification"]
        assert len({event.id for event in replayed}) == len(replayed)
        assert notice.id not in {event.id for event in replayed}
        assert [event for event in live.events if event.kind == "resync"] == []


@pytest.mark.req("S-04", "N-04")
async def test_signing_out_closes_the_feed_within_a_second(school: DrivingSchool) -> None:
    async with feed(school) as live:
        await live.until(lambda event: event.kind == "tick", 5)
        await asyncio.to_thread(school.act, "POST", "/auth/logout")
        async with asyncio.timeout(1):
            await live.ended.wait()
        assert live.events[-1].kind == "signed-out"
    problem(school.web.get("/api/v1/notifications/stream"), 401, "UNAUTHENTICATED")
