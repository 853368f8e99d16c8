"""The switches, under `/control`. No sign-in: keep it on loopback."""

from dataclasses import asdict, replace
from datetime import datetime, time, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import APIRouter, HTTPException

from rdvpermis_sandbox.clock import Clock
from rdvpermis_sandbox.control.faults import Faults, Rule
from rdvpermis_sandbox.control.rivals import Rivals, take
from rdvpermis_sandbox.control.wire import (
    BookingOrder,
    CandidateOrder,
    ClockOrder,
    FaultOrder,
    LimitOrder,
    MandateOrder,
    PublishOrder,
    ReplaceOrder,
    ResultOrder,
    RivalOrder,
    SlotOrder,
)
from rdvpermis_sandbox.domain import rules, seed
from rdvpermis_sandbox.domain.model import Candidate, Exam, Mandate, Slot
from rdvpermis_sandbox.domain.seed import PASSWORD
from rdvpermis_sandbox.domain.state import State
from rdvpermis_sandbox.identity.tokens import Tokens
from rdvpermis_sandbox.limits import Limits


def router(state: State, tokens: Tokens, clock: Clock, faults: Faults, limits: Limits, rivals: Rivals) -> APIRouter:  # noqa: C901, PLR0915 - a list of switches
    """Every route under /control: clock, faults, rivals, slots, results, mandates, limits, state."""
    routes = APIRouter(prefix="/control", tags=["control"])

    def slot_of(slot_id: str) -> Slot:
        found = state.world.slots.get(slot_id)
        if found is None:
            raise HTTPException(404, "no such slot")
        return found

    def clock_now() -> dict[str, Any]:
        return {"now": clock.now().isoformat(), "frozen": clock.frozen_at is not None}

    @routes.get("/clock")
    async def get_clock() -> dict[str, Any]:
        return clock_now()

    @routes.post("/clock")
    async def set_clock(order: ClockOrder) -> dict[str, Any]:
        if order.frozen is not None:
            clock.freeze(frozen=order.frozen)
        if order.set is not None:
            clock.set(order.set)
        if order.advance_seconds is not None:
            clock.advance(order.advance_seconds)
        state.truth.clock_offset_seconds = clock.offset.total_seconds()
        state.truth.clock_frozen_at = clock.frozen_at
        state.dirty = True
        state.touch(clock.now())
        return clock_now()

    @routes.get("/faults")
    async def get_faults() -> list[dict[str, Any]]:
        return [{name: getattr(rule, name) for name in (*FaultOrder.model_fields, "struck")} for rule in faults.rules]

    @routes.post("/faults")
    async def set_faults(orders: list[FaultOrder]) -> dict[str, int]:
        faults.rules = [Rule(**order.model_dump(), rng=Random(order.seed)) for order in orders]  # noqa: S311 - repeatable
        return {"rules": len(faults.rules)}

    @routes.delete("/faults", status_code=204)
    async def no_faults() -> None:
        faults.rules = []

    @routes.get("/rivals")
    async def get_rivals() -> dict[str, Any]:
        return asdict(rivals)

    @routes.post("/rivals")
    async def set_rivals(order: RivalOrder) -> dict[str, Any]:
        rivals.schools, rivals.per_minute = order.schools, order.per_minute
        rivals.department, rivals.group = order.department, order.group
        return asdict(rivals)

    @routes.post("/rivals/take")
    async def rival_takes(order: SlotOrder) -> dict[str, str]:
        exam = take(state, slot_of(order.slot), clock.now())
        if exam is None:
            raise HTTPException(409, "already taken")
        return {"exam": exam.id, "school": exam.school}

    @routes.post("/reset", status_code=204)
    async def reset() -> None:
        state.reset(clock.now())
        faults.rules = []
        rivals.schools = 0
        limits.clear()

    @routes.get("/state")
    async def truth(school: str | None = None) -> dict[str, Any]:
        state.touch(clock.now())
        known = state.truth
        people = {each.id for each in state.world.employees.values() if school in {None, each.school}}
        calls = {key: count for key, count in state.calls.items() if key.partition("|")[0] in people}
        exams = [each for each in known.exams.values() if school in {None, each.school}]
        seen = {each.slot for each in exams if each.state != "ANNULE"}
        held = [slot_id for basket in known.baskets.values() for slot_id in basket.lines]
        return {
            "now": clock.now(),
            "baskets": [asdict(each) for each in known.baskets.values() if school in {None, each.school}],
            "exams": [asdict(each) for each in exams],
            "mandates": [asdict(each) for each in known.mandates.values() if school in {None, each.school}],
            "calls": calls,
            "withdrawn": sorted(known.withdrawn),
            "oversold": len([each for each in exams if each.state != "ANNULE"])
            - len(seen)
            + len(held)
            - len(set(held)),
        }

    @routes.get("/logins")
    async def logins(department: str | None = None, count: int = 6) -> list[dict[str, str]]:
        schools = [each for each in state.world.schools.values() if department in {None, each.department}]
        wanted = ("094", "075", "069", "02A", "971")
        if department is None:
            schools = [each for each in schools if each.department in wanted]
            schools.sort(key=lambda each: (int(each.id.rpartition("-")[2]), wanted.index(each.department)))
        rows = []
        for school in schools[:count]:
            name = f"gerant.{school.id.removeprefix('ae-')}"
            rows.append(
                {"username": name, "password": PASSWORD, "school": school.name, "department": school.department}
            )
        return rows

    @routes.get("/candidates")
    async def candidates(school: str) -> list[dict[str, Any]]:
        rows = state.by_school.get(school, [])
        return [asdict(state.world.candidates[each.candidate]) | {"mandate": asdict(each)} for each in rows]

    @routes.get("/candidates/free")
    async def free_candidates(group: str = "B", count: int = 20) -> list[dict[str, Any]]:
        """People with an active demand and no mandate, for POST /mandats."""
        people = (
            p for p in state.world.candidates.values() if p.group == group and p.email and p.id not in state.mandates_of
        )
        return [asdict(person) for person, _ in zip(people, range(count), strict=False)]

    @routes.post("/candidates", status_code=201)
    async def add_candidate(order: CandidateOrder) -> dict[str, str]:
        if order.neph in state.world.by_neph:
            raise HTTPException(409, "NEPH known")
        person = Candidate(state.new_id("cx"), order.neph, order.first_name, order.last_name, order.email, order.group)
        state.truth.extra_candidates[person.id] = person
        state.know(person)
        if person.email:
            state.email_owner[person.email] = person.id
        state.dirty = True
        return {"id": person.id}

    @routes.post("/mandates", status_code=201)
    async def own_mandate(order: MandateOrder) -> dict[str, str]:
        """The candidate chose the school at RdvPermis: accepted at once."""
        if order.candidate not in state.world.candidates or order.school not in state.world.schools:
            raise HTTPException(404, "no such candidate or school")
        made = rules.new_mandate(state, order.candidate, order.school, order.group, "EN_ATTENTE", clock.now())
        rules.answer_mandate(state, made, accept=True)
        return {"id": made.id}

    def mandate_of(mandate_id: str) -> Mandate:
        if mandate_id not in state.truth.mandates:
            raise HTTPException(404, "no such mandate")
        return state.truth.mandates[mandate_id]

    @routes.post("/mandates/{mandate_id}/accept", status_code=204)
    async def accept(mandate_id: str) -> None:
        rules.answer_mandate(state, mandate_of(mandate_id), accept=True)

    @routes.post("/mandates/{mandate_id}/refuse", status_code=204)
    async def refuse(mandate_id: str) -> None:
        rules.answer_mandate(state, mandate_of(mandate_id), accept=False)

    @routes.get("/mails")
    async def mails(count: int = 20) -> list[dict[str, Any]]:
        return [asdict(each) for each in reversed(state.truth.mails[-count:])]

    @routes.post("/results")
    async def results(order: ResultOrder) -> dict[str, Any]:
        """`points: null` is an unjustified absence."""
        exam = state.truth.exams.get(order.exam)
        if exam is None or exam.candidate is None or exam.state != "PROGRAMME":
            raise HTTPException(404, "no such nominative, open exam")
        rules.publish_result(state, exam, order.points, clock.now())
        return {"exam": exam.id, "state": exam.state}

    @routes.post("/slots/withdraw", status_code=204)
    async def withdraw(order: SlotOrder) -> None:
        state.truth.withdrawn.add(slot_of(order.slot).id)
        state.dirty = True

    @routes.post("/slots/publish", status_code=201)
    async def publish(order: PublishOrder) -> list[str]:
        """New slots that last `seconds`, published at `at` (default now); starts are local hours, with seconds if need be."""
        centre = state.world.centres.get(order.centre)
        if centre is None:
            raise HTTPException(404, "no such centre")
        made = []
        at = (order.at or clock.now()).astimezone(ZoneInfo("UTC"))
        for start in order.starts:
            moment = datetime.combine(order.date, time.fromisoformat(start))
            slot = seed.make_slot(centre, order.group, moment, at, state.new_id("x"), order.kind)
            slot = replace(slot, ends=slot.starts + timedelta(seconds=order.seconds))
            state.truth.extra_slots[slot.id] = slot
            state.world.add(slot)
            made.append(slot.id)
        state.dirty = True
        return made

    def exam_of(exam_id: str) -> tuple[Exam, Slot]:
        if exam_id not in state.truth.exams:
            raise HTTPException(404, "no such exam")
        found = state.truth.exams[exam_id]
        return found, slot_of(found.slot)

    @routes.post("/exams/{exam_id}/lock", status_code=204)
    async def lock(exam_id: str) -> None:
        """From now on not `estModifiable`."""
        exam_of(exam_id)[0].locked = True
        state.dirty = True

    @routes.post("/exams", status_code=201)
    async def book_by_hand(order: BookingOrder) -> dict[str, str]:
        """Somebody of the school books on RdvPermis' own pages, under its rules."""
        if order.school not in state.world.schools:
            raise HTTPException(404, "no such school")
        slot, school, now = slot_of(order.slot), state.school(order.school), clock.now()
        rules.judge_slot(state, slot, school, now)
        rules.judge_candidate(state, state.candidate(order.candidate), slot, school, now)
        return {"id": rules.book(state, slot, school.id, order.candidate, now).id}

    @routes.delete("/exams/{exam_id}", status_code=204)
    async def cancel_by_hand(exam_id: str) -> None:
        """Somebody of the school cancels on RdvPermis' own pages, under its rules."""
        rules.cancel(state, *exam_of(exam_id), clock.now())

    @routes.post("/exams/{exam_id}/replace", status_code=204)
    async def replace_by_hand(exam_id: str, order: ReplaceOrder) -> None:
        """Somebody of the school replaces the candidate on RdvPermis' own pages, under its rules."""
        rules.replace(state, *exam_of(exam_id), order.candidate, clock.now())

    @routes.post("/schools/{school_id}/nameless", status_code=204)
    async def nameless(school_id: str) -> None:
        """This school may book without a candidate."""
        state.truth.nameless_schools.add(school_id)
        state.dirty = True

    @routes.post("/limits")
    async def set_limits(order: LimitOrder) -> dict[str, Any]:
        limits.employee, limits.online, limits.retry_after = order.employee, order.online, order.retry_after
        limits.clear()
        return order.model_dump()

    @routes.post("/rotate-keys", status_code=204)
    async def rotate(*, drop_old: bool = False) -> None:
        tokens.rotate_keys(drop_old=drop_old)

    return routes
