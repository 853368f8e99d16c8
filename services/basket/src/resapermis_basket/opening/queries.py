"""Baskets opened ahead, each for exactly one hold, and RdvPermis' answers about candidates."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import insert

from resapermis_basket.domain.answer import Eligibility, PreparedBasket
from resapermis_basket.tables import eligibility, prepared_baskets
from resapermis_kit.database.transaction import Tx

_WAITING = (prepared_baskets.c.taken_at.is_(None), prepared_baskets.c.next_drop_at.is_(None))


async def find_prepared(tx: Tx, school_id: str, account_id: str) -> PreparedBasket | None:
    """The basket that waits for this person."""
    mine = (prepared_baskets.c.school_id == school_id, prepared_baskets.c.account_id == account_id, *_WAITING)
    row = (
        await tx.execute(sa.select(prepared_baskets.c.basket_id, prepared_baskets.c.expires_at).where(*mine))
    ).first()
    return PreparedBasket(*row) if row is not None else None


async def keep_prepared(tx: Tx, school_id: str, account_id: str, basket: PreparedBasket) -> bool:
    """Have this basket wait; False when another is waiting already."""
    statement = insert(prepared_baskets).values(
        basket_id=basket.id, school_id=school_id, account_id=account_id, expires_at=basket.expires_at
    )
    kept = statement.on_conflict_do_nothing().returning(prepared_baskets.c.basket_id)
    return (await tx.execute(kept)).first() is not None


async def drop_later(tx: Tx, school_id: str, account_id: str, basket: PreparedBasket) -> None:
    """Give this basket back: nobody will take it."""
    now = sa.func.now()
    row = {"basket_id": basket.id, "school_id": school_id, "account_id": account_id, "expires_at": basket.expires_at}
    await tx.execute(
        insert(prepared_baskets)
        .values(**row, next_drop_at=now)
        .on_conflict_do_update(
            index_elements=[prepared_baskets.c.basket_id],
            set_={"next_drop_at": now},
            where=prepared_baskets.c.taken_at.is_(None),
        )
    )


@dataclass(frozen=True)
class Dropped:
    """A prepared basket that is to be given back at RdvPermis, and whose it is."""

    basket_id: str
    school_id: str
    expires_at: datetime


async def take_to_drop(tx: Tx, before_end: timedelta, again_after: timedelta, most: int) -> list[Dropped]:
    """Baskets that nobody used in time; from now on no hold takes them, and the next try is later."""
    now = sa.func.now()
    unused = sa.and_(*_WAITING, prepared_baskets.c.expires_at <= now + sa.literal(before_end, sa.Interval))
    due = sa.or_(unused, prepared_baskets.c.next_drop_at <= now)
    chosen = sa.select(prepared_baskets.c.basket_id).where(due, prepared_baskets.c.taken_at.is_(None)).limit(most)
    statement = (
        sa.update(prepared_baskets)
        .where(prepared_baskets.c.basket_id.in_(chosen.with_for_update(skip_locked=True)))
        .values(next_drop_at=now + sa.literal(again_after, sa.Interval))
        .returning(prepared_baskets.c.basket_id, prepared_baskets.c.school_id, prepared_baskets.c.expires_at)
    )
    return [Dropped(*row) for row in await tx.execute(statement)]


async def forget_basket(tx: Tx, basket_id: str) -> None:
    """It was given back, or is known not to be there."""
    await tx.execute(
        sa.delete(prepared_baskets).where(
            prepared_baskets.c.basket_id == basket_id, prepared_baskets.c.taken_at.is_(None)
        )
    )


async def forget_prepared(tx: Tx) -> None:
    """Delete prepared baskets that ended a day ago and eligibility answers older than an hour."""
    now = sa.func.now()
    day, hour = sa.literal(timedelta(days=1), sa.Interval), sa.literal(timedelta(hours=1), sa.Interval)
    await tx.execute(sa.delete(prepared_baskets).where(prepared_baskets.c.expires_at < now - day))
    await tx.execute(sa.delete(eligibility).where(eligibility.c.seen_at < now - hour))


async def keep_eligibility(tx: Tx, school_id: str, answers: Iterable[Eligibility]) -> None:
    """Keep what RdvPermis answered about candidates; its newest answer stands."""
    rows = [
        {
            "school_id": school_id,
            "category": one.category,
            "rdvpermis_candidate_id": one.rdvpermis_candidate_id,
            "eligible": one.eligible,
            "code": one.code,
            "seen_at": one.seen_at,
        }
        for one in sorted(answers, key=lambda one: (one.category, one.rdvpermis_candidate_id))
    ]
    if not rows:
        return
    statement = insert(eligibility).values(rows)
    newest = {name: statement.excluded[name] for name in ("eligible", "code", "seen_at")}
    await tx.execute(statement.on_conflict_do_update(constraint="eligibility_pkey", set_=newest))


async def slot_known_to(tx: Tx, school_id: str, category: str) -> str:
    """A slot of the category that the school had to do with last: to ask the rules about candidates; "" for none."""
    found = sa.text(
        "SELECT slot_id FROM basket_line WHERE school_id = :school_id AND category = :category "
        "ORDER BY starts_at DESC, id DESC LIMIT 1"
    )
    return (await tx.execute(found, {"school_id": school_id, "category": category})).scalar() or ""
