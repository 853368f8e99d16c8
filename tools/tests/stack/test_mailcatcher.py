"""Mails are caught whole, and the console never says to whom they went."""

import json
import smtplib
from email.message import EmailMessage
from http import HTTPStatus

import pytest

from devstack.background import BackgroundStack
from devstack.components import MAIL
from devstack.stack import Stack
from mailcatcher import Box, Mail, answer


@pytest.fixture
def running(tmp_path, a_port):
    with BackgroundStack(Stack(tmp_path / "home", a_port(), components=(MAIL,))) as it:
        yield it


def test_a_mail_with_a_calendar_is_kept_with_all_its_parts(running):
    from urllib.request import urlopen

    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "a@resapermis.example", "zoe@ecole.example", "Place réservée"
    message.set_content("Bonjour à vous")
    message.add_alternative("<p>Bonjour</p>", subtype="html")
    message.add_attachment("BEGIN:VCALENDAR", subtype="calendar", filename="examen.ics")
    with smtplib.SMTP("127.0.0.1", running.stack.ports.smtp) as smtp:
        smtp.send_message(message)
    with urlopen(f"http://127.0.0.1:{running.stack.ports.mail_web}/api/mails") as reply:
        caught = json.load(reply)[0]
    assert (caught["subject"], caught["to"]) == ("Place réservée", ["zoe@ecole.example"])
    assert caught["text"].strip() == "Bonjour à vous"
    assert caught["attachments"][0][:2] == ["examen.ics", "text/calendar"]
    log = (running.stack.home / "log" / "mail.log").read_text()
    assert "ecole.example: Place réservée" in log
    assert "zoe" not in log


def test_a_page_shows_a_hostile_subject_as_text():
    box = Box()
    box.mails = [Mail(1, "2026-11-24T09:00:00", "a@b", ("c@d",), "<script>x</script>", "t", "", ())]
    status, _, body = answer(box, "GET", "/")
    assert status is HTTPStatus.OK
    assert "<script>" not in body


def test_an_unknown_mail_is_not_found():
    assert answer(Box(), "GET", "/mails/7")[0] is HTTPStatus.NOT_FOUND
