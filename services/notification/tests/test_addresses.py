"""An address is judged at sending as at entry, and the school learns whom no mail can reach."""

from datetime import timedelta
from uuid import UUID

import pytest
from notification_peers import SENDER, Notification
from test_mail import ONE, TWO, ZOE, line

from resapermis.notification.v1 import notification_pb2 as pb
from resapermis.notification.v1.events_pb2 import NoticePosted
from resapermis_kit.clock import utc_now
from resapermis_notification.mails.message import InvalidAddress, MailContent, write

CONTENT = MailContent("mandate.active", utc_now(), {"category": "B"}, "Actif.", "Active.")


@pytest.mark.req("N-06")
@pytest.mark.parametrize(
    "address",
    [
        "zoe@mail.example,",
        "zoe@mail.example;",
        "mailto:zoe@mail.example",
        "zoe@mail.example.",
        "zoe\u200b@mail.example",
        "zoe@mail.example\u200b",
        "\ufeffzoe@mail.example",
        "a..b@mail.example",
        "b.@mail.example",
        ".c@mail.example",
        "zoe@mail..example",
        "zoe@-mail.example",
        "zoe@mail",
    ],
)
def test_what_is_no_address_at_entry_is_none_at_sending(address: str) -> None:
    with pytest.raises(InvalidAddress):
        write(CONTENT, "school", address, "fr", SENDER, UUID(int=1))


@pytest.mark.req("N-06")
@pytest.mark.parametrize(
    "address", ["zoe@mail.example", "zoe.d-arc+permis@sous.domaine.example", "d'arc@mail.example", "zoé@école.example"]
)
def test_what_is_an_address_at_entry_is_one_at_sending(address: str) -> None:
    assert write(CONTENT, "school", address, "fr", SENDER, UUID(int=1))["To"] == address


@pytest.mark.req("N-06")
@pytest.mark.parametrize(
    ("address", "refusals"),
    [
        pytest.param("zoe@mail.example,", {}, id="no address"),
        pytest.param(ZOE, {ZOE: "550 no such user"}, id="nobody there"),
    ],
)
async def test_a_candidate_whom_no_mail_reaches_is_announced_to_the_school(
    notification: Notification, address: str, refusals: dict[str, str]
) -> None:
    notification.addressees.email, notification.mail_server.refusals = address, refusals
    await notification.receive(line())
    await notification.deliveries.drain()
    assert sorted(to for to, _ in notification.mail_server.mails) == [ONE, TWO]
    about = await notices(notification)
    assert [one.candidate_id for one in about if one.kind != "booking.confirmed"] == ["0198-candidate"]
    assert address not in str(about)


@pytest.mark.req("N-06")
async def test_a_mail_that_arrives_or_waits_is_no_notice(notification: Notification) -> None:
    notification.mail_server.refusals = {ONE: "450 greylisted"}
    await notification.receive(line())
    await notification.deliveries.drain()
    assert sorted(to for to, _ in notification.mail_server.mails) == [TWO, ZOE]
    assert [one.kind for one in await notices(notification)] == ["booking.confirmed"]


@pytest.mark.req("N-06")
async def test_a_candidate_without_an_address_is_no_news_to_the_school(notification: Notification) -> None:
    notification.addressees.email = ""
    await notification.receive(line())
    await notification.deliveries.drain()
    assert [one.kind for one in await notices(notification)] == ["booking.confirmed"]


@pytest.mark.req("N-06")
async def test_a_mail_tried_for_a_day_is_told_to_the_school(notification: Notification) -> None:
    notification.mail_server.refusals = {ZOE: "450 mailbox full"}
    await notification.receive(line())
    await notification.deliveries.drain()
    notification.later = timedelta(hours=25)
    await notification.deliveries.drain()
    told = [one for one in await notices(notification) if one.kind == "candidate.unreached"]
    assert [(one.candidate_id, one.level, one.facts["what"]) for one in told] == [
        ("0198-candidate", "warning", "booking.confirmed")
    ]
    posted = [one for one in await notification.published(NoticePosted) if one.kind == "candidate.unreached"]
    assert [one.notice_id for one in posted] == [one.id for one in told]


@pytest.mark.req("N-06")
async def test_who_gets_no_mail_of_ours_reads_so_once_a_day_and_nobody_else_does(notification: Notification) -> None:
    notification.mail_server.refusals = {ONE: "550 no such user"}
    for _ in range(2):
        await notification.receive(line())
        await notification.deliveries.drain()
    mine, others = await notices(notification), await notices(notification, account_id="account-2")
    assert sorted(one.kind for one in mine) == ["account.unreached", "booking.confirmed", "booking.confirmed"]
    assert [one.kind for one in others] == ["booking.confirmed", "booking.confirmed"]
    assert ONE not in str(mine)


async def notices(notification: Notification, **who: str) -> list[pb.Notice]:
    return list((await notification.call("ListNotices", pb.ListNoticesRequest(), **who)).notices)
