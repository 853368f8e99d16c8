"""What is asked of the mirror: slots, centres and polls."""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import Tx
from resapermis_places.days import day_start
from resapermis_scheduling_rules.domain.polls import PlaceInterest, Poll, PollRecord
from resapermis_scheduling_rules.domain.slots import Centre, Slot, Status
from resapermis_scheduling_rules.mirror.merge import (
    MirroredSlot,
    PolledSlot,
    is_doubtful,
    lost,
    merged,
    newly_free,
    to_publish,
)
from resapermis_scheduling_rules.mirror.tables import TIME, centres, interests, polls, slots

KEPT_AFTER_EXAM = timedelta(days=30)

DOUBT = "rdvpermis_down"
"""Trouble of a poll whose answer was half, or too empty to be believed: it is repeated soon, and searches answer `incomplete`."""

_SLOT: tuple[sa.ColumnElement[Any], ...] = (
    slots.c.id,
    slots.c.centre_id,
    slots.c.department,
    slots.c.category,
    slots.c.kind,
    slots.c.starts_at,
    slots.c.ends_at,
    slots.c.published_at,
    slots.c.status,
    slots.c.school_id,
    slots.c.seen_at,
    centres.c.name,
    centres.c.latitude,
    centres.c.longitude,
)


def _slot(row: Any) -> Slot:
    centre = Centre(row.centre_id, row.name, row.department, row.latitude, row.longitude)
    return Slot(
        id=row.id,
        centre=centre,
        starts_at=row.starts_at,
        ends_at=row.ends_at,
        category=row.category,
        kind=row.kind,
        published_at=row.published_at,
        status=Status(row.status),
        seen_at=row.seen_at,
        holder=row.school_id or "",
    )


async def slots_by_id(tx: Tx, ids: Sequence[str]) -> dict[str, Slot]:
    """Slots of the mirror by id; unknown ids have no entry."""
    statement = sa.select(*_SLOT).join(centres, centres.c.id == slots.c.centre_id).where(slots.c.id.in_(ids))
    return {row.id: _slot(row) for row in await tx.execute(statement)}


@dataclass(frozen=True, slots=True)
class PollChanges:
    """What a poll changed, as far as others must know: slots gone, slots newly free."""

    published_gone: Sequence[str] = ()
    """Slots whose loss is published (`merge.to_publish`)."""
    newly_free: Sequence[str] = ()
    """Slots that are free and were not known free (`merge.newly_free`)."""
    doubted: bool = False
    """The answer was not believed: another poll decides."""


async def record_poll(
    tx: Tx, poll: Poll, found: Sequence[PolledSlot], asker: str, at: datetime, *, whole: bool = True
) -> PollChanges:
    """Write what one poll of school `asker`, asked at `at`, saw.

    An answer that a newer one has overtaken changes nothing. Of one that is not `whole` only what it has is believed, not
    what it lacks. An empty answer where a whole day was (`merge.is_doubtful`) is believed when it comes twice.
    """
    scope = sa.and_(
        slots.c.centre_id == poll.centre_id,
        slots.c.category == poll.category,
        slots.c.starts_at >= day_start(poll.day, poll.department),
        slots.c.starts_at < day_start(poll.day + timedelta(days=1), poll.department),
    )
    earlier = await _earlier_poll(tx, poll)
    if earlier is not None and earlier.seen_at is not None and earlier.seen_at > at:
        return PollChanges()
    ids = [slot.id for slot in found]
    statement = sa.select(slots).where(sa.or_(scope, slots.c.id.in_(ids))).order_by(slots.c.id).with_for_update()
    known = {row.id: _known(row) for row in await tx.execute(statement)}
    if whole and is_doubtful(known, found, at) and (earlier is None or earlier.doubted_at is None):
        await note_poll(tx, poll, at, trouble=DOUBT, doubted_at=at)
        return PollChanges(doubted=True)
    gone = lost(known, found, asker, at, whole=whole)
    published, fresh = to_publish(known, gone, at), newly_free(known, found, at)
    after = {slot.id: merged(known.get(slot.id), slot, asker, at) for slot in found}
    rows = [
        _row(poll, slot, after[slot.id], at if slot.id in published else after[slot.id].loss_published_at)
        for slot in found
    ]
    if rows:
        upsert = insert(slots).values(sorted(rows, key=lambda row: str(row["id"])))
        change = {name: upsert.excluded[name] for name in rows[0] if name != "id"}
        await tx.execute(
            upsert.on_conflict_do_update(
                index_elements=[slots.c.id], set_=change, where=slots.c.seen_at <= upsert.excluded.seen_at
            )
        )
    missing = [slot_id for slot_id in gone if slot_id not in ids]
    if missing:
        withdrawn = {"status": Status.WITHDRAWN.value, "withdrawn_at": at, "seen_at": at}
        published_at = sa.case((slots.c.id.in_(published), sa.literal(at, TIME)), else_=slots.c.loss_published_at)
        await tx.execute(
            sa.update(slots)
            .where(slots.c.id.in_(missing))
            .values(**withdrawn, school_id=None, held_until=None, loss_published_at=published_at)
        )
    if whole:
        await note_poll(tx, poll, at, seen_at=at, found=len(found))
    else:
        await note_poll(tx, poll, at, trouble=DOUBT)
    return PollChanges(published, fresh)


async def _earlier_poll(tx: Tx, poll: Poll) -> Any:
    statement = sa.select(polls.c.seen_at, polls.c.doubted_at).where(
        polls.c.centre_id == poll.centre_id, polls.c.category == poll.category, polls.c.day == poll.day
    )
    return (await tx.execute(statement.with_for_update())).one_or_none()


def _known(row: sa.Row[Any]) -> MirroredSlot:
    return MirroredSlot(
        Status(row.status),
        row.starts_at,
        row.published_at,
        row.seen_at,
        row.school_id,
        row.held_until,
        row.withdrawn_at,
        row.reappeared_at,
        row.loss_published_at,
    )


def _row(poll: Poll, slot: PolledSlot, known: MirroredSlot, loss_published_at: datetime | None) -> dict[str, Any]:
    return {
        "id": slot.id,
        "centre_id": poll.centre_id,
        "department": poll.department,
        "category": poll.category,
        "kind": slot.kind,
        "starts_at": slot.starts_at,
        "ends_at": slot.ends_at,
        "published_at": known.published_at,
        "status": known.status.value,
        "school_id": known.holder,
        "held_until": known.held_until,
        "seen_at": known.seen_at,
        "withdrawn_at": known.withdrawn_at,
        "reappeared_at": known.reappeared_at,
        "loss_published_at": loss_published_at,
    }


async def note_poll(
    tx: Tx,
    poll: Poll,
    at: datetime,
    *,
    trouble: str = "",
    seen_at: datetime | None = None,
    found: int = 0,
    doubted_at: datetime | None = None,
) -> None:
    """Remember that a poll was tried at `at`, with what it found or why it failed."""
    row = {"centre_id": poll.centre_id, "category": poll.category, "day": poll.day}
    upsert = insert(polls).values(
        **row, tried_at=at, trouble=trouble, seen_at=seen_at, slots=found, doubted_at=doubted_at
    )
    change: dict[str, Any] = {name: upsert.excluded[name] for name in ("tried_at", "trouble", "doubted_at")}
    if seen_at is not None:
        change |= {"seen_at": upsert.excluded.seen_at, "slots": upsert.excluded.slots}
    await tx.execute(
        upsert.on_conflict_do_update(
            index_elements=[polls.c.centre_id, polls.c.category, polls.c.day],
            set_=change,
            where=polls.c.tried_at <= upsert.excluded.tried_at,
        )
    )


_OF_THESE = (
    polls.c.centre_id == sa.any_(sa.bindparam("centre_ids", type_=sa.ARRAY(sa.Text))),
    polls.c.category == sa.bindparam("category", type_=sa.Text),
    polls.c.day == sa.any_(sa.bindparam("days", type_=sa.ARRAY(sa.Date))),
)

_SEEN = Statement(
    sa.select(polls.c.centre_id, polls.c.day, polls.c.seen_at, polls.c.tried_at, polls.c.slots, polls.c.trouble).where(
        *_OF_THESE
    )
)

_ACCOUNT = Statement("""
WITH near AS MATERIALIZED (
  SELECT centre_id, day, seen_at, tried_at, slots, trouble FROM poll
  WHERE centre_id = ANY(CAST(:near AS text[])) AND category = CAST(:category AS text) AND day = ANY(CAST(:days AS date[]))
), far AS MATERIALIZED (
  SELECT day, seen_at FROM poll
  WHERE centre_id = ANY(CAST(:far AS text[])) AND category = CAST(:category AS text) AND day = ANY(CAST(:days AS date[]))
)
SELECT near.tried, near.answered, near.oldest, far.answered AS far_answered, far.oldest AS far_oldest,
  ARRAY(
    SELECT ROW(centre_id, day, seen_at, tried_at, slots, trouble) FROM near
    WHERE seen_at IS NULL OR tried_at > seen_at OR trouble <> '' OR seen_at <= CAST(:stale AS timestamptz)
  ) AS doubtful,
  ARRAY(
    SELECT ROW(day, count(seen_at), min(seen_at))
    FROM (SELECT day, seen_at FROM near UNION ALL SELECT day, seen_at FROM far) AS seen
    GROUP BY day
  ) AS by_day
FROM (SELECT count(*) AS tried, count(seen_at) AS answered, min(seen_at) AS oldest FROM near) AS near
CROSS JOIN (SELECT count(seen_at) AS answered, min(seen_at) AS oldest FROM far) AS far
""")


async def polls_seen(engine: AsyncEngine, category: str, wanted: Sequence[Poll]) -> dict[Poll, PollRecord]:
    """What is known of these polls of one category, in their order; absent when never tried."""
    if not wanted:
        return {}
    values = {
        "centre_ids": sorted({poll.centre_id for poll in wanted}),
        "category": category,
        "days": sorted({poll.day for poll in wanted}),
    }
    found = {(row[0], row[1]): row for row in await _SEEN.run(engine, values)}
    keyed = ((poll, found.get((poll.centre_id, poll.day))) for poll in wanted)
    return {poll: PollRecord(row[2], row[3], row[4], row[5]) for poll, row in keyed if row is not None}


@dataclass(frozen=True, slots=True)
class PollCounts:
    """How the polls of some centres on some days stand: tried, answered, how old the oldest answer is."""

    tried: int
    """At the near ones, like `answered` and `oldest_seen_at`."""
    answered: int
    oldest_seen_at: datetime | None
    far_answered: int
    far_oldest_seen_at: datetime | None
    doubtful: Sequence[tuple[Poll, PollRecord]]
    """Of the near ones: last seen before a moment, never answered, or in trouble when last tried; in no order."""
    by_day: Mapping[date, tuple[int, datetime | None]]
    """Of both: how many answered, and how old the oldest answer is."""


async def count_polls(
    engine: AsyncEngine,
    category: str,
    near: Sequence[Centre],
    far: Sequence[Centre],
    days: Sequence[date],
    stale: datetime,
) -> PollCounts:
    """Count the polls of two groups of centres; `stale` is the moment before which they count as doubtful."""
    departments = {centre.id: centre.department for centre in near}
    values = {
        "near": list(departments),
        "far": [centre.id for centre in far],
        "category": category,
        "days": days,
        "stale": stale,
    }
    (row,) = await _ACCOUNT.run(engine, values)
    return PollCounts(
        row.tried,
        row.answered,
        row.oldest,
        row.far_answered,
        row.far_oldest,
        [
            (Poll(day, centre_id, category, departments[centre_id]), PollRecord(*seen))
            for centre_id, day, *seen in row.doubtful
        ],
        {day: (answered, oldest) for day, answered, oldest in row.by_day},
    )


_NOTE_INTERESTS = Statement("""
INSERT INTO interest (school_id, department, category, first_day, last_day, at, centre_ids)
SELECT school_id, department, category, first_day, last_day, at, centre_ids
FROM json_to_recordset(CAST(:noted AS json)) AS noted (
  school_id text, department text, category text, first_day date, last_day date, at timestamptz, centre_ids text[]
)
ORDER BY school_id, department, category
ON CONFLICT (school_id, department, category) DO UPDATE SET
  first_day = excluded.first_day, last_day = excluded.last_day, at = excluded.at, centre_ids = excluded.centre_ids
""")


async def note_interests(engine: AsyncEngine, noted: Iterable[tuple[PlaceInterest, datetime]]) -> None:
    """Remember what people look at, and when they did, for the poll planner; of a school and place the last counts."""
    rows = {
        (interest.school_id, interest.department, interest.category): {
            "school_id": interest.school_id,
            "department": interest.department,
            "category": interest.category,
            "first_day": interest.first.isoformat(),
            "last_day": interest.last.isoformat(),
            "at": at.isoformat(),
            "centre_ids": interest.centres,
        }
        for interest, at in noted
    }
    if rows:
        await _NOTE_INTERESTS.run(engine, {"noted": json.dumps(list(rows.values()))})


async def interests_since(tx: Tx, at: datetime) -> list[PlaceInterest]:
    """What people looked at since `at`, by school, place and days; oldest first."""
    columns = interests.c.school_id, interests.c.department, interests.c.category
    days = interests.c.first_day, interests.c.last_day
    statement = sa.select(*columns, *days, interests.c.centre_ids).where(interests.c.at >= at)
    rows = await tx.execute(statement.order_by(interests.c.at))
    return [PlaceInterest(*row[:5], tuple(row.centre_ids)) for row in rows]


async def forget_past(tx: Tx, now: datetime) -> None:
    """Delete polls, slots and interests whose day is long past; at most 5,000 slots at a time."""
    last: date = (now - KEPT_AFTER_EXAM).date()
    old = sa.select(slots.c.id).where(slots.c.starts_at < now - KEPT_AFTER_EXAM).limit(5000)
    await tx.execute(sa.delete(slots).where(slots.c.id.in_(old)))
    await tx.execute(sa.delete(polls).where(polls.c.day < last))
    await tx.execute(sa.delete(interests).where(interests.c.at < now - timedelta(days=1)))


@dataclass(frozen=True, slots=True)
class SlotMark:
    """What our own event, as of `at`, states of a slot: its status, and who has it until when."""

    slot_id: str
    status: Status
    holder: str | None
    until: datetime | None
    at: datetime


_MARK = sa.text(
    "UPDATE slot SET status = new.status, school_id = new.holder, held_until = new.until, "
    "seen_at = greatest(slot.seen_at, new.at), marked_at = greatest(slot.seen_at, new.at) "
    "FROM unnest(CAST(:ids AS text[]), CAST(:statuses AS text[]), CAST(:holders AS text[]), "
    "CAST(:untils AS timestamptz[]), CAST(:ats AS timestamptz[])) AS new (id, status, holder, until, at) "
    "WHERE slot.id = new.id AND slot.withdrawn_at IS NULL AND (slot.seen_at <= new.at "
    "OR slot.seen_at = slot.marked_at OR (slot.status = 'TAKEN' AND slot.school_id IS NULL AND new.holder IS NOT NULL))"
)


async def mark_slots(tx: Tx, marks: Iterable[SlotMark]) -> None:
    """Write what our own events state of slots (one mark each), unless a poll knows something newer.

    Events come in the order of what happened: where an event was the last to change a slot, the next one does whatever
    its time says. A newer poll that only saw "reserved" is no contradiction: it is then known by whom.
    """
    ordered = sorted(marks, key=lambda mark: mark.slot_id)
    if ordered:
        values = {
            "ids": [mark.slot_id for mark in ordered],
            "statuses": [mark.status.value for mark in ordered],
            "holders": [mark.holder for mark in ordered],
            "untils": [mark.until for mark in ordered],
            "ats": [mark.at for mark in ordered],
        }
        await tx.execute(_MARK, values)


async def polls_since(tx: Tx, since: datetime | None, first_day: date) -> list[tuple[Poll, PollRecord]]:
    """Polls that were tried since a moment (None: ever), of a day on."""
    department = sa.select(centres.c.department).where(centres.c.id == polls.c.centre_id).scalar_subquery()
    columns = polls.c.day, polls.c.centre_id, polls.c.category, department
    seen = polls.c.seen_at, polls.c.tried_at, polls.c.slots, polls.c.trouble
    statement = sa.select(*columns, *seen).where(polls.c.day >= first_day)
    if since is not None:
        statement = statement.where(polls.c.tried_at >= since)
    return [(Poll(*row[:4]), PollRecord(*row[4:])) for row in await tx.execute(statement)]
