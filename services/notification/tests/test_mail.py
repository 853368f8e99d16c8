"""Mails reach whom they concern, hold no name in their subject, and are lost by nothing."""

from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from email.policy import SMTP
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from icalendar import Calendar
from notification_peers import SENDER, Notification
from prometheus_client import REGISTRY

from resapermis.audit.v1.events_pb2 import Outcome
from resapermis.basket.v1.basket_pb2 import LineState, Result
from resapermis.basket.v1.events_pb2 import GroupExpiring, LineChanged, ResultFound
from resapermis.iam.v1.events_pb2 import GrantEnded, GrantEnding, PersonInvited
from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.mandate.v1.mandate_pb2 import MandateState
from resapermis.notification.v1 import notification_pb2 as pb
from resapermis.scheduling.v1.events_pb2 import AuthorisationEnding, SearchMatched
from resapermis_kit.clock import new_id, utc_now
from resapermis_notification.mails import ics
from resapermis_notification.mails.delivery import pause
from resapermis_notification.mails.message import InvalidAddress, MailContent, write
from resapermis_notification.mails.smtp import MailServer

ONE, TWO, ZOE = "one@school.example", "two@school.example", "zoe@mail.example"
STARTS = datetime(2026, 12, 9, 7, 32, tzinfo=UTC)


def line(to: LineState.ValueType = LineState.LINE_STATE_BOOKED, **more: Any) -> LineChanged:
    values: dict[str, Any] = {
        "line_id": "0198-line",
        "school_id": "school-1",
        "candidate_id": "0198-candidate",
        "centre_name": "Rosny-sous-Bois",
        "time_zone": "Europe/Paris",
        "category": "B",
        "account_id": "account-1",
    }
    event = LineChanged(**values | more, to=to)
    event.starts_at.FromDatetime(STARTS)
    event.ends_at.FromDatetime(STARTS + timedelta(minutes=32))
    return event


def part(message: EmailMessage, kind: str) -> str:
    found = message.get_body((kind,))
    assert found is not None
    return str(found.get_content())


def attached(message: EmailMessage) -> tuple[str, Any]:
    file = next(iter(message.iter_attachments()))
    assert file.get_content_type() == "text/calendar"
    calendar = Calendar.from_ical(file.get_payload(decode=True))
    assert file.get_param("method") == str(calendar["method"])
    return str(calendar["method"]), calendar


@pytest.mark.req("N-04", "N-06", "N-07")
async def test_a_booking_is_mailed_in_html_text_and_calendar(notification: Notification) -> None:
    await notification.receive(line())
    await notification.deliveries.drain()
    (theirs,) = notification.mail_server.to(ZOE)
    assert theirs["Subject"] == "Votre place d'examen est réservée"
    text, html = part(theirs, "plain"), part(theirs, "html")
    assert text.index("Bonjour Zoé") < text.index("mercredi 9 décembre 2026 à 8 h 32")
    assert "Martin" not in text
    assert "Zoé &lt;b&gt;" in html
    assert "<b>" not in html
    method, calendar = attached(theirs)
    (event,) = calendar.walk("VEVENT")
    assert (method, str(event["uid"]), int(event["sequence"])) == ("PUBLISH", "0198-line", 0)
    assert event["dtstart"].dt.astimezone(UTC) == STARTS
    assert event["dtstart"].params["TZID"] == "Europe/Paris"
    assert [str(zone["tzid"]) for zone in calendar.walk("VTIMEZONE")] == ["Europe/Paris"]
    assert str(event["location"]) == "Rosny-sous-Bois"
    (french,), (english,) = notification.mail_server.to(ONE), notification.mail_server.to(TWO)
    assert french["Subject"] == "Réservé : permis B, 09/12/2026 08:32, Rosny-sous-Bois"
    assert english["Subject"] == "Booked: licence B, 09/12/2026 08:32, Rosny-sous-Bois"
    assert (french["Content-Language"], english["Content-Language"]) == ("fr", "en")
    assert "https://resapermis.example/reservations" in part(french, "plain")
    assert "Candidat : Zoé <b> Martin" in part(french, "plain")
    assert "Candidate: Zoé <b> Martin" in part(english, "plain")
    assert all("Zoé" not in mail["Subject"] for mail in (french, english, theirs))
    assert sorted(notification.addressees.purposes) == [
        "notify_candidate",
        "notify_school",
    ]  # once for both of the school


@pytest.mark.req("N-07")
async def test_a_mail_is_in_the_readers_one_language(notification: Notification) -> None:
    await notification.receive(line())
    await notification.receive(line(LineState.LINE_STATE_CANCELLED))
    await notification.deliveries.drain()
    for address, here, other in ((ONE, "fr", "en"), (TWO, "en", "fr"), (ZOE, "fr", "en")):
        for mail in notification.mail_server.to(address):
            words = {"fr": ("Bonjour", "permis B", "automatique"), "en": ("Hello", "licence B", "Automatic")}
            whole = f"{mail['Subject']} {part(mail, 'plain')} {part(mail, 'html')} {attached(mail)[1].walk('VEVENT')[0]['summary']}"
            assert any(word in whole for word in words[here])
            assert not [word for word in words[other] if word in whole]


@pytest.mark.req("N-06")
async def test_a_schools_mail_goes_out_without_the_name_of_who_was_erased(notification: Notification) -> None:
    notification.addressees.erased = True
    await notification.receive(line())
    await notification.deliveries.drain()
    (mail,) = notification.mail_server.to(ONE)
    assert "Candidat" not in part(mail, "plain").replace("Le candidat est prévenu", "")


@pytest.mark.req("R-28")
async def test_what_is_for_managers_is_mailed_to_them_alone(notification: Notification) -> None:
    await notification.receive(AuthorisationEnding(school_id="school-1", what="licence"))
    await notification.deliveries.drain()
    (only,) = notification.mail_server.mails
    assert (only[0], only[1]["Subject"]) == (ONE, "Une autorisation prend fin")
    assert await notification.outcomes() == {("school", ""): "spread", ("account", "account-1"): "sent"}


@pytest.mark.req("S-24", "N-03")
async def test_the_end_of_the_last_grant_is_mailed_to_managers_once_and_a_reminder_to_who_gave_it(
    notification: Notification,
) -> None:
    last = GrantEnded(grant_id="g1", school_id="school-1", account_id="account-2", reason="run_out", left=0)
    event_id = str(new_id())
    for _ in range(2):  # the bus may bring it again
        await notification.receive(last, event_id)
    ending = GrantEnding(grant_id="g2", school_id="school-1", account_id="account-2")
    ending.ends_at.FromDatetime(STARTS)
    await notification.receive(ending)
    await notification.deliveries.drain()
    (waits,), (soon,) = notification.mail_server.to(ONE), notification.mail_server.to(TWO)
    assert (waits["Subject"], soon["Subject"]) == ("Le travail en arrière-plan est suspendu", "Your grant ends soon")
    assert all("https://resapermis.example/compte" in part(mail, "plain") for mail in (waits, soon))
    kinds = {
        account: [notice.kind for notice in listed.notices]
        for account in ("account-1", "account-2")
        if (listed := await notification.call("ListNotices", pb.ListNoticesRequest(), account_id=account))
    }
    assert kinds == {"account-1": ["grant.none_left"], "account-2": ["grant.ending", "grant.none_left"]}


def invitation() -> PersonInvited:
    event = PersonInvited(invitation_id="0198-invitation", account_id="account-1", school_id="school-1", role="auditor")
    event.ends_at.FromDatetime(utc_now() + timedelta(hours=72))
    return event


@pytest.mark.req("S-23")
async def test_an_invitation_is_mailed_with_a_word_that_nobody_keeps(
    notification: Notification,
) -> None:
    await notification.receive(invitation())
    await notification.deliveries.drain()
    (mail,) = notification.mail_server.to(ONE)
    assert notification.mail_server.to(TWO) == []
    assert mail["Subject"] == "Votre invitation à ResaPermis"
    (word,) = notification.addressees.words
    link = f"https://resapermis.example/invitation#{word}"
    for kind in ("plain", "html"):
        text = part(mail, kind)
        assert link in text
        assert "comme auditeur" in text
    async with notification.engine.connect() as connection:
        for table in ("notice", "delivery", "outbox"):
            rows = (await connection.execute(sa.text(f"SELECT t::text FROM {table} AS t"))).scalars().all()  # noqa: S608 - ours
            assert rows
            assert not [row for row in rows if word in row]


@pytest.mark.req("S-23")
async def test_an_invitation_that_counts_no_more_is_not_sent(notification: Notification) -> None:
    notification.addressees.over = True
    await notification.receive(invitation())
    await notification.deliveries.drain()
    assert (await notification.outcomes())["account", "account-1"] == "gone"
    notification.addressees.over = False
    await notification.receive(invitation())
    notification.later = timedelta(hours=72)
    await notification.deliveries.drain()
    assert notification.mail_server.mails == []
    assert notification.addressees.words == []


@pytest.mark.req("R-20")
async def test_a_matched_search_is_mailed_to_its_owner_and_not_an_hour_later(notification: Notification) -> None:
    await notification.receive(SearchMatched(search_id="f1", school_id="school-1", account_id="account-2", slots=2))
    await notification.deliveries.drain()
    (only,) = notification.mail_server.mails
    assert (only[0], only[1]["Subject"]) == (TWO, "A slot matches your search")
    await notification.mail_server.stop()
    await notification.receive(SearchMatched(search_id="f2", school_id="school-1", account_id="account-1", slots=2))
    notification.later = timedelta(hours=1, seconds=1)
    await notification.deliveries.measure()
    assert REGISTRY.get_sample_value("resapermis_mails_due") == 1
    assert (REGISTRY.get_sample_value("resapermis_mails_due_oldest_seconds") or 0) >= 3600
    await notification.mail_server.start()
    await notification.deliveries.drain()
    assert len(notification.mail_server.mails) == 1
    assert await notification.outcomes() == {("account", "account-2"): "sent", ("account", "account-1"): "gone"}


@pytest.mark.req("N-06", "N-07", "R-22")
async def test_a_candidate_gets_a_mail_that_a_result_is_there_but_not_how_it_went(notification: Notification) -> None:
    event = ResultFound(line_id="0198-line", school_id="school-1", candidate_id="0198-candidate", category="B")
    event.result.outcome = Result.OUTCOME_FAILED
    event.starts_at.FromDatetime(STARTS)
    await notification.receive(event)
    await notification.deliveries.drain()
    ((to, theirs),) = notification.mail_server.mails
    assert (to, theirs["Subject"]) == (ZOE, "Le résultat de votre examen est publié")
    assert "échou" not in part(theirs, "plain")
    assert "failed" not in part(theirs, "plain")


@pytest.mark.req("R-31", "N-06")
async def test_a_booking_made_by_hand_is_mailed_to_the_candidate_with_its_calendar(notification: Notification) -> None:
    await notification.receive(line(account_id="", found_elsewhere=True))
    await notification.deliveries.drain()
    (theirs,) = notification.mail_server.to(ZOE)
    assert theirs["Subject"] == "Une place d'examen est réservée à votre nom"
    assert "chez RdvPermis" in part(theirs, "plain")
    assert attached(theirs)[0] == "PUBLISH"


@pytest.mark.req("N-06")
async def test_a_cancellation_takes_the_exam_off_the_calendar(notification: Notification) -> None:
    await notification.receive(line())
    await notification.receive(line(LineState.LINE_STATE_CANCELLED))
    await notification.deliveries.drain()
    _, cancelled = notification.mail_server.to(ZOE)
    method, calendar = attached(cancelled)
    (event,) = calendar.walk("VEVENT")
    assert (method, str(event["uid"]), int(event["sequence"])) == ("CANCEL", "0198-line", 1)
    assert str(event["status"]) == "CANCELLED"
    assert "annulée par votre auto-école :" in part(cancelled, "plain")


@pytest.mark.req("N-04")
async def test_an_exam_overseas_keeps_its_own_zone() -> None:
    facts = {
        "line_id": "l",
        "starts_at": STARTS.isoformat(),
        "ends_at": STARTS.isoformat(),
        "time_zone": "Indian/Reunion",
    }
    made = ics.calendar("PUBLISH", facts, STARTS, SENDER.address)
    assert made is not None
    assert made == ics.calendar("PUBLISH", facts, STARTS, SENDER.address)
    (event,) = Calendar.from_ical(made).walk("VEVENT")
    assert event["dtstart"].dt == STARTS.astimezone(ZoneInfo("Indian/Reunion"))
    assert ics.calendar("PUBLISH", facts | {"time_zone": "Nowhere/Land"}, STARTS, SENDER.address) is None


@pytest.mark.req("N-06")
async def test_a_candidate_gets_mails_of_mandates_that_begin_and_end(notification: Notification) -> None:
    for state in (
        MandateState.MANDATE_STATE_PENDING,
        MandateState.MANDATE_STATE_ACTIVE,
        MandateState.MANDATE_STATE_REVOKED,
    ):
        await notification.receive(
            MandateChanged(mandate_id="m", candidate_id="c", school_id="school-1", category="B", to=state)
        )
    await notification.deliveries.drain()
    assert [mail["Subject"] for mail in notification.mail_server.to(ZOE)] == [
        "Votre mandat est actif",
        "Votre mandat est terminé",
    ]
    assert "https://resapermis.example/candidats/c\n" in part(notification.mail_server.to(ONE)[0], "plain").replace(
        "\r", ""
    )
    assert [mail["Subject"] for mail in notification.mail_server.to(ONE)] == [
        "Mandat actif : permis B",
        "Mandat terminé : permis B",
    ]


@pytest.mark.req("N-06", "T-01")
async def test_each_mail_to_a_candidate_is_in_the_journal_and_none_to_a_school(notification: Notification) -> None:
    await notification.receive(line())
    await notification.deliveries.drain()
    await notification.deliveries.drain()
    (record,) = await notification.records()
    assert (record.action, record.candidate_id, record.outcome) == (
        "notice.mail",
        "0198-candidate",
        Outcome.OUTCOME_DONE,
    )
    assert record.facts["kind"] == "booking.confirmed"
    assert len(notification.mail_server.mails) == 3


@pytest.mark.req("N-04")
async def test_a_mail_server_that_is_away_loses_nothing(notification: Notification) -> None:
    await notification.mail_server.stop()
    await notification.receive(line())
    await notification.deliveries.drain()
    assert not notification.mail_server.mails
    assert set((await notification.outcomes()).values()) == {"spread", "waiting"}
    assert not notification.addressees.purposes  # nobody's address is read for nothing
    await notification.mail_server.start()
    await notification.deliveries.drain()
    assert not notification.mail_server.mails  # not before its time
    notification.later = timedelta(minutes=2)
    await notification.deliveries.drain()
    assert sorted(to for to, _ in notification.mail_server.mails) == [ONE, TWO, ZOE]
    assert set((await notification.outcomes()).values()) == {"spread", "sent"}


@pytest.mark.req("N-04")
async def test_after_a_day_a_mail_is_dead_and_recorded_so(notification: Notification) -> None:
    await notification.mail_server.stop()
    await notification.receive(line())
    await notification.deliveries.drain()
    notification.later = timedelta(hours=25)
    await notification.deliveries.drain()
    assert set((await notification.outcomes()).values()) == {"spread", "dead"}
    (record,) = await notification.records()
    assert record.outcome == Outcome.OUTCOME_FAILED


@pytest.mark.req("N-04")
async def test_a_refused_recipient_is_final_and_the_others_get_theirs(notification: Notification) -> None:
    notification.mail_server.refusals = {ZOE: "550 no such user", ONE: "450 greylisted"}
    await notification.receive(line())
    await notification.deliveries.drain()
    outcomes = await notification.outcomes()
    assert outcomes["candidate", "0198-candidate"] == "refused"
    assert outcomes["account", "account-1"] == "waiting"
    assert outcomes["account", "account-2"] == "sent"
    (record,) = await notification.records()
    assert (record.outcome, record.facts["problem"]) == (Outcome.OUTCOME_REFUSED, "smtp 550")
    notification.mail_server.refusals, notification.later = {}, timedelta(minutes=2)
    await notification.deliveries.drain()
    assert len(notification.mail_server.to(ONE)) == 1
    assert not notification.mail_server.to(ZOE)


@pytest.mark.req("N-04")
async def test_while_a_peer_is_away_mails_wait(notification: Notification) -> None:
    notification.addressees.away = True
    await notification.receive(line())
    await notification.deliveries.drain()
    assert set((await notification.outcomes()).values()) == {"waiting"}
    notification.addressees.away, notification.later = False, timedelta(minutes=2)
    await notification.deliveries.drain()
    assert sorted(to for to, _ in notification.mail_server.mails) == [ONE, TWO, ZOE]


@pytest.mark.req("N-06")
async def test_an_erased_candidate_and_a_left_account_get_no_mail(notification: Notification) -> None:
    notification.addressees.erased = True
    await notification.mail_server.stop()
    await notification.receive(line())
    await notification.deliveries.drain()
    notification.addressees.recipients.pop()
    await notification.mail_server.start()
    notification.later = timedelta(minutes=2)
    await notification.deliveries.drain()
    assert [to for to, _ in notification.mail_server.mails] == [ONE]
    outcomes = await notification.outcomes()
    assert (outcomes["candidate", "0198-candidate"], outcomes["account", "account-2"]) == ("gone", "gone")


@pytest.mark.req("N-03")
async def test_a_warning_that_comes_too_late_is_not_sent(notification: Notification) -> None:
    event = GroupExpiring(group_id="g1", school_id="school-1")
    event.expires_at.FromDatetime(utc_now() + timedelta(minutes=2))
    await notification.mail_server.stop()
    await notification.receive(event)
    await notification.deliveries.drain()
    await notification.mail_server.start()
    notification.later = timedelta(minutes=5)
    await notification.deliveries.drain()
    assert not notification.mail_server.mails
    assert set((await notification.outcomes()).values()) == {"spread", "gone"}


@pytest.mark.req("N-04")
async def test_a_mail_sent_again_is_recognisable() -> None:
    content = MailContent("mandate.active", utc_now(), {"category": "B"}, "Actif.", "Active.")
    delivery_id = new_id()
    first, second = (write(content, "school", ONE, "fr", SENDER, delivery_id) for _ in range(2))
    assert first["Message-ID"] == second["Message-ID"] == f"<{delivery_id}@resapermis.example>"


@pytest.mark.req("N-07")
@pytest.mark.parametrize(
    "address", ["", "nobody", "a@b\r\nBcc: c@d", "a@b,c@d", "<a@b>", "a b@c", "a@b@c", "x" * 65 + "@b.example"]
)
async def test_an_address_that_could_become_a_header_or_two_people_is_refused(address: str) -> None:
    content = MailContent("mandate.active", utc_now(), {}, "Actif.", "Active.")
    with pytest.raises(InvalidAddress):
        write(content, "school", address, "fr", SENDER, UUID(int=1))


@pytest.mark.req("N-07")
async def test_a_name_with_line_ends_makes_no_header_and_no_line() -> None:
    content = MailContent("booking.confirmed", utc_now(), {"centre": "Ro\x0bsny"}, "Réservé.", "Booked.")
    raw = write(content, "candidate", ZOE, "fr", SENDER, UUID(int=1), "Zoé\r\nBcc: all@example.org").as_bytes(
        policy=SMTP
    )
    assert b"\nBcc:" not in raw


@pytest.mark.req("N-04")
def test_pauses_double_from_a_minute_to_an_hour() -> None:
    assert [pause(n).total_seconds() / 60 for n in (0, 1, 2, 6, 50)] == [1, 2, 4, 60, 60]


@pytest.mark.req("N-04")
@pytest.mark.parametrize("url", ["http://mail:25", "smtp://", "smtp://user:secret@mail:25"])
def test_a_mail_server_address_that_cannot_be_is_refused_at_the_start(url: str) -> None:
    with pytest.raises(ValueError, match="RESAPERMIS_SMTP_URL") as caught:
        MailServer.parse(url)
    assert "secret" not in str(caught.value)
    assert MailServer.parse("smtps://mail").port == 465
