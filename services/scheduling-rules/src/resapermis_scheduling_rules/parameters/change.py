"""Changing a parameter: one person proposes a value and its day, another approves; each act is in the journal.

`python -m resapermis_scheduling_rules parameter propose <by> <name> <value> <valid from> [<department> [<category>]]`
prints the proposal's id; `parameter approve <by> <id>` puts it in force and announces it to everybody; `parameter preview
<name> <value> [<department> [<category>]]` prints what it would do to the bookings there are. Names of people are account ids.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal, InvalidOperation
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.clock import Clock, NewId, new_id, utc_now
from resapermis_kit.database.engine import make_engine
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.events.outbox import Outbox
from resapermis_scheduling_rules import events
from resapermis_scheduling_rules.domain.parameters import (
    NAMES,
    DatedValue,
    Parameter,
    Parameters,
    Proposal,
    Rulebook,
    plain_number,
)
from resapermis_scheduling_rules.parameters import queries as parameter_queries

ANNOUNCED = timedelta(minutes=1)
"""A value counts this long after its approval at the earliest. Every process remembers parameters for seconds, so each
knows it before it counts: what is judged at a moment is judged by what was in force then, and can be judged again."""


@dataclass(frozen=True)
class ParameterChanges:
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
                await parameter_queries.propose(tx, proposal, wanted, valid_from, by, now)
                record = events.parameter_record("parameter.propose", by, Proposal(proposal, wanted, valid_from, by))
                await self.outbox.add(tx, now, record)
        except sa.exc.IntegrityError as error:
            raise malformed("value", "outside of what may ever be, or proposed already for that moment") from error
        return proposal

    async def approve(self, by: str, proposal: UUID) -> None:
        """Put a proposal in force and announce it. NOT_FOUND: none waits by this id. FORBIDDEN: who proposed it.

        Approved on its day or later, it counts from a minute after: nothing changes for the past.
        """
        now = self.now()
        async with transaction(self.engine) as tx:
            waiting = await parameter_queries.pending_proposal(tx, proposal)
            if waiting is None:
                raise Failure(Code.CODE_NOT_FOUND, "no proposal waits by this id")
            if waiting.proposed_by != by:
                approved = replace(waiting, valid_from=max(waiting.valid_from, now + ANNOUNCED), approved_by=by)
                before = value_before(await parameter_queries.approved_parameters(tx), approved)
                await parameter_queries.approve(tx, proposal, by, now, approved.valid_from)
                record = events.parameter_record("parameter.approve", by, approved)
                await self.outbox.add(tx, now, events.rule_changed(approved, before), record)
                return
            await self.outbox.add(tx, now, events.own_proposal(by, proposal, now))
        raise Failure(Code.CODE_FORBIDDEN, "another person approves", denied="own_proposal")


def value_before(rows: Sequence[DatedValue], proposal: Proposal) -> str:
    """What counts for a proposal's place until it does; the default of this release where nothing was ever set."""
    value = proposal.parameter
    known = Rulebook(rows).at(proposal.valid_from, value.department or "", value.category or "")
    return plain_number(Decimal(getattr(known if rows else Parameters(), value.name)))


Preview = Callable[[AsyncEngine, Parameter, datetime], Awaitable[str]]
"""Says what a value would do to the bookings there are."""


async def command(arguments: Sequence[str], database_url: str, preview: Preview) -> str:
    """Run `propose …`, `preview …` or `approve …`; return the line to print."""
    engine = make_engine(database_url, pool=1, name="scheduling-rules parameter")
    changes = ParameterChanges(engine, Outbox("scheduling-rules"))
    try:
        match list(arguments):
            case ["propose", by, name, value, valid_from, *place] if len(place) <= 2:
                department, category = [*place, None, None][:2]
                wanted = Parameter(name, department, category, _decimal(value))
                return str(await changes.propose(by, wanted, _moment(valid_from)))
            case ["preview", name, value, *place] if len(place) <= 2:
                department, category = [*place, None, None][:2]
                return await preview(engine, Parameter(name, department, category, _decimal(value)), changes.now())
            case ["approve", by, proposal]:
                await changes.approve(by, _id(proposal))
                return "approved"
            case _:
                raise malformed(
                    "parameter",
                    "propose <by> <name> <value> <valid from> [<department> [<category>]], "
                    "preview <name> <value> [<department> [<category>]], or approve <by> <id>",
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
