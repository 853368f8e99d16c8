"""A school's office during a chaos run: one thread that holds, names, validates, releases, cancels, and writes down what it saw."""

import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from math import inf
from random import Random
from typing import Any
from uuid import UUID

import httpx2
from history import Act, Op, OpOutcome
from journey import DrivingSchool, Person

from run import answers

PATIENCE_SECONDS = 25.0
"""So long the same request is sent again before its outcome is written down as lost."""
ACTS = ("hold", "name", "validate", "release", "cancel", "read")
WEIGHTS = (34, 14, 18, 10, 8, 16)
ANSWER_SECONDS = 25.0


@dataclass
class Known:
    """A live line as the office believes it."""

    id: str
    slot: str
    group: str
    booked: bool
    candidate: str


@dataclass(frozen=True)
class Exchange:
    """A request with all its repetitions. `status` is 0 and `body` empty where no answer came in the end."""

    called: float
    answered: float
    status: int
    body: dict[str, Any]

    @property
    def lost(self) -> bool:
        """It is not known what became of it."""
        return self.status == 0


@dataclass
class Office:
    """`slots` are those the schools of its department go for; everything random comes from `rng`."""

    school: DrivingSchool
    slots: Sequence[str]
    people: Sequence[Person]
    rng: Random
    end: threading.Event
    history: list[Op] = field(default_factory=list)
    tally: Counter[str] = field(default_factory=Counter)
    known: dict[str, Known] = field(default_factory=dict)
    groups: dict[str, dict[str, str]] = field(default_factory=dict)
    """Every line it ever had: group → line → slot."""
    doubtful: set[str] = field(default_factory=set)
    """Lines that a validation without an answer may have booked."""
    validated: set[str] = field(default_factory=set)
    """Lines of which a validation answered what became of them."""
    broken: str = ""

    def work(self) -> None:
        """Until `end` is set."""
        self.school.web.timeout = httpx2.Timeout(ANSWER_SECONDS)
        acts: dict[str, Callable[[], None]] = {name: getattr(self, name) for name in ACTS}
        try:
            while not self.end.is_set():
                acts[self.rng.choices(ACTS, WEIGHTS)[0]]()
                self.end.wait(self.rng.uniform(0.02, 0.25))
        except Exception as error:  # noqa: BLE001 - shown in the report: an answer of a shape that no answer has
            self.broken = f"{type(error).__name__}: {error}"

    # Acts

    def hold(self) -> None:
        """One to three slots, most with a candidate."""
        wanted = self.rng.sample(list(self.slots), self.rng.choice((1, 1, 2, 3)))
        free = [one for one in self.people if one.id not in {line.candidate for line in self.known.values()}]
        self.rng.shuffle(free)
        items: list[dict[str, str]] = [{"slotId": slot} for slot in wanted]
        for item, person in zip(items, free, strict=False):
            if self.rng.random() < 0.7:
                item["candidateId"] = person.id
        body = {"items": items, "allOrNothing": self.rng.random() < 0.15}
        asked = self._ask("hold", "POST", "/api/v1/basket/items", body)
        if asked.lost:
            for slot in wanted:
                self._note(Act.HOLD, slot, asked, OpOutcome.LOST)
            return
        if asked.status >= 400:
            for slot in wanted:
                self._note(Act.HOLD, slot, asked, OpOutcome.REFUSED)
            return
        named = {item["slotId"]: item.get("candidateId", "") for item in items}
        group = asked.body["group"]["id"]
        for one in answers.of_hold(asked.body, asked.called, time.monotonic() - time.time()):
            self._note(Act.HOLD, one.slot, asked, one.outcome, one.line, one.lapses)
            self.tally[f"hold line {one.state} {one.code}".strip()] += 1
            if one.state in answers.LIVE:
                self.groups.setdefault(group, {})[one.line] = one.slot
                self.known[one.line] = Known(
                    one.line, one.slot, group, booked=one.state == "booked", candidate=named[one.slot]
                )

    def name(self) -> None:
        """Put a candidate on a held line."""
        line = self._some(booked=False)
        if line is not None:
            person = self.rng.choice(self.people)
            asked = self._ask("name", "PUT", f"/api/v1/basket/items/{line.id}/candidate", {"candidateId": person.id})
            if asked.status == 200:
                line.candidate = person.id

    def validate(self) -> None:
        """Validate one group of held lines, by its id."""
        line = self._some(booked=False)
        if line is None:
            return
        asked = self._ask("validate", "POST", "/api/v1/basket/validation", {"groupId": line.group})
        open_lines = {one: slot for one, slot in self.groups[line.group].items() if one not in self.validated}
        if asked.lost:
            self.doubtful |= set(open_lines)
            for one, slot in open_lines.items():
                self._note(Act.VALIDATE, slot, asked, OpOutcome.LOST, one)
            return
        if asked.status >= 400:
            return
        for result in answers.of_validation(asked.body):
            if result.outcome is OpOutcome.REFUSED:
                continue
            if result.line not in self.validated | self.doubtful:
                self._note(Act.VALIDATE, result.slot, asked, result.outcome, result.line)
            self.validated.add(result.line)
            if result.outcome is OpOutcome.ENDED:
                self.known.pop(result.line, None)
            elif result.line in self.known:
                self.known[result.line].booked = True

    def release(self) -> None:
        """Give a held line back."""
        self._end(Act.RELEASE, self._some(booked=False), "DELETE", "/api/v1/basket/items/{}", "released")

    def cancel(self) -> None:
        """Cancel a booking, so that its slot and candidate come into play again."""
        self._end(Act.CANCEL, self._some(booked=True), "POST", "/api/v1/bookings/{}/cancellation", "cancelled")

    def read(self) -> None:
        """Read basket and bookings; what is seen there is true at some moment of the reading."""
        basket = self._read("/api/v1/basket")
        coming = self._read("/api/v1/bookings", filter="upcoming", limit=100)
        seen: dict[str, Known] = {}
        for asked, lines in (
            (basket, [line for group in basket.body.get("groups", ()) for line in group["lines"]]),
            (coming, coming.body.get("items", [])),
        ):
            for line in lines:
                if line["state"] not in {"held", "booked"}:
                    continue
                booked = line["state"] == "booked"
                act = Act.SEE_BOOKED if booked else Act.SEE_HELD
                self._note(act, line["slot"]["id"], asked, OpOutcome.DONE, line["id"])
                candidate = (line.get("candidate") or {}).get("id", "")
                self.groups.setdefault(line["groupId"], {})[line["id"]] = line["slot"]["id"]
                seen[line["id"]] = Known(line["id"], line["slot"]["id"], line["groupId"], booked, candidate)
        if not basket.lost and not coming.lost:
            self.known = seen

    # How

    def _some(self, *, booked: bool) -> Known | None:
        found = [line for _, line in sorted(self.known.items()) if line.booked is booked]
        return self.rng.choice(found) if found else None

    def _end(self, act: Act, line: Known | None, method: str, path: str, wanted: str) -> None:
        if line is None:
            return
        body = {"reason": "school"} if act is Act.CANCEL else {}
        asked = self._ask(str(act), method, path.format(line.id), body)
        outcome = OpOutcome.LOST
        if not asked.lost:
            outcome = OpOutcome.REFUSED if asked.status >= 400 else answers.of_line(asked.body, wanted).outcome
        if outcome is not OpOutcome.LOST:
            self.known.pop(line.id, None)
        self._note(act, line.slot, asked, outcome, line.id)

    def _note(
        self, act: Act, slot: str, asked: Exchange, outcome: OpOutcome, line: str = "", lapses: float = -inf
    ) -> None:
        if slot not in self.slots:  # left by an earlier seed, whose history is closed
            return
        answered = inf if outcome is OpOutcome.LOST else asked.answered
        self.history.append(Op(act, slot, self.school.id, asked.called, answered, outcome, line, lapses))

    def _ask(self, word: str, method: str, path: str, body: dict[str, Any]) -> Exchange:
        """Send until there is an answer that states what became of it, always with the same key."""
        key = str(UUID(int=self.rng.getrandbits(128), version=4))
        called = time.monotonic()
        pause = 0.2
        while True:
            status, answered = self._once(lambda: self.school.send(method, path, body, key))
            code = answers.code_of(status, answered) if status else "NO_ANSWER"
            self.tally[f"{word} {code or status}"] += 1
            if status and not answers.again(status, answered):
                return Exchange(called, time.monotonic(), status, answered)
            if time.monotonic() - called > PATIENCE_SECONDS:
                self.tally[f"{word} lost"] += 1
                return Exchange(called, inf, 0, {})
            time.sleep(pause)
            pause = min(pause * 1.5, 2)

    def _read(self, path: str, **params: Any) -> Exchange:
        called = time.monotonic()
        status, answered = self._once(lambda: self.school.web.get(path, params=params))
        self.tally[f"read {answers.code_of(status, answered) or status if status else 'NO_ANSWER'}"] += 1
        if status != 200:
            return Exchange(called, inf, 0, {})
        return Exchange(called, time.monotonic(), status, answered)

    @staticmethod
    def _once(send: Callable[[], httpx2.Response]) -> tuple[int, dict[str, Any]]:
        try:
            answer = send()
        except httpx2.HTTPError:
            return 0, {}
        try:
            answered = answer.json()
        except ValueError:
            answered = {}
        return answer.status_code, answered if isinstance(answered, dict) else {}
