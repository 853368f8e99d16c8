"""What is asked about favourites, saved searches, and what came for them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_kit.database.transaction import Tx
from resapermis_scheduling_rules.mirror.tables import centres
from resapermis_scheduling_rules.school.tables import schools
from resapermis_scheduling_rules.watchlist.tables import favourite_polls, favourites, matches, news, scopes, searches

KEPT = timedelta(days=365)
MOST_SEARCHES = 20


@dataclass(frozen=True, slots=True)
class Favourite:
    """A centre that a school prefers, as RdvPermis keeps it."""

    category: str
    centre_id: str
    priority: int
    centre_name: str = ""
    department: str = ""


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search that an account keeps at a school, with or without alerts."""

    id: UUID
    account_id: str
    school_id: str
    label: str
    """In clear where an earlier release wrote it and it has not been sealed yet; else empty."""
    sealed_label: bytes | None
    search: bytes
    """SearchSlotsRequest without window and page."""
    alert: bool
    created_at: datetime
    matched_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Scope:
    """Where a saved search can match: one department, or one centre of it, perhaps only so far from the school."""

    category: str
    department: str
    centre_id: str = ""
    within_km: int | None = None


async def favourites_of(tx: Tx, school_id: str) -> tuple[list[Favourite], datetime | None]:
    """A school's favourites, and when RdvPermis was last read; None: never, or what it has is in doubt."""
    seen = sa.select(favourite_polls.c.seen_at).where(favourite_polls.c.school_id == school_id)
    seen_at: datetime | None = (await tx.execute(seen)).scalar()
    statement = (
        sa.select(
            favourites.c.category, favourites.c.centre_id, favourites.c.priority, centres.c.name, centres.c.department
        )
        .select_from(favourites.outerjoin(centres, centres.c.id == favourites.c.centre_id))
        .where(favourites.c.school_id == school_id)
        .order_by(favourites.c.category, favourites.c.priority, favourites.c.centre_id)
    )
    rows = await tx.execute(statement)
    return [Favourite(*row[:3], row.name or "", row.department or "") for row in rows], seen_at


async def keep_favourites(tx: Tx, school_id: str, found: Iterable[Favourite], at: datetime, category: str = "") -> None:
    """Replace a school's favourites, all of them or those of one category group, by what RdvPermis has."""
    mine = favourites.c.school_id == school_id
    if category:
        mine = sa.and_(mine, favourites.c.category == category)
    await tx.execute(sa.delete(favourites).where(mine))
    rows = [
        {"school_id": school_id, "category": one.category, "centre_id": one.centre_id, "priority": one.priority}
        for one in sorted(found, key=lambda one: (one.category, one.centre_id))
    ]
    if rows:
        await tx.execute(insert(favourites).values(rows).on_conflict_do_nothing())
    await _polled(tx, school_id, at, None if category else at)


async def doubt_favourites(tx: Tx, school_id: str, at: datetime) -> None:
    """What RdvPermis has is not known: it is read before it is shown again."""
    upsert = insert(favourite_polls).values(school_id=school_id, seen_at=None, tried_at=at)
    await tx.execute(upsert.on_conflict_do_update(index_elements=[favourite_polls.c.school_id], set_={"seen_at": None}))


async def tried_favourites(tx: Tx, school_id: str, at: datetime) -> None:
    """Note that RdvPermis was asked for favourites and gave none; it is asked again later."""
    await _polled(tx, school_id, at, None)


async def _polled(tx: Tx, school_id: str, at: datetime, seen_at: datetime | None) -> None:
    upsert = insert(favourite_polls).values(school_id=school_id, seen_at=seen_at, tried_at=at)
    change = {"tried_at": upsert.excluded.tried_at}
    if seen_at is not None:
        change["seen_at"] = upsert.excluded.seen_at
    await tx.execute(upsert.on_conflict_do_update(index_elements=[favourite_polls.c.school_id], set_=change))


async def favourites_due(tx: Tx, before: datetime, active_since: datetime, most: int) -> list[str]:
    """Schools, active lately or with a grant, whose favourites were not asked for since `before`; those never asked first."""
    statement = (
        sa.select(schools.c.id)
        .select_from(schools.outerjoin(favourite_polls, favourite_polls.c.school_id == schools.c.id))
        .where(
            sa.or_(schools.c.seen_at >= active_since, schools.c.granted_at >= active_since),
            sa.or_(favourite_polls.c.tried_at.is_(None), favourite_polls.c.tried_at < before),
        )
        .order_by(favourite_polls.c.tried_at.nulls_first(), schools.c.id)
        .limit(most)
    )
    return list((await tx.execute(statement)).scalars())


async def save(tx: Tx, wanted: SavedSearch, where: Sequence[Scope]) -> bool:
    """Keep a search at the account's first free place of twenty; False when there is none.

    The table allows a place once: of two that come at the same moment, the second takes the next one.
    """
    row = {
        "id": wanted.id,
        "account_id": wanted.account_id,
        "school_id": wanted.school_id,
        "label": wanted.label,
        "sealed_label": wanted.sealed_label,
        "search": wanted.search,
        "alert": wanted.alert,
        "created_at": wanted.created_at,
    }
    taken = sa.select(searches.c.place).where(searches.c.account_id == wanted.account_id)
    while True:
        used = set((await tx.execute(taken)).scalars())
        place = next((n for n in range(1, MOST_SEARCHES + 1) if n not in used), None)
        if place is None:
            return False
        statement = insert(searches).values(**row, place=place).on_conflict_do_nothing().returning(searches.c.id)
        if (await tx.execute(statement)).scalar() is not None:
            break
    await tx.execute(
        insert(scopes).values(
            [
                {
                    "search_id": wanted.id,
                    "category": one.category,
                    "department": one.department,
                    "centre_id": one.centre_id,
                    "within_km": one.within_km,
                }
                for one in where
            ]
        )
    )
    return True


_SAVED = (
    searches.c.id,
    searches.c.account_id,
    searches.c.school_id,
    searches.c.label,
    searches.c.sealed_label,
    searches.c.search,
    searches.c.alert,
    searches.c.created_at,
    searches.c.matched_at,
)


async def saved_by(tx: Tx, account_id: str, school_id: str) -> list[SavedSearch]:
    """An account's searches at a school, newest first."""
    statement = sa.select(*_SAVED).where(searches.c.account_id == account_id, searches.c.school_id == school_id)
    rows = await tx.execute(statement.order_by(searches.c.created_at.desc(), searches.c.id.desc()))
    return [SavedSearch(*row) for row in rows]


async def labels_in_clear(tx: Tx, most: int) -> list[tuple[UUID, str]]:
    """Searches whose label an earlier release wrote in clear, with it; locked."""
    statement = sa.select(searches.c.id, searches.c.label).where(searches.c.label != "").limit(most).with_for_update()
    return [(row.id, row.label) for row in await tx.execute(statement)]


async def seal_label(tx: Tx, search_id: UUID, sealed: bytes) -> None:
    """Keep a label sealed, and no longer in clear."""
    await tx.execute(sa.update(searches).where(searches.c.id == search_id).values(label="", sealed_label=sealed))


async def forget_search(tx: Tx, search_id: UUID, account_id: str, school_id: str) -> bool:
    """Delete an account's search; False when it has none by this id."""
    statement = sa.delete(searches).where(
        searches.c.id == search_id, searches.c.account_id == account_id, searches.c.school_id == school_id
    )
    return (await tx.execute(statement)).rowcount == 1


async def add_news(tx: Tx, slot_ids: Iterable[str], category: str, department: str, at: datetime) -> None:
    """Note slots that came, or came back, where somebody's search wants to hear of them."""
    ids = sorted(slot_ids)
    if not ids:
        return
    wanted = sa.exists().where(scopes.c.category == category, scopes.c.department == department)
    rows = sa.select(sa.func.unnest(sa.cast(ids, sa.ARRAY(sa.Text))), sa.literal(at, sa.DateTime(timezone=True)))
    statement = insert(news).from_select(["slot_id", "due_at"], rows.where(wanted))
    await tx.execute(statement.on_conflict_do_nothing())


async def due_news(tx: Tx, now: datetime, most: int) -> list[tuple[str, datetime]]:
    """News whose moment has come, oldest first."""
    statement = (
        sa.select(news.c.slot_id, news.c.due_at).where(news.c.due_at <= now).order_by(news.c.due_at, news.c.slot_id)
    )
    return [(row.slot_id, row.due_at) for row in await tx.execute(statement.limit(most))]


async def take_news(tx: Tx, taken: Sequence[tuple[str, datetime]]) -> None:
    """Delete news that was matched, so that it is matched once."""
    await tx.execute(sa.delete(news).where(sa.tuple_(news.c.slot_id, news.c.due_at).in_(taken)))


async def match_again(tx: Tx, later: Iterable[tuple[str, datetime]]) -> None:
    """Match these once more, each at its moment: then they open."""
    rows = [{"slot_id": slot_id, "due_at": due_at} for slot_id, due_at in sorted(later)]
    if rows:
        await tx.execute(insert(news).values(rows).on_conflict_do_nothing())


async def interested(tx: Tx, category: str, department: str, centre_ids: Iterable[str]) -> list[SavedSearch]:
    """Searches with an alert that can match a slot at one of these centres: found by index, whatever there are elsewhere."""
    mine = sa.select(scopes.c.search_id).where(
        scopes.c.category == category,
        scopes.c.department == department,
        scopes.c.centre_id.in_(["", *sorted(centre_ids)]),
    )
    statement = sa.select(*_SAVED).where(searches.c.id.in_(mine), searches.c.alert).order_by(searches.c.id)
    return [SavedSearch(*row) for row in await tx.execute(statement)]


async def note_matches(tx: Tx, search_id: UUID, slot_ids: Iterable[str], at: datetime) -> set[str]:
    """Of these slots, those never published for the search; from now on they are noted as published."""
    rows = [{"search_id": search_id, "slot_id": slot_id, "matched_at": at} for slot_id in sorted(slot_ids)]
    if not rows:
        return set()
    still = sa.select(searches.c.id).where(searches.c.id == search_id).with_for_update(key_share=True)
    if (await tx.execute(still)).scalar() is None:
        return set()  # deleted meanwhile
    statement = insert(matches).values(rows).on_conflict_do_nothing().returning(matches.c.slot_id)
    fresh = set((await tx.execute(statement)).scalars())
    if fresh:
        await tx.execute(sa.update(searches).where(searches.c.id == search_id).values(matched_at=at))
    return fresh


async def wanted_places(tx: Tx) -> list[tuple[str, Scope, float | None, float | None]]:
    """Where saved searches look, each place once a school: (school, scope, its latitude and longitude)."""
    statement = (
        sa.select(
            searches.c.school_id,
            scopes.c.category,
            scopes.c.department,
            scopes.c.centre_id,
            scopes.c.within_km,
            schools.c.latitude,
            schools.c.longitude,
        )
        .select_from(
            scopes.join(searches, searches.c.id == scopes.c.search_id).outerjoin(
                schools, schools.c.id == searches.c.school_id
            )
        )
        .distinct()
    )
    return [(row[0], Scope(*row[1:5]), row[5], row[6]) for row in await tx.execute(statement)]


async def all_favourites(tx: Tx) -> list[tuple[str, str, str]]:
    """Every favourite as (school id, category, centre id)."""
    statement = sa.select(favourites.c.school_id, favourites.c.category, favourites.c.centre_id)
    return [(row[0], row[1], row[2]) for row in await tx.execute(statement)]


async def forget_watchlist(tx: Tx, now: datetime) -> None:
    """Delete searches that nobody touched and nothing matched for a year, and matches of exams long past."""
    last = sa.func.coalesce(searches.c.matched_at, searches.c.created_at)
    await tx.execute(sa.delete(searches).where(last < now - KEPT))
    old = sa.select(matches.c.search_id, matches.c.slot_id).where(matches.c.matched_at < now - KEPT).limit(5000)
    await tx.execute(sa.delete(matches).where(sa.tuple_(matches.c.search_id, matches.c.slot_id).in_(old)))
