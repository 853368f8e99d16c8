"""What every act is given: database, outbox, peers, settings, ids; and when to poll RdvPermis after a call."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_basket.domain.result import PollPauses
from resapermis_basket.peers import Peers
from resapermis_basket.settings import Settings
from resapermis_kit.clock import NewId
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc.deadline import remaining_seconds


@dataclass(frozen=True)
class Dependencies:
    """What every command is given, made once in `process`: engine, outbox, peers, settings, ids."""

    engine: AsyncEngine
    outbox: Outbox
    peers: Peers
    settings: Settings
    new_id: NewId

    def poll_after_call(self, now: datetime) -> datetime:
        """When to read the outcome of a call that is about to begin, if this process is not there to receive its answer."""
        longest = min(max(remaining_seconds(), 0.0), self.settings.egress_seconds)
        return now + timedelta(seconds=longest + self.settings.grace_seconds)

    def poll_soon(self, now: datetime) -> datetime:
        """When to read the outcome of a call whose answer is lost: once it can no longer be on its way."""
        return now + timedelta(seconds=self.settings.grace_seconds)

    @property
    def result_pauses(self) -> PollPauses:
        """How often and how long results are polled."""
        return PollPauses(
            timedelta(seconds=self.settings.results_every_seconds),
            timedelta(seconds=self.settings.results_later_every_seconds),
            timedelta(days=self.settings.results_give_up_days),
        )
