"""Wires scheduling-rules; the only place where its rooms meet."""

import secrets
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.basket.v1.events_pb2 import LineChanged, PenaltiesFound, ResultFound
from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceStub
from resapermis.scheduling.v1.availability_pb2_grpc import add_AvailabilityServiceServicer_to_server
from resapermis.scheduling.v1.scheduling_pb2_grpc import add_SchedulingServiceServicer_to_server
from resapermis.scheduling.v1.school_pb2_grpc import add_SchoolServiceServicer_to_server
from resapermis_kit.clock import Clock, new_id
from resapermis_kit.events.event import BatchHandler
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.process import run_loop
from resapermis_kit.process.process import Process
from resapermis_kit.rpc.batcher import Batcher
from resapermis_scheduling_rules import invariants
from resapermis_scheduling_rules.availability.commands import UnavailabilityCommands
from resapermis_scheduling_rules.availability.ical.reader_process import CalendarReader
from resapermis_scheduling_rules.availability_servicer import AvailabilityServicer
from resapermis_scheduling_rules.evaluation import queries, restrictions, thresholds
from resapermis_scheduling_rules.evaluation.evaluator import Evaluator
from resapermis_scheduling_rules.evaluation.standing import CandidateStandings
from resapermis_scheduling_rules.mirror.centres import Centres
from resapermis_scheduling_rules.mirror.planner import PollPlanner
from resapermis_scheduling_rules.mirror.poller import Poller
from resapermis_scheduling_rules.parameters.queries import Rulebooks
from resapermis_scheduling_rules.peers import SingleFlight
from resapermis_scheduling_rules.school.queries import note_granted, note_reached
from resapermis_scheduling_rules.school.schools import Schools
from resapermis_scheduling_rules.school.staff_commands import SchoolTasks, StaffCommands
from resapermis_scheduling_rules.school_servicer import SchoolServicer
from resapermis_scheduling_rules.search.freshness import Freshness
from resapermis_scheduling_rules.search.search import SlotSearch
from resapermis_scheduling_rules.servicer import SchedulingServicer
from resapermis_scheduling_rules.settings import Settings
from resapermis_scheduling_rules.watchlist.favourites import Favourites
from resapermis_scheduling_rules.watchlist.matcher import Matcher
from resapermis_scheduling_rules.watchlist.poll_demand import PollDemandReader
from resapermis_scheduling_rules.watchlist.queries import add_news
from resapermis_scheduling_rules.watchlist.saved_searches import SavedSearches
from resapermis_scheduling_rules.workers import Lines, forget
from resapermis_vault.kek import KeyEncryption
from resapermis_vault.keyset import Keyset

if TYPE_CHECKING:
    from resapermis.rdvpermis.v1.rdvpermis_pb2_grpc import RdvPermisServiceAsyncStub

NAME, PACKAGE = "scheduling-rules", "resapermis_scheduling_rules"
MATCH_SECONDS = 2
"""How long news of slots may wait for saved searches."""
SEAL_SECONDS = 60
"""Between rounds of sealing what replicas of an earlier release write in clear while they are replaced."""
FAVOURITES_SECONDS = 20
"""Between rounds of reading a few schools' favourites."""


def new_token() -> str:
    """256 random bits as URL-safe text, for a private calendar's address."""
    return secrets.token_urlsafe(32)


@dataclass(frozen=True)
class Rooms:
    """What one process is made of, with what each room is handed from another."""

    single_flight: SingleFlight
    rulebooks: Rulebooks
    schools: Schools
    centres: Centres
    poller: Poller
    planner: PollPlanner
    favourites: Favourites
    saved_searches: SavedSearches
    matcher: Matcher
    unavailabilities: UnavailabilityCommands
    school_tasks: SchoolTasks
    lines: Lines
    scheduling: SchedulingServicer
    school: SchoolServicer
    availability: AvailabilityServicer


def assemble(
    engine: AsyncEngine,
    egress: "RdvPermisServiceAsyncStub",
    outbox: Outbox,
    kek: KeyEncryption,
    now: Clock,
    settings: Settings,
) -> Rooms:
    """Make the rooms; `kek` seals what people write for themselves; a lower one that needs something of a higher one is handed a function of it."""
    single_flight, seconds = SingleFlight(), settings.remembered_seconds
    announce = partial(thresholds.announce, outbox)
    rulebooks = Rulebooks(engine, now, seconds)
    schools = Schools(engine, egress, now, seconds, single_flight, announce)
    centres = Centres(engine, egress, now, seconds, single_flight)
    poller = Poller(
        engine,
        egress,
        outbox,
        now,
        at_once=settings.polls_at_once,
        per_minute=settings.polls_per_minute,
        in_background=settings.polls_behind,
        note_reached=note_reached,
        note_newly_free=add_news,
    )
    freshness = Freshness(
        engine, schools, rulebooks, poller, single_flight, now, first_poll_seconds=settings.first_poll_seconds
    )
    favourites = Favourites(engine, egress, outbox, now, single_flight)
    people, standings = StaffCommands(engine, outbox, now, announce), CandidateStandings(engine, outbox, now)
    unavailabilities = UnavailabilityCommands(engine, outbox, CalendarReader(settings.calendar_seconds), now, new_id)
    saved_searches = SavedSearches(engine, outbox, schools, kek, now)
    scheduling = SchedulingServicer(
        engine,
        SlotSearch(engine, schools, centres, rulebooks, freshness, now),
        Evaluator(Batcher(partial(queries.read_facts, engine)), schools, rulebooks, now),
        thresholds.Thresholds(engine, schools, rulebooks, now),
        favourites,
        saved_searches,
        now,
    )
    return Rooms(
        single_flight=single_flight,
        rulebooks=rulebooks,
        schools=schools,
        centres=centres,
        poller=poller,
        planner=PollPlanner(
            engine, egress, poller, now, PollDemandReader(engine), note_granted, most=settings.plan_polls
        ),
        favourites=favourites,
        saved_searches=saved_searches,
        matcher=Matcher(engine, outbox, schools, rulebooks, now),
        unavailabilities=unavailabilities,
        school_tasks=SchoolTasks(engine, outbox, now, announce),
        lines=Lines(outbox, now),
        scheduling=scheduling,
        school=SchoolServicer(engine, schools, people, standings, now),
        availability=AvailabilityServicer(engine, outbox, schools, unavailabilities, now, new_token),
    )


async def serve() -> None:
    """Run the service until SIGTERM or SIGINT."""
    settings = Settings()

    async def build(process: Process) -> None:
        egress = RdvPermisServiceStub(process.peer("egress"))
        kek = Keyset.load(settings.keyset_file)
        rooms = assemble(process.engine, egress, process.outbox, kek, process.now, settings)
        process.server.add(
            add_SchedulingServiceServicer_to_server, rooms.scheduling, "resapermis.scheduling.v1.SchedulingService"
        )
        process.server.add(add_SchoolServiceServicer_to_server, rooms.school, "resapermis.scheduling.v1.SchoolService")
        process.server.add(
            add_AvailabilityServiceServicer_to_server,
            rooms.availability,
            "resapermis.scheduling.v1.AvailabilityService",
        )
        process.consume(
            "basket",
            {
                LineChanged: BatchHandler(rooms.lines.on_lines_changed),
                ResultFound: restrictions.on_result_found,
                PenaltiesFound: restrictions.on_penalties_found,
            },
        )
        process.invariants |= invariants.ALWAYS
        process.closers += [rooms.poller.close, rooms.single_flight.close]
        process.every(600, "roll", rooms.unavailabilities.extend_recurrences)
        process.every(3600, "forget_unavailabilities", rooms.unavailabilities.forget)
        process.every(60, "fte", rooms.school_tasks.compute)
        process.every(300, "endings", rooms.school_tasks.warn)
        process.every(3600, "forget_hours", rooms.school_tasks.forget)
        process.every(3600, "forget", lambda: forget(process.engine, process.now()))
        process.every(SEAL_SECONDS, "seal_labels", rooms.saved_searches.seal_labels)
        process.every(MATCH_SECONDS, "match", rooms.matcher.round)
        if settings.plan_seconds > 0:
            process.every(settings.plan_seconds, "plan", rooms.planner.round)
            process.every(FAVOURITES_SECONDS, "favourites", rooms.favourites.round)

    await run_loop.serve(NAME, PACKAGE, settings, build)
