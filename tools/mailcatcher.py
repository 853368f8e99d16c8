"""Catches every mail of the local stack: SMTP in, a web page and JSON out. Nothing leaves the machine.

GET /            the list, newest first            GET /mails/<n>        one mail as text
GET /api/mails   everything as JSON                GET /mails/<n>/html   one mail's HTML part, without scripts
DELETE /api/mails forgets them all

Prints one line per mail: what it is about and the domain it goes to, never to whom. With --tls mails are taken after
STARTTLS alone, and the page is https.
"""

import argparse
import asyncio
import html
import json
import re
import signal
import ssl
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from http import HTTPStatus
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

KEPT = 2000
"""Older mails are forgotten, so that a long bench does not fill the memory."""
LARGEST_BYTES = 2 * 1024 * 1024
MODERN_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
PAGE_HEADERS = "Content-Security-Policy: default-src 'none'; style-src 'unsafe-inline'; img-src data:\r\nX-Content-Type-Options: nosniff\r\n"


@dataclass(frozen=True)
class Mail:
    """A caught mail, taken apart. `attachments` are (file name, type, text) for text types, else an empty text."""

    number: int
    received_at: str
    sender: str
    to: tuple[str, ...]
    subject: str
    text: str
    html: str
    attachments: tuple[tuple[str, str, str], ...]


class Box:
    """The mails of this run, in memory, newest last."""

    def __init__(self) -> None:
        """Empty."""
        self.mails: list[Mail] = []
        self._count = 0

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep a mail and say so in one line."""
        del server, session
        content = envelope.content if isinstance(envelope.content, bytes) else (envelope.content or "").encode()
        message = message_from_bytes(content, policy=policy.default)
        self._count += 1
        mail = _taken_apart(self._count, message, envelope)
        self.mails = [*self.mails[-KEPT + 1 :], mail]
        domains = sorted({address.rpartition("@")[2] for address in mail.to})
        print(f"  {'mail':<17}#{mail.number} to {', '.join(domains)}: {mail.subject[:80]}", flush=True)
        return "250 caught"


def _taken_apart(number: int, message: EmailMessage, envelope: Envelope) -> Mail:
    texts: dict[str, str] = {}
    attachments: list[tuple[str, str, str]] = []
    for part in message.walk():
        kind = part.get_content_type()
        if part.is_multipart():
            continue
        readable = kind.startswith("text/")
        content = str(part.get_content()) if readable else ""
        if part.get_filename() or kind not in {"text/plain", "text/html"}:
            attachments.append((part.get_filename() or "", kind, content))
        else:
            texts.setdefault(kind, content)
    return Mail(
        number=number,
        received_at=datetime.now(UTC).isoformat(timespec="milliseconds"),
        sender=envelope.mail_from or "",
        to=tuple(envelope.rcpt_tos),
        subject=" ".join(str(message.get("Subject", "")).split()),
        text=texts.get("text/plain", ""),
        html=texts.get("text/html", ""),
        attachments=tuple(attachments),
    )


def answer(box: Box, method: str, path: str) -> tuple[HTTPStatus, str, str]:
    """Status, content type and body for a request."""
    if path == "/api/mails" and method == "GET":
        return HTTPStatus.OK, "application/json", json.dumps([asdict(mail) for mail in box.mails], ensure_ascii=False)
    if path == "/api/mails" and method == "DELETE":
        box.mails = []
        return HTTPStatus.NO_CONTENT, "text/plain", ""
    if method == "GET" and path == "/":
        return HTTPStatus.OK, "text/html", _page("Mails", _rows(box))
    asked = re.fullmatch(r"/mails/(\d{1,9})(/html)?", path)
    mail = next((one for one in box.mails if asked and one.number == int(asked[1])), None)
    if asked is None or mail is None or method != "GET":
        return (
            HTTPStatus.NOT_FOUND,
            "text/html",
            _page("Not here", "<p>There is no such mail. <a href='/'>All mails</a></p>"),
        )
    if asked[2]:
        return HTTPStatus.OK, "text/html", mail.html or _page(mail.subject, "<p>This mail has no HTML part.</p>")
    return HTTPStatus.OK, "text/html", _page(mail.subject, _mail(mail))


def _rows(box: Box) -> str:
    if not box.mails:
        return "<p>No mail yet. What ResaPermis or RdvPermis sends appears here.</p>"
    rows = "".join(
        f"<tr><td>{mail.number}<td>{mail.received_at[11:19]}<td>{html.escape(', '.join(mail.to))}"
        f"<td><a href='/mails/{mail.number}'>{html.escape(mail.subject) or '(no subject)'}</a>"
        for mail in reversed(box.mails)
    )
    return f"<table><tr><th>#<th>UTC<th>To<th>Subject{rows}</table>"


def _mail(mail: Mail) -> str:
    text = re.sub(
        r"(https?://[^\s&<>]+(?:&amp;[^\s&<>]+)*)", r'<a href="\1" rel="noreferrer">\1</a>', html.escape(mail.text)
    )
    attached = "".join(
        f"<h2>{html.escape(name)} ({html.escape(kind)})</h2><pre>{html.escape(body)}</pre>"
        for name, kind, body in mail.attachments
    )
    link = f" · <a href='/mails/{mail.number}/html'>as HTML</a>" if mail.html else ""
    head = f"<p>{html.escape(mail.sender)} → {html.escape(', '.join(mail.to))} · {mail.received_at} · <a href='/'>all</a>{link}</p>"
    return f"{head}<pre>{text}</pre>{attached}"


def _page(title: str, body: str) -> str:
    style = "body{font:16px system-ui;margin:2rem;max-width:70rem}td,th{text-align:left;padding:.3rem 1rem .3rem 0}pre{white-space:pre-wrap}"
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{html.escape(title)}</title>"
        f"<style>{style}</style><h1>{html.escape(title)}</h1>{body}</html>"
    )


async def serve_http(box: Box, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """One request a connection; plenty for one person and a few tests."""
    try:
        async with asyncio.timeout(10):
            method, _, rest = (await reader.readline()).decode("latin-1").partition(" ")
            while (await reader.readline()).strip():
                pass
            status, kind, body = answer(box, method, rest.partition(" ")[0].partition("?")[0])
            payload = body.encode()
            head = (
                f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}; charset=utf-8\r\n{PAGE_HEADERS}"
                f"Content-Length: {len(payload)}\r\nConnection: close\r\n\r\n"
            )
            writer.write(head.encode() + payload)
            await writer.drain()
    except (OSError, TimeoutError, ValueError):
        pass  # the caller went away or speaks no HTTP; there is nobody to tell
    finally:
        writer.close()


def _address(text: str) -> tuple[str, int]:
    host, _, port = text.rpartition(":")
    return host, int(port)


def tls_of(folder: Path) -> ssl.SSLContext:
    """TLS 1.2 or newer with the certificate of `folder` (tls.pem, tls.key)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(MODERN_SUITES)
    context.load_cert_chain(folder / "tls.pem", folder / "tls.key")
    return context


async def run(smtp: tuple[str, int], web: tuple[str, int], tls: ssl.SSLContext | None = None) -> None:
    """Catch mails until SIGTERM."""
    box, loop, leave = Box(), asyncio.get_running_loop(), asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, leave.set)

    def session() -> SMTP:
        return SMTP(
            box,
            hostname="mail.localhost",
            enable_SMTPUTF8=True,
            data_size_limit=LARGEST_BYTES,
            loop=loop,
            tls_context=tls,
            require_starttls=tls is not None,
        )

    servers = (
        await loop.create_server(session, *smtp),
        await asyncio.start_server(lambda reader, writer: serve_http(box, reader, writer), *web, ssl=tls),
    )
    try:
        await leave.wait()
    finally:
        for server in servers:
            server.close()


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--smtp", default="127.0.0.1:8083", help="host:port to catch mails on")
    parser.add_argument("--web", default="127.0.0.1:8082", help="host:port of the page")
    parser.add_argument("--tls", type=Path, help="folder with tls.pem and tls.key: then nothing is taken in clear")
    arguments = parser.parse_args()
    context = tls_of(arguments.tls) if arguments.tls else None
    asyncio.run(run(_address(arguments.smtp), _address(arguments.web), context))
