"""What basket does unasked: holds expire, doubts are settled by reading, slots are given back, exams pass.

Each round reads what is due by the database's clock, asks RdvPermis outside of any transaction, and writes in one
transaction a school. Rounds may overlap with acts of people: versions and the school's turn decide who was first.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog
from prometheus_client import Counter, Gauge

from resapermis.audit.v1.events_pb2 import Actor
from resapermis.basket.v1.events_pb2 import GroupExpiring
from resapermis.mandate.v1.events_pb2 import MandateChanged
from resapermis.mandate.v1.mandate_pb2 import MANDATE_STATE_ACTIVE
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.scheduling.v1.events_pb2 import SlotWithdrawn
from resapermis_basket import events, refusals, store
from resapermis_basket.acts import Parts, apply, patience
from resapermis_basket.domain import (
    Change,
    Line,
    SeenBasket,
    SeenExam,
    Sight,
    State,
    first_look,
    give_back_together,
    in_doubt,
    move,
    needs_baskets,
    needs_exams,
    owe,
    pause_seconds,
    replacement,
    settle,
)
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Failure
from resapermis_kit.events.event import Event

log = structlog.get_logger()
SETTLED = Counter("resapermis_basket_settled_total", "Lines in doubt, by what reading RdvPermis showed", ["state"])
DOUBTFUL = Gauge("resapermis_basket_in_doubt", "Lines due to be looked at in the reconciler's last round")
LATE = Gauge("resapermis_basket_expiry_late_seconds", "How late the last expired hold was")
SCHOOLS_AT_ONCE = 8
Decide = Callable[[Line, datetime], Line]


class Unasked:
    """Work with no person behind it."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        self._parts = parts

    # Expiry

    async def expire(self) -> int:
        """End every hold whose time has come, school by school; return how many. Giving back follows by itself."""
        async with transaction(self._parts.engine) as tx:
            due = await store.due_to_expire(tx)

        def ended(line: Line, now: datetime) -> Line:
            if line.state is not State.HELD or line.expires_at is None or line.expires_at > now:
                return line
            LATE.set((now - line.expires_at).total_seconds())
            return owe(move(line, State.EXPIRED, now, refusals.expired()), now)

        return await self._each_school(due, ended)

    async def warn(self) -> int:
        """Say once of each group that it expires soon; return how many."""
        async with transaction(self._parts.engine) as tx:
            now = await store.now(tx)
            soon = await store.take_warnings(tx, self._parts.settings.warn_seconds)
            facts = []
            for group_id, school_id, expires_at in soon:
                facts.append(GroupExpiring(group_id=str(group_id), school_id=school_id))
                facts[-1].expires_at.FromDatetime(expires_at)
            await self._parts.outbox.add(tx, now, *facts)
        return len(soon)

    async def expire_and_warn(self) -> None:
        """One round."""
        await self.expire()
        await self.warn()

    async def doubt_everything(self) -> None:
        """This database was restored to the past: RdvPermis is read again before anything here is believed (E16)."""
        async with transaction(self._parts.engine) as tx:
            log.warning("restored.reads_again", holds=await store.doubt_all(tx))

    async def finish(self) -> None:
        """Booked exams that have begun are done: nothing changes them any more (R-12)."""
        async with transaction(self._parts.engine) as tx:
            due = await store.due_to_be_done(tx)

        def done(line: Line, now: datetime) -> Line:
            begun = line.state is State.BOOKED and not line.changing and line.slot.starts_at <= now
            if not begun:
                return line
            return replace(move(line, State.DONE, now), next_look_at=first_look(line, patience(self._parts)))

        await self._each_school(due, done)

    async def look_and_give_back(self) -> None:
        """One round of everything that may wait for RdvPermis or is in no hurry; none holds up another."""
        works = (self._heed_and_settle(), self.give_back(), self.finish())
        for problem in await asyncio.gather(*works, return_exceptions=True):
            if isinstance(problem, BaseException):
                raise problem

    async def _heed_and_settle(self) -> None:
        await self.heed()
        await self.settle()

    # What is in doubt

    async def settle(self) -> None:
        """Read at RdvPermis what became of lines in doubt, a few schools at a time."""
        async with transaction(self._parts.engine) as tx:
            due = await store.due_to_look(tx)
        DOUBTFUL.set(len(due))
        turns = asyncio.Semaphore(SCHOOLS_AT_ONCE)

        async def one(school_id: str, lines: list[Line]) -> None:
            async with turns:
                await self._settle_school(school_id, lines)

        schools = by_school(due)
        await asyncio.gather(*(one(school_id, lines) for school_id, lines in schools.items()))

    async def _settle_school(self, school_id: str, lines: list[Line]) -> None:
        try:
            sight = await self._look(school_id, lines)
        except Failure as failure:
            log.info("settle.waits", school=school_id, code=failure.name, lines=len(lines))
            await self._write(school_id, lines, self._later, events.SYSTEM)
            return

        def settled(line: Line, now: datetime) -> Line:
            after = settle(line, sight, refusals.lost(), refusals.gone(), now)
            return self._later(line, now) if after == line else after

        await self._write(school_id, lines, settled, events.SYSTEM)

    async def _look(self, school_id: str, lines: Sequence[Line]) -> Sight:
        """Read the school's baskets, and its exams of the days and categories in doubt: each at most once."""
        behalf, peers = rdv.OnBehalf(school_id=school_id), self._parts.peers
        partners = await self._partners(school_id, lines)
        baskets: list[SeenBasket] = []
        if any(needs_baskets(line) for line in lines):
            said = await peers.rdvpermis("ListBaskets", rdv.ListBasketsRequest(on_behalf=behalf), itself=True)
            baskets = [seen_basket(basket) for basket in said.baskets]
        exams: list[SeenExam] = []
        slots = [line.slot for line in [*lines, *partners.values()] if needs_exams(line)]
        for category, date, zone in sorted({(s.category, s.local_day.isoformat(), s.time_zone) for s in slots}):
            request = rdv.ListExamsRequest(on_behalf=behalf, category=category, date=date, time_zone=zone)
            listed = await peers.rdvpermis("ListExams", request, itself=True)
            exams += [seen_exam(exam) for exam in listed.exams if not exam.cancelled]
        return Sight(baskets, exams, partners)

    async def _partners(self, school_id: str, lines: Sequence[Line]) -> dict[UUID, Line]:
        wanted = {line.partner_id for line in lines if line.partner_id is not None}
        if not wanted:
            return {}
        async with transaction(self._parts.engine) as tx:
            found = [await store.line(tx, school_id, line_id) for line_id in sorted(wanted)]
        return {line.id: line for line in found if line is not None}

    def _later(self, line: Line, now: datetime) -> Line:
        pause = pause_seconds(line.looks, self._parts.settings.grace_seconds)
        return replace(line, looks=line.looks + 1, next_look_at=now + timedelta(seconds=pause))

    # Giving back

    async def give_back(self) -> None:
        """Release at RdvPermis what ended here; what cannot be released lapses there by itself."""
        async with transaction(self._parts.engine) as tx:
            due = await store.due_to_give_back(tx)
        for line in due:
            await self._give_back(line)

    async def _give_back(self, line: Line) -> None:
        request = rdv.ReleaseSlotRequest(
            on_behalf=rdv.OnBehalf(school_id=line.school_id), basket_id=line.basket_id, slot_id=line.slot.id
        )
        given = True
        try:
            await self._parts.peers.rdvpermis("ReleaseSlot", request, itself=True)
        except Failure as failure:
            given = failure.rdvpermis_code != ""  # a refusal of theirs: it is not there to be given
        async with transaction(self._parts.engine) as tx:
            now = await store.now(tx)
            lapsed = line.expires_at is not None and now > line.expires_at + timedelta(hours=1)
            pause = timedelta(seconds=pause_seconds(line.looks, self._parts.settings.give_back_seconds))
            after = replace(line, owed=False, next_look_at=None)
            if not (given or lapsed):
                after = replace(line, looks=line.looks + 1, next_look_at=now + pause)
            await store.save(tx, [after])

    # What others say. Handlers only write it down: a batch of facts touches many schools, whose turns it must not take.

    async def on_slot_withdrawn(self, tx: Tx, event: SlotWithdrawn, fact: Event) -> None:
        """The State took a slot back (charter 4.2), or it looks so from a school that does not have it."""
        await store.hear(tx, store.Heard(UUID(fact.id), slot_id=event.slot_id))

    async def on_mandate_changed(self, tx: Tx, event: MandateChanged, fact: Event) -> None:
        """A mandate is no longer active: what is held for its candidate is given back and told."""
        if getattr(event, "from") == MANDATE_STATE_ACTIVE != event.to:
            heard = store.Heard(UUID(fact.id), "", event.school_id, UUID(event.candidate_id), event.category)
            await store.hear(tx, heard)

    async def heed(self) -> None:
        """Act on what was heard."""
        async with transaction(self._parts.engine) as tx:
            heard = await store.heard(tx)
        for one in heard:
            await (self._heed_slot(one) if one.slot_id else self._heed_mandate(one))
            async with transaction(self._parts.engine) as tx:
                await store.forget_heard(tx, one.id)

    async def _heed_slot(self, heard: store.Heard) -> None:
        """RdvPermis is the referee: the reconciler reads our basket, the comparison our exams, and end what is not there."""
        async with transaction(self._parts.engine) as tx:
            line = await store.held_on_slot(tx, heard.slot_id)
            booked = await store.booked_on_slot(tx, heard.slot_id)
            if booked is not None:  # perhaps only taken, as others see it: the comparison tells
                await store.sweep_soon(tx, booked.school_id, timedelta(seconds=self._parts.settings.sweep_hint_seconds))

        def doubted(line: Line, now: datetime) -> Line:
            return replace(line, next_look_at=now) if line.state is State.HELD and not line.changing else line

        await self._each_school([line] if line is not None else [], doubted)

    async def _heed_mandate(self, heard: store.Heard) -> None:
        async with transaction(self._parts.engine) as tx:
            lines = await store.held_of_candidate(tx, heard)

        def released(line: Line, now: datetime) -> Line:
            return owe(move(line, State.RELEASED, now, refusals.no_mandate()), now)

        await self._each_school(lines, released)

    # Writing

    async def _each_school(self, due: Iterable[Line], decide: Decide) -> int:
        changed = 0
        for school_id, lines in by_school(due).items():
            changed += await self._write(school_id, lines, decide, events.SYSTEM)
        return changed

    async def _write(self, school_id: str, due: Sequence[Line], decide: Decide, actor: Actor) -> int:
        """In the school's turn, decide again on the lines as they are now, and write what changed; return how many."""
        async with transaction(self._parts.engine) as tx:
            await store.lock_school(tx, school_id)
            now = await store.now(tx)
            same = {line.id: line.version for line in due}
            fresh = [line for line in await store.again(tx, due) if line.version == same[line.id]]
            changes = [Change(line, after) for line in fresh if (after := decide(line, now)) != line]
            changes = await self._together(tx, changes, now)
            changes += self._replacements(changes, now)
            told = [change for change in changes if _worth_telling(change)]
            for change in told:
                if change.before is not None and in_doubt(change.before):
                    SETTLED.labels(change.after.state).inc()
            await apply(tx, self._parts, changes, events.said(told, actor), now)
        return len(changes)

    async def _together(self, tx: Tx, changes: Sequence[Change], now: datetime) -> list[Change]:
        """An all-or-nothing group with a refused line gives its others back, whenever either is found out."""
        found = {change.after.id: change for change in changes}
        met = {change.after.group_id for change in changes if change.before_state is State.ASKING}
        groups = await store.groups_by_id(tx, met) if met else {}
        for group in groups.values():
            if not group.together:
                continue
            lines = await store.of_groups(tx, [group.id])
            newest = [found[line.id].after if line.id in found else line for line in lines]
            after = give_back_together(newest, refusals.together_failed(), now)
            found |= {
                line.id: Change(line, new) for line, was, new in zip(lines, newest, after, strict=True) if new != was
            }
        return list(found.values())

    def _replacements(self, changes: Sequence[Change], now: datetime) -> list[Change]:
        """Lines that take the place of those found replaced or swapped."""
        return [
            Change(None, replacement(old, self._parts.new_id(), self._parts.new_id(), old.account_id, now))
            for old, after in ((change.before, change.after) for change in changes)
            if old is not None and old.changing and after.state in {State.REPLACED, State.SWAPPED}
        ]


def _worth_telling(change: Change) -> bool:
    """Whether anybody but us cares: a look that is put off changes nothing for a school."""
    before, after = change.before, change.after
    if before is None or before.state is not after.state:
        return True
    return (before.candidate_id, before.changing, before.exam_id, before.refusal) != (
        after.candidate_id,
        after.changing,
        after.exam_id,
        after.refusal,
    )


def by_school(lines: Iterable[Line]) -> dict[str, list[Line]]:
    """Lines put together by school, in the order of the schools' ids."""
    found: dict[str, list[Line]] = {}
    for line in lines:
        found.setdefault(line.school_id, []).append(line)
    return dict(sorted(found.items()))


def seen_basket(basket: rdv.RdvBasket) -> SeenBasket:
    """A basket as read."""
    candidates = {line.slot_id: line.rdvpermis_candidate_id for line in basket.lines}
    return SeenBasket(basket.id, basket.expires_at.ToDatetime(UTC), candidates)


def seen_exam(exam: rdv.RdvExam) -> SeenExam:
    """An exam as read."""
    return SeenExam(exam.id, exam.slot_id, exam.rdvpermis_candidate_id)
