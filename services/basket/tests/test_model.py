"""Basket against a model of a few lines, step by step, its process dying at any point of an act (C16).

The model knows only this: a slot is nobody's, or some school holds it or has it booked, for a candidate or for none; a
candidate is on one slot. An act either happens or does not. Where the process died in the middle, one of the two must have
happened once the reconciler has read; and whatever happened, every invariant holds and RdvPermis has the same.
"""

import asyncio
import inspect
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

import pytest
import sqlalchemy as sa
from basket_peers import Basket, candidate
from basket_work import expire_and_warn, settle_and_give_back
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.booking.v1 import booking_pb2 as booking
from resapermis_basket import invariants as questions
from resapermis_basket.booking.allowance import Allowances
from resapermis_basket.booking.cancellation import cancel_booking
from resapermis_basket.booking.replacement import replace_candidate
from resapermis_basket.booking.swap import swap_bookings
from resapermis_basket.booking.validation import validate_group
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.hold.command import HoldCommand
from resapermis_basket.hold.held_line import name_candidate, release_line
from resapermis_basket.peers import Peers
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure
from resapermis_kit.process import invariants
from resapermis_kit.rpc.auth import Caller, Principal, current_caller, current_token
from resapermis_kit.rpc.deadline import deadline
from resapermis_testing.databases import as_owner
from resapermis_testing.profile import LONG

FATES = st.one_of(st.just(0), st.integers(1, 16))
"""At which step of an act the process dies; 0: it lives."""
SCHOOLS, SLOTS, CANDIDATES = ("a", "b"), ("s1", "s2", "s3", "s4", "s5"), (1, 2, 3, 4, 5, 6)
LIVES = 0
# Lives are lived until enough came to pass: each must differ from those before, in CI too, where hypothesis repeats itself.
settings.register_profile("suite", max_examples=3, stateful_step_count=30, deadline=None, derandomize=False)
settings.register_profile("long", max_examples=40, stateful_step_count=50, deadline=None, derandomize=False)
LONG_STEPS = 10_000
"""What the long profile runs at least (C16), life after life: hypothesis ends many of them early."""
NEEDED = {"hold done", "hold died", "validate done", "release done"}
"""Lives go on until each of these came to pass."""
QUESTIONS = {**invariants.KIT, **questions.ALWAYS, **questions.IN_TIME}
TALLY: Counter[str] = Counter()
"""How often what was done, for whoever runs the long profile."""


class Killed(BaseException):
    """The process ended here."""


@dataclass
class Fate:
    """At which step of an act the process dies: each commit and each call of RdvPermis has one before and one after it."""

    dies_at: int
    steps: int = 0

    def step(self) -> None:
        self.steps += 1
        if self.steps == self.dies_at:
            raise Killed


@dataclass(frozen=True)
class Mortal:
    """An engine in whose transactions the process may die."""

    engine: Any
    fate: Fate

    def execution_options(self, **options: Any) -> "Mortal":
        return Mortal(self.engine.execution_options(**options), self.fate)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[Any]:
        self.fate.step()
        async with self.engine.begin() as tx:
            yield tx
            self.fate.step()
        self.fate.step()

    async def raw_connection(self) -> Any:
        """For single statements, which commit by themselves."""
        self.fate.step()
        return MortalConnection(await self.engine.raw_connection(), self.fate)


@dataclass(frozen=True)
class MortalConnection:
    """A pooled connection after whose statement the process may die."""

    pooled: Any
    fate: Fate

    @property
    def driver_connection(self) -> "MortalConnection":
        return self

    async def fetch(self, *arguments: Any, **more: Any) -> Any:
        found = await self.pooled.driver_connection.fetch(*arguments, **more)
        self.fate.step()
        return found

    def is_closed(self) -> bool:
        return bool(self.pooled.driver_connection.is_closed())

    def close(self) -> None:
        self.pooled.close()

    def invalidate(self) -> None:
        self.pooled.invalidate()


class MortalPeers(Peers):
    """Calls of RdvPermis around which the process may die."""

    fate: Fate

    async def rdvpermis(self, method: str, request: Any, *, itself: bool = False) -> Any:
        self.fate.step()
        answer = await super().rdvpermis(method, request, itself=itself)
        self.fate.step()
        return answer


class Nobodys(dict[str, str]):
    """RdvPermis refuses no slot: that one school has it is our own doing."""

    def __contains__(self, slot_id: object) -> bool:
        return False


@dataclass(frozen=True)
class Has:
    """Who has a slot, and for whom."""

    school: str
    booked: bool
    candidate: int | None


Slots = dict[str, Has]
Act = Callable[[Dependencies, Principal], Awaitable[Any]]


class Model(RuleBasedStateMachine):
    """Steps of hypothesis; each runs to its end on the loop of the fixture."""

    basket: Basket
    loop: asyncio.AbstractEventLoop

    def __init__(self) -> None:
        super().__init__()
        self.slots: Slots = {}
        TALLY["lives"] += 1
        self.do(self._empty())

    def do(self, work: Any) -> Any:
        return self.loop.run_until_complete(work)

    def some(self, *, booked: bool) -> list[str]:
        return sorted(slot for slot, has in self.slots.items() if has.booked is booked)

    def one(self, data: st.DataObject, *, booked: bool) -> tuple[str, Has]:
        slot = data.draw(st.sampled_from(self.some(booked=booked)))
        return slot, self.slots[slot]

    def pairs(self) -> list[tuple[str, str]]:
        booked = self.some(booked=True)
        return [
            (one, other)
            for one in booked
            for other in booked
            if one != other and self.slots[one].school == self.slots[other].school
        ]

    # What a school does

    @rule(
        school=st.sampled_from(SCHOOLS),
        wanted=st.lists(
            st.tuples(st.sampled_from(SLOTS), st.sampled_from((None, *CANDIDATES))),
            min_size=1,
            max_size=3,
            unique_by=lambda pair: pair[0],
        ),
        dies=FATES,
    )
    def hold(self, school: str, wanted: list[tuple[str, int | None]], dies: int) -> None:
        named = [who for _, who in wanted if who is not None]
        if len(named) != len(set(named)):
            return
        taken = {has.candidate for has in self.slots.values()}
        after = {
            slot: Has(school, booked=False, candidate=who)
            for slot, who in wanted
            if slot not in self.slots and (who is None or who not in taken)
        }
        request = pb.HoldSlotsRequest(request_id=self.basket.key())
        for slot, who in wanted:
            request.lines.add(slot_id=slot, candidate_id=candidate(who) if who else "")
        self._act(school, lambda one, who: HoldCommand(one).hold(who, request), after, dies)

    @precondition(lambda self: self.some(booked=False))
    @rule(data=st.data(), who=st.sampled_from((*CANDIDATES, None)), dies=FATES)
    def name(self, data: st.DataObject, who: int | None, dies: int) -> None:
        slot, has = self.one(data, booked=False)
        free = who is None or who not in {other.candidate for place, other in self.slots.items() if place != slot}
        request = pb.NameCandidateRequest(
            request_id=self.basket.key(), line_id=self._line(slot), candidate_id=candidate(who) if who else ""
        )
        after = {slot: replace(has, candidate=who)} if free else {}
        self._act(has.school, lambda one, me: name_candidate(one, me, request), after, dies)

    @precondition(lambda self: self.some(booked=False))
    @rule(data=st.data(), dies=FATES)
    def release(self, data: st.DataObject, dies: int) -> None:
        slot, has = self.one(data, booked=False)
        request = pb.ReleaseLineRequest(request_id=self.basket.key(), line_id=self._line(slot))
        self._act(has.school, lambda one, who: release_line(one, who, request), {slot: None}, dies)

    @precondition(lambda self: self.some(booked=False))
    @rule(data=st.data(), dies=FATES)
    def validate(self, data: st.DataObject, dies: int) -> None:
        slot, has = self.one(data, booked=False)
        group, all_of_it = self.do(self._group(slot))
        mine = {one: self.slots[one] for one in all_of_it}
        named = all(one.candidate is not None for one in mine.values())
        after = {one: replace(held, booked=True) for one, held in mine.items()} if named else {}
        request = pb.ValidateGroupRequest(request_id=self.basket.key(), group_id=group)
        self._act(has.school, lambda one, who: validate_group(one, who, request), after, dies)

    @precondition(lambda self: self.some(booked=True))
    @rule(data=st.data(), dies=FATES)
    def cancel(self, data: st.DataObject, dies: int) -> None:
        slot, has = self.one(data, booked=True)
        request = booking.CancelBookingRequest(
            request_id=self.basket.key(), booking_id=self._line(slot), reason="school"
        )
        self._act(has.school, lambda one, who: cancel_booking(one, who, request), {slot: None}, dies)

    @precondition(lambda self: self.some(booked=True))
    @rule(data=st.data(), who=st.sampled_from(CANDIDATES), dies=FATES)
    def replace(self, data: st.DataObject, who: int, dies: int) -> None:
        slot, has = self.one(data, booked=True)
        free = who not in {other.candidate for other in self.slots.values()}
        request = booking.ReplaceCandidateRequest(
            request_id=self.basket.key(), booking_id=self._line(slot), candidate_id=candidate(who)
        )
        after = {slot: replace(has, candidate=who)} if free else {}
        self._act(has.school, lambda one, me: replace_candidate(one, Allowances(one), me, request), after, dies)

    @precondition(lambda self: self.pairs())
    @rule(data=st.data(), dies=FATES)
    def swap(self, data: st.DataObject, dies: int) -> None:
        one, other = data.draw(st.sampled_from(self.pairs()))
        first, second = self.slots[one], self.slots[other]
        request = booking.SwapBookingsRequest(
            request_id=self.basket.key(), booking_id=self._line(one), other_booking_id=self._line(other)
        )
        after = {one: replace(first, candidate=second.candidate), other: replace(second, candidate=first.candidate)}
        self._act(first.school, lambda one, who: swap_bookings(one, who, request), after, dies, whole=True)

    @precondition(lambda self: self.some(booked=False))
    @rule(data=st.data(), dies=FATES)
    def expire(self, data: st.DataObject, dies: int) -> None:
        slot, _ = self.one(data, booked=False)
        self.do(
            self._run("UPDATE basket_line SET expires_at = now() WHERE slot_id = :slot AND state = 'held'", slot=slot)
        )
        try:
            self.do(expire_and_warn(self._dependencies(Fate(dies))))
        except* Killed:
            pass
        self.do(expire_and_warn(self._dependencies(Fate(LIVES))))
        del self.slots[slot]
        self.do(self._reconcile())

    @invariant()
    def everything_agrees(self) -> None:
        TALLY["polls"] += 1
        assert self.do(self._ours()) == self.slots
        self._rdvpermis_agrees()
        broken = {name: many for name, many in self.do(invariants.check(self.basket.engine, QUESTIONS)).items() if many}
        assert not broken, broken

    # How

    def _act(self, school: str, act: Act, after: dict[str, Has | None], dies: int, *, whole: bool = False) -> None:
        """Do it. `after`: what the slots become if it happens; `whole`: all of them or none."""
        died = refused = False
        word = inspect.stack()[1].function
        try:
            self.do(self._in_person(school, act, Fate(dies)))
        except Killed:
            died = True
        except Failure as failure:
            assert not after, f"the model had no reason to refuse: {failure.name}"  # noqa: PT017
            refused = True
        if died:
            self.do(self._reconcile())
            real = self.do(self._ours())
            happened = {slot for slot in after if real.get(slot) == after[slot]}
            assert not whole or happened in ({*after}, set()), "half a swap"
            after = {slot: has for slot, has in after.items() if slot in happened}
        TALLY[f"{word} {'died' if died else 'refused' if refused else 'done'}"] += bool(after) or died or refused
        for slot, has in after.items():
            self.slots.pop(slot, None)
            if has is not None:
                self.slots[slot] = has

    async def _in_person(self, school: str, act: Act, fate: Fate) -> Any:
        who = Principal(f"account-{school}", "session", school, ("school_manager",))
        current_caller.set(Caller("auth-gateway", who))
        current_token.set(self.basket.running.signer.sign(who, "basket"))
        deadline.set(time.monotonic() + 30)
        return await act(self._dependencies(fate), who)

    def _dependencies(self, fate: Fate) -> Dependencies:
        real = self.basket.dependencies
        peers = MortalPeers.__new__(MortalPeers)
        peers.__dict__.update(real.peers.__dict__)
        peers.fate = fate
        return replace(real, engine=Mortal(real.engine, fate), peers=peers)  # type: ignore[arg-type]

    async def _reconcile(self) -> None:
        """The next process: what is in doubt is read now, what is owed is given back."""
        for _ in range(2):
            await self._run("UPDATE basket_line SET next_poll_at = now() WHERE next_poll_at IS NOT NULL")
            await settle_and_give_back(self._dependencies(Fate(LIVES)))

    async def _run(self, statement: str, **values: Any) -> Any:
        async with transaction(self.basket.engine) as tx:
            return await tx.execute(sa.text(statement), values)

    async def _ours(self) -> Slots:
        rows = await self._run("SELECT slot_id, school_id, state, candidate_id FROM basket_line WHERE ended_at IS NULL")
        numbers = {candidate(one): one for one in CANDIDATES}
        return {
            row.slot_id: Has(row.school_id, row.state == "booked", numbers.get(str(row.candidate_id))) for row in rows
        }

    def _line(self, slot: str) -> str:
        (row,) = self.do(self._run("SELECT id FROM basket_line WHERE slot_id = :s AND ended_at IS NULL", s=slot))
        return str(row.id)

    async def _group(self, slot: str) -> tuple[str, list[str]]:
        mine = "SELECT group_id, slot_id FROM basket_line WHERE state = 'held'"
        groups = {row.slot_id: str(row.group_id) for row in await self._run(mine)}
        return groups[slot], [one for one, group in groups.items() if group == groups[slot]]

    def _rdvpermis_agrees(self) -> None:
        state = self.basket.rdvpermis
        theirs: Slots = {}
        for basket in state.baskets.values():
            for slot, who in basket.candidates.items():
                assert slot not in theirs
                theirs[slot] = Has(basket.school_id, booked=False, candidate=_number(who))
        for exam in state.exams.values():
            assert exam.slot_id not in theirs
            school = self.slots[exam.slot_id].school if exam.slot_id in self.slots else "?"
            theirs[exam.slot_id] = Has(school, booked=True, candidate=_number(exam.rdvpermis_candidate_id))
        assert theirs == self.slots

    async def _empty(self) -> None:
        async with as_owner(self.basket.engine) as tx:
            await tx.execute(sa.text("TRUNCATE basket_line, group_, quota, outbox, outbox_head, request CASCADE"))
        state = self.basket.rdvpermis
        state.baskets.clear()
        state.exams.clear()
        state.owner = Nobodys()
        state.replacements_left = 1_000


def _number(rdvpermis_id: str) -> int | None:
    return int(rdvpermis_id.rpartition("-")[2]) if rdvpermis_id else None


@pytest.fixture
async def loop_of_the_test() -> asyncio.AbstractEventLoop:
    return asyncio.get_running_loop()


@pytest.mark.timeout(3600 if LONG else 300)
@pytest.mark.req("R-14", "R-15", "R-16", "C16")
def test_basket_does_what_a_model_of_a_few_lines_does_wherever_it_dies(
    basket: Basket, loop_of_the_test: asyncio.AbstractEventLoop
) -> None:
    Model.basket, Model.loop = basket, loop_of_the_test
    profile = settings(settings.get_profile("long" if LONG else "suite"), suppress_health_check=list(HealthCheck))
    TALLY.clear()
    try:
        run_state_machine_as_test(Model, settings=profile)
        while not set(TALLY) >= NEEDED or (LONG and _steps() < LONG_STEPS):
            run_state_machine_as_test(Model, settings=profile)
    finally:
        print(_steps(), dict(sorted(TALLY.items())))  # noqa: T201 - seen with -s


def _steps() -> int:
    """Each life is looked at once before its first step."""
    return TALLY["polls"] - TALLY["lives"]
