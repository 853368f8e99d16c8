"""Refusals of those who came too late, many in one statement."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_basket.domain.line import Group, Line
from resapermis_basket.hold.queries import ASKED, MINE_AND_ACTION, PUBLISHED, Values, asked_values, message_values
from resapermis_basket.line.queries import COLUMNS, row_of
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


# `free` and the claims decide for each action by itself; the rest is written for those that remain. Refused lines take
# nothing, so no counter and no lock of a school or a slot is touched. Claims are made in one order, so that two replicas
# with the same twins queue instead of deadlocking.
_REFUSE = Statement(
    f"WITH {ASKED}, "  # noqa: S608 - texts of our own
    "new AS MATERIALIZED (SELECT * FROM json_populate_recordset(NULL::basket_line, "
    "CAST((SELECT CAST(:lines AS text)) AS json))), "
    # Not NOT EXISTS: that is joined, and the join reads every live line where few are believed to live.
    "free AS MATERIALIZED (SELECT DISTINCT group_id FROM new WHERE "
    "(SELECT 1 FROM basket_line AS other WHERE other.slot_id = new.slot_id AND other.ended_at IS NULL LIMIT 1) IS NULL), "
    "claim AS (INSERT INTO request (caller, request_id, digest, response, created_at) "
    "SELECT caller, request_id, digest, response, claimed_at FROM asked "
    "WHERE group_id NOT IN (SELECT group_id FROM free) ORDER BY caller, request_id "
    "ON CONFLICT DO NOTHING RETURNING caller, request_id), "
    f"{MINE_AND_ACTION}, "
    f"added AS (INSERT INTO basket_line ({COLUMNS}) SELECT {COLUMNS} FROM new "
    "WHERE group_id IN (SELECT mine.group_id FROM mine)), "
    f"published AS ({PUBLISHED} JOIN mine USING (group_id)) "
    "SELECT asked.group_id, EXISTS (SELECT FROM mine WHERE mine.group_id = asked.group_id) AS refused, "
    "EXISTS (SELECT FROM free WHERE free.group_id = asked.group_id) AS free FROM asked"
)


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
