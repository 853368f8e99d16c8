"""RdvPermis and we agree on every booking and every hold, both ways.

What a school of ours did at RdvPermis without us is found by polling (R-31), and so stands here after a while. What
schools do that never came to us is counted, and is no breach.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import httpx2

from ctl.booking import Line
from ctl.findings import Finding, of

CANCELLED = "ANNULE"
SECONDS = 20.0


@dataclass(frozen=True)
class Exam:
    """A booking at RdvPermis that was not cancelled."""

    id: str
    school_id: str
    slot_id: str
    candidate_id: str


@dataclass(frozen=True)
class InBasket:
    """A slot in an open basket at RdvPermis, with its candidate."""

    basket_id: str
    school_id: str
    slot_id: str
    candidate_id: str


@dataclass(frozen=True)
class Truth:
    """Every exam that stands and every slot in a basket at RdvPermis, and how many slots it sold twice."""

    exams: Sequence[Exam]
    held: Sequence[InBasket]
    oversold: int


async def read(control: str) -> Truth:
    """Ask the sandbox at `control`; httpx2's errors where it does not answer, ValueError for no JSON."""
    async with httpx2.AsyncClient(timeout=SECONDS) as web:
        answer = await web.get(f"{control.rstrip('/')}/control/state")
        answer.raise_for_status()
        return parse(answer.json())


def parse(body: dict[str, Any]) -> Truth:
    """The answer of the sandbox's `GET /control/state` as Truth."""
    return Truth(
        [
            Exam(one["id"], one["school"], one["slot"], one["candidate"] or "")
            for one in body["exams"]
            if one["state"] != CANCELLED
        ],
        [
            InBasket(basket["id"], basket["school"], slot_id, candidate or "")
            for basket in body["baskets"]
            for slot_id, candidate in basket["lines"].items()
        ],
        body["oversold"],
    )


def judge(truth: Truth, lines: Iterable[Line]) -> list[Finding]:
    """Findings where RdvPermis' exams and baskets and our lines differ, either way."""
    lines = list(lines)
    asked = {(line.school_id, line.slot_id) for line in lines}
    ours = {line.school_id for line in lines}
    exams = {(exam.school_id, exam.slot_id): exam for exam in truth.exams}
    booked = {(line.school_id, line.slot_id): line for line in lines if line.state in {"booked", "done"}}
    held = {(line.school_id, line.slot_id): line for line in lines if line.state == "held"}
    owed = {(line.school_id, line.slot_id) for line in lines if line.owed}
    theirs = {(one.school_id, one.slot_id): one for one in truth.held}
    bookings = [f"here, not there: {line.id}" for key, line in booked.items() if not _same(line, exams.get(key))]
    bookings += [f"there, not here: {exams[key].id}" for key in exams if key[0] in ours and key not in booked]
    holds = [f"here, not there: {line.id}" for key, line in held.items() if not _holds(line, theirs.get(key))]
    holds += [
        f"there, not here: {one.basket_id} {one.slot_id}"
        for key, one in theirs.items()
        if key in asked and key not in held and key not in owed
    ]
    return [
        of("rdvpermis_agrees_on_bookings", bookings),
        of("rdvpermis_agrees_on_holds", holds),
        of("nothing_is_owed_to_rdvpermis", (f"{line.id}" for line in lines if line.owed)),
        Finding("rdvpermis_sold_nothing_twice", truth.oversold, at_once=True),
    ]


def made_elsewhere(truth: Truth, lines: Iterable[Line]) -> int:
    """Bookings at RdvPermis of schools that never asked for anything through us."""
    ours = {line.school_id for line in lines}
    return sum(exam.school_id not in ours for exam in truth.exams)


def _same(line: Line, exam: Exam | None) -> bool:
    return exam is not None and (line.exam_id, line.rdvpermis_candidate_id) == (exam.id, exam.candidate_id)


def _holds(line: Line, one: InBasket | None) -> bool:
    return one is not None and (line.basket_id, line.rdvpermis_candidate_id) == (one.basket_id, one.candidate_id)
