"""Run by release v0.1.0 itself, with its own interpreter and tools, never by this one: makes a stack with everything in it.

`python made_by_v0_1_0.py HOME PORT ANSWER` leaves in HOME what a school had when the power went: a booking with its
records and proofs, live holds, mandates, an event that was set aside and one that will be, messages that no consumer has
handled, rows that were never published. What was there is written to ANSWER as JSON. Then every process dies at once; only the sandbox, which
is the State and not ours, ends in order.

It is written in the words of v0.1.0 and never changes.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

import asyncpg
from journey import DrivingSchool, Person, TheState, until

from devstack import BackgroundStack, Stack
from devstack.parts import MAIL, NATS, POSTGRES, SANDBOX, SERVICES
from resapermis_kit.clock import new_id

NO_MESSAGE = b"\xff\xff\xff"
POISONED_TYPE = "resapermis.basket.v1.ResultFound"
"""notification and scheduling-rules handle it."""
DEPARTMENT, NUMBER = "094", 1


class Making:
    """The steps, in order."""

    def __init__(self, running: BackgroundStack) -> None:
        self.running, self.stack = running, running.stack
        self.state = TheState(self.stack.settings.sandbox_url)
        self.school = DrivingSchool(self.stack.url, self.state, DEPARTMENT, NUMBER)

    def everything(self) -> dict[str, Any]:
        school = self.school
        school.come_in()
        people = [school.candidate() for _ in range(3)]
        pending = self.pending_mandate()
        slots = school.slots(8)

        early = self.booked(slots[0], people[0])
        held = school.held([slots[1]], [people[1]])
        until(lambda: school.notices("booking.confirmed", early), "the notice of the booking")
        proofs = self.proofs()
        set_aside = self.poison()
        for consumer in ("notification", "scheduling_rules"):
            until(lambda of=consumer: self.ask(of, "SELECT id::text FROM dead_letter"), "the event to be set aside")

        # Published, and handled by neither: notices and records lie in the bus.
        self.running.kill("notification")
        self.running.kill("audit")
        late = self.booked(slots[2], people[2])
        several = school.held(slots[3:6])
        to_be_set_aside = self.poison()
        until(lambda: not self.unpublished("basket"), "basket's events to be published")

        # Never published: only the outbox has them.
        self.running.kill(NATS)
        alone = school.held([slots[6]])
        school.act("DELETE", f"/api/v1/basket/items/{several['lines'][2]['id']}", expect=(200, 204))
        unpublished = self.unpublished("basket")
        assert unpublished, "acts without a bus wait in the outbox"
        return {
            "school": {"department": DEPARTMENT, "number": NUMBER},
            "cookies": dict(school.web.cookies),
            "lines": {slot: [line["id"], line["state"]] for slot, line in school.lines().items()},
            "groups": {"held": held["id"], "several": several["id"], "alone": alone["id"]},
            "candidates": sorted(one["id"] for one in school.get("/api/v1/candidates")["items"]),
            "mandates": {one["id"]: one["state"] for one in school.get("/api/v1/mandates")["items"]},
            "pending": pending,
            "bookings": {"early": early, "late": late},
            "people": {"held": people[1].id},
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
        told = Making(running).everything()
        answer.write_text(json.dumps(told), encoding="utf-8")
        running.stop(SANDBOX)
    finally:
        for part in (*(service.name for service in SERVICES), POSTGRES, MAIL):
            running.kill(part)
    os._exit(0)


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), Path(sys.argv[3]))
