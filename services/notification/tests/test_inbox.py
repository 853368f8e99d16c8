"""Each event is one notice, in order, read by each account for itself."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from notification_peers import Notification

from resapermis.basket.v1.basket_pb2 import LineState
from resapermis.basket.v1.events_pb2 import LineChanged
from resapermis.notification.v1 import notification_pb2 as pb
from resapermis.notification.v1.events_pb2 import NoticePosted
from resapermis.scheduling.v1.events_pb2 import AuthorisationEnding, RuleChanged, SearchMatched
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.event import Event
from resapermis_notification import queries, tables


def done(number: int, school: str = "school-1") -> LineChanged:
    return LineChanged(line_id=f"line-{number}", school_id=school, to=LineState.LINE_STATE_DONE, category="B")


def event() -> Event:
    return Event(str(new_id()), "basket", 1, LineChanged.DESCRIPTOR.full_name, utc_now(), b"", "")


async def refusal(call: Any) -> Failure:
    with pytest.raises(Failure) as caught:
        await call
    return caught.value


@pytest.mark.req("N-04")
async def test_an_event_received_twice_is_one_notice_and_one_announcement(notification: Notification) -> None:
    event_id = str(new_id())
    booked = LineChanged(line_id="l1", school_id="school-1", candidate_id="c1", to=LineState.LINE_STATE_BOOKED)
    await notification.receive(booked, event_id)
    await notification.receive(booked, event_id)
    listed = await notification.call("ListNotices", pb.ListNoticesRequest())
    assert [notice.kind for notice in listed.notices] == ["booking.confirmed"]
    posted = await notification.published(NoticePosted)
    assert [(one.notice_id, one.topic) for one in posted] == [(listed.notices[0].id, "booking")]
    assert len(await notification.outcomes()) == 2


@pytest.mark.req("N-04")
async def test_events_of_one_batch_are_notices_in_their_order_each_once(notification: Notification) -> None:
    earlier, silent, booked = event(), event(), event()
    await notification.receive(done(0), earlier.id)
    asking = LineChanged(line_id="line-9", school_id="school-1", to=LineState.LINE_STATE_ASKING)
    booking = LineChanged(
        line_id="line-2", school_id="school-1", candidate_id="c2", to=LineState.LINE_STATE_BOOKED, category="B"
    )
    batch = [
        (done(0), earlier),
        (done(1), event()),
        (asking, silent),
        (booking, booked),
        (booking, booked),
        (done(3), event()),
    ]
    async with transaction(notification.engine) as tx:
        await notification.handle(tx, *batch)
    listed = (await notification.call("ListNotices", pb.ListNoticesRequest())).notices
    assert [notice.object_id for notice in listed] == ["line-3", "line-2", "line-1", "line-0"]
    assert [one.notice_id for one in await notification.published(NoticePosted)] == [
        notice.id for notice in reversed(listed)
    ]
    assert await notification.outcomes() == {("school", ""): "waiting", ("candidate", "c2"): "waiting"}


@pytest.mark.req("N-04")
async def test_pages_go_back_newest_first_and_replay_goes_on_oldest_first(notification: Notification) -> None:
    for number in range(5):
        await notification.receive(done(number))
    await notification.receive(done(9, "school-2"))
    seen: list[str] = []
    cursor = ""
    while True:
        page = await notification.call("ListNotices", pb.ListNoticesRequest(limit=2, cursor=cursor))
        seen += [notice.object_id for notice in page.notices]
        cursor = page.next_cursor
        if not cursor:
            break
    assert seen == ["line-4", "line-3", "line-2", "line-1", "line-0"]
    everything = (await notification.call("ListNotices", pb.ListNoticesRequest())).notices
    replay = await notification.call("ListNotices", pb.ListNoticesRequest(after_id=everything[3].id, limit=2))
    assert [notice.object_id for notice in replay.notices] == ["line-2", "line-3"]
    rest = await notification.call("ListNotices", pb.ListNoticesRequest(after_id=replay.next_cursor))
    assert [notice.object_id for notice in rest.notices] == ["line-4"]
    assert not rest.next_cursor


@pytest.mark.req("N-04")
async def test_reading_is_each_accounts_own(notification: Notification) -> None:
    await notification.receive(done(1))
    await notification.receive(done(2))
    listed = await notification.call("ListNotices", pb.ListNoticesRequest())
    assert listed.unread == 2
    first = (await notification.call("MarkRead", pb.MarkReadRequest(notice_id=listed.notices[0].id))).notice
    notification.later = timedelta(hours=1)
    again = (await notification.call("MarkRead", pb.MarkReadRequest(notice_id=listed.notices[0].id))).notice
    assert first.read_at == again.read_at
    mine = await notification.call("ListNotices", pb.ListNoticesRequest(unread_only=True))
    assert ([notice.object_id for notice in mine.notices], mine.unread) == (["line-1"], 1)
    theirs = await notification.call("ListNotices", pb.ListNoticesRequest(), account_id="account-2")
    assert theirs.unread == 2
    assert not theirs.notices[0].HasField("read_at")


@pytest.mark.req("N-04")
async def test_another_schools_notice_is_not_there(notification: Notification) -> None:
    await notification.receive(done(1, "school-2"))
    notice_id = (await notification.published(NoticePosted))[0].notice_id
    marking = await refusal(notification.call("MarkRead", pb.MarkReadRequest(notice_id=notice_id)))
    replay = await refusal(notification.call("ListNotices", pb.ListNoticesRequest(after_id=notice_id)))
    assert {marking.code, replay.code} == {Code.CODE_NOT_FOUND}
    shape = await refusal(notification.call("MarkRead", pb.MarkReadRequest(notice_id="x")))
    assert shape.code == Code.CODE_MALFORMED
    assert not (await notification.call("ListNotices", pb.ListNoticesRequest())).notices


RULE = RuleChanged(parameter_id="p1", name="group", old_value="4", new_value="3")
LICENCE = AuthorisationEnding(school_id="school-1", what="licence")
MATCHED = SearchMatched(search_id="f1", school_id="school-1", account_id="account-1", slots=1)


async def kinds(notification: Notification, **who: Any) -> list[str]:
    listed = await notification.call("ListNotices", pb.ListNoticesRequest(), **who)
    assert listed.unread == len(listed.notices)
    return [notice.kind for notice in listed.notices]


@pytest.mark.req("R-24", "N-03")
async def test_a_notice_to_all_is_one_row_in_every_schools_inbox_and_read_by_each_account(
    notification: Notification,
) -> None:
    await notification.receive(done(1))
    await notification.receive(RULE)
    await notification.receive(done(2))
    assert await kinds(notification) == ["booking.done", "rule.changed", "booking.done"]
    assert await kinds(notification, school_id="school-2", account_id="account-9") == ["rule.changed"]
    (posted,) = [one for one in await notification.published(NoticePosted) if one.kind == "rule.changed"]
    assert posted.school_id == ""
    await notification.call("MarkRead", pb.MarkReadRequest(notice_id=posted.notice_id))
    mine = await notification.call("ListNotices", pb.ListNoticesRequest(unread_only=True))
    assert ([one.kind for one in mine.notices], mine.unread) == (["booking.done", "booking.done"], 2)
    assert await kinds(notification, school_id="school-2", account_id="account-9") == ["rule.changed"]
    replay = await notification.call("ListNotices", pb.ListNoticesRequest(after_id=posted.notice_id))
    assert [one.object_id for one in replay.notices] == ["line-2"]
    await notification.deliveries.drain()
    assert not notification.mail_server.mails


@pytest.mark.req("N-04")
async def test_pages_of_ones_own_and_everybodys_notices_go_on_without_gap_or_double(notification: Notification) -> None:
    for number in range(3):
        await notification.receive(done(number))
        await notification.receive(RULE)
    seen: list[str] = []
    cursor = ""
    while True:
        page = await notification.call("ListNotices", pb.ListNoticesRequest(limit=2, cursor=cursor))
        seen += [notice.id for notice in page.notices]
        cursor = page.next_cursor
        if not cursor:
            break
    assert seen == [one.notice_id for one in reversed(await notification.published(NoticePosted))]


@pytest.mark.req("R-20")
async def test_a_matched_search_is_shown_to_the_account_that_saved_it_alone(notification: Notification) -> None:
    await notification.receive(MATCHED)
    assert await kinds(notification) == ["search.matched"]
    assert await kinds(notification, account_id="account-2") == []
    assert await kinds(notification, school_id="school-2") == []
    notice_id = (await notification.published(NoticePosted))[0].notice_id
    marking = notification.call("MarkRead", pb.MarkReadRequest(notice_id=notice_id), account_id="account-2")
    assert (await refusal(marking)).code == Code.CODE_NOT_FOUND


@pytest.mark.req("R-28", "S-22")
@pytest.mark.parametrize(("role", "seen"), [("school_manager", 1), ("school_admin", 1), ("trainer", 0)])
async def test_what_is_for_managers_is_not_shown_to_trainers(notification: Notification, role: str, seen: int) -> None:
    await notification.receive(LICENCE)
    assert len(await kinds(notification, roles=(role,))) == seen


@pytest.mark.req("D-11")
async def test_notices_are_deleted_after_twelve_months(notification: Notification) -> None:
    booked = LineChanged(line_id="l1", school_id="school-1", candidate_id="c1", to=LineState.LINE_STATE_BOOKED)
    await notification.receive(booked)
    notification.later = timedelta(days=300)
    await notification.receive(done(2))
    notification.later = timedelta(days=366)
    async with transaction(notification.engine) as tx:
        assert await queries.purge_notices(tx, notification.now()) == 1
        left = (await tx.execute(sa.select(sa.func.count()).select_from(tables.deliveries))).scalar_one()
    assert left == 0
    listed = await notification.call("ListNotices", pb.ListNoticesRequest())
    assert [notice.object_id for notice in listed.notices] == ["line-2"]


@pytest.mark.req("D-03")
async def test_no_address_is_stored(notification: Notification) -> None:
    booked = LineChanged(line_id="l1", school_id="school-1", candidate_id="c1", to=LineState.LINE_STATE_BOOKED)
    await notification.receive(booked)
    await notification.deliveries.drain()
    assert len(notification.mail_server.mails) == 3
    stored = ""
    async with transaction(notification.engine) as tx:
        for table in (tables.notices, tables.deliveries, tables.reads):
            stored += str((await tx.execute(sa.select(table))).all())
    stored += str(await notification.records())
    assert "@" not in stored
    assert "Zoé" not in stored


@pytest.mark.req("N-04")
async def test_a_feed_that_has_seen_a_notice_has_seen_all_before_it(notification: Notification) -> None:
    """A notice begun first and committed last must not be numbered before one that a feed has seen."""
    begun, may_end = asyncio.Event(), asyncio.Event()

    async def slow() -> None:
        async with transaction(notification.engine) as tx:
            await notification.handle(tx, (done(1), event()))
            begun.set()
            await may_end.wait()

    async def second() -> None:
        await begun.wait()
        await notification.receive(done(2))

    first, other = asyncio.create_task(slow()), asyncio.create_task(second())
    await begun.wait()
    assert not (await notification.call("ListNotices", pb.ListNoticesRequest())).notices
    may_end.set()
    await asyncio.gather(first, other)
    listed = await notification.call("ListNotices", pb.ListNoticesRequest())
    assert [notice.object_id for notice in listed.notices] == ["line-2", "line-1"]


@pytest.mark.req("N-04")
async def test_what_fails_to_commit_is_neither_posted_nor_mailed(notification: Notification) -> None:
    booked = LineChanged(line_id="l1", school_id="school-1", candidate_id="c1", to=LineState.LINE_STATE_BOOKED)
    with pytest.raises(RuntimeError):
        async with transaction(notification.engine) as tx:
            await notification.handle(tx, (booked, event()))
            raise RuntimeError
    await notification.deliveries.drain()
    assert not notification.mail_server.mails
    assert not await notification.published(NoticePosted)
    assert not (await notification.call("ListNotices", pb.ListNoticesRequest())).notices


async def test_the_migrations_make_the_tables_that_the_code_reads(notification: Notification) -> None:
    async with notification.engine.connect() as connection:
        differences = await connection.run_sync(
            lambda one: compare_metadata(
                MigrationContext.configure(
                    one,
                    opts={
                        "include_name": lambda name, kind, _parents: kind != "table" or name in tables.metadata.tables
                    },
                ),
                tables.metadata,
            )
        )
    assert not differences
