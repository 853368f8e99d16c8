"""What notification hears: each fact becomes at most one notice, its mails and its announcement, in one commit."""

from typing import Any
from uuid import UUID

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
from resapermis_kit.consumer import Fact
from resapermis_kit.db import Tx
from resapermis_kit.outbox import Outbox
from resapermis_notification import events, render, store
from resapermis_notification.domain import Audience
from resapermis_notification.render import Notice


class Inbox:
    """Handlers of others' facts."""

    def __init__(self, box: Outbox, now: Clock, new_id: NewId) -> None:
        """`new_id` names notices and deliveries."""
        self._box, self._now, self._new_id = box, now, new_id

    async def on_line_changed(self, tx: Tx, event: LineChanged, fact: Fact) -> None:
        """A line of a basket or a booking changed."""
        await self._post(tx, render.line_changed(event), fact)

    async def on_group_expiring(self, tx: Tx, event: GroupExpiring, fact: Fact) -> None:
        """A basket expires soon."""
        await self._post(tx, render.group_expiring(event), fact)

    async def on_mandate_changed(self, tx: Tx, event: MandateChanged, fact: Fact) -> None:
        """A mandate changed."""
        await self._post(tx, render.mandate_changed(event), fact)

    async def on_threshold_reached(self, tx: Tx, event: ThresholdReached, fact: Fact) -> None:
        """A threshold is near or reached."""
        await self._post(tx, render.threshold_reached(event), fact)

    async def on_result_found(self, tx: Tx, event: ResultFound, fact: Fact) -> None:
        """RdvPermis published how an exam went."""
        await self._post(tx, render.result_found(event), fact)

    async def on_compliance_drifted(self, tx: Tx, event: ComplianceDrifted, fact: Fact) -> None:
        """A booking does not follow the rules of its day."""
        await self._post(tx, render.compliance_drifted(event), fact)

    async def on_conflict_found(self, tx: Tx, event: ConflictFound, fact: Fact) -> None:
        """Something declared unavailable meets a booking."""
        await self._post(tx, render.conflict_found(event), fact)

    async def on_threshold_differs(self, tx: Tx, event: ThresholdDiffers, fact: Fact) -> None:
        """Our threshold and RdvPermis' are not the same."""
        await self._post(tx, render.threshold_differs(event), fact)

    async def on_rule_changed(self, tx: Tx, event: RuleChanged, fact: Fact) -> None:
        """A parameter of the rules changes."""
        await self._post(tx, render.rule_changed(event), fact)

    async def on_search_matched(self, tx: Tx, event: SearchMatched, fact: Fact) -> None:
        """A saved search found something."""
        await self._post(tx, render.search_matched(event), fact)

    async def on_authorisation_ending(self, tx: Tx, event: AuthorisationEnding, fact: Fact) -> None:
        """A licence or an authorisation ends."""
        await self._post(tx, render.authorisation_ending(event, fact.occurred_at), fact)

    async def _post(self, tx: Tx, notice: Notice | None, fact: Fact) -> None:
        if notice is None:
            return
        notice_id, now = self._new_id(), self._now()
        values: dict[str, Any] = {
            "id": notice_id,
            "event_id": UUID(fact.id),
            "school_id": notice.school_id,
            "kind": notice.kind,
            "level": notice.level,
            "facts": notice.facts,
            "candidate_id": notice.candidate_id,
            "object_id": notice.object_id,
            "text_fr": notice.text_fr,
            "text_en": notice.text_en,
            "occurred_at": fact.occurred_at,
            "posted_at": now,
            "account_id": notice.account_id,
            "managers_only": notice.managers_only,
        }
        if not await store.add_notice(tx, values):
            return
        mails = []
        if notice.mail_school:
            mails.append((self._new_id(), Audience.SCHOOL, ""))
        if notice.account_id:
            mails.append((self._new_id(), Audience.ACCOUNT, notice.account_id))
        if notice.mail_candidate:
            mails.append((self._new_id(), Audience.CANDIDATE, notice.candidate_id))
        await store.add_deliveries(tx, notice_id, mails, now)
        await self._box.add(tx, now, events.posted(notice_id, notice))
