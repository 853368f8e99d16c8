"""How exams went (R-22): looked for at RdvPermis, kept on the line, told once; and what bars their candidates."""

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

from resapermis.basket.v1.events_pb2 import FoundPenalty as ToldPenalty
from resapermis.basket.v1.events_pb2 import PenaltiesFound
from resapermis.booking.v1 import booking_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket import events, store
from resapermis_basket.acts import Parts, patience
from resapermis_basket.domain import FoundPenalty, FoundResult, Line, next_look, result
from resapermis_basket.peers import on_behalf
from resapermis_basket.workers import by_school
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
class Standing:
    """What RdvPermis lists under a candidate."""

    results: Sequence[FoundResult]
    penalties: Sequence[FoundPenalty]


class Results:
    """Looks for results, and counts them."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        self._parts = parts

    async def look(self) -> None:
        """One round: read the lists of every school that awaits a result, each category once."""
        async with transaction(self._parts.engine) as tx:
            due = await store.due_for_a_result(tx)
        turns = asyncio.Semaphore(AT_ONCE)

        async def one(school_id: str, category: str, lines: list[Line]) -> None:
            async with turns:
                await self._look(school_id, category, lines)

        asked = [
            (school_id, category, [line for line in lines if line.slot.category == category])
            for school_id, lines in by_school(due).items()
            for category in sorted({line.slot.category for line in lines})
        ]
        await asyncio.gather(*(one(*each) for each in asked))

    async def _look(self, school_id: str, category: str, lines: Sequence[Line]) -> None:
        try:
            standings = await self._standings(school_id, category)
            known = {line.rdvpermis_candidate_id: line.candidate_id for line in lines if line.candidate_id is not None}
            strangers = [(who, category) for who in sorted(standings.keys() - known.keys())]
            candidates = known | await self._parts.peers.known_candidates(school_id, strangers)
        except Failure as failure:
            log.info("results.wait", school=school_id, code=failure.name, lines=len(lines))
            await self._write(lines, {}, later=True)
            return
        await self._tell_penalties(school_id, category, standings, candidates)
        await self._write(lines, standings, later=False)

    async def _standings(self, school_id: str, category: str) -> dict[str, Standing]:
        found: dict[str, Standing] = {}
        for page in range(MOST_PAGES):
            request = rdv.ListStandingsRequest(on_behalf=on_behalf(school_id), category=category, page=page)
            listed = await self._parts.peers.rdvpermis("ListStandings", request, itself=True)
            found |= {one.rdvpermis_candidate_id: standing(one) for one in listed.standings}
            if not listed.has_more:
                break
        return found

    async def _write(self, lines: Sequence[Line], standings: Mapping[str, Standing], *, later: bool) -> None:
        """Write what was found; what was not is looked for later, or given up."""
        nothing = Standing((), ())
        async with transaction(self._parts.engine) as tx:
            now = await store.now(tx)
            same = {line.id: line.version for line in lines}
            fresh = [line for line in await store.again(tx, lines) if line.version == same[line.id]]
            after, messages = [], list[Message]()
            for line in fresh:
                seen = standings.get(line.rdvpermis_candidate_id, nothing)
                went = result(line, seen.results, seen.penalties, now)
                look_at = None
                if went is None:
                    waits = patience(self._parts)
                    look_at = now + min(RETRY, waits.often) if later else next_look(line, waits, now)
                after.append(replace(line, result=went, next_look_at=look_at, looks=line.looks + 1))
                if went is not None:
                    FOUND.labels(went.outcome).inc()
                    messages += [events.result_found(after[-1], went), events.result_record(after[-1], went)]
            await store.save(tx, after)
            await self._parts.outbox.add(tx, now, *messages)

    async def _tell_penalties(
        self, school_id: str, category: str, standings: Mapping[str, Standing], candidates: Mapping[str, UUID]
    ) -> None:
        """Say each candidate's whole list, where it is another than was said last."""
        lists = {who: seen.penalties for who, seen in standings.items() if who in candidates}
        digests = {who: _digest(penalties) for who, penalties in lists.items()}
        async with transaction(self._parts.engine) as tx:
            now = await store.now(tx)
            told = await store.penalties_told(tx, school_id, category, lists)
            changed = {who: one for who, one in digests.items() if one != told.get(who, _digest(()))}
            await store.tell_penalties(tx, school_id, category, changed)
            facts = [_penalties_found(school_id, candidates[who], category, lists[who], now) for who in sorted(changed)]
            await self._parts.outbox.add(tx, now, *facts)

    async def tally(self, who: Principal, request: pb.GetResultsRequest) -> pb.GetResultsResponse:
        """Count passes, failures, absences and what is awaited, by month, category and kind."""
        for name in ("from_month", "to_month"):
            text = getattr(request, name)
            if text and _MONTH.fullmatch(text) is None:
                raise malformed(name, "a month like 2026-01")
        async with transaction(self._parts.engine) as tx:
            today = await store.now(tx)
            last = request.to_month or f"{today:%Y-%m}"
            first = request.from_month or f"{today.year - 1 + today.month // 12}-{today.month % 12 + 1:02d}"
            found = await store.tallies(tx, who.school_id, first, last)
        return pb.GetResultsResponse(counts=[pb.ResultCount(**vars(one)) for one in found])


def standing(one: rdv.RdvStanding) -> Standing:
    """What RdvPermis lists under a candidate, as read."""
    return Standing(
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
    said = sorted(f"{one.until.isoformat()} {one.reason}" for one in penalties)
    return sha256("\n".join(said).encode()).digest()


def _penalties_found(
    school_id: str, candidate_id: UUID, category: str, penalties: Sequence[FoundPenalty], now: datetime
) -> PenaltiesFound:
    fact = PenaltiesFound(school_id=school_id, candidate_id=str(candidate_id), category=category)
    for one in penalties:
        told = ToldPenalty(reason=one.reason)
        told.until.FromDatetime(one.until)
        fact.penalties.append(told)
    fact.seen_at.FromDatetime(now)
    return fact
