"""What a journey needs: the State's truth, a school at work over HTTP, waiting for what must come."""

import json
import re
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import httpx2

from demo import School
from devstack.stack import Stack
from resapermis_testing.certificates import NOBODY

CATEGORY = "B"
TICK_SECONDS = 2
"""How often the feed of the journeys' stack says the time."""
SETTLED_SECONDS = 20.0
"""A doubt is settled by then: the reconciler's grace, one poll, one turn of its loop."""
FIRST_PAUSE, LONGEST_PAUSE = 0.05, 0.5
"""Seconds between two askings of `until`."""
DEPARTMENTS = ("094", "075", "069", "092", "013", "033", "059", "031", "044", "067", "034", "035", "038", "006")
NUMBERS = range(1, 8)
"""School 8 of a department is an online one, 9 declared no trainer."""
PARIS = ZoneInfo("Europe/Paris")
Found = TypeVar("Found")


def until(
    ask: Callable[[], Found | None], what: str, seconds: float = SETTLED_SECONDS, pause_seconds: float = FIRST_PAUSE
) -> Found:
    """Ask again until the answer is true; fail after `seconds`, with the last answer.

    What comes at once is found at once; what takes longer is asked for less often: each asking is work for the platform.
    """
    end = time.monotonic() + seconds
    pause = threading.Event()
    while True:
        found = ask()
        if found:
            return found
        if time.monotonic() >= end:
            raise AssertionError(f"waited {seconds:.0f} s in vain for {what}; last seen: {found!r}")
        pause.wait(pause_seconds)
        pause_seconds = max(pause_seconds, min(LONGEST_PAUSE, 1.5 * pause_seconds))


@dataclass(frozen=True)
class Person:
    """An invented candidate. The names are unlike any word, so that a trace of them is theirs."""

    neph: str
    first_name: str
    last_name: str
    email: str
    id: str = ""
    """Ours, once written down."""

    @property
    def traces(self) -> tuple[str, ...]:
        """What must stand nowhere in clear."""
        return (self.neph, self.first_name, self.last_name, self.email)


def invented() -> Person:
    """A candidate with a name and a NEPH that nobody else has."""
    mark = secrets.token_hex(4)
    digits = f"26{secrets.randbelow(10**10):010}"
    return Person(digits, f"Zéphyrin-{mark}", f"Quiquampoix-{mark}", f"{mark}.qx@mail.example")


class TheState:
    """RdvPermis' truth and its switches (`/control` of the sandbox)."""

    def __init__(self, url: str) -> None:
        self.web = httpx2.Client(base_url=f"{url}/control", timeout=20, verify=NOBODY)
        self.people: list[Person] = []

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        response = self.web.request(method, path, **more)
        assert response.is_success, f"sandbox {method} {path}: {response.status_code} {response.text[:300]}"
        return response.json() if response.content else None

    def truth(self, school_id: str | None = None) -> dict[str, Any]:
        return dict(self._ask("GET", "/state", params={"school": school_id} if school_id else {}))

    def held(self, school_id: str) -> list[str]:
        """Slots in the school's baskets, a slot as often as it is held."""
        return sorted(slot for basket in self.truth(school_id)["baskets"] for slot in basket["lines"])

    def booked(self, school_id: str) -> list[str]:
        """Slots of the school's exams that stand."""
        return sorted(exam["slot"] for exam in self.truth(school_id)["exams"] if exam["state"] != "ANNULE")

    def calls(self, school_id: str, what: str) -> int:
        """How often the school's employees called, e.g. "POST /paniers"."""
        return sum(n for key, n in self.truth(school_id)["calls"].items() if key.partition("|")[2] == what)

    def exams(self, school_id: str) -> dict[str, dict[str, Any]]:
        """The school's exams that stand, by slot."""
        return {exam["slot"]: exam for exam in self.truth(school_id)["exams"] if exam["state"] != "ANNULE"}

    def person(self, school_id: str, known: Person) -> str:
        """The State's own id of a school's candidate."""
        rows = self._ask("GET", "/candidates", params={"school": school_id})
        return str(next(row["id"] for row in rows if row["neph"] == known.neph))

    def book_by_hand(self, school_id: str, slot: str, known: Person) -> str:
        """Somebody of the school books on the State's own pages; the exam."""
        order = {"slot": slot, "school": school_id, "candidate": self.person(school_id, known)}
        return str(self._ask("POST", "/exams", json=order)["id"])

    def cancel_by_hand(self, exam: str) -> None:
        """Somebody of the school cancels on the State's own pages."""
        self._ask("DELETE", f"/exams/{exam}")

    def publish_result(self, exam: str, points: int) -> None:
        """The examiner's points, of 31."""
        self._ask("POST", "/results", json={"exam": exam, "points": points})

    def publish_soon(self, centre: str, starts: datetime, seconds: int) -> str:
        """A slot that begins at an instant, on the centre's clock (Paris), and is over soon after."""
        local = starts.astimezone(PARIS)
        order = {"centre": centre, "group": CATEGORY, "date": str(local.date()), "starts": [f"{local:%H:%M:%S}"]}
        return str(self._ask("POST", "/slots/publish", json=order | {"seconds": seconds})[0])

    def publish(self, centre: str, day: date, count: int, at: datetime | None = None) -> list[str]:
        """New slots, seen by nobody yet; published now, or at `at`."""
        starts = [f"{8 + n // 2:02}:{30 * (n % 2):02}" for n in range(count)]
        body = {"centre": centre, "group": CATEGORY, "date": str(day), "starts": starts}
        return list(self._ask("POST", "/slots/publish", json=body | ({"at": at.isoformat()} if at else {})))

    def know(self, school_id: str) -> Person:
        """A candidate known to the State, who gave this school a mandate."""
        person = invented()
        self.people.append(person)
        names = {"neph": person.neph, "first_name": person.first_name, "last_name": person.last_name}
        known = self._ask("POST", "/candidates", json=names | {"email": person.email, "group": CATEGORY})
        self._ask("POST", "/mandates", json={"candidate": known["id"], "school": school_id, "group": CATEGORY})
        return person

    @contextmanager
    def faults(self, *rules: dict[str, Any]) -> Iterator[None]:
        """RdvPermis misbehaves inside the block, and is well again after it."""
        self._ask("POST", "/faults", json=list(rules))
        try:
            yield
        finally:
            self._ask("DELETE", "/faults")

    def struck(self) -> int:
        """How many calls the faults in force have met."""
        return sum(rule["struck"] for rule in self._ask("GET", "/faults"))

    def limit(self, **limits: Any) -> None:
        self._ask("POST", "/limits", json=limits)


def exam_day() -> date:
    """A working day from nine days on: beyond notice periods, within what is polled."""
    day = datetime.now(UTC).date() + timedelta(days=9)
    while day.weekday() > 4:
        day += timedelta(days=1)
    return day


class DrivingSchool(School):
    """A school's browser, signed in; its department, people and slots are its own."""

    def __init__(self, url: str, state: TheState, department: str, number: int) -> None:
        super().__init__(url)
        self.state = state
        self.name = f"{department}-{number}"
        self.id = f"ae-{self.name}"
        self.wire_department = department
        self.department = department.removeprefix("0")

    def come_in(self) -> None:
        session = self.sign_in(f"gerant.{self.name}", "sandbox")
        assert (session["school"]["id"], session["school"]["department"]) == (self.id, self.department)

    def leave(self) -> None:
        """Sign out; of this school nobody is signed in any more, if it was the only one."""
        self.act("POST", "/auth/logout")

    def give_grant(self, answer: str = "accepter") -> str:
        """Go to the State and answer there whether work may go on without anybody; the outcome's word."""
        place = str(self.act("POST", "/api/v1/me/grant")["authorizationUrl"])
        for _ in range(6):
            response = self.web.get(place)
            if response.status_code == 200:
                form = re.search(r'<form[^>]*action="([^"]*)"', response.text)
                assert form, response.text[:300]
                asked = response.url.join(form[1].replace("&amp;", "&"))
                response = self.web.post(str(asked), data={"reponse": answer})
            place = str(response.url.join(response.headers["location"]))
            if "/compte" in place:
                return place.partition("grant=")[2]
        raise AssertionError(f"no way back from {place.partition('?')[0]}")

    def again(self) -> httpx2.Client:
        """Another browser of the school with the same session, for another thread."""
        return httpx2.Client(base_url=self.web.base_url, cookies=dict(self.web.cookies), timeout=20, verify=NOBODY)

    def candidate(self) -> Person:
        """Written down here, with an active mandate."""
        person = self.state.know(self.id)
        body = {"lastName": person.last_name, "firstName": person.first_name, "neph": person.neph}
        made = self.act("POST", "/api/v1/candidates", body | {"email": person.email})
        asked = {"candidateId": made["id"], "category": CATEGORY}
        mandate = self.act("POST", "/api/v1/mandates", asked)
        assert mandate["state"] == "active", mandate
        return Person(person.neph, person.first_name, person.last_name, person.email, made["id"])

    def search(
        self, *, department: str = "", centre: str = "", poll_now: bool = False, limit: int = 200
    ) -> dict[str, Any]:
        """Search the exam day's slots of a department or a centre; returns the answer's body."""
        day = str(exam_day())
        asked: dict[str, Any] = {"department": department or self.department, "category": CATEGORY, "to": day}
        asked |= {"from": day, "pollNow": str(poll_now).lower()} | ({"centre": centre} if centre else {})
        return dict(self.get("/api/v1/slots", limit=limit, **asked))

    def slots(self, count: int, *, at: datetime | None = None) -> list[str]:
        """Fresh slots in the school's department that nobody else goes for, seen by the search."""
        centre = f"ce-{self.wire_department}-1"
        made = self.state.publish(centre, exam_day(), count, at)

        def seen() -> bool:
            found = {slot["id"]: slot for slot in self.search(centre=centre, poll_now=True)["items"]}
            return all(one in found and found[one]["allowed"] for one in made)

        until(seen, f"{count} fresh slots in the search")
        return made

    def hold(self, slot_ids: Sequence[str], people: Sequence[Person] = (), key: str | None = None) -> httpx2.Response:
        """Hold slots in one action, without asserting what became of it."""
        items = [{"slotId": slot} for slot in slot_ids]
        for item, person in zip(items, people, strict=False):
            item["candidateId"] = person.id
        return self.send("POST", "/api/v1/basket/items", {"items": items}, key)

    def held(self, slot_ids: Sequence[str], people: Sequence[Person] = ()) -> dict[str, Any]:
        """One action that succeeds; the group."""
        answer = self.hold(slot_ids, people)
        assert answer.status_code == 201, f"{answer.status_code} {answer.text}"
        return dict(answer.json()["group"])

    def validate(self, group_id: str, key: str | None = None) -> httpx2.Response:
        return self.send("POST", "/api/v1/basket/validation", {"groupId": group_id}, key)

    def booking(self) -> dict[str, Any]:
        """A booked line, from nothing."""
        group = self.held(self.slots(1), [self.candidate()])
        answer = self.validate(group["id"])
        assert answer.status_code == 200, f"{answer.status_code} {answer.text}"
        return dict(answer.json()["group"]["lines"][0])

    def lines(self) -> dict[str, dict[str, Any]]:
        """What the school holds or has booked, by slot, each slot once."""
        groups = self.get("/api/v1/basket")["groups"]
        found = [line for group in groups for line in group["lines"]]
        found += self.get("/api/v1/bookings", filter="upcoming")["items"]
        live = [line for line in found if line["state"] in {"asking", "held", "confirming", "booked"}]
        by_slot = {line["slot"]["id"]: line for line in live}
        assert len(by_slot) == len({line["id"] for line in live}), f"a slot on two lines: {live}"
        return by_slot

    def agrees(self) -> None:
        """What the school has here is what it has at the State; nothing is sold twice."""
        ours = self.lines()
        assert {slot for slot, line in ours.items() if line["state"] == "held"} == set(self.state.held(self.id))
        booked = [slot for slot, line in ours.items() if line["state"] == "booked"]
        assert sorted(booked) == self.state.booked(self.id)
        assert self.state.truth()["oversold"] == 0

    def becomes(self, line_id: str, state: str, seconds: float = SETTLED_SECONDS) -> dict[str, Any]:
        """Wait for a line's state, wherever it is shown."""

        def reached() -> dict[str, Any] | None:
            groups = self.get("/api/v1/basket")["groups"]
            shown = [line for group in groups for line in group["lines"]]
            shown += self.get("/api/v1/bookings", filter="upcoming")["items"]
            return next((line for line in shown if line["id"] == line_id and line["state"] == state), None)

        return until(reached, f"the line to be {state}", seconds)

    def notices(self, kind: str, object_id: str) -> list[dict[str, Any]]:
        found = self.get("/api/v1/notifications")["items"]
        return [one for one in found if one["kind"] == kind and one["objectId"] == object_id]

    def records(self, action: str = "", object_id: str = "") -> list[dict[str, Any]]:
        """The journal's records of an action, of an object, or of both."""
        asked = {"action": action, "objectId": object_id}
        given = {name: value for name, value in asked.items() if value}
        return list(self.get("/api/v1/audit/records", limit=100, **given)["items"])

    def picture(self) -> str:
        """All that a refused request must leave as it was: here and at the State."""
        here = self.lines(), self.get("/api/v1/candidates")["items"], self.get("/api/v1/mandates")["items"]
        there = self.state.truth(self.id)
        kept = {key: there[key] for key in ("baskets", "exams", "mandates")}
        return re.sub(r'"(seenAt|serverTime|age)": "[^"]*"', "", json.dumps([here, kept], sort_keys=True))


class Schools:
    """Hands out schools that no other test of this run has; two that follow each other are of different departments."""

    def __init__(self, stack: Stack, state: TheState) -> None:
        self._stack, self._state = stack, state
        # Two departments until their schools are used up: each that is watched is polled again and again.
        pairs = zip(DEPARTMENTS[::2], DEPARTMENTS[1::2], strict=True)
        self._free = ((department, number) for pair in pairs for number in NUMBERS for department in pair)
        self.opened: list[DrivingSchool] = []

    def new(self) -> DrivingSchool:
        return self.of(*next(self._free))

    def of(self, department: str, number: int) -> DrivingSchool:
        self.opened.append(DrivingSchool(self._stack.url, self._state, department, number))
        self.opened[-1].come_in()
        return self.opened[-1]

    def several(self, count: int) -> list[DrivingSchool]:
        return [self.new() for _ in range(count)]

    def close(self) -> None:
        for school in self.opened:
            school.web.close()
        self.opened.clear()


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """A refusal as every refusal must be: its status, its code, a sentence, nothing of a person."""
    assert answer.status_code == status, f"{answer.status_code} instead of {status}: {answer.text}"
    assert answer.headers["content-type"].startswith("application/problem+json"), answer.headers
    body: dict[str, Any] = answer.json()
    assert (body["code"], body["status"]) == (code, status), body
    assert body["type"].endswith(code)
    assert body["title"]
    assert len(body["detail"]) > 20
    return body


def key() -> str:
    """A fresh Idempotency-Key."""
    return str(uuid.uuid4())


def log_text(home: Path) -> Iterator[tuple[str, str]]:
    """Each log file of the stack with its text."""
    for file in sorted((home / "log").iterdir()):
        yield file.name, file.read_text(encoding="utf-8", errors="replace")
