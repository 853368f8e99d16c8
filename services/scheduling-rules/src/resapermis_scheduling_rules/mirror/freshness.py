"""How old what a search answers is, and what of it is looked at again."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.clock import Clock
from resapermis_kit.db import transaction
from resapermis_scheduling_rules.domain import Centre, local_day
from resapermis_scheduling_rules.facts import REMEMBERED, Facts, Memory
from resapermis_scheduling_rules.mirror.looks import SEEN, Asker, Looker
from resapermis_scheduling_rules.mirror.plan import Interest, Look, Seen, is_due, looks_for
from resapermis_scheduling_rules.search.wanted import Wanted
from resapermis_scheduling_rules.store import mirror as store

MOST_LOOKS = 600
"""Looks that one search may cause at all, its nearest centres first; the planner sees to the rest."""
MOST_PLACES = 5
"""Departments that one search is noted as watching."""
INTEREST_PAUSE = timedelta(minutes=1)
ACCOUNT_SECONDS = 1.0
"""How long the account of a window's looks is remembered, unless one of its looks lands."""


@dataclass(frozen=True, slots=True)
class Window:
    """What was looked at for a search."""

    oldest_seen_at: datetime | None = None
    incomplete: bool = False
    reason: str = SEEN


@dataclass(frozen=True, slots=True)
class Account:
    """The looks that together show a window, and what the last of each gave."""

    wanted: Sequence[Look]
    seen: dict[Look, Seen]
    oldest_seen_at: datetime | None
    unseen: bool
    trouble: str


class Freshness:
    """Keeps what people search fresh."""

    def __init__(
        self, engine: AsyncEngine, facts: Facts, looker: Looker, now: Clock, *, first_look_seconds: float
    ) -> None:
        """`first_look_seconds`: how long a search waits when nothing of its window was ever seen."""
        self._engine, self._facts, self._looker, self._now = engine, facts, looker, now
        self._first_look_seconds = first_look_seconds
        self._accounts: Memory[Account] = Memory(now, ACCOUNT_SECONDS)
        self._noted: dict[Interest, datetime] = {}

    async def of(self, wanted: Wanted, centres: Sequence[Centre], who: Asker, *, look_now: bool) -> Window:
        """Refresh what is stale of a window; wait only where nothing was ever seen, or a person asks for it."""
        account = await self._account(wanted, centres)
        why, under_way = SEEN, False
        if wanted.after is None and account.wanted:  # later pages show the same looks
            self._note_interest(wanted, centres, who)
            tasks, why = self._looker.start(await self._due(account, wanted.category, look_now=look_now), who)
            if tasks:
                patience = self._first_look_seconds if look_now or account.oldest_seen_at is None else 0
                done, pending = await asyncio.wait(tasks, timeout=patience)
                under_way = bool(pending)
                why = next((task.result() for task in done if task.result()), why)
                if under_way:
                    why = why or self._looker.trouble(who)
                if done:
                    self._facts.forget_standing(who.school_id)  # the looks may have shown a threshold as reached
                    account = await self._account(wanted, centres)
        why = why or account.trouble
        return Window(account.oldest_seen_at, under_way or account.unseen or bool(why), why)

    async def _account(self, wanted: Wanted, centres: Sequence[Centre]) -> Account:
        ids = tuple(centre.id for centre in centres)
        landed = self._looker.landed(ids, wanted.category)
        days = tuple(
            local_day(at, wanted.department or centres[0].department) if centres else None
            for at in (wanted.since, wanted.until)
        )
        key = (ids, landed, wanted.category, days, wanted.weekdays)
        return await self._accounts.get(key, lambda: self._read(wanted, centres))

    async def _read(self, wanted: Wanted, centres: Sequence[Centre]) -> Account:
        days = max(1, (wanted.until - wanted.since).days + 1)
        near, far = centres[: max(1, MOST_LOOKS // days)], centres[max(1, MOST_LOOKS // days) :]
        looks = self._looks(wanted, near)
        seen = await store.looks_seen(self._engine, wanted.category, looks)
        days_meant = sorted({look.day for look in looks})
        count, oldest = await store.age_of(self._engine, [one.id for one in far], wanted.category, days_meant)
        answered = [one.seen_at for one in seen.values() if one.seen_at is not None]
        return Account(
            looks,
            seen,
            min([*answered, *([oldest] if oldest is not None else [])], default=None),
            len(answered) + count < len(looks) + len(far) * len(days_meant),
            next((one.trouble for one in seen.values() if one.trouble), SEEN),
        )

    def _looks(self, wanted: Wanted, centres: Sequence[Centre]) -> list[Look]:
        if wanted.until <= wanted.since:
            return []
        looks = looks_for(centres, wanted.category, wanted.since, wanted.until)
        return [look for look in looks if not wanted.weekdays or look.day.isoweekday() in wanted.weekdays]

    async def _due(self, account: Account, category: str, *, look_now: bool) -> list[Look]:
        stale: dict[str, timedelta] = {}
        now, due = self._now(), []
        for look in account.wanted:
            fresh = stale.get(look.department)
            if fresh is None:
                parameters = await self._facts.parameters_at(look.department, category)
                fresh = timedelta(seconds=0 if look_now else parameters.look_stale_seconds)
                stale[look.department] = fresh
            if is_due(look, account.seen.get(look), now, fresh):
                due.append(look)
        return due

    def _note_interest(self, wanted: Wanted, centres: Sequence[Centre], who: Asker) -> None:
        """Tell the planner behind the answer what people look at, once a minute: it remembers for ten."""
        narrow = bool(wanted.centre_ids) or wanted.within_km is not None
        places: dict[str, list[str]] = {}
        for centre in centres:
            places.setdefault(centre.department, []).append(centre.id)
        for department, ids in list(places.items())[:MOST_PLACES]:
            days = (local_day(wanted.since, department), local_day(wanted.until, department))
            here = tuple(sorted(ids)) if narrow else ()
            self._note(Interest(who.school_id, department, wanted.category, *days, here))

    def _note(self, interest: Interest) -> None:
        now, noted = self._now(), self._noted.get(interest)
        if noted is not None and now - noted < INTEREST_PAUSE:
            return
        if len(self._noted) >= REMEMBERED:
            self._noted.clear()
        self._noted[interest] = now

        async def write() -> None:
            async with transaction(self._engine) as tx:
                await store.note_interest(tx, interest, now)

        self._facts.behind(interest, write)
