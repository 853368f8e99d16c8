"""Refusals of those who came too late, many in one statement."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_basket.domain.line import Group, Line
from resapermis_basket.hold.queries import Values, asked_values, message_values
from resapermis_basket.line.queries import row_of
from resapermis_kit.database.sql_file import sql_file
from resapermis_kit.database.statement import Statement


@dataclass(frozen=True)
class TakenSlotsHold:
    """An action all of whose lines are refused because their slots are taken."""

    claim: Values
    """Values of `Command.claim`, the answer among them."""
    group: Group
    lines: Sequence[Line]
    messages: Values
    """Values of `Outbox.values`."""


class TakenSlotsOutcome(Enum):
    """How a hold of slots that are seen taken ended: refused in writing, or left to the usual way."""

    REFUSED = auto()
    """It is written."""
    FREE = auto()
    """Nothing was written: not all of its slots are taken."""
    TWIN = auto()
    """Nothing was written: a command with this request id was here before."""


_REFUSE = Statement(sql_file("resapermis_basket.hold", "statements.sql")["refuse_taken_slots"])


async def refuse_taken_slots(engine: AsyncEngine, asked: Sequence[TakenSlotsHold]) -> list[TakenSlotsOutcome]:
    """Write each that is true by the database and new, with its claim and its messages."""
    late = list({_key(one): one for one in reversed(asked)}.values())  # of twins the first
    values = {
        **asked_values(late),
        **message_values(late),
        "asking": [False for _ in late],
        "lines": json.dumps([row_of(line) for one in late for line in one.lines]),
    }
    found = {row["group_id"]: _outcome(row) for row in await _REFUSE.run(engine, values)}
    return [found.get(one.group.id, TakenSlotsOutcome.TWIN) for one in asked]


def _key(late: TakenSlotsHold) -> tuple[str, str]:
    """Whose command it is, and which."""
    return late.claim["caller"], late.claim["request_id"]


def _outcome(found: Any) -> TakenSlotsOutcome:
    if found["refused"]:
        return TakenSlotsOutcome.REFUSED
    return TakenSlotsOutcome.FREE if found["free"] else TakenSlotsOutcome.TWIN
