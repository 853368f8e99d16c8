"""Refusals of those who came too late, many in one statement."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_basket.domain import Line
from resapermis_basket.store.group_rows import Group
from resapermis_basket.store.line_rows import COLUMNS, row
from resapermis_kit.statement import Statement


@dataclass(frozen=True)
class Late:
    """An action all of whose lines are refused because their slots are taken."""

    claim: Mapping[str, Any]
    """Values of `once.claim`, the answer among them."""
    group: Group
    lines: Sequence[Line]
    said: Mapping[str, Any]
    """Values of `Outbox.packed`."""


class Told(Enum):
    """What became of one of them."""

    REFUSED = auto()
    """It is written."""
    FREE = auto()
    """Nothing was written: not all of its slots are taken."""
    TWIN = auto()
    """Nothing was written: a command with this request id was here before."""


# `free` and the claims decide for each action by itself; the rest is written for those that remain. Refused lines take
# nothing, so no counter and no lock of a school or a slot is touched.
_REFUSE = Statement(
    "WITH late AS (SELECT * FROM unnest(CAST(:callers AS text[]), CAST(:request_ids AS text[]), "  # noqa: S608 - texts of our own
    "CAST(:digests AS bytea[]), CAST(:responses AS bytea[]), CAST(:schools AS text[]), CAST(:group_ids AS uuid[]), "
    "CAST(:accounts AS text[]), CAST(:sessions AS text[]), CAST(:together AS boolean[]), "
    "CAST(:created AS timestamptz[])) AS late (caller, request_id, digest, response, school_id, group_id, account_id, "
    "session_id, together, created_at)), "
    "new AS MATERIALIZED (SELECT * FROM json_populate_recordset(NULL::basket_line, "
    "CAST(CAST(:lines AS text) AS json))), "
    # Not NOT EXISTS: that is joined, and the join reads every live line where few are believed to live.
    "free AS MATERIALIZED (SELECT DISTINCT group_id FROM new WHERE "
    "(SELECT 1 FROM basket_line AS other WHERE other.slot_id = new.slot_id AND other.ended_at IS NULL LIMIT 1) IS NULL), "
    "claim AS (INSERT INTO request (caller, request_id, digest, response, created_at) "
    "SELECT caller, request_id, digest, response, created_at FROM late "
    "WHERE group_id NOT IN (SELECT group_id FROM free) ON CONFLICT DO NOTHING RETURNING caller, request_id), "
    "refused AS MATERIALIZED (SELECT late.* FROM late JOIN claim USING (caller, request_id)), "
    "action AS (INSERT INTO group_ (id, school_id, account_id, session_id, together, request_caller, request_id, "
    "created_at) SELECT group_id, school_id, account_id, session_id, together, caller, request_id, created_at "
    "FROM refused), "
    f"added AS (INSERT INTO basket_line ({COLUMNS}) SELECT {COLUMNS} FROM new "
    "WHERE group_id IN (SELECT group_id FROM refused)), "
    "said AS (INSERT INTO outbox (id, lane, type, payload, traceparent, occurred_at) "
    "SELECT said.id, said.lane, said.type, said.payload, said.traceparent, refused.created_at "
    "FROM unnest(CAST(:said_ids AS uuid[]), CAST(:said_lanes AS text[]), CAST(:said_types AS text[]), "
    "CAST(:said_payloads AS bytea[]), CAST(:said_traceparents AS text[]), CAST(:said_groups AS uuid[])) "
    "AS said (id, lane, type, payload, traceparent, group_id) JOIN refused USING (group_id)) "
    "SELECT late.group_id, EXISTS (SELECT FROM refused WHERE refused.group_id = late.group_id) AS refused, "
    "EXISTS (SELECT FROM free WHERE free.group_id = late.group_id) AS free FROM late"
)


async def refuse(engine: AsyncEngine, asked: Iterable[Late]) -> dict[UUID, Told]:
    """Write each that is true by the database and new, with its claim and what is said of it; by group.

    Claims are made in one order, so that two replicas with the same twins queue instead of deadlocking.
    """
    asked = list(asked)
    first = {_key(one): one for one in reversed(asked)}
    late = [first[key] for key in sorted(first)]
    said = [(one, index) for one in late for index in range(len(one.said["said_ids"]))]
    values = {
        "callers": [one.claim["caller"] for one in late],
        "request_ids": [one.claim["request_id"] for one in late],
        "digests": [one.claim["digest"] for one in late],
        "responses": [one.claim["response"] for one in late],
        "schools": [one.group.school_id for one in late],
        "group_ids": [one.group.id for one in late],
        "accounts": [one.group.account_id for one in late],
        "sessions": [one.group.session_id for one in late],
        "together": [one.group.together for one in late],
        "created": [one.group.created_at for one in late],
        "lines": json.dumps([row(line) for one in late for line in one.lines]),
        **{name: [one.said[name][index] for one, index in said] for name in _SAID},
        "said_traceparents": [one.said["said_traceparent"] for one, _ in said],
        "said_groups": [one.group.id for one, _ in said],
    }
    found = {row["group_id"]: _told(row) for row in await _REFUSE.run(engine, values)}
    return {one.group.id: found.get(one.group.id, Told.TWIN) for one in asked}


_SAID = ("said_ids", "said_lanes", "said_types", "said_payloads")


def _key(late: Late) -> tuple[str, str]:
    """Whose command it is, and which."""
    return late.claim["caller"], late.claim["request_id"]


def _told(found: Any) -> Told:
    if found["refused"]:
        return Told.REFUSED
    return Told.FREE if found["free"] else Told.TWIN
