"""Somebody of a school who books and cancels on RdvPermis' own pages meanwhile, where the platform learns of it by polling alone."""

import threading
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random
from time import monotonic
from typing import Any

import httpx2
from history import Act, Op, OpOutcome
from journey import TheState

PAUSE_SECONDS = (0.3, 1.5)
CANCELLED = "ANNULE"


@dataclass
class OutsideUser:
    """`slots` are this user's own, by school, each booked once; what it cancels of the offices' bookings is in `history`.

    A slot that is booked again soon after a change is left alone by the comparison for two minutes.

    A booking that is cancelled there ends here whenever a comparison finds it: an operation without an answer.
    """

    state: TheState
    slots: Mapping[str, Sequence[str]]
    offices: frozenset[str]
    """Slots that offices go for."""
    rng: Random
    end: threading.Event
    history: list[Op] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    booked: set[str] = field(default_factory=set)
    """Exams it made and let stand."""
    used: set[str] = field(default_factory=set)
    broken: str = ""

    def work(self) -> None:
        """Until `end` is set."""
        try:
            while not self.end.wait(self.rng.uniform(*PAUSE_SECONDS)):
                self._book() if self.rng.random() < 0.6 else self._cancel()
        except Exception as error:  # noqa: BLE001 - shown in the report
            self.broken = f"{type(error).__name__}: {error}"

    def _book(self) -> None:
        school = self.rng.choice(sorted(self.slots))
        fresh = [slot for slot in self.slots[school] if slot not in self.used]
        if not fresh:
            return
        people = self._get("/candidates", school=school)
        order = {
            "slot": self.rng.choice(fresh),
            "school": school,
            "candidate": self.rng.choice(people)["id"],
        }
        answer = self.state.web.post("/exams", json=order)
        self.tally[f"book {answer.status_code}"] += 1
        if answer.status_code == 201:
            self.booked.add(answer.json()["id"])
            self.used.add(order["slot"])

    def _cancel(self) -> None:
        standing = [exam for exam in self._get("/state")["exams"] if exam["state"] != CANCELLED]
        mine = [exam for exam in standing if exam["slot"] in self.offices or exam["id"] in self.booked]
        if not mine:
            return
        exam = self.rng.choice(mine)
        called = monotonic()
        answer = self.state.web.delete(f"/exams/{exam['id']}")
        self.tally[f"cancel {answer.status_code}"] += 1
        if answer.is_success:
            self.booked.discard(exam["id"])
            if exam["slot"] in self.offices:
                self.history.append(Op(Act.CANCEL, exam["slot"], exam["school"], called, inf, OpOutcome.LOST))

    def _get(self, path: str, **params: str) -> Any:
        answer: httpx2.Response = self.state.web.get(path, params=params)
        answer.raise_for_status()
        return answer.json()
