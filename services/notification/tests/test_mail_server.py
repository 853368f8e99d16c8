"""The connection to the mail server: a password goes over TLS or not at all."""

import asyncio
import contextlib
import datetime as dt
import ssl
from collections.abc import AsyncIterator, Callable
from email.message import EmailMessage
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from aiosmtpd.smtp import AuthResult, LoginPassword
from cryptography.x509.oid import ExtendedKeyUsageOID
from notification_peers import SENDER, MailCatcher

from resapermis_kit.clock import utc_now
from resapermis_kit.tls import certificates, policy
from resapermis_notification.mails.message import MailContent, write
from resapermis_notification.mails.smtp import MailServer, ServerUnavailable
from resapermis_testing.certificates import Authority
from resapermis_testing.ports import free_port

PASSWORD = "an invented password"
PAST = dt.timedelta(minutes=-1)


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

    await silent.start(tls_context=shown(tls / "audit"), require_starttls=True, authenticator=check, auth_required=True)
    url, believed = f"smtp://127.0.0.1:{silent.port}", tls / "audit" / "ca.pem"
    async with MailServer.parse(url, "resapermis", PASSWORD, believed).connected() as connection:
        await connection.send(message(), "no-reply@resapermis.example", "one@school.example")
    assert len(silent.mails) == 1
    with pytest.raises(ServerUnavailable):
        async with MailServer.parse(url, "resapermis", "wrong", believed).connected():
            pass


def shown(folder: Path) -> ssl.SSLContext:
    return policy.server_context((folder / "tls.key").read_bytes(), (folder / "tls.pem").read_bytes())


FALSE: dict[str, Callable[[Authority, Path], Any]] = {
    "another authority": lambda _, to: Authority().sign(to, "mail"),
    "another name": lambda ours, to: ours.sign(to, "mail", names=["mail.example.org"]),
    "ended": lambda ours, to: ours.sign(to, "mail", begins=2 * PAST, ends=PAST),
    "a client's": lambda ours, to: ours.sign(to, "mail", uses=[ExtendedKeyUsageOID.CLIENT_AUTH]),
}


@contextlib.asynccontextmanager
async def pretending(
    answer: str, starttls: ssl.SSLContext | None = None, over: ssl.SSLContext | None = None
) -> AsyncIterator[tuple[int, list[str]]]:
    """A mail server that answers EHLO so, and STARTTLS with TLS or an error: its port, and the commands that it hears."""
    heard: list[str] = []
    answering: set[asyncio.Task[Any] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        answering.add(asyncio.current_task())
        plain = writer.transport
        writer.write(b"220 mail\r\n")
        with contextlib.suppress(OSError):
            while line := await reader.readline():
                heard.append(line.split(maxsplit=1)[0].decode().upper())
                if heard[-1] == "STARTTLS" and starttls is not None:
                    writer.write(b"220 go on\r\n")
                    await writer.start_tls(starttls)
                else:
                    writer.write(f"{answer}\r\n".encode() if heard[-1] == "EHLO" else b"454 not now\r\n")
        writer.transport.abort()
        plain.abort()  # asyncio leaves it open where STARTTLS fails

    async with await asyncio.start_server(handle, "127.0.0.1", 0, ssl=over) as server:
        yield server.sockets[0].getsockname()[1], heard
        await asyncio.gather(*filter(None, answering))
    await asyncio.sleep(0)  # what was aborted is closed


OFFERS = "250-mail\r\n250-AUTH PLAIN LOGIN\r\n250 STARTTLS"


@pytest.mark.req("S-18", "S-25")
@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
@pytest.mark.parametrize("sign", FALSE.values(), ids=FALSE)
async def test_a_mail_server_with_a_false_certificate_is_told_nothing(
    tmp_path: Path, sign: Callable[[Authority, Path], Any], scheme: str
) -> None:
    ours = Authority()
    ours.sign(tmp_path / "ours", "notification")
    sign(ours, tmp_path / "server")
    context = shown(tmp_path / "server")
    given = {"over": context} if scheme == "smtps" else {"starttls": context}
    async with pretending(OFFERS, **given) as (port, heard):
        for believed in (tmp_path / "ours" / "ca.pem", None):  # nor is one believed that the system knows nobody for
            with pytest.raises(ServerUnavailable):
                async with MailServer.parse(
                    f"{scheme}://localhost:{port}", "resapermis", PASSWORD, believed
                ).connected():
                    pass
    assert set(heard) <= {"EHLO", "STARTTLS"}


@pytest.mark.req("S-17", "S-25")
async def test_another_authority_is_believed_once_its_file_says_so(
    silent: MailCatcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(certificates, "LOOK_SECONDS", 0.0)
    ours, other, believed = Authority(), Authority(), tmp_path / "ca.pem"
    other.sign(tmp_path / "server", "mail")
    believed.write_bytes(ours.pem)
    await silent.start(over=shown(tmp_path / "server"))
    server = MailServer.parse(f"smtps://localhost:{silent.port}", ca_file=believed)
    with pytest.raises(ServerUnavailable):
        async with server.connected():
            pass
    believed.write_bytes(ours.pem + other.pem)
    async with server.connected() as connection:
        await connection.send(message(), "no-reply@resapermis.example", "one@school.example")
    assert len(silent.mails) == 1


@pytest.mark.req("D-04")
@pytest.mark.parametrize("answer", ["250-mail\r\n250 AUTH PLAIN LOGIN", OFFERS], ids=["not offered", "refused"])
async def test_without_tls_a_mail_server_hears_who_greets_and_nothing_else(answer: str) -> None:
    """Neither AUTH nor MAIL, where STARTTLS was taken out of the offers on the way, or is answered with an error."""
    async with pretending(answer) as (port, heard):
        with pytest.raises(ServerUnavailable):
            async with MailServer.parse(f"smtp+starttls://127.0.0.1:{port}", "resapermis", PASSWORD).connected():
                pass
    assert heard
    assert set(heard) <= {"EHLO", "STARTTLS", "QUIT"}


@pytest.mark.req("D-04")
@pytest.mark.parametrize("host", ["mail", "mail.example.org", "10.0.0.8", "localhost.example.org"])
def test_another_machine_gets_no_mail_in_clear(host: str) -> None:
    with pytest.raises(ValueError, match=r"smtps:// or smtp\+starttls://"):
        MailServer.parse(f"smtp://{host}:25")


@pytest.mark.req("N-04")
async def test_nobody_listening_is_a_server_that_is_away() -> None:
    with pytest.raises(ServerUnavailable):
        async with MailServer.parse(f"smtp://127.0.0.1:{free_port()}").connected():
            pass
