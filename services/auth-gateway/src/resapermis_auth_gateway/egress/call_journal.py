"""Every call of RdvPermis' API stands in the journal: counted in memory, a record a minute for each employee who calls.

A record for each call would double what an opening writes. What changes something is recorded by who asked for it besides,
with its outcome, in the transaction that makes it true.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, OUTCOME_FAILED, Actor, Record
from resapermis_kit.clock import Clock
from resapermis_kit.errors import Failure

EVERY_SECONDS = 60.0
MOST_OWNERS = 1000
"""Told apart between two rounds; beyond, calls are counted without whose they are."""
IN_A_STATEMENT = 200
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Owner:
    """In whose name calls are made, and for which school."""

    account_id: str
    school_id: str
    urgent: bool
    """A person waits; else it is work that nobody asked for, on the token of somebody of the school."""
    kind: str = "session"
    """What they act with: a "session", or a "grant" for background work."""


class CallJournal:
    """The calls of this process since the last round."""

    def __init__(self, write: Callable[[Sequence[Record]], Awaitable[None]], now: Clock) -> None:
        """`write` puts records into the outbox, in one statement; Failure where it cannot."""
        self._write, self._now = write, now
        self._counts: dict[Owner, Counter[str]] = {}
        self._since = now()
        self._writing = asyncio.Lock()

    def __len__(self) -> int:
        """How many owners are remembered."""
        return len(self._counts)

    def add(self, owner: Owner, operation: str, outcome: str, many: int = 1) -> None:
        """Count a call that was made; `operation` and `outcome` are words of closed lists."""
        if owner not in self._counts and len(self._counts) >= MOST_OWNERS:
            owner = Owner("", "", owner.urgent, "")
        self._counts.setdefault(owner, Counter())[f"{operation}.{outcome}"] += many

    async def run(self) -> None:
        """Write once a minute, for ever. What the database does not take waits, counted on."""
        while True:
            await asyncio.sleep(EVERY_SECONDS)
            try:
                await self.write()
            except Failure as failure:
                log.warning("calls.waiting", code=failure.name)

    async def write(self) -> None:
        """Write what was counted. Failure where the database is away: what was not written stays counted."""
        async with self._writing:
            now = self._now()
            taken, self._counts = list(self._counts.items()), {}
            since, self._since = self._since, now
            while taken:
                some = taken[:IN_A_STATEMENT]
                try:
                    await self._write([_record(owner, counts, since, now) for owner, counts in some])
                except BaseException:
                    self._put_back(taken, since)
                    raise
                del taken[:IN_A_STATEMENT]

    async def close(self) -> None:
        """Write the rest, at the end of the process."""
        try:
            await self.write()
        except Failure as failure:
            log.error("calls.lost", code=failure.name, owners=len(self._counts))

    def _put_back(self, taken: Sequence[tuple[Owner, Counter[str]]], since: datetime) -> None:
        newer, self._counts, self._since = self._counts, dict(taken), since
        for owner, counts in newer.items():
            for word, many in counts.items():
                operation, _, outcome = word.rpartition(".")
                self.add(owner, operation, outcome, many)


def _record(owner: Owner, counts: Counter[str], since: datetime, until: datetime) -> Record:
    """Of nobody's school: a school reads its acts, who looks after the platform reads these.

    Work that nobody asked for is the system's act for the school; with whose token, and that it is a grant's, are facts.
    """
    facts = {word: str(many) for word, many in counts.items()}
    facts |= {"since": _moment(since), "until": _moment(until), "account": owner.account_id, "kind": owner.kind}
    return Record(
        actor=Actor(
            kind=Actor.KIND_PERSON if owner.urgent and owner.account_id else Actor.KIND_SYSTEM,
            id=owner.account_id if owner.urgent and owner.account_id else "egress",
            on_behalf_of=owner.school_id,
        ),
        action="rdvpermis.call",
        object_kind="school" if owner.school_id else "",
        object_id=owner.school_id,
        outcome=OUTCOME_DONE if any(word.endswith(".ok") for word in counts) else OUTCOME_FAILED,
        facts=facts,
    )


def _moment(at: datetime) -> str:
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")
