"""The three statements of a hold that meets nobody: what stands against it, its intention, RdvPermis' answer.

Each is one statement and so one transaction, without the round trips of BEGIN and COMMIT: they are what a slot opening
does thousands of times. Each does all or nothing. What does not fit (a counter full, a slot or candidate taken, a line
moved meanwhile) leaves nothing behind, and the caller goes the careful way, statement by statement, which finds out why.
The referees are the same: the counters' rows, the unique indexes, the exclusion constraints, the lines' versions.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_basket.domain import WORD_LASTS, Eligibility, Key, Line, Words, in_lock_order
from resapermis_basket.store.group_rows import Group
from resapermis_basket.store.line_rows import COLUMNS, LOCKED_AND_NEW, SET_MUTABLE, WANTED_BY_ANOTHER, Conflicts, row
from resapermis_basket.store.preparing import TAKE
from resapermis_kit import once
from resapermis_kit.outbox import ADD
from resapermis_kit.statement import Statement

Values = Mapping[str, Any]


@dataclass(frozen=True)
class Standing:
    """What our own database knows before anybody else is asked."""

    now: datetime
    """The database's clock."""
    asked_before: bool
    counted: dict[Key, int]
    conflicts: Conflicts
    words: Words
    """RdvPermis' own on candidates, where it was asked lately."""


def _live(asked: str, column: str) -> str:
    """Live lines by one column, looked up one by one in its own index, whatever the planner believes of the others.

    The inner SELECT hides how many are asked for: else each call would be planned anew for its own number.
    """
    return (
        f"SELECT found.* FROM unnest((SELECT {asked})) AS asked (id) CROSS JOIN LATERAL "  # noqa: S608 - columns of our own
        "(SELECT slot_id, category, candidate_id, wanted_candidate_id FROM basket_line "
        f"WHERE {column} = asked.id AND ended_at IS NULL OFFSET 0) AS found"
    )


_CANDIDATES = "CAST(:candidates AS uuid[])"
_MET = " UNION ALL ".join(
    (
        _live("CAST(:slots AS text[])", "slot_id"),
        _live(_CANDIDATES, "candidate_id"),
        _live(_CANDIDATES, "wanted_candidate_id"),
    )
)
# Three reads of three tables and the clock: one round trip, one snapshot.
_STANDING = Statement(
    "SELECT now() AS now, "  # noqa: S608 - a number of our own
    "EXISTS (SELECT FROM request WHERE caller = :caller AND request_id = :request_id) AS asked_before, "
    "(SELECT json_agg(json_build_array(department, month, category, taken))::text FROM quota "
    "WHERE school_id = :school_id AND taken > 0 "
    "AND (month = '' OR month >= to_char(now() - interval '1 day', 'YYYY-MM'))) AS counted, "
    f"(SELECT json_agg(json_build_array(slot_id, category, candidate_id, wanted_candidate_id))::text FROM ({_MET}) AS met) "
    "AS conflicts, "
    "(SELECT json_agg(json_build_array(category, rdvpermis_candidate_id, eligible, word, seen_at))::text "
    f"FROM eligibility WHERE school_id = :school_id AND seen_at > now() - interval '{WORD_LASTS.total_seconds()} s') "
    "AS words"
)


async def standing(
    engine: AsyncEngine, school_id: str, caller: str, request_id: str, slots: Iterable[str], candidates: Iterable[UUID]
) -> Standing:
    """Say what stands for or against a hold of these slots for these candidates."""
    wanted, named = set(slots), set(candidates)
    values = {
        "school_id": school_id,
        "caller": caller,
        "request_id": request_id,
        "slots": list(wanted),
        "candidates": list(named),
    }
    found = (await _STANDING.run(engine, values))[0]
    rows = json.loads(found["conflicts"] or "[]")
    pairs = {(UUID(who), category) for _, category, *both in rows for who in both if who is not None}
    return Standing(
        found["now"].astimezone(UTC),
        found["asked_before"],
        {
            (department, month, category): taken
            for department, month, category, taken in json.loads(found["counted"] or "[]")
        },
        Conflicts(
            frozenset(slot_id for slot_id, *_ in rows if slot_id in wanted),
            frozenset(pair for pair in pairs if pair[0] in named),
        ),
        {
            (category, who): Eligibility(category, who, eligible, word, datetime.fromisoformat(seen_at))
            for category, who, eligible, word, seen_at in json.loads(found["words"] or "[]")
        },
    )


# The order of locks is the order of data: claim, then the counters (the basket's first), then lines in slot order, each
# read by the next. What does not fit becomes a NULL that the column refuses, so that nothing of the statement stands.
_INTEND = Statement(
    f"WITH claim AS ({once.CLAIM}), "  # noqa: S608 - texts of our own
    "counted AS (INSERT INTO quota AS q (school_id, department, month, category, taken, cap, granted) "
    "SELECT CAST(:school_id AS text), department, month, category, asked, CASE WHEN asked <= cap THEN cap END, asked "
    "FROM json_to_recordset(CAST(CAST(:counts AS text) AS json)) "
    "AS wanted (department text, month text, category text, asked int, cap int), claim "
    "ORDER BY department, month, category ON CONFLICT (school_id, department, month, category) DO UPDATE "
    "SET taken = q.taken + excluded.granted, granted = excluded.granted, "
    "cap = CASE WHEN q.taken + excluded.granted <= excluded.cap THEN excluded.cap END RETURNING 1), "
    "turn AS (SELECT count(*) FROM counted), "
    "action AS (INSERT INTO group_ (id, school_id, account_id, session_id, together, request_caller, request_id, "
    "created_at) SELECT CAST(:group_id AS uuid), CAST(:school_id AS text), CAST(:account_id AS text), "
    "CAST(:session_id AS text), CAST(:together AS boolean), CAST(:caller AS text), CAST(:request_id AS text), "
    "CAST(:created_at AS timestamptz) FROM claim), "
    f"added AS (INSERT INTO basket_line ({COLUMNS}) "
    f"SELECT CASE WHEN NOT {WANTED_BY_ANOTHER} THEN new.id END, {COLUMNS.removeprefix('id, ')} "
    "FROM json_populate_recordset(NULL::basket_line, CAST(CAST(:lines AS text) AS json)) AS new, claim, turn "
    "ORDER BY slot_id), "
    "judged AS (INSERT INTO judgement (line_id, purpose, facts) SELECT judged.line_id, 'hold', judged.facts "
    "FROM unnest(CAST(:judged_lines AS uuid[]), CAST(:judged_facts AS bytea[])) AS judged (line_id, facts), claim), "
    f"prepared AS ({TAKE.replace('WHERE', 'FROM claim WHERE CAST(:asking AS boolean) AND', 1)}), "
    f"said AS ({ADD}, claim) "
    "SELECT count(*) AS claimed, (SELECT basket_id FROM prepared) AS basket_id FROM claim"
)
_DOES_NOT_FIT = (asyncpg.UniqueViolationError, asyncpg.ExclusionViolationError, asyncpg.NotNullViolationError)


async def intend(
    engine: AsyncEngine,
    claim: Values,
    group: Group,
    counts: Mapping[Key, tuple[int, int]],
    lines: Iterable[Line],
    judgements: Mapping[UUID, bytes],
    said: Values,
) -> str | None:
    """Write a whole intention if all of it fits: claim, counters (how many, limit), lines, judgements, messages.

    Return the basket that was prepared for it ("" for none); None: nothing was written, because something does not fit
    or a twin was here.
    """
    lines = in_lock_order(lines)
    values = {
        **claim,
        **said,
        "school_id": group.school_id,
        "group_id": group.id,
        "account_id": group.account_id,
        "session_id": group.session_id,
        "together": group.together,
        "created_at": group.created_at,
        "counts": json.dumps(
            [
                {"department": key[0], "month": key[1], "category": key[2], "asked": many, "cap": cap}
                for key, (many, cap) in counts.items()
            ]
        ),
        "lines": json.dumps([row(line) for line in lines]),
        "asking": any(line.live for line in lines),
        "judged_lines": list(judgements),
        "judged_facts": list(judgements.values()),
    }
    try:
        found = await _INTEND.run(engine, values)
    except _DOES_NOT_FIT:
        return None
    return (found[0]["basket_id"] or "") if found[0]["claimed"] else None


# Counters do not move here: an answer that gives something back goes the careful way, in the school's turn.
_ANSWER = Statement(
    f"WITH {LOCKED_AND_NEW}, "  # noqa: S608 - as above
    "whole AS (SELECT 1 WHERE (SELECT count(*) FROM locked) = CAST(:many AS bigint)), "
    f"saved AS (UPDATE basket_line AS line SET {SET_MUTABLE} FROM new JOIN locked USING (id), whole "
    "WHERE line.id = new.id), "
    f"settled AS ({once.SETTLE.replace('WHERE', 'FROM whole WHERE', 1)}), "
    f"said AS ({ADD}, whole) "
    "SELECT count(*) AS whole FROM whole"
)


async def answer(engine: AsyncEngine, claim: Values, after: Iterable[Line], said: Values) -> bool:
    """Write what became of lines that were read at their version, and the answer where it is known.

    False: nothing was written, because a line has moved meanwhile.
    """
    newer = [row(line) | {"version": line.version + 1} for line in in_lock_order(after)]
    values = {**claim, **said, "rows": json.dumps(newer), "many": len(newer)}
    return bool((await _ANSWER.run(engine, values))[0]["whole"])
