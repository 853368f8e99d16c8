"""The live feed: time, what happens, and an end within a second of the session's, on every replica."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

import httpx2
import pytest
from nats.aio.client import Client
from nats.aio.msg import Msg

from resapermis.basket.v1 import basket_pb2
from resapermis.basket.v1.events_pb2 import LineChanged
from resapermis.iam.v1.events_pb2 import SessionEnded
from resapermis.notification.v1 import notification_pb2, notification_pb2_grpc
from resapermis.notification.v1.events_pb2 import NoticePosted
from resapermis_auth_gateway.web.feed import live
from resapermis_auth_gateway.web.feed.live import Change, End, Notice, Resync, Stream
from resapermis_auth_gateway.web_process import http_server
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.wire import BATCH_SIZE
from resapermis_testing.certificates import NOBODY
from resapermis_testing.eventually import eventually
from resapermis_testing.grpc_server import Serve
from resapermis_testing.ports import free_port

from .people_desk import administrator, invited

pytestmark = pytest.mark.req("S-04")
FEED = "/api/v1/notifications/stream"


class Inbox(notification_pb2_grpc.NotificationServiceServicer):
    """A school's inbox."""

    def __init__(self) -> None:
        self.notices: list[notification_pb2.Notice] = []
        self.failure: Failure | None = None
        self.more = ""
        self.asked: list[notification_pb2.ListNoticesRequest] = []

    async def ListNotices(self, request: Any, context: Any) -> notification_pb2.ListNoticesResponse:
        self.asked.append(request)
        if self.failure:
            raise self.failure
        return notification_pb2.ListNoticesResponse(notices=self.notices, next_cursor=self.more)


@pytest.fixture
async def inbox() -> Inbox:
    return Inbox()


@pytest.fixture
async def make_live(make_world: Any, serve: Serve, inbox: Inbox) -> AsyncIterator[Callable[..., Any]]:
    """Function: changed settings -> a gateway behind a real uvicorn."""
    add = notification_pb2_grpc.add_NotificationServiceServicer_to_server
    peer = await serve("notification", (add, inbox, "resapermis.notification.v1.NotificationService"))
    running = []

    async def make(**changed: Any) -> Any:
        port = free_port()
        address = {"public_url": f"http://localhost:{port}", "web_listen": f"127.0.0.1:{port}"}
        world = await make_world({"notification": peer}, drain_seconds=2, **address, **changed)
        server, bound = http_server(world.app, world.dependencies.settings, world.dependencies.denials.add)
        running.append((world, server, asyncio.create_task(server.serve(sockets=[bound]))))
        return world

    yield make
    for world, server, serving in running:
        world.dependencies.live.close()
        server.should_exit = True
        await asyncio.wait_for(serving, 5)


@pytest.fixture
async def live_world(make_live: Callable[..., Any]) -> Any:
    """That, as it is set by default."""
    return await make_live()


class Feed:
    """An open stream, read event by event."""

    def __init__(self, response: httpx2.Response) -> None:
        self.response = response
        self._lines = response.aiter_lines()

    async def next(self, wanted: str | None = None) -> tuple[str, dict[str, Any], str]:
        """The next event (of a kind): (kind, data, id). StopAsyncIteration at the end."""
        fields: dict[str, str] = {}
        async with asyncio.timeout(5):
            while True:
                line = await anext(self._lines)
                if line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif wanted in {None, fields["event"]}:
                    return fields["event"], json.loads(fields["data"]), fields.get("id", "")
                else:
                    fields = {}

    async def rest(self) -> list[str]:
        """Kinds of the events until the stream ends."""
        kinds = []
        while True:
            try:
                kinds.append((await self.next())[0])
            except StopAsyncIteration:
                return kinds


@asynccontextmanager
async def _open(world: Any, signed: Any, **headers: str) -> AsyncIterator[Feed]:
    address = world.dependencies.settings.public_url
    cookie = {"Cookie": f"resapermis={signed.cookie}", "Sec-Fetch-Site": "same-origin"}
    async with (
        httpx2.AsyncClient(base_url=address, headers=cookie | headers, trust_env=False, verify=NOBODY) as browser,
        browser.stream("GET", FEED) as response,
    ):
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        assert response.headers["cache-control"] == "no-store"
        feed = Feed(response)
        assert (await feed.next())[0] == "tick"
        yield feed


def _notice(notice_id: str = "n-1") -> notification_pb2.Notice:
    return notification_pb2.Notice(
        id=notice_id, kind="booking.confirmed", text_fr="Réservé.", text_en="Booked.", candidate_id="c-1"
    )


async def test_time_is_sent_at_once_and_again(live_world: Any) -> None:
    async with _open(live_world, await live_world.session()) as feed:
        _, data, event_id = await feed.next("tick")
    assert data == {"serverTime": live_world.clock().isoformat(timespec="milliseconds").replace("+00:00", "Z")}
    assert event_id == ""


@pytest.mark.req("S8")
async def test_signing_out_closes_the_feed_within_a_second(live_world: Any) -> None:
    signed = await live_world.session()
    async with _open(live_world, signed) as feed:
        began = time.monotonic()
        await live_world.dependencies.sessions.end(signed.session, "signed_out")
        kinds = await feed.rest()
        assert time.monotonic() - began < 1
    assert kinds[-1] == "signed-out"


@pytest.mark.req("S8")
async def test_a_session_that_ends_on_another_replica_closes_the_feed_within_a_second(
    live_world: Any, make_bus: Callable[..., Any]
) -> None:
    here, there = await make_bus("auth-gateway"), await make_bus("auth-gateway")
    await live_world.dependencies.live.listen(here)
    signed = await live_world.session()
    async with _open(live_world, signed) as feed:
        began = time.monotonic()
        ended = SessionEnded(session_id=str(signed.id), school_id="school-1", cause="signed_out")
        await there.publish(SessionEnded.DESCRIPTOR.full_name, ended.SerializeToString())
        kinds = await feed.rest()
        assert time.monotonic() - began < 1
    assert kinds[-1] == "signed-out"


@pytest.mark.req("S8", "S-12")
async def test_who_is_suspended_on_one_replica_is_signed_out_on_all_within_a_second(
    make_live: Callable[..., Any], make_bus: Callable[..., Any]
) -> None:
    here = await make_live()
    elsewhere = await make_live(engine=here.dependencies.sessions.engine)
    bus, there = await make_bus("auth-gateway"), await make_bus("auth-gateway")
    await here.dependencies.live.listen(bus)
    admin = await administrator(elsewhere)
    person = await invited(elsewhere, admin)
    cookie = person.browser.cookies["resapermis"]
    async with _open(here, Signed(cookie)) as feed, _open(elsewhere, Signed(cookie)) as other:
        began = time.monotonic()
        assert (await admin.browser.post(f"/api/v1/people/{person.id}/suspension")).status_code == 200
        assert (await other.rest())[-1] == "signed-out"  # without the bus
        kind = SessionEnded.DESCRIPTOR.full_name
        (ended,) = [payload for name, payload in await here.published() if name == kind]
        await there.publish(kind, ended)
        assert (await feed.rest())[-1] == "signed-out"
        assert time.monotonic() - began < 1
    for world in (here, elsewhere):
        async with world.browser(headers={"Cookie": f"resapermis={cookie}"}) as browser:
            assert (await browser.get("/auth/session")).status_code == 401


@dataclass
class Signed:
    """Who has this cookie."""

    cookie: str


@pytest.mark.req("S9")
async def test_with_a_deaf_bus_an_ended_session_is_found_at_the_next_tick(live_world: Any) -> None:
    signed = await live_world.session()
    async with _open(live_world, signed) as feed:
        live_world.clock.pass_(minutes=15)
        assert (await feed.rest())[-1] == "signed-out"


@pytest.mark.req("S13")
async def test_a_feed_is_no_act(live_world: Any) -> None:
    signed = await live_world.session()
    live_world.clock.pass_(minutes=10)
    async with _open(live_world, signed):
        live_world.clock.pass_(minutes=5)
        async with live_world.browser(signed) as browser:
            assert (await browser.get("/auth/session")).status_code == 401


async def test_a_notice_reaches_its_school_and_no_other(
    live_world: Any, inbox: Inbox, make_bus: Callable[..., Any]
) -> None:
    bus = await make_bus("notification")
    await live_world.dependencies.live.listen(bus)
    inbox.notices = [_notice()]
    ours, theirs = await live_world.session(), await live_world.session(school="school-2")
    async with _open(live_world, ours) as feed, _open(live_world, theirs) as other:
        for school in ("school-1", "school-3"):
            posted = NoticePosted(notice_id="n-1", school_id=school, kind="booking.confirmed", topic="booking")
            await bus.publish(NoticePosted.DESCRIPTOR.full_name, posted.SerializeToString())
        kind, data, event_id = await feed.next("notification")
        assert (kind, event_id, data["text"]["fr"]) == ("notification", "n-1", "Réservé.")
        assert data["candidate"] == {"id": "c-1", "displayName": "…c-1"}, "no name in a feed"
        assert (await feed.next("change"))[1] == {"topic": "booking"}
        live_world.dependencies.live.close()
        assert set(await other.rest()) <= {"tick"}


@pytest.mark.req("R-24")
async def test_a_notice_for_everybody_reaches_every_schools_feed(
    live_world: Any, inbox: Inbox, make_bus: Callable[..., Any]
) -> None:
    inbox.notices = [_notice("n-1")]
    bus = await make_bus("notification")
    await live_world.dependencies.live.listen(bus)
    ours, theirs = await live_world.session(), await live_world.session(school="school-2")
    async with _open(live_world, ours) as feed, _open(live_world, theirs) as other:
        posted = NoticePosted(notice_id="n-1", kind="rule.changed", topic="slot")
        await bus.publish(NoticePosted.DESCRIPTOR.full_name, posted.SerializeToString())
        assert (await feed.next("notification"))[2] == (await other.next("notification"))[2] == "n-1"


async def test_changes_of_lines_are_sent_by_topic(live_world: Any, make_bus: Callable[..., Any]) -> None:
    bus = await make_bus("basket")
    await live_world.dependencies.live.listen(bus)
    async with _open(live_world, await live_world.session()) as feed:
        for state in (basket_pb2.LINE_STATE_HELD, basket_pb2.LINE_STATE_BOOKED):
            changed = LineChanged(school_id="school-1", to=state)
            await bus.publish(LineChanged.DESCRIPTOR.full_name, changed.SerializeToString())
        assert (await feed.next("change"))[1] == {"topic": "basket"}
        assert (await feed.next("change"))[1] == {"topic": "booking"}


async def test_what_was_missed_is_sent_again(live_world: Any, inbox: Inbox) -> None:
    inbox.notices = [_notice("n-2"), _notice("n-3")]
    headers = {"Last-Event-ID": "n-1"}
    async with _open(live_world, await live_world.session(), **headers) as feed:
        assert [(await feed.next("notification"))[2] for _ in range(2)] == ["n-2", "n-3"]
    assert inbox.asked[0].after_id == "n-1"


@pytest.mark.req("N-03")
async def test_a_notice_that_comes_while_what_was_missed_is_read_is_told_once(
    live_world: Any, inbox: Inbox, make_bus: Callable[..., Any]
) -> None:
    bus = await make_bus("notification")
    await live_world.dependencies.live.listen(bus)
    inbox.notices = [_notice("n-2"), _notice("n-3")]
    async with _open(live_world, await live_world.session(), **{"Last-Event-ID": "n-1"}) as feed:
        assert [(await feed.next("notification"))[2] for _ in range(2)] == ["n-2", "n-3"]
        inbox.notices = [_notice("n-4"), *inbox.notices]
        for number in ("n-3", "n-4"):
            posted = NoticePosted(notice_id=number, school_id="school-1", kind="booking.confirmed", topic="booking")
            await bus.publish(NoticePosted.DESCRIPTOR.full_name, posted.SerializeToString())
        assert (await feed.next("notification"))[2] == "n-4"


@pytest.mark.parametrize("more", ["cursor", ""])
async def test_what_cannot_be_sent_again_is_read_again(live_world: Any, inbox: Inbox, more: str) -> None:
    if more:
        inbox.more = more
    else:
        inbox.failure = Failure(Code.CODE_NOT_FOUND, "not yours")
    headers = {"Last-Event-ID": "somebody-else's"}
    async with _open(live_world, await live_world.session(), **headers) as feed:
        assert (await feed.next("resync"))[1] == {}


async def test_a_stopping_replica_closes_feeds_without_signing_out(live_world: Any) -> None:
    async with _open(live_world, await live_world.session()) as feed:
        live_world.dependencies.live.close()
        assert "signed-out" not in await feed.rest()


async def test_a_closed_browser_leaves_nothing_behind(live_world: Any) -> None:
    async with _open(live_world, await live_world.session()):
        assert len(live_world.dependencies.live._streams) == 1

    async def gone() -> bool:
        return not live_world.dependencies.live._streams

    await eventually(gone)


@pytest.mark.parametrize("limit", ["session_feeds", "account_feeds", "address_feeds"])
async def test_feeds_beyond_the_limit_are_refused_until_one_ends(make_live: Any, limit: str) -> None:
    world = await make_live(**{limit: 2})
    signed = await world.session()
    async with _open(world, signed):
        async with _open(world, signed), world.browser(signed) as browser:
            refused = await browser.get(FEED)
            assert (refused.status_code, refused.json()["code"], refused.headers["retry-after"]) == (
                429,
                "OVERLOADED",
                "5",
            )

        async def one_left() -> bool:
            return len(world.dependencies.live._streams) == 1

        await eventually(one_left)
        async with _open(world, signed):
            pass

    async def none_left() -> bool:
        return len(world.dependencies.feed.open) == 0

    await eventually(none_left)


async def test_nobody_without_session_follows(live_world: Any) -> None:
    async with live_world.browser() as browser:
        assert (await browser.get(FEED)).status_code == 401


def test_a_slow_reader_must_read_again_and_an_end_always_arrives() -> None:
    stream = Stream("session", "school")
    for _ in range(101):
        stream.put(Change("basket"))
    assert [stream.queue.get_nowait()] == [Resync()]
    stream.put(End(signed_out=True))
    for _ in range(101):
        stream.put(Notice("n", "k", "t"))
    assert stream.queue.get_nowait() == End(signed_out=True)


@pytest.mark.parametrize("headers", [None, {BATCH_SIZE: "2"}])
async def test_a_message_that_did_not_keep_ends_no_feed(headers: dict[str, str] | None) -> None:
    received: list[Any] = []
    await live._callback(LineChanged, received.append)(Msg(Client(), data=b"\xff\xff\xff", headers=headers))
    assert received == []
