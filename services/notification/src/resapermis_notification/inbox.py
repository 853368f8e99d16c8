"""What notification hears: each fact becomes at most one notice, its mails and its announcement, in one commit.

Facts that come together are taken in together: at an opening hundreds do.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any
from uuid import UUID

from google.protobuf.message import Message

from resapermis.basket.v1.events_pb2 import ComplianceDrifted, GroupExpiring, LineChanged, ResultFound
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
from resapermis_kit.database.transaction import Tx
from resapermis_kit.events.event import BatchHandler, Event
from resapermis_kit.events.outbox import Outbox
from resapermis_notification import events, render, store
from resapermis_notification.domain import Audience
from resapermis_notification.render import Notice

Render = Callable[[Any, Event], Notice | None]


def _alone(render_event: Callable[[Any], Notice | None]) -> Render:
    """What is told of a fact by its event alone."""
    return lambda event, _fact: render_event(event)


RENDERED: Mapping[type[Message], Render] = {
    LineChanged: _alone(render.line_changed),
    GroupExpiring: _alone(render.group_expiring),
    ResultFound: _alone(render.result_found),
    ComplianceDrifted: _alone(render.compliance_drifted),
    MandateChanged: _alone(render.mandate_changed),
    ThresholdReached: _alone(render.threshold_reached),
    ThresholdDiffers: _alone(render.threshold_differs),
    ConflictFound: _alone(render.conflict_found),
    RuleChanged: _alone(render.rule_changed),
    SearchMatched: _alone(render.search_matched),
    AuthorisationEnding: lambda event, fact: render.authorisation_ending(event, fact.occurred_at),
}
"""What each type of fact is told as; None: nothing."""


class Inbox:
    """Takes others' facts in."""

    def __init__(self, box: Outbox, now: Clock, new_id: NewId) -> None:
        """`new_id` names notices and deliveries."""
        self._box, self._now, self._new_id = box, now, new_id

    def hears(self, *kinds: type[Message]) -> dict[type[Message], BatchHandler]:
        """Handlers of facts of these types."""
        return {kind: BatchHandler(partial(self._post, RENDERED[kind])) for kind in kinds}

    async def _post(self, rendered: Render, tx: Tx, said: Sequence[tuple[Any, Event]]) -> None:
        now = self._now()
        told = [
            (notice, _post_of(self._new_id(), notice, fact))
            for event, fact in said
            if (notice := rendered(event, fact)) is not None
        ]
        kept = await store.add_notices(tx, [post for _, post in told], now)
        fresh = [(notice, post.id) for notice, post in told if post.id in kept]
        mails = [
            store.Mail(self._new_id(), notice_id, audience, recipient)
            for notice, notice_id in fresh
            for audience, recipient in _mailed(notice)
        ]
        await store.add_deliveries(tx, mails, now)
        await self._box.add(tx, now, *(events.posted(notice_id, notice) for notice, notice_id in fresh))


def _post_of(notice_id: UUID, notice: Notice, fact: Event) -> store.Post:
    return store.Post(
        id=notice_id,
        event_id=UUID(fact.id),
        school_id=notice.school_id,
        kind=notice.kind,
        level=notice.level,
        facts=json.dumps(notice.facts),
        candidate_id=notice.candidate_id,
        object_id=notice.object_id,
        text_fr=notice.text_fr,
        text_en=notice.text_en,
        occurred_at=fact.occurred_at,
        account_id=notice.account_id,
        managers_only=notice.managers_only,
    )


def _mailed(notice: Notice) -> Iterator[tuple[Audience, str]]:
    """To whom a notice goes by mail too."""
    if notice.mail_school:
        yield Audience.SCHOOL, ""
    if notice.account_id:
        yield Audience.ACCOUNT, notice.account_id
    if notice.mail_candidate:
        yield Audience.CANDIDATE, notice.candidate_id
