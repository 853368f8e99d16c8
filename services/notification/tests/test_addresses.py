"""An address is judged at sending as at entry, and the school learns whom no mail can reach."""

from uuid import UUID

import pytest
from notification_peers import SENDER, Notification
from test_mail import ONE, TWO, ZOE, line

from resapermis.notification.v1 import notification_pb2 as pb
from resapermis_kit.clock import utc_now
from resapermis_notification.mails.message import InvalidAddress, MailContent, write

CONTENT = MailContent("mandate.active", utc_now(), {"category": "B"}, "Actif.", "Active.")
UNANNOUNCED = "fault tried-2: nobody learns that a mail reached nobody"


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
@pytest.mark.xfail(strict=True, raises=AssertionError, reason=UNANNOUNCED)
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


async def notices(notification: Notification) -> list[pb.Notice]:
    return list((await notification.call("ListNotices", pb.ListNoticesRequest())).notices)
