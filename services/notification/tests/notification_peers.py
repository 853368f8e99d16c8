"""Notification with its peers and a real mail server."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from typing import Any

import pytest
import sqlalchemy as sa
from aiosmtpd.smtp import SMTP, Envelope, Session
from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis.iam.v1 import iam_pb2, iam_pb2_grpc
from resapermis.mandate.v1 import mandate_pb2, mandate_pb2_grpc
from resapermis.notification.v1 import notification_pb2_grpc as rpc
from resapermis_kit.clock import new_id, utc_now
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.event import Event
from resapermis_kit.events.outbox import Outbox, outbox
from resapermis_kit.rpc import peers
from resapermis_notification.mails.delivery import Deliveries
from resapermis_notification.mails.message import Sender
from resapermis_notification.mails.smtp import MailServer
from resapermis_notification.peers import Addresses
from resapermis_notification.servicer import NotificationServicer
from resapermis_notification.tables import deliveries
from resapermis_notification.workers import Inbox
from resapermis_testing.grpc_server import RunningServer, Serve
from resapermis_testing.ports import free_port
from resapermis_testing.postgres import MakeEngine

SENDER = Sender("ResaPermis <no-reply@resapermis.example>", "https://resapermis.example")


class Addressees(iam_pb2_grpc.IamServiceServicer, mandate_pb2_grpc.MandateServiceServicer):
    """auth-gateway and mandate, as far as they know where to write to."""

    def __init__(self) -> None:
        self.away = False
        self.erased = False
        self.email = "zoe@mail.example"
        self.recipients = [
            iam_pb2.Recipient(
                account_id="account-1", email="one@school.example", locale="fr", roles=["school_manager"]
            ),
            iam_pb2.Recipient(account_id="account-2", email="two@school.example", locale="en", roles=["trainer"]),
        ]
        self.purposes: list[str] = []
        self.words: list[str] = []
        self.over = False
        """Whether invitations count no more."""

    async def ListRecipients(
        self, request: iam_pb2.ListRecipientsRequest, context: Any
    ) -> iam_pb2.ListRecipientsResponse:
        if self.away:
            raise Failure(Code.CODE_UNAVAILABLE, "away")
        return iam_pb2.ListRecipientsResponse(recipients=self.recipients if request.school_id == "school-1" else [])

    async def IssueInvitationWord(
        self, request: iam_pb2.IssueInvitationWordRequest, context: Any
    ) -> iam_pb2.IssueInvitationWordResponse:
        if self.over:
            raise Failure(Code.CODE_NOT_FOUND, "used")
        self.words.append(f"word-{len(self.words)}-of-{request.invitation_id}")
        return iam_pb2.IssueInvitationWordResponse(word=self.words[-1])

    async def GetContact(self, request: mandate_pb2.GetContactRequest, context: Any) -> mandate_pb2.GetContactResponse:
        if self.away:
            raise Failure(Code.CODE_UNAVAILABLE, "away")
        if self.erased:
            raise Failure(Code.CODE_NOT_FOUND, "erased")
        self.purposes.append(request.purpose)
        return mandate_pb2.GetContactResponse(first_name="Zoé <b>", last_name="Martin", email=self.email, locale="fr")


class MailCatcher:
    """A mail server on a port of its own, started and stopped by the test."""

    def __init__(self) -> None:
        self.port = free_port()
        self.mails: list[tuple[str, EmailMessage]] = []
        self.refusals: dict[str, str] = {}
        self._server: asyncio.Server | None = None

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address in self.refusals:
            return self.refusals[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        message = message_from_bytes(envelope.original_content or b"", policy=default)
        assert isinstance(message, EmailMessage)
        self.mails += [(to, message) for to in envelope.rcpt_tos]
        return "250 OK"

    async def start(self, over: ssl.SSLContext | None = None, **more: Any) -> None:
        """`over`: TLS from the first byte."""
        loop = asyncio.get_running_loop()
        self._server = await loop.create_server(
            lambda: SMTP(self, hostname="localhost", **more), "127.0.0.1", self.port, ssl=over
        )

    async def stop(self) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    def to(self, address: str) -> list[EmailMessage]:
        return [message for to, message in self.mails if to == address]


@dataclass
class Notification:
    """Notification with its peers."""

    engine: AsyncEngine
    inbox: Inbox
    deliveries: Deliveries
    running: RunningServer
    mail_server: MailCatcher
    addressees: Addressees
    later: timedelta = field(default_factory=timedelta)

    def now(self) -> datetime:
        return utc_now() + self.later

    async def receive(self, payload: Message, event_id: str | None = None) -> None:
        event = Event(event_id or str(new_id()), "test", 1, payload.DESCRIPTOR.full_name, utc_now(), b"", "")
        async with transaction(self.engine) as tx:
            await self.handle(tx, (payload, event))

    async def handle(self, tx: Tx, *received: tuple[Message, Event]) -> None:
        """Handle events of one type in one batch, as the consumer does."""
        kind = type(received[0][0])
        await self.inbox.handlers(kind)[kind].handle_batch(tx, received)

    async def call(self, method: str, request: Message, **who: Any) -> Any:
        stub = rpc.NotificationServiceStub(self.running.shared_channel("notification"))
        return await peers.call(getattr(stub, method), request, principal=self.running.principal(**who))

    async def published(self, kind: Any) -> list[Any]:
        async with transaction(self.engine) as tx:
            name = kind.DESCRIPTOR.full_name
            statement = sa.select(outbox.c.payload).where(outbox.c.type == name).order_by(outbox.c.id)
            return [kind.FromString(payload) for payload in (await tx.execute(statement)).scalars()]

    async def records(self) -> list[Record]:
        return await self.published(Record)

    async def outcomes(self) -> dict[tuple[str, str], str]:
        async with transaction(self.engine) as tx:
            rows = (await tx.execute(sa.select(deliveries))).all()
        return {(row.audience, row.recipient_id): row.outcome for row in rows}


@pytest.fixture
async def mail_server() -> AsyncIterator[MailCatcher]:
    server = MailCatcher()
    await server.start()
    yield server
    await server.stop()


@pytest.fixture
async def notification(make_engine: MakeEngine, serve: Serve, mail_server: MailCatcher) -> AsyncIterator[Notification]:
    engine, addressees = await make_engine("resapermis_notification"), Addressees()
    gateway = await serve(
        "auth-gateway", (iam_pb2_grpc.add_IamServiceServicer_to_server, addressees, "resapermis.iam.v1.IamService")
    )
    mandate = await serve(
        "mandate",
        (mandate_pb2_grpc.add_MandateServiceServicer_to_server, addressees, "resapermis.mandate.v1.MandateService"),
    )
    made: list[Notification] = []

    def now() -> datetime:
        return made[0].now()

    box = Outbox("notification")
    running = await serve(
        "notification",
        (
            rpc.add_NotificationServiceServicer_to_server,
            NotificationServicer(engine, now),
            "resapermis.notification.v1.NotificationService",
        ),
    )
    async with (
        gateway.channel("auth-gateway", "notification") as accounts,
        mandate.channel("mandate", "notification") as candidates,
    ):
        made_deliveries = Deliveries(
            engine,
            MailServer.parse(f"smtp://127.0.0.1:{mail_server.port}"),
            SENDER,
            Addresses(iam_pb2_grpc.IamServiceStub(accounts), mandate_pb2_grpc.MandateServiceStub(candidates)),
            box,
            now,
            new_id,
        )
        made.append(Notification(engine, Inbox(box, now, new_id), made_deliveries, running, mail_server, addressees))
        yield made[0]
