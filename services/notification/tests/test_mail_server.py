"""The connection to the mail server: a password goes over TLS or not at all."""

import ssl
from dataclasses import replace
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from notification_peers import SENDER, MailCatcher

from resapermis_kit.clock import utc_now
from resapermis_notification.mails.message import MailContent, write
from resapermis_notification.mails.smtp import MailServer, ServerUnavailable
from resapermis_testing.ports import free_port

PASSWORD = "an invented password"


def message() -> EmailMessage:
    content = MailContent("mandate.active", utc_now(), {"category": "B"}, "Mandat actif.", "Mandate active.")
    return write(content, "school", "one@school.example", "fr", SENDER, UUID(int=1))


@pytest.fixture
async def silent() -> Any:
    """A mail server that the test starts itself."""
    server = MailCatcher()
    yield server
    await server.stop()


@pytest.mark.parametrize(("scheme", "username"), [("smtp", "resapermis"), ("smtp+starttls", "")])
async def test_neither_a_password_nor_a_mail_goes_in_clear(silent: MailCatcher, scheme: str, username: str) -> None:
    seen: list[str] = []

    def check(*_: Any) -> AuthResult:
        seen.append("auth")
        return AuthResult(success=True)

    await silent.start(authenticator=check, auth_require_tls=False)
    server = MailServer.parse(f"{scheme}://127.0.0.1:{silent.port}", username, PASSWORD)
    with pytest.raises(ServerUnavailable):
        async with server.connected():
            pass
    assert not seen
    assert not silent.mails


@pytest.mark.req("S-25")
async def test_over_starttls_the_account_signs_in_and_sends(silent: MailCatcher, tls: Path) -> None:
    def check(_server: Any, _session: Any, _envelope: Any, _mechanism: str, data: LoginPassword) -> AuthResult:
        return AuthResult(success=data.password == PASSWORD.encode(), handled=False)

    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(tls / "audit" / "tls.pem", tls / "audit" / "tls.key")
    await silent.start(tls_context=context, require_starttls=True, authenticator=check, auth_required=True)
    trusting = ssl.create_default_context(cafile=str(tls / "audit" / "ca.pem"))
    server = MailServer.parse(f"smtp://127.0.0.1:{silent.port}", "resapermis", PASSWORD)
    async with replace(server, context=trusting).connected() as connection:
        await connection.send(message(), "no-reply@resapermis.example", "one@school.example")
    assert len(silent.mails) == 1
    with pytest.raises(ServerUnavailable):  # a certificate that nobody we trust has signed
        async with server.connected():
            pass
    with pytest.raises(ServerUnavailable):
        async with replace(server, context=trusting, password="wrong").connected():
            pass


@pytest.mark.req("N-04")
async def test_nobody_listening_is_a_server_that_is_away() -> None:
    with pytest.raises(ServerUnavailable):
        async with MailServer.parse(f"smtp://127.0.0.1:{free_port()}").connected():
            pass
