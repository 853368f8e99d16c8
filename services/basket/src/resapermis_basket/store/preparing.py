"""Baskets opened ahead, each for exactly one hold, and RdvPermis' word on candidates."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_basket.domain import BASKET_MARGIN, WORD_LASTS, Eligibility, PreparedBasket
from resapermis_basket.store.tables import eligibility
from resapermis_basket.store.tables import prepared_baskets as baskets
from resapermis_kit.database.transaction import Tx

_TAKE = sa.text(
    "UPDATE prepared_basket SET taken_at = now() "  # noqa: S608 - a number of our own
    "WHERE school_id = :school_id AND account_id = :account_id AND taken_at IS NULL AND next_drop_at IS NULL "
    f"AND expires_at > now() + interval '{int(BASKET_MARGIN.total_seconds())} seconds' "
    "RETURNING basket_id"
)
_WAITING = (baskets.c.taken_at.is_(None), baskets.c.next_drop_at.is_(None))


async def take_prepared(tx: Tx, school_id: str, account_id: str) -> str:
    """The basket that waits for this person's hold, never to be taken again; "" when there is none: of two holds, the second finds none."""
    found = await tx.execute(_TAKE, {"school_id": school_id, "account_id": account_id})
    return found.scalar() or ""


async def prepared(tx: Tx, school_id: str, account_id: str) -> PreparedBasket | None:
    """The basket that waits for this person."""
    mine = (baskets.c.school_id == school_id, baskets.c.account_id == account_id, *_WAITING)
    row = (await tx.execute(sa.select(baskets.c.basket_id, baskets.c.expires_at).where(*mine))).first()
    return PreparedBasket(*row) if row is not None else None


async def keep_prepared(tx: Tx, school_id: str, account_id: str, basket: PreparedBasket) -> bool:
    """Have this basket wait; False when another is waiting already."""
    statement = insert(baskets).values(
        basket_id=basket.id, school_id=school_id, account_id=account_id, expires_at=basket.expires_at
    )
    kept = statement.on_conflict_do_nothing().returning(baskets.c.basket_id)
    return (await tx.execute(kept)).first() is not None


async def drop_later(tx: Tx, school_id: str, account_id: str, basket: PreparedBasket) -> None:
    """Give this basket back: nobody will take it."""
    now = sa.func.now()
    row = {"basket_id": basket.id, "school_id": school_id, "account_id": account_id, "expires_at": basket.expires_at}
    await tx.execute(
        insert(baskets)
        .values(**row, next_drop_at=now)
        .on_conflict_do_update(
            index_elements=[baskets.c.basket_id], set_={"next_drop_at": now}, where=baskets.c.taken_at.is_(None)
        )
    )


@dataclass(frozen=True)
class Dropped:
    """A basket to be given back."""

    basket_id: str
    school_id: str
    expires_at: datetime


async def take_to_drop(tx: Tx, before_end: timedelta, again_after: timedelta, most: int) -> list[Dropped]:
    """Baskets that nobody used in time; from now on no hold takes them, and the next try is later."""
    now = sa.func.now()
    unused = sa.and_(*_WAITING, baskets.c.expires_at <= now + sa.literal(before_end, sa.Interval))
    due = sa.or_(unused, baskets.c.next_drop_at <= now)
    chosen = sa.select(baskets.c.basket_id).where(due, baskets.c.taken_at.is_(None)).limit(most)
    statement = (
        sa.update(baskets)
        .where(baskets.c.basket_id.in_(chosen.with_for_update(skip_locked=True)))
        .values(next_drop_at=now + sa.literal(again_after, sa.Interval))
        .returning(baskets.c.basket_id, baskets.c.school_id, baskets.c.expires_at)
    )
    return [Dropped(*row) for row in await tx.execute(statement)]


async def forget_basket(tx: Tx, basket_id: str) -> None:
    """It was given back, or is known not to be there."""
    await tx.execute(sa.delete(baskets).where(baskets.c.basket_id == basket_id, baskets.c.taken_at.is_(None)))


async def forget_prepared(tx: Tx) -> None:
    """Baskets and words that are over."""
    now = sa.func.now()
    day, hour = sa.literal(timedelta(days=1), sa.Interval), sa.literal(timedelta(hours=1), sa.Interval)
    await tx.execute(sa.delete(baskets).where(baskets.c.expires_at < now - day))
    await tx.execute(sa.delete(eligibility).where(eligibility.c.seen_at < now - hour))


async def keep_words(tx: Tx, school_id: str, words: Iterable[Eligibility]) -> None:
    """Keep what RdvPermis said of candidates; its newest word stands."""
    rows = [
        {
            "school_id": school_id,
            "category": one.category,
            "rdvpermis_candidate_id": one.rdvpermis_candidate_id,
            "eligible": one.eligible,
            "word": one.word,
            "seen_at": one.seen_at,
        }
        for one in sorted(words, key=lambda one: (one.category, one.rdvpermis_candidate_id))
    ]
    if not rows:
        return
    statement = insert(eligibility).values(rows)
    newest = {name: statement.excluded[name] for name in ("eligible", "word", "seen_at")}
    await tx.execute(statement.on_conflict_do_update(constraint="eligibility_pkey", set_=newest))


async def words_on(tx: Tx, school_id: str) -> dict[tuple[str, str], Eligibility]:
    """RdvPermis' words on the school's candidates that still stand."""
    fresh = eligibility.c.seen_at > sa.func.now() - sa.literal(WORD_LASTS, sa.Interval)
    columns = [eligibility.c[name] for name in Eligibility.__dataclass_fields__]
    rows = await tx.execute(sa.select(*columns).where(eligibility.c.school_id == school_id, fresh))
    words = [Eligibility(*row) for row in rows]
    return {(one.category, one.rdvpermis_candidate_id): one for one in words}


async def a_slot_of(tx: Tx, school_id: str, category: str) -> str:
    """A slot of the category that the school had to do with last: to ask the rules about candidates; "" for none."""
    found = sa.text(
        "SELECT slot_id FROM basket_line WHERE school_id = :school_id AND category = :category "
        "ORDER BY starts_at DESC, id DESC LIMIT 1"
    )
    return (await tx.execute(found, {"school_id": school_id, "category": category})).scalar() or ""
