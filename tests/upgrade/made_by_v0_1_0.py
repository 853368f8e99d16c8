"""Run by release v0.1.0 itself, with its own interpreter and tools, never by this one: makes a stack with everything in it.

`python made_by_v0_1_0.py HOME PORT ANSWER` leaves in HOME what a school had when the power went: a booking with its
records and proofs, live holds, mandates, a penalty whose lifting was proposed and what else the rules keep, an event that was set aside and one that will be, messages that no consumer has
handled, rows that were never published. What was there, with every row of every database, is written to ANSWER as JSON. Every
process dies as it stands; only the sandbox, which is the State and not ours, ends in order.

It is written in the words of v0.1.0 and never changes.
"""

import asyncio
import json
import os
import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
from journey import CATEGORY, PARIS, DrivingSchool, Person, TheState, exam_day, key, until
from kept_rows import Tables, kept_rows

from devstack import BackgroundStack, Stack
from devstack.parts import MAIL, NATS, POSTGRES, SANDBOX, SERVICES, service_named
from resapermis_kit.clock import new_id
from resapermis_scheduling_rules.parameters import change

until.__defaults__ = (120.0, 0.1)  # on a busy machine each condition of this release comes too, later
NO_MESSAGE = b"\xff\xff\xff"
POISONED_TYPE = "resapermis.basket.v1.ResultFound"
"""notification and scheduling-rules handle it."""
DEPARTMENT, NUMBER = "094", 1
PENALTY, DAYS = "late_cancel_bar_days", 25


class Making:
    """The steps, in order."""

    def __init__(self, running: BackgroundStack) -> None:
        self.running, self.stack = running, running.stack
        self.state = TheState(self.stack.settings.sandbox_url)
        self.school = DrivingSchool(self.stack.url, self.state, DEPARTMENT, NUMBER)

    def everything(self) -> dict[str, Any]:
        school = self.school
        school.come_in()
        people = [school.candidate() for _ in range(4)]
        pending = self.pending_mandate()
        slots = school.slots(9)

        rules = self.rules()
        early = self.booked(slots[0], people[0])
        held = school.held([slots[1]], [people[1]])
        ending = school.held([slots[7]], [people[3]])
        until(lambda: school.notices("booking.confirmed", early), "the notice of the booking")
        (notice,) = school.notices("booking.confirmed", early)
        school.act("POST", f"/api/v1/notifications/{notice['id']}/read")
        proofs = self.proofs()
        set_aside = self.poison()
        for consumer in ("notification", "scheduling_rules"):
            until(lambda of=consumer: self.ask(of, "SELECT id::text FROM dead_letter"), "the event to be set aside")

        # Published, and handled by neither: notices and records lie in the bus.
        self.running.kill("notification")
        self.running.kill("audit")
        late = self.booked(slots[2], people[2])
        several = school.held(slots[3:6])
        repeatable = self.repeatable(slots[8])
        to_be_set_aside = self.poison()
        until(lambda: not self.unpublished("basket"), "basket's events to be published")
        until(lambda: self.ask("scheduling_rules", "SELECT slot_id FROM search_match LIMIT 1"), "a match of the search")

        # Never published: only the outbox has them.
        self.running.kill(NATS)
        alone = school.held([slots[6]])
        school.act("DELETE", f"/api/v1/basket/items/{several['lines'][2]['id']}", expect=(200, 204))
        unpublished = self.unpublished("basket")
        assert unpublished, "acts without a bus wait in the outbox"
        return {
            "school": {"department": DEPARTMENT, "number": NUMBER},
            "cookies": dict(school.web.cookies),
            "lines": {slot: [line["id"], line["state"]] for slot, line in school.lines().items() if slot != slots[7]},
            "ending": {"slot": slots[7], "line": ending["lines"][0]["id"], "candidate": people[3].id},
            "groups": {"held": held["id"], "several": several["id"], "alone": alone["id"]},
            "candidates": sorted(one["id"] for one in school.get("/api/v1/candidates")["items"]),
            "mandates": {one["id"]: one["state"] for one in school.get("/api/v1/mandates")["items"]},
            "pending": pending,
            "bookings": {"early": early, "late": late},
            "people": {"held": people[1].id},
            "found": [{"id": one.id, "by": [one.last_name, one.first_name, one.neph]} for one in people],
            "repeatable": repeatable,
            "rules": rules,
            "proofs": proofs,
            "poisoned": {"set_aside": set_aside, "to_be_set_aside": to_be_set_aside},
            "unpublished": unpublished,
            "events": {service.database: self.outbox(service.database) for service in SERVICES},
            "records": self.ask("audit", "SELECT id::text, action, encode(leaf_data, 'hex') FROM entry"),
            "positions": self.ask("notification", "SELECT source, position FROM inbox ORDER BY source"),
        }

    def booked(self, slot: str, person: Person) -> str:
        group = self.school.held([slot], [person])
        answer = self.school.validate(group["id"])
        assert answer.status_code == 200, answer.text
        return str(group["lines"][0]["id"])

    def pending_mandate(self) -> str:
        (person,) = self.state.web.get("/candidates/free", params={"group": "B", "count": 1}).json()
        body = {"lastName": person["last_name"], "firstName": person["first_name"], "neph": person["neph"]}
        made = self.school.act("POST", "/api/v1/candidates", body | {"email": person["email"]})
        mandate = self.school.act("POST", "/api/v1/mandates", {"candidateId": made["id"], "category": "B"})
        assert mandate["state"] == "pending", mandate
        return str(mandate["id"])

    def repeatable(self, slot: str) -> list[dict[str, Any]]:
        """Commands with their keys and what they were answered, one for each service that keeps such answers for schools."""
        (person,) = self.state.web.get("/candidates/free", params={"group": "B", "count": 1}).json()
        names = {"lastName": person["last_name"], "firstName": person["first_name"], "neph": person["neph"]}
        vehicle = {"label": "Clio 2", "categories": [CATEGORY], "gearbox": "automatic"}
        commands = {
            "/api/v1/candidates": names,
            "/api/v1/school/vehicles": vehicle,
            "/api/v1/basket/items": {"items": [{"slotId": slot}]},
        }
        done = []
        for path, body in commands.items():
            under = key()
            answer = self.school.send("POST", path, body, under)
            assert answer.status_code == 201, answer.text
            done.append({"path": path, "body": body, "key": under, "answer": answer.json()})
        return done

    def school_records(self, trainer: str) -> dict[str, Any]:
        """What a school writes down of itself, and the address of a trainer's calendar, which is shown once."""
        school = self.school
        school.act("PUT", "/api/v1/school/licence", {"licensedUntil": "2030-01-31"})
        vehicle = {"label": "Clio 1", "categories": [CATEGORY], "gearbox": "manual"}
        school.act("POST", "/api/v1/school/vehicles", vehicle)
        hours = {
            "trainerId": trainer,
            "month": f"{datetime.now(PARIS):%Y-%m}",
            "category": CATEGORY,
            "kind": "practical",
        }
        school.act("PUT", "/api/v1/school/hours", {"hours": [hours | {"hours": 120.25}]})
        address = school.act("POST", f"/api/v1/calendar-feeds/{trainer}")["address"]
        return {
            "school": school.get("/api/v1/school"),
            "hours": school.get("/api/v1/school/hours"),
            "feed": address.removeprefix(self.stack.url),
        }

    def kept(self) -> dict[str, Tables]:
        return {service.database: kept_rows(self.stack.database_url(service.database)) for service in SERVICES}

    def rules(self) -> dict[str, Any]:
        """What scheduling-rules keeps beside slots and thresholds, as it shows it."""
        school = self.school
        someone = school.get("/api/v1/school/trainers")["others"][0]["id"]
        plan = {"department": school.department, "categories": [CATEGORY], "activeFrom": "2026-01-05"}
        school.act("PUT", f"/api/v1/school/trainers/{someone}", plan)
        records = self.school_records(someone)
        absence: dict[str, Any] = {
            "startsAt": f"{exam_day()}T18:00",
            "endsAt": f"{exam_day()}T19:00",
            "rrule": "FREQ=WEEKLY",
        }
        absence |= {"subject": {"kind": "trainer", "id": someone}}

        def kept_absence() -> bool:
            # v0.1.0 forks a process that runs gRPC to read it: about one answer in twenty is a 500, and nothing is kept.
            return school.send("POST", "/api/v1/unavailabilities", absence).status_code == 201

        until(kept_absence, "the absence to be kept")
        search = {"department": school.department, "category": CATEGORY, "dayFrom": "08:00", "weekdays": [1, 2]}
        school.act("POST", "/api/v1/saved-searches", {"label": "Matin", "search": search})
        favourite = {"centreId": f"ce-{DEPARTMENT}-1", "priority": 0}
        school.act("PUT", "/api/v1/favourite-centres", {"category": CATEGORY, "favourites": [favourite]})
        until(lambda: self.ask("scheduling_rules", "SELECT 1 FROM favourite_look"), "the favourites to be looked at")
        self.approved_parameter()

        kept, given_up = self.soon(2)
        people = [school.candidate() for _ in range(2)]
        still = self.booked(kept, people[0])
        lost = self.booked(given_up, people[1])
        school.act("POST", f"/api/v1/bookings/{lost}/cancellation", {"reason": "candidate_ill"})

        def own() -> list[dict[str, Any]]:
            bars = school.get(f"/api/v1/candidates/{people[1].id}/standing")["bars"]
            return [one for one in bars if not one["fromRdvpermis"]]

        (bar,) = until(own, "the penalty of a late cancellation")
        school.act("POST", f"/api/v1/bars/{bar['id']}/lift", {"reason": "illness"}, expect=(204,))
        window = {"from": str(exam_day()), "to": str(exam_day()), "subject": "trainer", "subjectId": someone}
        parameters = school.get("/api/v1/rules/parameters")["items"]
        return {
            "trainers": school.get("/api/v1/school/trainers")["items"],
            "records": records,
            "absence": {"asked": window, "items": school.get("/api/v1/unavailabilities", **window)["items"]},
            "searches": school.get("/api/v1/saved-searches")["items"],
            "favourites": [one["centreId"] for one in school.get("/api/v1/favourite-centres")["items"]],
            "parameters": [one for one in parameters if one["name"] == PENALTY],
            "bars": {"candidate": people[1].id, "items": own()},
            "late": still,
            "rows": self.ask("scheduling_rules", "SELECT id::text, lift_reason, proposed_by FROM bar ORDER BY id"),
        }

    def approved_parameter(self) -> None:
        """Another penalty for this department, by two people."""
        database = self.stack.settings.service(service_named("scheduling-rules"))["RESAPERMIS_DATABASE_URL"]
        day = str(datetime.now(UTC) + timedelta(seconds=5))
        proposal = ["propose", "account-1", PENALTY, str(DAYS), day, self.school.department]
        proposed = asyncio.run(change.command(proposal, database))
        asyncio.run(change.command(["approve", "account-2", proposed], database))

    def soon(self, count: int) -> list[str]:
        """Fresh slots so near that giving one up is late."""
        day: date = datetime.now(PARIS).date() + timedelta(days=3)
        while day.weekday() > 4:
            day += timedelta(days=1)
        centre = f"ce-{DEPARTMENT}-1"
        made = self.state.publish(centre, day, count)
        asked = {"department": self.school.department, "category": CATEGORY, "centre": centre, "lookNow": "true"}

        def seen() -> bool:
            page = self.school.get("/api/v1/slots", limit=200, **asked, **{"from": str(day), "to": str(day)})
            found = {slot["id"]: slot for slot in page["items"]}
            return all(one in found and found[one]["allowed"] for one in made)

        until(seen, f"{count} near slots in the search")
        return made

    def proofs(self) -> dict[str, Any]:
        """The journal as a school may have saved it: a few records with their proofs, and the checkpoint they stand under."""

        def recorded() -> list[dict[str, Any]]:
            found = [one for one in self.school.records() if one["leafIndex"] is not None]
            return found if "booking.confirm" in {one["action"] for one in found} else []

        kept = until(recorded, "the booking's record in the tree")[:12]
        proofs = {one["id"]: self.school.get(f"/api/v1/audit/records/{one['id']}/proof") for one in kept}
        checkpoint = self.school.get("/api/v1/audit/checkpoint")
        return {"records": kept, "proofs": proofs, **checkpoint}

    def poison(self) -> str:
        """An event of basket that no consumer can read, on its way like any other."""
        event = str(new_id())
        self.ask(
            "basket",
            "INSERT INTO outbox (id, lane, type, payload, traceparent, occurred_at)"
            " VALUES ($1::text::uuid, 'facts', $2, $3, '', now()) RETURNING id::text",
            event,
            POISONED_TYPE,
            NO_MESSAGE,
        )
        return event

    def hear(self, candidate: str) -> None:
        """basket, dead by now, has written down that a candidate's mandate ended, and not acted on it yet."""
        written = self.ask(
            "basket",
            "INSERT INTO heard (id, slot_id, school_id, candidate_id, category)"
            " SELECT $1::text::uuid, '', school_id, candidate_id, category FROM basket_line"
            " WHERE candidate_id = $2::text::uuid RETURNING id::text",
            str(new_id()),
            candidate,
        )
        assert len(written) == 1, "the candidate's hold is there"

    def unpublished(self, database: str) -> list[str]:
        return [
            row[0] for row in self.ask(database, "SELECT id::text FROM outbox WHERE published_at IS NULL ORDER BY id")
        ]

    def outbox(self, database: str) -> list[list[Any]]:
        return self.ask(database, "SELECT id::text, type, number, encode(payload, 'base64') FROM outbox ORDER BY id")

    def ask(self, database: str, question: str, *values: object) -> list[list[Any]]:
        async def asked() -> list[list[Any]]:
            connection = await asyncpg.connect(self.stack.database_url(database), timeout=10)
            try:
                return [list(row) for row in await connection.fetch(question, *values)]
            finally:
                await connection.close()

        return asyncio.run(asked())


def main(home: Path, port: int, answer: Path) -> None:
    settings = {"basket": {"RESAPERMIS_GRACE_SECONDS": "2"}}
    running = BackgroundStack(Stack(home, port, part_settings=settings)).__enter__()
    try:
        making = Making(running)
        told = making.everything()
        running.stop(SANDBOX)
        for service in SERVICES:
            running.kill(service.name)
        making.hear(told["ending"]["candidate"])
        # Read when nobody writes any more, and all that was written is on the disk: the line above waited for it.
        answer.write_text(json.dumps(told | {"kept": making.kept()}), encoding="utf-8")
    finally:
        for part in (*(service.name for service in SERVICES), POSTGRES, MAIL):
            running.kill(part)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
