"""What is asked about who is not free: declarations, imports, their occurrences, and the bookings that they meet."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import Range, insert

from resapermis_kit.database.transaction import Tx
from resapermis_scheduling_rules.availability.feed import Exam
from resapermis_scheduling_rules.availability.tables import IMPORTED, feeds, occurrences, unavailabilities
from resapermis_scheduling_rules.availability.unavailability import (
    ConflictingBooking,
    DeclaredUnavailability,
    Occurrence,
    Span,
    Subject,
)
from resapermis_scheduling_rules.domain.availability import ResourceKind
from resapermis_scheduling_rules.mirror.tables import centres
from resapermis_scheduling_rules.school.tables import lines

A_BATCH = 5000


@dataclass(frozen=True, slots=True)
class KeptUnavailability:
    """An unavailability as it is kept: declared, or imported (then the calendar has the times)."""

    id: str
    school_id: str
    subject: Subject
    declared: DeclaredUnavailability | None
    calendar: bytes | None
    time_zone: str


async def lock_schools(tx: Tx, school_ids: Iterable[str]) -> None:
    """Lock the availability of schools to the end of the transaction, in one order everywhere.

    Of what is declared and what is booked at the same moment the later sees the earlier: write, then this, then read.
    Without it neither would see the other, and the conflict would never be published.
    """
    for school_id in sorted(set(school_ids)):
        key = sa.func.hashtextextended(f"absence {school_id}", 0)
        await tx.execute(sa.select(sa.func.pg_advisory_xact_lock(key)))


async def count_declarations(tx: Tx, school_id: str) -> int:
    """How many declarations of unavailability a school has, past ones included."""
    statement = sa.select(sa.func.count()).select_from(unavailabilities)
    return (await tx.execute(statement.where(unavailabilities.c.school_id == school_id))).scalar_one()


async def add(
    tx: Tx,
    wanted_id: str,
    school_id: str,
    wanted: DeclaredUnavailability,
    written_until: datetime | None,
    by: str,
    at: datetime,
) -> None:
    """Write what is declared; `written_until` of a recurrence is how far its occurrences go."""
    await tx.execute(
        insert(unavailabilities).values(
            id=wanted_id,
            **_subject(school_id, wanted.subject),
            starts_at=wanted.starts_at,
            ends_at=wanted.ends_at,
            rrule=wanted.rrule,
            time_zone=wanted.time_zone,
            written_until=written_until,
            set_by=by,
            set_at=at,
        )
    )


def _subject(school_id: str, subject: Subject) -> dict[str, str]:
    return {"school_id": school_id, "kind": subject.whose, "subject_id": subject.id}


async def import_of(tx: Tx, school_id: str, subject: Subject) -> str | None:
    """Id of a subject's import, locked."""
    mine = (unavailabilities.c[name] == value for name, value in _subject(school_id, subject).items())
    return (await tx.execute(sa.select(unavailabilities.c.id).where(*mine, IMPORTED).with_for_update())).scalar()


async def keep_import(
    tx: Tx,
    new_id: str,
    school_id: str,
    subject: Subject,
    *,
    calendar: bytes,
    time_zone: str,
    written_until: datetime,
    by: str,
    at: datetime,
) -> str:
    """Write an import in place of the subject's earlier one, without its occurrences; return its id."""
    values = {
        "calendar": calendar,
        "time_zone": time_zone,
        "written_until": written_until,
        "set_by": by,
        "set_at": at,
    }
    upsert = insert(unavailabilities).values(id=new_id, **_subject(school_id, subject), rrule="", **values)
    statement = upsert.on_conflict_do_update(
        index_elements=[unavailabilities.c.school_id, unavailabilities.c.kind, unavailabilities.c.subject_id],
        index_where=IMPORTED,
        set_=values,
    ).returning(unavailabilities.c.id)
    kept_id: str = (await tx.execute(statement)).scalar_one()
    await tx.execute(sa.delete(occurrences).where(occurrences.c.unavailability_id == kept_id))
    return kept_id


_WRITE = sa.text(
    "INSERT INTO occurrence (unavailability_id, school_id, kind, subject_id, during) "
    "SELECT :id, :school_id, :kind, :subject_id, tstzrange(since, until) "
    "FROM unnest(CAST(:since AS timestamptz[]), CAST(:until AS timestamptz[])) AS span (since, until) "
    "ON CONFLICT DO NOTHING"
)


async def write(tx: Tx, kept_id: str, school_id: str, subject: Subject, spans: Sequence[Span]) -> None:
    """Insert occurrences of an unavailability; one with the same times stays as it is."""
    if spans:
        times = {"since": [since for since, _ in spans], "until": [until for _, until in spans]}
        await tx.execute(_WRITE, {"id": kept_id, **_subject(school_id, subject), **times})


async def remove(tx: Tx, school_id: str, kept_id: str) -> Subject | None:
    """Take an unavailability of the school back with its occurrences; None when it has none by this id."""
    statement = sa.delete(unavailabilities).where(
        unavailabilities.c.id == kept_id, unavailabilities.c.school_id == school_id
    )
    row = (await tx.execute(statement.returning(unavailabilities.c.kind, unavailabilities.c.subject_id))).one_or_none()
    return None if row is None else Subject(ResourceKind(row.kind), row.subject_id)


async def window(
    tx: Tx, school_id: str, subject: Subject | None, since: datetime, until: datetime, limit: int
) -> list[Occurrence]:
    """Occurrences of one subject, or of all of the school, that overlap a window; in order of time."""
    during = occurrences.c.during
    statement = (
        sa.select(
            occurrences.c.unavailability_id,
            occurrences.c.kind,
            occurrences.c.subject_id,
            during,
            unavailabilities.c.rrule,
            unavailabilities.c.time_zone,
            IMPORTED.label("imported"),
        )
        .join(unavailabilities, unavailabilities.c.id == occurrences.c.unavailability_id)
        .where(occurrences.c.school_id == school_id, during.overlaps(Range(since, until)))
        .order_by(sa.func.lower(during), sa.func.upper(during), occurrences.c.unavailability_id)
        .limit(limit)
    )
    if subject is not None:
        statement = statement.where(occurrences.c.kind == subject.whose, occurrences.c.subject_id == subject.id)
    return [
        Occurrence(
            row.unavailability_id,
            Subject(ResourceKind(row.kind), row.subject_id),
            (row.during.lower, row.during.upper),
            row.rrule,
            row.time_zone,
            row.imported,
        )
        for row in await tx.execute(statement)
    ]


_MET = """
SELECT line.id, line.school_id, line.slot_id, line.candidate_id, line.department, line.category,
       line.starts_at, line.ends_at, met.kind, lower(met.during) AS since, upper(met.during) AS until
FROM line JOIN occurrence AS met
  ON met.school_id = line.school_id
  AND met.kind = ANY ('{candidate,trainer,vehicle,school}')
  AND met.subject_id = CASE met.kind WHEN 'candidate' THEN line.candidate_id WHEN 'trainer' THEN line.trainer_id
      WHEN 'vehicle' THEN line.vehicle_id ELSE '' END
  AND met.during && tstzrange(line.starts_at - CAST(:margin AS interval), line.ends_at + CAST(:margin AS interval))
WHERE line.booked_at IS NOT NULL AND line.starts_at > :now AND (met.kind = 'school' OR met.subject_id <> '')
"""

_MET_BY_UNAVAILABILITY = sa.text(_MET + "AND line.school_id = :school_id AND met.unavailability_id = :id")

_MET_BY_LINES = sa.text(_MET + "AND line.id = ANY(CAST(:line_ids AS text[]))")


async def bookings_near_unavailability(
    tx: Tx, school_id: str, kept_id: str, margin: timedelta, now: datetime
) -> list[ConflictingBooking]:
    """Bookings to come that an unavailability comes within `margin` of."""
    values = {"school_id": school_id, "id": kept_id, "margin": margin, "now": now}
    return [_booked(row) for row in await tx.execute(_MET_BY_UNAVAILABILITY, values)]


async def bookings_near_unavailabilities(
    tx: Tx, line_ids: Sequence[str], margin: timedelta, now: datetime
) -> list[ConflictingBooking]:
    """Of these bookings to come, what is declared within `margin` of them."""
    values = {"line_ids": list(line_ids), "margin": margin, "now": now}
    return [_booked(row) for row in await tx.execute(_MET_BY_LINES, values)]


def _booked(row: sa.Row[tuple[object, ...]]) -> ConflictingBooking:
    return ConflictingBooking(
        row.id,
        row.school_id,
        row.slot_id or "",
        row.candidate_id or "",
        row.department,
        row.category,
        row.starts_at,
        row.ends_at,
        ResourceKind(row.kind),
        (row.since, row.until),
    )


async def due_to_extend(tx: Tx, written_before: datetime, limit: int) -> list[KeptUnavailability]:
    """Recurrences and imports that are not written out far enough, the shortest first."""
    statement = (
        sa.select(unavailabilities)
        .where(unavailabilities.c.written_until < written_before)
        .order_by(unavailabilities.c.written_until, unavailabilities.c.id)
        .limit(limit)
    )
    return [_kept(row) for row in await tx.execute(statement)]


def _kept(row: sa.Row[tuple[object, ...]]) -> KeptUnavailability:
    subject = Subject(ResourceKind(row.kind), row.subject_id)
    declared = None
    if row.calendar is None:
        declared = DeclaredUnavailability(subject, row.starts_at, row.ends_at, row.rrule, row.time_zone)
    return KeptUnavailability(row.id, row.school_id, subject, declared, row.calendar, row.time_zone)


async def extend(tx: Tx, kept: KeptUnavailability, spans: Sequence[Span], written_until: datetime) -> None:
    """Write a recurrence on, unless it was taken back or imported again meanwhile."""
    same = (unavailabilities.c.id == kept.id, unavailabilities.c.written_until < written_until)
    statement = sa.update(unavailabilities).where(
        *same, unavailabilities.c.calendar.is_not_distinct_from(kept.calendar)
    )
    if (await tx.execute(statement.values(written_until=written_until))).rowcount == 1:
        await write(tx, kept.id, kept.school_id, kept.subject, spans)


async def forget_past(tx: Tx, before: datetime) -> int:
    """Delete occurrences that ended before, at most a batch, and declarations that were once; return how many."""
    old = sa.select(occurrences.c.unavailability_id, occurrences.c.during).where(
        sa.func.upper(occurrences.c.during) < before
    )
    gone = await tx.execute(
        sa.delete(occurrences).where(
            sa.tuple_(occurrences.c.unavailability_id, occurrences.c.during).in_(old.limit(A_BATCH))
        )
    )
    once = (unavailabilities.c.ends_at < before, unavailabilities.c.written_until.is_(None))
    await tx.execute(sa.delete(unavailabilities).where(*once))
    return gone.rowcount


async def keep_feed(tx: Tx, school_id: str, trainer_id: str, token_hash: bytes, by: str, at: datetime) -> None:
    """Write a trainer's address, hashed; an earlier one ends."""
    values = {"token_hash": token_hash, "made_by": by, "made_at": at}
    upsert = insert(feeds).values(school_id=school_id, trainer_id=trainer_id, **values)
    await tx.execute(upsert.on_conflict_do_update(index_elements=list(feeds.primary_key), set_=values))


async def revoke_feed(tx: Tx, school_id: str, trainer_id: str) -> bool:
    """End a trainer's address; False when there is none."""
    mine = (feeds.c.school_id == school_id, feeds.c.trainer_id == trainer_id)
    return (await tx.execute(sa.delete(feeds).where(*mine))).rowcount == 1


async def feed_owner(tx: Tx, token_hash: bytes) -> tuple[str, str] | None:
    """(school id, trainer id) of the address whose token has this hash; None when it has ended."""
    statement = sa.select(feeds.c.school_id, feeds.c.trainer_id).where(feeds.c.token_hash == token_hash)
    row = (await tx.execute(statement)).one_or_none()
    return None if row is None else (row.school_id, row.trainer_id)


async def exams(tx: Tx, school_id: str, trainer_id: str, since: datetime, limit: int) -> list[Exam]:
    """A trainer's bookings from a moment on, in order of time."""
    statement = (
        sa.select(lines.c.id, lines.c.category, centres.c.name, lines.c.starts_at, lines.c.ends_at, lines.c.booked_at)
        .outerjoin_from(lines, centres, centres.c.id == lines.c.centre_id)
        .where(
            lines.c.school_id == school_id,
            lines.c.trainer_id == trainer_id,
            lines.c.booked_at.is_not(None),
            lines.c.starts_at >= since,
            lines.c.ends_at.is_not(None),
        )
        .order_by(lines.c.starts_at, lines.c.id)
        .limit(limit)
    )
    return [
        Exam(row.id, row.category, row.name or "", row.starts_at, row.ends_at, row.booked_at)
        for row in await tx.execute(statement)
    ]
