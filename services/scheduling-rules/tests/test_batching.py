"""Actions judged in the same moment share one statement; each gets the answer it would get alone, of its own school."""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import UUID, uuid5

import pytest
import sqlalchemy as sa
from scheduling_peers import NOW, Service
from sqlalchemy.dialects.postgresql import Range
from test_evaluate import line, refused

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.database.statement import Statement
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure
from resapermis_kit.rpc.batcher import Batcher
from resapermis_scheduling_rules.availability.tables import occurrences, unavailabilities
from resapermis_scheduling_rules.domain.availability import LineResources
from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.evaluation import queries as actions
from resapermis_scheduling_rules.evaluation.evaluator import Evaluator
from resapermis_scheduling_rules.evaluation.tables import restrictions
from resapermis_scheduling_rules.mirror.tables import centres, slots
from resapermis_scheduling_rules.peers import Asker
from resapermis_scheduling_rules.school.tables import lines, schools, thresholds, trainers, vehicles

SCHOOLS = ("school-1", "school-2", "school-3")
PEOPLE, TRAINERS, VEHICLES = ("", "p1", "p2"), ("", "t1", "t2"), ("", "v1", "v2")
"""The same ids at each school: what sets them apart is the school alone."""
NINE = NOW + timedelta(days=15)
FAR_AROUND = Parameters(available_margin_minutes=1440, exam_minutes=600, travel_kmh=1)
HOURS = 8


def _own(school_id: str, *words: object) -> str:
    return f"{school_id}/{'/'.join(map(str, words))}"


def _uuid(school_id: str, *words: object) -> UUID:
    return uuid5(UUID(int=0), _own(school_id, *words))


async def _world(service: Service, dice: random.Random) -> None:
    """Slots of two centres and categories; three schools with people, vehicles and hours of their own."""
    rows: dict[sa.Table, list[dict[str, Any]]] = {table: [] for table in (centres, slots, schools, thresholds)}
    rows |= {table: [] for table in (restrictions, lines, trainers, vehicles, unavailabilities, occurrences)}
    for name, latitude in (("c1", 48.7), ("c2", 48.6)):
        rows[centres].append({"id": name, "name": name, "department": "91", "latitude": latitude, "longitude": 2.4})
    for n in range(HOURS):
        at = {"starts_at": NINE + timedelta(hours=n), "ends_at": NINE + timedelta(hours=n, minutes=32)}
        place = {"centre_id": f"c{n % 2 + 1}", "department": "91", "category": "BA"[n % 3 == 0], "kind": "CIRCULATION"}
        rows[slots].append({"id": f"s{n}", "status": "FREE", "published_at": NOW, "seen_at": NOW} | at | place)
    for school_id in SCHOOLS[:2]:  # the third was never seen
        rows[schools].append(
            {"id": school_id, "licence_number": school_id, "department": "91", "fte": 2, "seen_at": NOW}
        )
        counted = {"department": "91", "month": "2026-12", "category": "B", "rdvpermis_limit": dice.randrange(9)}
        rows[thresholds].append({"school_id": school_id, "seen_at": NOW} | counted)
    for school_id in SCHOOLS:
        mine = {"school_id": school_id}
        for trainer_id in TRAINERS[1:]:
            term = {
                "id": trainer_id,
                "department": school_id,
                "categories": ["B"],
                "active_from": NOW,
                "set_by": school_id,
            }
            rows[trainers].append(mine | term | {"set_at": NOW})
        vehicle = {"id": "v1", "label": "Clio", "categories": ["B", school_id], "gearbox": "manual", "retired": False}
        rows[vehicles].append(mine | vehicle | {"set_at": NOW})
        for n in range(12):
            since = NINE + timedelta(minutes=dice.randrange(-60, 60 * HOURS))
            until = since + timedelta(minutes=dice.randrange(10, 90))
            kind, ids = dice.choice(
                (("candidate", PEOPLE), ("trainer", TRAINERS), ("vehicle", VEHICLES), ("school", ""))
            )
            whose = mine | {"kind": kind, "subject_id": dice.choice(ids[1:]) if ids else ""}
            absence = {"id": _own(school_id, "away", n), "rrule": "", "time_zone": "Europe/Paris", "set_by": "a"}
            rows[unavailabilities].append(whose | absence | {"starts_at": since, "ends_at": until, "set_at": NOW})
            rows[occurrences].append(whose | {"unavailability_id": absence["id"], "during": Range(since, until)})
            at = {"starts_at": since + timedelta(hours=1), "ends_at": until + timedelta(hours=1), "changed_at": NOW}
            counts = {"department": "91", "month": "2026-12", "category": "B", "centre_id": dice.choice(("c1", "c2"))}
            whom = {"candidate_id": dice.choice(PEOPLE), "trainer_id": dice.choice(TRAINERS), "vehicle_id": "v1"}
            rows[lines].append(mine | {"id": _own(school_id, "line", n)} | at | counts | whom)
            restriction = {
                "id": _uuid(school_id, n),
                "candidate_id": dice.choice(PEOPLE[1:]),
                "category": dice.choice("AB"),
            }
            ends = NOW + timedelta(days=dice.randrange(-5, 20), seconds=1)
            rows[restrictions].append(
                mine | restriction | {"kind": "", "reason": "absence", "since": NOW - timedelta(days=9), "until": ends}
            )
    async with transaction(service.engine) as tx:
        for table, found in rows.items():
            await tx.execute(sa.insert(table).values(found))


def _action(dice: random.Random) -> actions.AskedAction:
    count = dice.randrange(5)
    wanted = [
        actions.Line(f"s{dice.randrange(HOURS + 2)}", dice.choice(PEOPLE), dice.choice(TRAINERS), dice.choice(VEHICLES))
        for _ in range(count)
    ]
    return actions.AskedAction(dice.choice(SCHOOLS), wanted, Parameters(), NOW + timedelta(days=dice.randrange(3)))


def _in_order(known: actions.ActionFacts) -> actions.ActionFacts:
    """What is around an hour comes in any order."""
    return replace(known, busy={n: sorted(busy, key=lambda one: (one.id, one.whose)) for n, busy in known.busy.items()})


async def _alone(service: Service, asked: actions.AskedAction) -> actions.ActionFacts:
    (known,) = await actions.read_facts(service.engine, [asked])
    return known


def _whose(known: actions.ActionFacts) -> set[str]:
    """The schools of what was found."""
    busy = {one.id.partition("/")[0] for found in known.busy.values() for one in found}
    driven = {category for vehicle in known.vehicles.values() for category in vehicle.categories if category != "B"}
    taught = {trainer.department for trainer in known.trainers.values()}  # a school's name, to tell theirs apart
    owners = {str(_uuid(school_id, n)): school_id for school_id in SCHOOLS for n in range(12)}
    restriction = {owners[restriction.id] for found in known.restrictions.values() for restriction in found}
    return busy | driven | taught | restriction | ({known.standing.school.id} if known.standing is not None else set())


async def test_all_at_once_hear_what_each_would_alone(service: Service) -> None:
    dice = random.Random(25)  # noqa: S311 - repeatable on purpose
    await _world(service, dice)
    found = 0
    for _ in range(40):
        asked = [_action(dice) for _ in range(dice.randrange(1, 8))]
        batched = await actions.read_facts(service.engine, asked)
        for action, known in zip(asked, batched, strict=True):
            assert _in_order(known) == _in_order(await _alone(service, action))
            assert _whose(known) <= {action.school_id}
            found += len(known.busy) + len(known.restrictions) + len(known.trainers)
    assert found > 300  # else there was nothing to mix up


async def test_who_polls_further_around_shows_nobody_else_a_conflict(service: Service) -> None:
    dice = random.Random(17)  # noqa: S311 - repeatable on purpose
    await _world(service, dice)
    wide = replace(_action(dice), widest=FAR_AROUND)
    for _ in range(20):
        action = _action(dice)
        known, alone = (await actions.read_facts(service.engine, [action, wide]))[0], await _alone(service, action)
        for n, one in enumerate(action.lines):
            if one.slot_id in alone.slots:
                want = LineResources(alone.slots[one.slot_id], one.candidate_id, one.trainer_id, one.vehicle_id)
                assert known.situation(n, want, Parameters()) == alone.situation(n, want, Parameters())


class _Counting:
    """`actions.known`, counting."""

    def __init__(self, service: Service) -> None:
        self.batches: list[int] = []
        self._service = service

    async def __call__(self, asked: Sequence[actions.AskedAction]) -> Sequence[actions.ActionFacts]:
        self.batches.append(len(asked))
        return await actions.read_facts(self._service.engine, asked)


async def _judge(evaluator: Evaluator, school_id: str, *wanted: pb.EvaluateLine, purpose: str = "hold") -> Any:
    return await evaluator.evaluate(pb.EvaluateRequest(lines=wanted, purpose=purpose), Asker(school_id))


async def test_schools_of_one_moment_share_a_statement_and_a_bad_question_harms_nobody(service: Service) -> None:
    await _world(service, random.Random(3))  # noqa: S311 - repeatable on purpose
    known = _Counting(service)
    evaluator = Evaluator(Batcher(known), service.rooms.schools, service.rooms.rulebooks, service.clock)
    await service.rooms.rulebooks.get()  # remembered for seconds
    one, unknown, bad, badly = await asyncio.gather(
        _judge(evaluator, "school-1", line("s1"), line("s2")),
        _judge(evaluator, "school-2", line("nobody-saw-it")),
        _judge(evaluator, "school-2", line("s1"), purpose="wish"),
        _judge(evaluator, "school-2", line(" ")),
        return_exceptions=True,
    )
    assert known.batches == [2]
    assert [entry.slot.id for entry in one.lines] == ["s1", "s2"]
    assert one == await _judge(evaluator, "school-1", line("s1"), line("s2"))
    assert refused(unknown.lines[0]) == ["R-PUBLISHED"]
    for failure in (bad, badly):
        assert isinstance(failure, Failure)
        assert failure.code == Code.CODE_MALFORMED


async def test_a_school_that_cannot_be_asked_about_harms_nobody_else(service: Service) -> None:
    await _world(service, random.Random(3))  # noqa: S311 - repeatable on purpose
    service.state.away = Failure(Code.CODE_RDVPERMIS_DOWN, "away")
    evaluator = Evaluator(Batcher(_Counting(service)), service.rooms.schools, service.rooms.rulebooks, service.clock)
    seen, never_seen = await asyncio.gather(
        _judge(evaluator, "school-1", line("s1")), _judge(evaluator, "school-3", line("s1")), return_exceptions=True
    )
    assert seen.lines[0].slot.id == "s1"
    assert isinstance(never_seen, Failure)


async def test_a_database_that_fails_fails_all_and_the_next_ask_anew(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await _world(service, random.Random(3))  # noqa: S311 - repeatable on purpose
    evaluator = Evaluator(Batcher(_Counting(service)), service.rooms.schools, service.rooms.rulebooks, service.clock)
    with monkeypatch.context() as broken:

        async def away(*_: Any) -> Any:
            raise Failure(Code.CODE_UNAVAILABLE, "away")

        broken.setattr(Statement, "run", away)
        both = await asyncio.gather(
            *(_judge(evaluator, school_id, line("s1")) for school_id in SCHOOLS[:2]), return_exceptions=True
        )
        assert [one.code for one in both if isinstance(one, Failure)] == [Code.CODE_UNAVAILABLE] * 2
    assert (await _judge(evaluator, "school-1", line("s1"))).lines[0].slot.id == "s1"
