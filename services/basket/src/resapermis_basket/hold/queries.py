"""What a hold reads and writes, for all holds of a moment in one statement each: situation, intention, answer."""

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar
from uuid import UUID

import asyncpg
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_basket.domain.answer import BASKET_MARGIN, ELIGIBILITY_LASTS, Eligibilities, Eligibility
from resapermis_basket.domain.line import Group, Key, Line
from resapermis_basket.line.queries import COLUMNS, MUTABLE, SET_MUTABLE, WANTED_BY_ANOTHER, ActTime, Conflicts, row_of
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import Tx
from resapermis_kit.errors import Failure


@dataclass(frozen=True)
class HoldQuestion:
    """What `read_situations` looks up for one hold: its school, its command, its slots and candidates."""

    school_id: str
    caller: str
    request_id: str
    slots: frozenset[str]
    candidates: frozenset[UUID]


@dataclass(frozen=True)
class HoldSituation:
    """What our own database knows before anybody else is asked."""

    time: ActTime
    asked_before: bool
    counted: dict[Key, int]
    conflicts: Conflicts
    eligibilities: Eligibilities
    """RdvPermis' own answers about candidates, where it was asked lately."""


def _live(asked: str, column: str) -> str:
    """Live lines by one column, looked up one by one in its own index, whatever the planner believes of the others.

    The inner SELECT hides how many are asked for: else each call would be planned again for its own number.
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
_SCHOOLS = "unnest((SELECT CAST(:schools AS text[]))) AS asked (school)"
# Reads of four tables and the clock: one round trip, one snapshot.
_SITUATION = Statement(
    "SELECT now() AS now, "  # noqa: S608 - a number of our own
    "ARRAY(SELECT asked.n FROM unnest((SELECT CAST(:callers AS text[])), (SELECT CAST(:request_ids AS text[]))) "
    "WITH ORDINALITY AS asked (caller, request_id, n) "
    "WHERE (SELECT 1 FROM request WHERE request.caller = asked.caller AND request.request_id = asked.request_id) IS NOT NULL) "
    "AS asked_before, "
    "(SELECT json_agg(json_build_array(school, department, month, category, taken))::text "
    f"FROM {_SCHOOLS} CROSS JOIN LATERAL (SELECT department, month, category, taken FROM quota "
    "WHERE quota.school_id = asked.school AND taken > 0 "
    "AND (month = '' OR month >= to_char(now() - interval '1 day', 'YYYY-MM')) OFFSET 0) AS counter) AS counted, "
    f"(SELECT json_agg(json_build_array(slot_id, category, candidate_id, wanted_candidate_id))::text FROM ({_MET}) AS met) "
    "AS conflicts, "
    "(SELECT json_agg(json_build_array(school, category, rdvpermis_candidate_id, eligible, code, seen_at))::text "
    f"FROM {_SCHOOLS} CROSS JOIN LATERAL (SELECT category, rdvpermis_candidate_id, eligible, code, seen_at FROM eligibility "
    f"WHERE eligibility.school_id = asked.school AND seen_at > now() - interval '{ELIGIBILITY_LASTS.total_seconds()} s' OFFSET 0) "
    "AS answered) AS eligibilities"
)


async def read_situations(engine: AsyncEngine, questions: Sequence[HoldQuestion]) -> list[HoldSituation]:
    """What stands for or against each of these holds, of its slots and for its candidates, in their order."""
    values = {
        "schools": list({one.school_id for one in questions}),
        "callers": [one.caller for one in questions],
        "request_ids": [one.request_id for one in questions],
        "slots": list(frozenset().union(*(one.slots for one in questions))),
        "candidates": list(frozenset().union(*(one.candidates for one in questions))),
    }
    (found,) = await _SITUATION.run(engine, values)
    time, before = ActTime(found["now"].astimezone(UTC)), set(found["asked_before"])
    counted: dict[str, dict[Key, int]] = defaultdict(dict)
    for school, department, month, category, taken in json.loads(found["counted"] or "[]"):
        counted[school][department, month, category] = taken
    eligibilities: dict[str, dict[tuple[str, str], Eligibility]] = defaultdict(dict)
    for school, category, who, eligible, code, seen_at in json.loads(found["eligibilities"] or "[]"):
        answered = Eligibility(category, who, eligible, code, datetime.fromisoformat(seen_at))
        eligibilities[school][category, who] = answered
    rows = json.loads(found["conflicts"] or "[]")
    taken_slots = {slot_id for slot_id, *_ in rows}
    pairs = {(UUID(who), category) for _, category, *both in rows for who in both if who is not None}
    return [
        HoldSituation(
            time,
            n in before,
            counted[one.school_id],
            Conflicts(one.slots & taken_slots, frozenset(pair for pair in pairs if pair[0] in one.candidates)),
            eligibilities[one.school_id],
        )
        for n, one in enumerate(questions, 1)
    ]


Values = Mapping[str, Any]


class AskedHold(Protocol):
    """What a statement that writes several holds takes of each."""

    @property
    def claim(self) -> Values:
        """Parameters of `Command.claim` for this command."""

    @property
    def group(self) -> Group:
        """The booking action that this hold opens, as it is inserted."""

    @property
    def messages(self) -> Values:
        """Parameters of `Outbox.values` for the events and records that go along."""


A = TypeVar("A", bound=AskedHold)
# Parameters come as sub-selects, so that a plan made for these holds seems no cheaper than one made for any number of them:
# PostgreSQL then keeps the latter, instead of planning again each time.
_COLUMNS = {
    "caller": "text",
    "request_id": "text",
    "digest": "bytea",
    "response": "bytea",
    "claimed_at": "timestamptz",
    "group_id": "uuid",
    "school_id": "text",
    "account_id": "text",
    "session_id": "text",
    "all_or_nothing": "boolean",
    "created_at": "timestamptz",
    "asking": "boolean",
}
ASKED = (
    f"asked AS (SELECT * FROM unnest({', '.join(f'(SELECT CAST(:{name} AS {type_}[]))' for name, type_ in _COLUMNS.items())}) "  # noqa: S608 - words of our own
    f"AS asked ({', '.join(_COLUMNS)}))"
)
"""The first part of such a statement."""
MINE_AND_ACTION = (
    "mine AS MATERIALIZED (SELECT asked.* FROM asked JOIN claim USING (caller, request_id)), "
    "action AS (INSERT INTO group_ (id, school_id, account_id, session_id, all_or_nothing, request_caller, request_id, "
    "created_at) SELECT group_id, school_id, account_id, session_id, all_or_nothing, caller, request_id, created_at FROM mine)"
)
"""Those whose `claim` was made, which no twin came before; and their actions."""
_MESSAGE = {
    "id": "uuid",
    "stream": "text",
    "type": "text",
    "payload": "bytea",
    "traceparent": "text",
    "at": "timestamptz",
    "group": "uuid",
}
PUBLISHED = (
    "INSERT INTO outbox (id, stream, type, payload, traceparent, occurred_at) "  # noqa: S608 - as above
    "SELECT message.id, message.stream, message.type, message.payload, message.traceparent, message.at "
    f"FROM unnest({', '.join(f'(SELECT CAST(:outbox_{name}s AS {type_}[]))' for name, type_ in _MESSAGE.items())}) "
    "AS message (id, stream, type, payload, traceparent, at, group_id)"
)
"""Messages about them; to be joined to those of which it is true, by group_id."""


def asked_values(some: Sequence[AskedHold]) -> dict[str, Any]:
    """Parameters of the ASKED part of a statement, one array element a hold; `asking` is the caller's to add."""
    return {
        "caller": [one.claim["caller"] for one in some],
        "request_id": [one.claim["request_id"] for one in some],
        "digest": [one.claim["digest"] for one in some],
        "response": [one.claim["response"] for one in some],
        "claimed_at": [one.claim["claimed_at"] for one in some],
        "group_id": [one.group.id for one in some],
        "school_id": [one.group.school_id for one in some],
        "account_id": [one.group.account_id for one in some],
        "session_id": [one.group.session_id for one in some],
        "all_or_nothing": [one.group.all_or_nothing for one in some],
        "created_at": [one.group.created_at for one in some],
    }


def message_values(some: Sequence[AskedHold]) -> dict[str, Any]:
    """Parameters of the PUBLISHED part of a statement: the outbox rows of all these holds."""
    messages = [(one, index) for one in some for index in range(len(one.messages["outbox_ids"]))]
    return {
        **{name: [one.messages[name][index] for one, index in messages] for name in _EACH},
        "outbox_traceparents": [one.messages["outbox_traceparent"] for one, _ in messages],
        "outbox_ats": [one.messages["outbox_at"] for one, _ in messages],
        "outbox_groups": [one.group.id for one, _ in messages],
    }


_EACH = ("outbox_ids", "outbox_streams", "outbox_types", "outbox_payloads")


def one_a_school(asked: Sequence[A]) -> Iterator[list[A]]:
    """In batches without two of the same school: one statement moves a counter once, the second sees what the first took."""
    rest = list(asked)
    while rest:
        seen: set[str] = set()
        batch: list[A] = []
        later: list[A] = []
        for one in rest:
            (later if one.group.school_id in seen else batch).append(one)
            seen.add(one.group.school_id)
        yield batch
        rest = later


@dataclass(frozen=True)
class HoldIntention:
    """What a hold is about to ask RdvPermis, with the messages about it; or refuses already."""

    claim: Values
    """Values of `Command.claim`."""
    group: Group
    counts: Mapping[Key, tuple[int, int]]
    """How many of each counter, and its limit."""
    lines: Sequence[Line]
    judgements: Mapping[UUID, bytes]
    messages: Values
    """Values of `Outbox.values`."""


# The order of locks is the order of data: claims, then the counters (of a school the basket's first), then lines in slot
# order, each read by the next. What does not fit becomes a NULL that the column refuses, so that nothing of the statement
# stands.
_INTEND = Statement(
    f"WITH {ASKED}, "  # noqa: S608 - texts of our own
    "claim AS (INSERT INTO request (caller, request_id, digest, response, created_at, made) "
    "SELECT caller, request_id, digest, response, claimed_at, group_id FROM asked ORDER BY caller, request_id "
    "ON CONFLICT DO NOTHING RETURNING caller, request_id), "
    f"{MINE_AND_ACTION}, "
    "counted AS (INSERT INTO quota AS q (school_id, department, month, category, taken, cap, granted) "
    "SELECT mine.school_id, department, month, category, many, CASE WHEN many <= cap THEN cap END, many "
    "FROM json_to_recordset(CAST((SELECT CAST(:counts AS text)) AS json)) "
    "AS wanted (group_id uuid, department text, month text, category text, many int, cap int) JOIN mine USING (group_id) "
    "ORDER BY mine.school_id, department, month, category "
    "ON CONFLICT (school_id, department, month, category) DO UPDATE "
    "SET taken = q.taken + excluded.granted, granted = excluded.granted, "
    "cap = CASE WHEN q.taken + excluded.granted <= excluded.cap THEN excluded.cap END RETURNING 1), "
    "after_counting AS (SELECT count(*) FROM counted), "
    f"added AS (INSERT INTO basket_line ({COLUMNS}) "
    f"SELECT CASE WHEN NOT {WANTED_BY_ANOTHER} THEN new.id END, {COLUMNS.removeprefix('id, ')} "
    "FROM json_populate_recordset(NULL::basket_line, CAST((SELECT CAST(:lines AS text)) AS json)) AS new, after_counting "
    "WHERE new.group_id IN (SELECT mine.group_id FROM mine) ORDER BY slot_id), "
    "judged AS (INSERT INTO judgement (line_id, purpose, facts) SELECT judged.line_id, 'hold', judged.facts "
    "FROM unnest((SELECT CAST(:judged_lines AS uuid[])), (SELECT CAST(:judged_facts AS bytea[])), "
    "(SELECT CAST(:judged_groups AS uuid[]))) AS judged (line_id, facts, group_id) "
    "WHERE judged.group_id IN (SELECT mine.group_id FROM mine)), "
    # Looked up one by one, whatever the planner believes of a table that was empty when it made its plan.
    "prepared AS (UPDATE prepared_basket SET taken_at = now() "
    "WHERE taken_at IS NULL AND next_drop_at IS NULL AND basket_id = ANY(ARRAY("
    "SELECT (SELECT basket_id FROM prepared_basket AS waiting "
    "WHERE waiting.school_id = mine.school_id AND waiting.account_id = mine.account_id "
    "AND taken_at IS NULL AND next_drop_at IS NULL "
    f"AND expires_at > now() + interval '{int(BASKET_MARGIN.total_seconds())} seconds') FROM mine WHERE mine.asking)) "
    "RETURNING school_id, account_id, basket_id), "
    f"published AS ({PUBLISHED} JOIN mine USING (group_id)) "
    "SELECT mine.group_id, prepared.basket_id FROM mine LEFT JOIN prepared USING (school_id, account_id)"
)
_DOES_NOT_FIT = (asyncpg.UniqueViolationError, asyncpg.ExclusionViolationError, asyncpg.NotNullViolationError)


async def write_intentions(engine: AsyncEngine, intentions: Sequence[HoldIntention]) -> list[str | Exception | None]:
    """Write each intention whole if all of it fits: claim, counters, lines, judgements, messages.

    Of each, in their order: the basket that was prepared for it ("" for none), or None: nothing of it was written,
    because something does not fit or a twin was here; or the failure that kept it from being known.
    """
    found: dict[UUID, str | Exception] = {}
    for some in one_a_school(intentions):
        try:
            found |= await _intend(engine, some)
        except _DOES_NOT_FIT:
            for one in some if len(some) > 1 else ():  # whose it was shows when each is written by itself
                found |= await _alone(engine, one)
    return [found.get(one.group.id) for one in intentions]


async def _alone(engine: AsyncEngine, one: HoldIntention) -> Mapping[UUID, str | Exception]:
    try:
        return await _intend(engine, [one])
    except _DOES_NOT_FIT:
        return {}
    except Failure as failure:
        return {one.group.id: failure}


async def _intend(engine: AsyncEngine, some: Sequence[HoldIntention]) -> dict[UUID, str]:
    judged = [(one.group.id, *kept) for one in some for kept in one.judgements.items()]
    counts = [
        {
            "group_id": str(one.group.id),
            "department": key[0],
            "month": key[1],
            "category": key[2],
            "many": many,
            "cap": cap,
        }
        for one in some
        for key, (many, cap) in one.counts.items()
    ]
    values = {
        **asked_values(some),
        **message_values(some),
        "asking": [any(line.live for line in one.lines) for one in some],
        "counts": json.dumps(counts),
        "lines": json.dumps([row_of(line) for one in some for line in one.lines]),
        "judged_groups": [group_id for group_id, *_ in judged],
        "judged_lines": [line_id for _, line_id, _ in judged],
        "judged_facts": [facts for *_, facts in judged],
    }
    return {found["group_id"]: found["basket_id"] or "" for found in await _INTEND.run(engine, values)}


@dataclass(frozen=True)
class HoldAnswer:
    """What became of a hold's lines that were read at their version, and its answer where it is known."""

    claim: Values
    group: Group
    lines: Sequence[Line]
    messages: Values


# Counters do not move here: an answer that gives something back goes the careful way, with the school locked.
_ANSWER = Statement(
    f"WITH {ASKED}, "  # noqa: S608 - as above
    f"new AS MATERIALIZED (SELECT id, group_id, {', '.join(MUTABLE)} "
    "FROM json_populate_recordset(NULL::basket_line, CAST((SELECT CAST(:lines AS text)) AS json))), "
    "locked AS MATERIALIZED (SELECT line.id, line.group_id FROM basket_line AS line JOIN new USING (id) "
    "WHERE line.version = new.version - 1 ORDER BY line.slot_id, line.id FOR UPDATE OF line), "
    "mine AS MATERIALIZED (SELECT asked.* FROM asked WHERE (SELECT count(*) FROM locked WHERE locked.group_id = asked.group_id) "
    "= (SELECT count(*) FROM new WHERE new.group_id = asked.group_id)), "
    f"saved AS (UPDATE basket_line AS line SET {SET_MUTABLE} FROM new WHERE line.id = new.id "
    "AND new.group_id IN (SELECT mine.group_id FROM mine)), "
    "settled AS (UPDATE request SET response = mine.response FROM mine WHERE request.caller = mine.caller "
    "AND request.request_id = mine.request_id AND mine.response IS NOT NULL), "
    f"published AS ({PUBLISHED} JOIN mine USING (group_id)) "
    "SELECT mine.group_id FROM mine"
)


async def write_answers(engine: AsyncEngine, answered: Sequence[HoldAnswer]) -> list[bool]:
    """Write each; False: nothing of it was written, because a line has moved meanwhile."""
    newer = [row_of(line) | {"version": line.version + 1} for one in answered for line in one.lines]
    values = {
        **asked_values(answered),
        **message_values(answered),
        "asking": [False for _ in answered],
        "lines": json.dumps(newer),
    }
    written = {found["group_id"] for found in await _ANSWER.run(engine, values)}
    return [one.group.id in written for one in answered]


_TAKE = sa.text(
    "UPDATE prepared_basket SET taken_at = now() "  # noqa: S608 - a number of our own
    "WHERE school_id = :school_id AND account_id = :account_id AND taken_at IS NULL AND next_drop_at IS NULL "
    f"AND expires_at > now() + interval '{int(BASKET_MARGIN.total_seconds())} seconds' "
    "RETURNING basket_id"
)


async def take_prepared(tx: Tx, school_id: str, account_id: str) -> str:
    """The basket that waits for this person's hold, never to be taken again; "" when there is none.

    Of two holds, the second finds none.
    """
    found = await tx.execute(_TAKE, {"school_id": school_id, "account_id": account_id})
    return found.scalar() or ""
