"""How exams went (R-22): polled at RdvPermis, kept on the line, published once; and what restricts their candidates."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from uuid import UUID

import structlog
from google.protobuf.message import Message
from prometheus_client import Counter

from resapermis.basket.v1.events_pb2 import FoundPenalty as PublishedPenalty
from resapermis.basket.v1.events_pb2 import PenaltiesFound
from resapermis.booking.v1 import booking_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket import events
from resapermis_basket.booking.queries import due_for_a_result, keep_penalties, penalties_published, tallies
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.line import Line, by_school
from resapermis_basket.domain.result import FoundPenalty, FoundResult, next_poll, result_of_exam
from resapermis_basket.line.failures import note_failed, write_apart
from resapermis_basket.line.queries import database_now, reread, update_lines
from resapermis_basket.peers import on_behalf
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure, malformed
from resapermis_kit.rpc.auth import Principal

log = structlog.get_logger()
FOUND = Counter("resapermis_basket_results_total", "Results found at RdvPermis", ["outcome"])
AT_ONCE = 4
MOST_PAGES = 100
RETRY = timedelta(minutes=15)
_MONTH = re.compile(r"\d{4}-(0[1-9]|1[0-2])")


@dataclass(frozen=True)
class CandidateStanding:
    """Results and penalties that RdvPermis lists under one of its candidates."""

    results: Sequence[FoundResult]
    penalties: Sequence[FoundPenalty]


async def poll_results(dependencies: Dependencies) -> None:
    """One round: read the lists of every school that awaits a result, each category once."""
    async with transaction(dependencies.engine) as tx:
        due = await due_for_a_result(tx)
    free = asyncio.Semaphore(AT_ONCE)

    async def one(school_id: str, category: str, lines: list[Line]) -> None:
        async with free:
            try:
                await _poll(dependencies, school_id, category, lines)
            except Exception as error:  # noqa: BLE001 - the others go on
                note_failed(lines, error)

    asked = [
        (school_id, category, [line for line in lines if line.slot.category == category])
        for school_id, lines in by_school(due).items()
        for category in sorted({line.slot.category for line in lines})
    ]
    await asyncio.gather(*(one(*each) for each in asked))


async def _poll(dependencies: Dependencies, school_id: str, category: str, lines: Sequence[Line]) -> None:
    try:
        standings = await _standings(dependencies, school_id, category)
        known = {line.rdvpermis_candidate_id: line.candidate_id for line in lines if line.candidate_id is not None}
        strangers = [(who, category) for who in sorted(standings.keys() - known.keys())]
        candidates = known | await dependencies.peers.known_candidates(school_id, strangers)
    except Failure as failure:
        log.info("results.wait", school=school_id, code=failure.name, lines=len(lines))
        await _write(dependencies, lines, {}, later=True)
        return
    await _publish_penalties(dependencies, school_id, category, standings, candidates)
    await _write(dependencies, lines, standings, later=False)


async def _standings(dependencies: Dependencies, school_id: str, category: str) -> dict[str, CandidateStanding]:
    found: dict[str, CandidateStanding] = {}
    for page in range(MOST_PAGES):
        request = rdv.ListStandingsRequest(on_behalf=on_behalf(school_id), category=category, page=page)
        listed = await dependencies.peers.rdvpermis("ListStandings", request, itself=True)
        found |= {one.rdvpermis_candidate_id: standing(one) for one in listed.standings}
        if not listed.has_more:
            break
    return found


async def _write(
    dependencies: Dependencies, lines: Sequence[Line], standings: Mapping[str, CandidateStanding], *, later: bool
) -> None:
    """Write what was found; what was not is polled later, or given up."""

    async def write(some: Sequence[Line]) -> int:
        return await _write_at_once(dependencies, some, standings, later=later)

    await write_apart([[line] for line in lines], write, note_failed)


async def _write_at_once(
    dependencies: Dependencies, lines: Sequence[Line], standings: Mapping[str, CandidateStanding], *, later: bool
) -> int:
    nothing = CandidateStanding((), ())
    async with transaction(dependencies.engine) as tx:
        now = await database_now(tx)
        same = {line.id: line.version for line in lines}
        fresh = [line for line in await reread(tx, lines) if line.version == same[line.id]]
        after, messages = [], list[Message]()
        for line in fresh:
            seen = standings.get(line.rdvpermis_candidate_id, nothing)
            result = result_of_exam(line, seen.results, seen.penalties, now)
            poll_at = None
            if result is None:
                pauses = dependencies.result_pauses
                poll_at = now + min(RETRY, pauses.often) if later else next_poll(line, pauses, now)
            after.append(replace(line, result=result, next_poll_at=poll_at, polls=line.polls + 1))
            if result is not None:
                FOUND.labels(result.outcome).inc()
                messages += [events.result_found(after[-1], result), events.result_record(after[-1], result)]
        await update_lines(tx, after)
        await dependencies.outbox.add(tx, now, *messages)
    return len(after)


async def _publish_penalties(
    dependencies: Dependencies,
    school_id: str,
    category: str,
    standings: Mapping[str, CandidateStanding],
    candidates: Mapping[str, UUID],
) -> None:
    """Publish each candidate's whole list, where it is another than was published last."""
    lists = {who: seen.penalties for who, seen in standings.items() if who in candidates}
    digests = {who: _digest(penalties) for who, penalties in lists.items()}
    async with transaction(dependencies.engine) as tx:
        now = await database_now(tx)
        published = await penalties_published(tx, school_id, category, lists)
        changed = {who: one for who, one in digests.items() if one != published.get(who, _digest(()))}
        await keep_penalties(tx, school_id, category, changed)
        found = [_penalties_found(school_id, candidates[who], category, lists[who], now) for who in sorted(changed)]
        await dependencies.outbox.add(tx, now, *found)


async def tally_results(
    dependencies: Dependencies, who: Principal, request: pb.GetResultsRequest
) -> pb.GetResultsResponse:
    """Count passes, failures, absences and what is awaited, by month, category and kind."""
    for name in ("from_month", "to_month"):
        text = getattr(request, name)
        if text and _MONTH.fullmatch(text) is None:
            raise malformed(name, "a month like 2026-01")
    async with transaction(dependencies.engine) as tx:
        today = await database_now(tx)
        last = request.to_month or f"{today:%Y-%m}"
        first = request.from_month or f"{today.year - 1 + today.month // 12}-{today.month % 12 + 1:02d}"
        found = await tallies(tx, who.school_id, first, last)
    return pb.GetResultsResponse(counts=[pb.ResultCount(**vars(one)) for one in found])


def standing(one: rdv.RdvStanding) -> CandidateStanding:
    """What RdvPermis lists under a candidate, as read."""
    return CandidateStanding(
        [
            FoundResult(
                found.exam_id,
                found.passed,
                found.points if found.HasField("points") else None,
                found.at.ToDatetime(UTC) if found.HasField("at") else None,
            )
            for found in one.results
        ],
        [FoundPenalty(found.reason, found.until.ToDatetime(UTC)) for found in one.penalties],
    )


def _digest(penalties: Sequence[FoundPenalty]) -> bytes:
    listed = sorted(f"{one.until.isoformat()} {one.reason}" for one in penalties)
    return sha256("\n".join(listed).encode()).digest()


def _penalties_found(
    school_id: str, candidate_id: UUID, category: str, penalties: Sequence[FoundPenalty], now: datetime
) -> PenaltiesFound:
    event = PenaltiesFound(school_id=school_id, candidate_id=str(candidate_id), category=category)
    for one in penalties:
        penalty = PublishedPenalty(reason=one.reason)
        penalty.until.FromDatetime(one.until)
        event.penalties.append(penalty)
    event.seen_at.FromDatetime(now)
    return event
