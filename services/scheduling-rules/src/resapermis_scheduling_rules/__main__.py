"""Wires scheduling-rules; the only place where its parts meet."""

import asyncio
import secrets
import sys

from resapermis.basket.v1.events_pb2 import LineChanged, PenaltiesFound, ResultFound
from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceStub
from resapermis.scheduling.v1.availability_pb2_grpc import add_AvailabilityServiceServicer_to_server
from resapermis.scheduling.v1.scheduling_pb2_grpc import add_SchedulingServiceServicer_to_server
from resapermis.scheduling.v1.school_pb2_grpc import add_SchoolServiceServicer_to_server
from resapermis_kit.clock import new_id
from resapermis_kit.errors import Failure
from resapermis_kit.events.event import BatchHandler
from resapermis_kit.process import run
from resapermis_kit.process.process import Process
from resapermis_scheduling_rules import events, invariants
from resapermis_scheduling_rules.availability.absences import Absences
from resapermis_scheduling_rules.availability.ical.run import Reader
from resapermis_scheduling_rules.availability_servicer import AvailabilityServicer
from resapermis_scheduling_rules.evaluation import restrictions as outcomes
from resapermis_scheduling_rules.evaluation.standing import Standings
from resapermis_scheduling_rules.facts import Facts
from resapermis_scheduling_rules.mirror.planner import Favourites, Planner
from resapermis_scheduling_rules.mirror.poller import Looker
from resapermis_scheduling_rules.parameters import change
from resapermis_scheduling_rules.school.people import Nights, People
from resapermis_scheduling_rules.school_servicer import SchoolServicer
from resapermis_scheduling_rules.servicer import SchedulingServicer
from resapermis_scheduling_rules.settings import Settings
from resapermis_scheduling_rules.watching.matcher import Matcher
from resapermis_scheduling_rules.workers import Lines, forget

NAME, PACKAGE = "scheduling-rules", "resapermis_scheduling_rules"
MATCH_SECONDS = 2
"""How long news of slots may wait for saved searches."""
FAVOURITES_SECONDS = 20
"""Between rounds of reading a few schools' favourites."""


def main() -> int:
    """Command line: `migrate`, `parameter …` (see parameters/change.py), or nothing to serve."""
    if sys.argv[1:2] == ["parameter"]:
        try:
            print(asyncio.run(change.command(sys.argv[2:], Settings().database_url)))  # noqa: T201 - a command line speaks
        except Failure as failure:
            print(f"{failure.name}: {failure.detail}", file=sys.stderr)  # noqa: T201
            return 1
        return 0
    return run.main(
        sys.argv[1:],
        PACKAGE,
        lambda: Settings().database_url,
        _serve,
    )


def new_token() -> str:
    """256 random bits, URL-safe."""
    return secrets.token_urlsafe(32)


async def _serve() -> None:
    settings = Settings()

    async def build(process: Process) -> None:
        egress = RdvPermisServiceStub(process.peer("egress"))
        facts = Facts(process.engine, egress, process.now, settings.remembered_seconds, process.outbox)
        looker = Looker(
            process.engine,
            egress,
            process.outbox,
            process.now,
            at_once=settings.looks_at_once,
            per_minute=settings.looks_per_minute,
            behind=settings.looks_behind,
        )
        servicer = SchedulingServicer(
            process.engine, facts, looker, process.now, first_look_seconds=settings.first_look_seconds
        )
        process.server.add(
            add_SchedulingServiceServicer_to_server, servicer, "resapermis.scheduling.v1.SchedulingService"
        )
        people = People(process.engine, process.outbox, process.now)
        process.server.add(
            add_SchoolServiceServicer_to_server,
            SchoolServicer(
                process.engine, facts, people, Standings(process.engine, process.outbox, process.now), process.now
            ),
            "resapermis.scheduling.v1.SchoolService",
        )
        absences = Absences(process.engine, process.outbox, Reader(), process.now, new_id)
        process.server.add(
            add_AvailabilityServiceServicer_to_server,
            AvailabilityServicer(process.engine, process.outbox, facts, absences, process.now, new_token),
            "resapermis.scheduling.v1.AvailabilityService",
        )
        process.every(600, "roll", absences.roll)
        process.every(3600, "forget_absences", absences.forget)
        nights = Nights(process.engine, process.outbox, process.now)
        process.every(60, "fte", nights.compute)
        process.every(300, "endings", nights.warn)
        process.every(3600, "forget_hours", nights.forget)
        process.consume(
            "basket",
            {
                LineChanged: BatchHandler(Lines(process.outbox, process.now).on_lines_changed),
                ResultFound: outcomes.on_result_found,
                PenaltiesFound: outcomes.on_penalties_found,
            },
        )
        process.invariants |= invariants.ALWAYS
        process.closers += [looker.close, facts.close]
        process.every(3600, "forget", lambda: forget(process.engine, process.now()))
        process.every(MATCH_SECONDS, "match", Matcher(process.engine, facts, process.now).round)
        if settings.plan_seconds > 0:
            planner = Planner(process.engine, egress, looker, process.now, most=settings.plan_looks)
            process.every(settings.plan_seconds, "plan", planner.round)
            process.every(FAVOURITES_SECONDS, "favourites", Favourites(process.engine, facts, process.now).round)

    await run.serve(NAME, PACKAGE, settings, events.FACTS, build)


if __name__ == "__main__":
    sys.exit(main())
