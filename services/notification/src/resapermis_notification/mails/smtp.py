"""The mail server: one connection a round, and what its refusals mean."""

import functools
import socket
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path
from urllib.parse import urlsplit

import aiosmtplib

from resapermis_kit.tls import policy
from resapermis_kit.tls.certificates import Authorities

TIMEOUT_SECONDS = 20
PEER = "mail"
"""What metrics of failed handshakes call the mail server."""
PORTS = {"smtp": 25, "smtp+starttls": 587, "smtps": 465}


class ServerUnavailable(Exception):
    """The mail server cannot be reached, hung up or refuses us, whatever the mail and its reader."""


class MailDeferred(Exception):
    """The server would not take this mail now (4xx); `args[0]` is a word for the log, never its text."""


class MailRejected(Exception):
    """The server will never take this mail for this recipient (5xx)."""


@dataclass(frozen=True)
class MailServer:
    """Where mails go: over TLS that verifies chain and name, or to this machine. Nothing is said before, a password never in clear."""

    host: str
    port: int
    tls: bool
    """TLS from the first byte."""
    starttls: bool | None
    """True: STARTTLS or nothing is sent. None: where the server offers it, which is on this machine."""
    username: str
    password: str
    context: Callable[[], ssl.SSLContext]
    """For a connection that is opened now."""

    @classmethod
    def parse(cls, url: str, username: str = "", password: str = "", ca_file: Path | None = None) -> "MailServer":
        """From smtps://host:port, smtp+starttls://host:port, or smtp://host:port on this machine; ValueError for anything else.

        `ca_file`: authorities (PEM) that are believed instead of the system's. Unusable where it cannot be read.
        """
        address = urlsplit(url)
        if address.scheme not in PORTS or not address.hostname:
            msg = "RESAPERMIS_SMTP_URL: smtps://host:port, smtp+starttls://host:port or smtp://host:port"
            raise ValueError(msg)
        if address.username or address.password:
            msg = "RESAPERMIS_SMTP_URL: give the account as RESAPERMIS_SMTP_USERNAME and _PASSWORD_FILE"
            raise ValueError(msg)
        if address.scheme == "smtp" and not policy.on_this_machine(address.hostname):
            msg = "RESAPERMIS_SMTP_URL: smtps:// or smtp+starttls://; smtp:// is for this machine alone, mails would cross a network in clear"
            raise ValueError(msg)
        port = address.port or PORTS[address.scheme]
        tls = address.scheme == "smtps"
        # With a password STARTTLS is demanded whatever the scheme, so that none goes in clear.
        demanded = not tls and (address.scheme == "smtp+starttls" or bool(username))
        if ca_file is not None:
            context = Authorities(PEER, ca_file).client_context
        else:  # read once: the system's authorities take 50 ms
            context = functools.cache(functools.partial(policy.client_context, PEER, None))
        return cls(address.hostname, port, tls, demanded or None, username, password, context)

    @asynccontextmanager
    async def connected(self) -> AsyncIterator["Connection"]:
        """An open connection for the length of the block; ServerUnavailable when none comes about."""
        client = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            use_tls=self.tls,
            start_tls=self.starttls,
            username=self.username or None,
            password=self.password or None,
            tls_context=self.context(),
            local_hostname=socket.gethostname(),
            timeout=TIMEOUT_SECONDS,
        )
        try:
            await client.connect()
        except (aiosmtplib.SMTPException, OSError, TimeoutError) as error:
            client.close()
            raise ServerUnavailable(type(error).__qualname__) from None
        try:
            yield Connection(client)
        finally:
            try:
                await client.quit()
            except (aiosmtplib.SMTPException, OSError, TimeoutError):
                client.close()


class Connection:
    """An SMTP connection, signed in where a user is set."""

    def __init__(self, client: aiosmtplib.SMTP) -> None:
        """Made by MailServer."""
        self._client = client

    async def send(self, message: EmailMessage, sender: str, recipient: str) -> None:
        """Hand a mail over; ServerUnavailable, MailDeferred or MailRejected. Their texts hold a code or a type, never an address."""
        try:
            await self._client.send_message(message, sender=sender, recipients=[recipient])
        except aiosmtplib.SMTPRecipientsRefused as refused:
            _refuse(refused.recipients[0].code)
        except (aiosmtplib.SMTPDataError, aiosmtplib.SMTPRecipientRefused) as error:
            _refuse(error.code)
        except aiosmtplib.SMTPNotSupported:
            raise MailRejected("address not supported") from None
        except (aiosmtplib.SMTPServerDisconnected, aiosmtplib.SMTPTimeoutError, OSError, TimeoutError) as error:
            raise ServerUnavailable(type(error).__qualname__) from None
        except aiosmtplib.SMTPException as error:  # our sender or account: to be settled by an operator within a day
            raise MailDeferred(type(error).__qualname__) from None


def _refuse(code: int) -> None:
    raise (MailRejected if 500 <= code < 600 else MailDeferred)(f"smtp {code}") from None
