"""Sends what is due. A mail is a row until the server has taken it: nothing is lost while the server is away.

A crash between the server's answer and our commit sends
a mail twice, with the same Message-ID.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid5

import structlog
from prometheus_client import Counter, Gauge
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.iam.v1 import iam_pb2
from resapermis.mandate.v1 import mandate_pb2
from resapermis_kit.clock import Clock, NewId
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.events.outbox import Outbox
from resapermis_notification import events, queries
from resapermis_notification.domain import (
    INVITED,
    Audience,
    DeliveryOutcome,
    DueDelivery,
    NewDelivery,
    NewNotice,
    Notice,
)
from resapermis_notification.mails.message import InvalidAddress, MailContent, Sender, write
from resapermis_notification.mails.smtp import Connection, MailDeferred, MailRejected, MailServer, ServerUnavailable
from resapermis_notification.notices.unreached import unreached
from resapermis_notification.peers import NOTIFY_CANDIDATE, NOTIFY_SCHOOL, Addresses
from resapermis_persons.roles import MANAGERS

BATCH = 50
FIRST_PAUSE, LONGEST_PAUSE = timedelta(minutes=1), timedelta(hours=1)
GIVEN_UP_AFTER = timedelta(hours=24)
UNREACHED = UUID("8f0c7c1e-3b0f-4b0e-9d36-2b7e1f5a6c44")
"""Namespace of what notices about an account's address are about."""
SEARCH_MAIL_LIFE = timedelta(hours=1)
log = structlog.get_logger()
MAILS = Counter("resapermis_mails_total", "Mails by how a try ended; alarm on `dead`", ["audience", "outcome"])
for _audience in (Audience.ACCOUNT, Audience.CANDIDATE):
    for _outcome in ("sent", "refused", "gone", "dead", "put_off"):
        MAILS.labels(_audience.value, _outcome)  # there from the start: Prometheus sees no increase in what begins at 1
DUE = Gauge(
    "resapermis_mails_due", "Mails whose time has come and that were not tried yet, when the leader last looked"
)
OLDEST = Gauge("resapermis_mails_due_oldest_seconds", "For how long the oldest of them has been due")


def pause(attempts: int) -> timedelta:
    """How long to wait after `attempts` tries before this one: a minute, doubling, at most an hour."""
    doubled: int = 2 ** min(attempts, 10)
    return min(FIRST_PAUSE * doubled, LONGEST_PAUSE)


@dataclass(frozen=True)
class _Known:
    """What one round has read: a school's recipients by its id, candidates' names by theirs."""

    recipients: dict[str, Sequence[iam_pb2.Recipient]]
    names: dict[str, str] = field(repr=False)


class _RecipientGone(Exception):
    """Nobody is there to be written to; its text is a word for the journal."""


class Deliveries:
    """Drains the queue of mails; one replica at a time."""

    def __init__(
        self,
        engine: AsyncEngine,
        server: MailServer,
        sender: Sender,
        addresses: Addresses,
        box: Outbox,
        now: Clock,
        new_id: NewId,
    ) -> None:
        """Wired in process."""
        self._engine, self._server, self._sender = engine, server, sender
        self._addresses, self._box, self._now, self._new_id = addresses, box, now, new_id

    async def drain(self) -> None:
        """Try each delivery that is due once; what the server defers is put off, what it refuses ends."""
        while waiting := await self._due(Audience.SCHOOL):
            for delivery in waiting:
                await self._spread(delivery)
        known = _Known({}, {})
        while waiting := await self._due(Audience.ACCOUNT, Audience.CANDIDATE):
            try:
                async with self._server.connected() as connection:
                    for delivery in waiting:
                        if not await self._deliver(connection, delivery, known):
                            break  # the connection broke: the rest goes on a new one
            except ServerUnavailable as away:
                for delivery in waiting:
                    await self._put_off(delivery, f"server {away.args[0]}")

    async def measure(self) -> None:
        """Set the gauges of what is due and was not tried yet: what one round leaves, the next one takes."""
        async with transaction(self._engine) as tx:
            many, seconds = await queries.waiting_deliveries(tx, self._now())
        DUE.set(many)
        OLDEST.set(seconds)

    async def _due(self, *audiences: Audience) -> list[DueDelivery]:
        async with transaction(self._engine) as tx:
            return await queries.due_deliveries(tx, self._now(), BATCH, audiences)

    async def _spread(self, delivery: DueDelivery) -> None:
        """Turn a school's mail into one an account, so that each is sent once however the others fare."""
        if _is_late(delivery, self._now()):
            await self._end(delivery, DeliveryOutcome.GONE, "late")
            return
        try:
            recipients = await self._addresses.of_school(delivery.school_id)
        except Failure as failure:
            await self._put_off(delivery, failure.name)
            return
        mails = [
            NewDelivery(self._new_id(), delivery.notice_id, Audience.ACCOUNT, one.account_id)
            for one in recipients
            if not delivery.managers_only or MANAGERS & set(one.roles)
        ]
        async with transaction(self._engine) as tx:
            if await queries.end_delivery(tx, delivery.id, DeliveryOutcome.SPREAD, self._now()):
                await queries.add_deliveries(tx, mails, self._now())

    async def _deliver(self, connection: Connection, delivery: DueDelivery, known: _Known) -> bool:
        """Try one mail; whatever goes wrong with it leaves the others alone. False when the connection is of no more use."""
        if _is_late(delivery, self._now()):
            await self._end(delivery, DeliveryOutcome.GONE, "late")
            return True
        try:
            await self._send(connection, delivery, known)
        except ServerUnavailable as away:
            await self._put_off(delivery, f"server {away.args[0]}")
            return False
        except (InvalidAddress, MailRejected, _RecipientGone) as final:
            gone = isinstance(final, _RecipientGone)
            await self._end(delivery, DeliveryOutcome.GONE if gone else DeliveryOutcome.REFUSED, str(final))
        except (MailDeferred, Failure) as later:
            await self._put_off(delivery, later.name if isinstance(later, Failure) else str(later))
        except Exception as error:  # noqa: BLE001 - one mail that cannot be written must not stop the others
            log.error("mail.unexpected", delivery=str(delivery.id), error_type=type(error).__qualname__)
            await self._put_off(delivery, type(error).__qualname__)
        else:
            await self._end(delivery, DeliveryOutcome.SENT)
        return True

    async def _send(self, connection: Connection, delivery: DueDelivery, known: _Known) -> None:
        content = MailContent(
            delivery.kind,
            delivery.occurred_at,
            delivery.facts,
            delivery.text_fr,
            delivery.text_en,
            delivery.candidate_id,
        )
        if delivery.audience is Audience.CANDIDATE:
            contact = await self._contact(delivery.recipient_id)
            to = contact.email
            mail = write(content, "candidate", to, contact.locale, self._sender, delivery.id, contact.first_name)
        else:
            schools = known.recipients
            if delivery.school_id not in schools:
                schools[delivery.school_id] = await self._addresses.of_school(delivery.school_id)
            mine = [one for one in schools[delivery.school_id] if one.account_id == delivery.recipient_id]
            if not mine:
                raise _RecipientGone("nobody")
            to = mine[0].email
            if delivery.kind == INVITED:
                content = replace(content, word=await self._word(delivery.object_id))
            name = await self._name(delivery.candidate_id, known.names)
            mail = write(content, "school", to, mine[0].locale, self._sender, delivery.id, name)
        await connection.send(mail, self._sender.address, to)

    async def _word(self, invitation_id: str) -> str:
        try:
            return await self._addresses.invitation_word(invitation_id)
        except Failure as failure:
            if failure.code == Code.CODE_NOT_FOUND:
                raise _RecipientGone(failure.name) from None  # used, withdrawn, or over
            raise

    async def _name(self, candidate_id: str, known: dict[str, str]) -> str:
        """The full name of whom a school's mail is about, read once a round; empty for nobody, once erased, and where it is not told.

        While mandate is away the mail waits: Failure.
        """
        if candidate_id and candidate_id not in known:
            known[candidate_id] = ""
            try:
                contact = await self._addresses.of_candidate(candidate_id, NOTIFY_SCHOOL)
            except Failure as failure:
                if failure.code in {Code.CODE_UNAVAILABLE, Code.CODE_DEADLINE}:
                    del known[candidate_id]
                    raise
            else:
                known[candidate_id] = f"{contact.first_name} {contact.last_name}".strip()
        return known.get(candidate_id, "")

    async def _contact(self, candidate_id: str) -> mandate_pb2.GetContactResponse:
        try:
            return await self._addresses.of_candidate(candidate_id, NOTIFY_CANDIDATE)
        except Failure as failure:
            if failure.code == Code.CODE_NOT_FOUND:
                raise _RecipientGone(failure.name) from None  # erased
            raise

    async def _end(self, delivery: DueDelivery, outcome: DeliveryOutcome, problem: str = "") -> None:
        async with transaction(self._engine) as tx:
            ended = await queries.end_delivery(tx, delivery.id, outcome, self._now(), problem)
            if ended and delivery.audience is Audience.CANDIDATE:
                await self._box.add(tx, self._now(), events.mail_record(delivery, outcome, problem))
            if ended and (notice := unreached(delivery, outcome, problem)) is not None:
                await self._post(tx, delivery, notice)
        MAILS.labels(delivery.audience.value, outcome.value).inc()
        if outcome is not DeliveryOutcome.SENT:
            log.warning("mail.ended", delivery=str(delivery.id), outcome=outcome.value, problem=problem)

    async def _post(self, tx: Tx, delivery: DueDelivery, notice: Notice) -> None:
        """Post a notice about a delivery, without a mail; about an account's mails one a day, not one for each."""
        now = self._now()
        about = (
            delivery.id
            if delivery.audience is Audience.CANDIDATE
            else uuid5(UNREACHED, f"{delivery.recipient_id} {now:%Y-%m-%d}")
        )
        row = NewNotice.of(notice, self._new_id(), about, now)
        if await queries.add_notices(tx, [row], now):
            await self._box.add(tx, now, events.notice_posted(row.id, notice))

    async def _put_off(self, delivery: DueDelivery, problem: str) -> None:
        now = self._now()
        if now - delivery.created_at >= GIVEN_UP_AFTER:
            await self._end(delivery, DeliveryOutcome.DEAD, problem)
            return
        async with transaction(self._engine) as tx:
            await queries.put_off_delivery(tx, delivery.id, now + pause(delivery.attempts), problem)
        MAILS.labels(delivery.audience.value, "put_off").inc()
        log.info("mail.put_off", delivery=str(delivery.id), problem=problem)


def _is_late(delivery: DueDelivery, now: datetime) -> bool:
    """A warning that a basket expires is of no use once it has; nor is a slot that matched a search an hour ago."""
    if delivery.kind == "search.matched":
        return now - delivery.occurred_at >= SEARCH_MAIL_LIFE
    if delivery.kind == INVITED and "ends_at" in delivery.facts:
        return now >= datetime.fromisoformat(delivery.facts["ends_at"])
    if delivery.kind != "basket.expiring" or "expires_at" not in delivery.facts:
        return False
    return now >= datetime.fromisoformat(delivery.facts["expires_at"])
