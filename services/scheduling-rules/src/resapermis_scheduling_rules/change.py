"""Changing a parameter: one person proposes a value and its day, another approves; each act is in the journal.

`python -m resapermis_scheduling_rules parameter propose <by> <name> <value> <valid from> [<department> [<category>]]`
prints the proposal's id; `parameter approve <by> <id>` puts it in force. Names of people are account ids.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal, InvalidOperation
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import OUTCOME_DONE, Actor, Record
from resapermis_kit.clock import Clock, NewId, new_id, utc_now
from resapermis_kit.db import make_engine, transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.outbox import Outbox
from resapermis_scheduling_rules.domain import WHOLE_NUMBERS, Parameter
from resapermis_scheduling_rules.store import schools

NAMES = WHOLE_NUMBERS | {"threshold_rate"}


@dataclass(frozen=True)
class Changes:
    """Proposes and approves; the running service publishes the records and reads the values within seconds."""

    engine: AsyncEngine
    outbox: Outbox
    now: Clock = utc_now
    new_id: NewId = new_id

    async def propose(self, by: str, wanted: Parameter, valid_from: datetime) -> UUID:
        """Write a value that waits for its approval. MALFORMED: unknown name, the past, or what may never be."""
        now, proposal = self.now(), self.new_id()
        if wanted.name not in NAMES:
            raise malformed("name", f"one of {', '.join(sorted(NAMES))}")
        if valid_from <= now:
            raise malformed("valid_from", "in the future: what was decided by the old value stays decided")
        try:
            async with transaction(self.engine) as tx:
                await schools.propose(tx, proposal, wanted, valid_from, by, now)
                await self.outbox.add(tx, now, _record("parameter.propose", by, proposal, wanted, valid_from))
        except sa.exc.IntegrityError as error:
            raise malformed("value", "outside of what may ever be, or proposed already for that moment") from error
        return proposal

    async def approve(self, by: str, proposal: UUID) -> None:
        """Put a proposal in force. NOT_FOUND: none waits by this id. FORBIDDEN: who proposed does not approve."""
        now = self.now()
        async with transaction(self.engine) as tx:
            waiting = await schools.waiting(tx, proposal)
            if waiting is None:
                raise Failure(Code.CODE_NOT_FOUND, "no proposal waits by this id")
            wanted, valid_from, proposer = waiting
            if proposer == by:
                raise Failure(Code.CODE_FORBIDDEN, "another person approves")
            await schools.approve(tx, proposal, by)
            await self.outbox.add(tx, now, _record("parameter.approve", by, proposal, wanted, valid_from))


def _record(action: str, by: str, proposal: UUID, wanted: Parameter, valid_from: datetime) -> Record:
    return Record(
        actor=Actor(kind=Actor.KIND_PERSON, id=by),
        action=action,
        object_kind="parameter",
        object_id=str(proposal),
        outcome=OUTCOME_DONE,
        facts={
            "name": wanted.name,
            "value": str(wanted.value),
            "department": wanted.department or "",
            "category": wanted.category or "",
            "validFrom": valid_from.astimezone(UTC).isoformat(),
        },
    )


async def command(arguments: Sequence[str], database_url: str) -> str:
    """Run `propose …` or `approve …`; return the line to print."""
    engine = make_engine(database_url, pool=1, name="scheduling-rules parameter")
    changes = Changes(engine, Outbox("scheduling-rules"))
    try:
        match list(arguments):
            case ["propose", by, name, value, valid_from, *place] if len(place) <= 2:
                department, category = [*place, None, None][:2]
                wanted = Parameter(name, department, category, _decimal(value))
                return str(await changes.propose(by, wanted, _moment(valid_from)))
            case ["approve", by, proposal]:
                await changes.approve(by, _id(proposal))
                return "approved"
            case _:
                raise malformed(
                    "parameter",
                    "propose <by> <name> <value> <valid from> [<department> [<category>]], or approve <by> <id>",
                )
    finally:
        await engine.dispose()


def _decimal(text: str) -> Decimal:
    try:
        value = Decimal(text)
    except InvalidOperation as error:
        raise malformed("value", "not a number") from error
    if not value.is_finite():
        raise malformed("value", "not a number")
    return value


def _moment(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise malformed("valid_from", "not a time, e.g. 2026-12-01T00:00:00+01:00") from error
    if at.tzinfo is None:
        raise malformed("valid_from", "without its zone")
    return at


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise malformed("id", "not an id") from error
