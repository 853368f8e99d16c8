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


async def test_with_tls_nothing_is_taken_in_clear(tmp_path, a_port):
    import asyncio
    import ssl
    from datetime import UTC, datetime
    from urllib.request import urlopen

    from devstack.certificates import Leaf, ensure_certificates
    from mailcatcher import run, tls_of

    ensure_certificates(tmp_path, {"mail": Leaf(asks=False)}, datetime.now(UTC))
    port = a_port()
    catching = asyncio.create_task(run(("127.0.0.1", port), ("127.0.0.1", port + 1), tls_of(tmp_path / "mail")))
    trust = ssl.create_default_context(cafile=str(tmp_path / "ca.pem"))

    def send(context):
        with smtplib.SMTP("localhost", port) as smtp:
            if context is not None:
                smtp.starttls(context=context)
            smtp.sendmail("a@resapermis.example", ["zoe@ecole.example"], "Subject: Bonjour\n\nBonjour\n")

    def page():
        with urlopen(f"https://localhost:{port + 1}/api/mails", context=trust) as reply:
            return json.load(reply)

    try:
        while not catching.done():
            try:
                await asyncio.to_thread(send, trust)
            except ConnectionRefusedError:
                continue
            break
        with pytest.raises(smtplib.SMTPSenderRefused, match="STARTTLS"):
            await asyncio.to_thread(send, None)
        assert [mail["subject"] for mail in await asyncio.to_thread(page)] == ["Bonjour"]
    finally:
        catching.cancel()
        await asyncio.gather(catching, return_exceptions=True)
