"""What notification consumes and does unasked: events become notices, and old notices go.

Each event is at most one notice; the notice, its mails and its announcement are one commit. Events that arrive together
are handled in one batch: at an opening hundreds do.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from google.protobuf.message import Message
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.basket.v1.events_pb2 import ComplianceDrifted, GroupExpiring, LineChanged, ResultFound
from resapermis.iam.v1.events_pb2 import GrantEnded, GrantEnding, PersonInvited
from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.scheduling.v1.events_pb2 import (
    AuthorisationEnding,
    ConflictFound,
    RuleChanged,
    SearchMatched,
    ThresholdDiffers,
    ThresholdReached,
)
from resapermis_kit.clock import Clock, NewId
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.events.event import BatchHandler, Event
from resapermis_kit.events.outbox import Outbox
from resapermis_notification import events, queries
from resapermis_notification.domain import Audience, NewDelivery, NewNotice, Notice
from resapermis_notification.notices import grants, lines, mandates, people, school

Render = Callable[[Any, Event], Notice | None]
"""The notice of a payload and the event around it; None: nobody needs to read of it."""


def _of_payload(render: Callable[[Any], Notice | None]) -> Render:
    return lambda payload, _event: render(payload)


RENDERED: Mapping[type[Message], Render] = {
    LineChanged: _of_payload(lines.line_changed),
    GroupExpiring: _of_payload(lines.group_expiring),
    ResultFound: _of_payload(lines.result_found),
    ComplianceDrifted: _of_payload(lines.compliance_drifted),
    MandateChanged: _of_payload(mandates.mandate_changed),
    ThresholdReached: _of_payload(school.threshold_reached),
    ThresholdDiffers: _of_payload(school.threshold_differs),
    ConflictFound: _of_payload(lines.conflict_found),
    RuleChanged: _of_payload(school.rule_changed),
    SearchMatched: _of_payload(school.search_matched),
    GrantEnded: _of_payload(grants.grant_ended),
    GrantEnding: _of_payload(grants.grant_ending),
    PersonInvited: _of_payload(people.person_invited),
    AuthorisationEnding: lambda payload, event: school.authorisation_ending(payload, event.occurred_at),
}
"""How each consumed type becomes a notice."""


class Inbox:
    """Stores the notices that other services' events make, and the mails about them, each event once."""

    def __init__(self, box: Outbox, now: Clock, new_id: NewId) -> None:
        """`new_id` names notices and deliveries."""
        self._box, self._now, self._new_id = box, now, new_id

    def handlers(self, *types: type[Message]) -> dict[type[Message], BatchHandler]:
        """A batch handler for each of these types of events."""
        return {one: BatchHandler(partial(self._post, RENDERED[one])) for one in types}

    async def _post(self, render: Render, tx: Tx, received: Sequence[tuple[Any, Event]]) -> None:
        now = self._now()
        rendered = [
            (notice, NewNotice.of(notice, self._new_id(), UUID(event.id), event.occurred_at))
            for payload, event in received
            if (notice := render(payload, event)) is not None
        ]
        added = await queries.add_notices(tx, [row for _, row in rendered], now)
        fresh = [(notice, row.id) for notice, row in rendered if row.id in added]
        mails = [
            NewDelivery(self._new_id(), notice_id, audience, recipient)
            for notice, notice_id in fresh
            for audience, recipient in _mailed(notice)
        ]
        await queries.add_deliveries(tx, mails, now)
        await self._box.add(tx, now, *(events.notice_posted(notice_id, notice) for notice, notice_id in fresh))


def _mailed(notice: Notice) -> Iterator[tuple[Audience, str]]:
    """To whom a notice goes by mail too."""
    if notice.mail_school:
        yield Audience.SCHOOL, ""
    if notice.account_id:
        yield Audience.ACCOUNT, notice.account_id
    if notice.mail_candidate:
        yield Audience.CANDIDATE, notice.candidate_id


class NoticePurge:
    """Deletes notices whose retention has ended; one replica at a time."""

    def __init__(self, engine: AsyncEngine, now: Clock) -> None:
        """Wired in process."""
        self._engine, self._now = engine, now

    async def run(self) -> None:
        """Delete them all, a batch a commit."""
        while True:
            async with transaction(self._engine) as tx:
                if await queries.purge_notices(tx, self._now()) < queries.PURGED_AT_ONCE:
                    return
