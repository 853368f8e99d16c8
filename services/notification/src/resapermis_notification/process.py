"""The process of notification."""

from resapermis.basket.v1.events_pb2 import ComplianceDrifted, GroupExpiring, LineChanged, ResultFound
from resapermis.iam.v1 import iam_pb2_grpc
from resapermis.iam.v1.events_pb2 import GrantEnded, GrantEnding, PersonInvited
from resapermis.mandate.v1 import mandate_pb2_grpc
from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.notification.v1 import notification_pb2_grpc
from resapermis.scheduling.v1.events_pb2 import (
    AuthorisationEnding,
    ConflictFound,
    RuleChanged,
    SearchMatched,
    ThresholdDiffers,
    ThresholdReached,
)
from resapermis_kit.clock import new_id
from resapermis_kit.process import run_loop
from resapermis_kit.process.process import Process
from resapermis_notification.mails.delivery import Deliveries
from resapermis_notification.mails.message import Sender
from resapermis_notification.mails.smtp import MailServer
from resapermis_notification.peers import Addresses
from resapermis_notification.servicer import NotificationServicer
from resapermis_notification.settings import Settings
from resapermis_notification.workers import Inbox, NoticePurge

PACKAGE = "resapermis_notification"


async def build(process: Process, settings: Settings) -> None:
    """Put NotificationServicer, the consumers that make notices and the leader tasks into the process."""
    inbox = Inbox(process.outbox, process.now, new_id)
    process.consume("basket", inbox.handlers(LineChanged, GroupExpiring, ResultFound, ComplianceDrifted))
    process.consume("mandate", inbox.handlers(MandateChanged))
    process.consume("auth-gateway", inbox.handlers(GrantEnded, GrantEnding, PersonInvited))
    process.consume(
        "scheduling-rules",
        inbox.handlers(
            ThresholdReached, ThresholdDiffers, ConflictFound, RuleChanged, SearchMatched, AuthorisationEnding
        ),
    )
    addresses = Addresses(
        iam_pb2_grpc.IamServiceStub(process.peer("auth-gateway")),
        mandate_pb2_grpc.MandateServiceStub(process.peer("mandate")),
    )
    deliveries = Deliveries(
        process.engine,
        MailServer.parse(
            settings.smtp_url, settings.smtp_username, settings.smtp_password.get_secret_value(), settings.smtp_ca_file
        ),
        Sender(settings.mail_from, settings.public_url),
        addresses,
        process.outbox,
        process.now,
        new_id,
    )
    process.every(settings.deliver_seconds, "deliver", deliveries.drain)
    process.every(15, "mails due", deliveries.measure)
    process.every(settings.purge_seconds, "purge", NoticePurge(process.engine, process.now).run)
    process.server.add(
        notification_pb2_grpc.add_NotificationServiceServicer_to_server,
        NotificationServicer(process.engine, process.now),
        "resapermis.notification.v1.NotificationService",
    )


async def serve() -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings = Settings()
    await run_loop.serve("notification", PACKAGE, settings, lambda process: build(process, settings))
