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

from resapermis_basket.domain.answer import Eligibilities, Eligibility
from resapermis_basket.domain.line import Group, Key, Line
from resapermis_basket.line.queries import ActTime, Conflicts, row_of
from resapermis_kit.database.sql_file import sql_file
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


_SQL = sql_file("resapermis_basket.hold", "statements.sql")
_SITUATION = Statement(_SQL["situation"])


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


def asked_values(some: Sequence[AskedHold]) -> dict[str, Any]:
    """Parameters of the part `asked` of a statement, one array element a hold; `asking` is the caller's to add."""
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
    """Parameters of the part `published` of a statement: the outbox rows of all these holds."""
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


_INTEND = Statement(_SQL["intend"])
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


_ANSWER = Statement(_SQL["answer"])


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


_TAKE = sa.text(_SQL["take_prepared_basket"])


async def take_prepared(tx: Tx, school_id: str, account_id: str) -> str:
    """The basket that waits for this person's hold, never to be taken again; "" when there is none.

    Of two holds, the second finds none.
    """
    found = await tx.execute(_TAKE, {"school_id": school_id, "account_id": account_id})
    return found.scalar() or ""
