"""Candidates' standing: restrictions and the next possible date, and how a restriction is waived for force majeure by two persons."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Record
from resapermis.scheduling.v1 import school_pb2 as pb
from resapermis_kit.clock import Clock
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc.auth import Principal
from resapermis_scheduling_rules import events
from resapermis_scheduling_rules.domain.parameters import Rulebook
from resapermis_scheduling_rules.domain.restrictions import Restriction, next_possible
from resapermis_scheduling_rules.evaluation import restriction_queries
from resapermis_scheduling_rules.evaluation.restriction_queries import KeptRestriction
from resapermis_scheduling_rules.parameters import queries as parameter_queries
from resapermis_scheduling_rules.rules.category import CIRCULATION, PLATEAU
from resapermis_scheduling_rules.wire import timestamp, word

FORCE_MAJEURE = ("illness", "accident", "bereavement", "centre_closed", "other_force_majeure")
MOST_CANDIDATES = 200


@dataclass(frozen=True)
class CandidateStandings:
    """Answers `GetStanding`, `ProposeWaiver` and `ApproveWaiver`; a candidate of another school is one that nobody knows."""

    engine: AsyncEngine
    outbox: Outbox
    now: Clock

    async def get(self, who: Principal, candidate_ids: Sequence[str]) -> pb.GetStandingResponse:
        """Restrictions of the school's candidates that have not ended, and when each category is possible again."""
        if len(candidate_ids) > MOST_CANDIDATES:
            raise malformed("candidate_ids", f"at most {MOST_CANDIDATES}")
        ids = list(dict.fromkeys(word(one, f"candidate_ids[{n}]") for n, one in enumerate(candidate_ids)))
        now = self.now()
        async with transaction(self.engine) as tx:
            found = await restriction_queries.of_candidates(tx, who.school_id, ids, now)
            rulebook = Rulebook(await parameter_queries.approved_parameters(tx)) if found else Rulebook(())
        by_candidate: dict[str, list[KeptRestriction]] = defaultdict(list)
        for kept in found:
            by_candidate[kept.whom.candidate_id].append(kept)
        return pb.GetStandingResponse(standings=[_standing(one, by_candidate[one], rulebook, now) for one in ids])

    async def propose(self, who: Principal, restriction_id: str, reason: str) -> None:
        """Ask that a restriction be waived. NOT_FOUND: no restriction of the school. ILLEGAL_TRANSITION: waived, or RdvPermis' own."""
        if reason not in FORCE_MAJEURE:
            raise malformed("reason", f"one of {', '.join(FORCE_MAJEURE)}")
        wanted, now = _id(restriction_id), self.now()
        async with transaction(self.engine) as tx:
            kept = await self._restriction(tx, who, wanted)
            if kept.restriction.from_rdvpermis:
                raise Failure(Code.CODE_ILLEGAL_TRANSITION, "RdvPermis waives its own restrictions; ask it there")
            await restriction_queries.propose_waiver(tx, wanted, reason, who.account_id, now)
            await self.outbox.add(tx, now, _record("penalty.propose", who, kept, waiver=reason))

    async def approve(self, who: Principal, restriction_id: str) -> None:
        """Waive what another person proposed. FORBIDDEN: who proposed does not approve. NOT_FOUND: nothing waits."""
        wanted, now = _id(restriction_id), self.now()
        try:
            async with transaction(self.engine) as tx:
                kept = await self._restriction(tx, who, wanted)
                if not kept.proposed_by:
                    raise Failure(Code.CODE_NOT_FOUND, "no waiver waits for this restriction")
                await restriction_queries.approve_waiver(tx, wanted, who.account_id, now)
                await self.outbox.add(tx, now, _record("penalty.approve", who, kept))
        except sa.exc.IntegrityError as error:
            raise Failure(Code.CODE_FORBIDDEN, "another person approves", denied="own_proposal") from error

    async def _restriction(self, tx: Tx, who: Principal, restriction_id: UUID) -> KeptRestriction:
        kept = await restriction_queries.restriction_of(tx, who.school_id, restriction_id)
        if kept is None:
            raise Failure(Code.CODE_NOT_FOUND, "no such restriction")
        if kept.restriction.waived:
            raise Failure(Code.CODE_ILLEGAL_TRANSITION, "it is waived already")
        return kept


def _record(action: str, who: Principal, kept: KeptRestriction, **facts: str) -> Record:
    facts |= {"category": kept.whom.category, "reason": kept.restriction.reason}
    return events.waiver(action, who, kept.whom.candidate_id, kept.restriction.id, **facts)


def _standing(candidate_id: str, found: Sequence[KeptRestriction], rulebook: Rulebook, now: datetime) -> pb.Standing:
    standing = pb.Standing(candidate_id=candidate_id, restrictions=[_restriction(kept) for kept in found])
    by_category: dict[str, list[Restriction]] = defaultdict(list)
    for kept in found:
        by_category[kept.whom.category].append(kept.restriction)
    for category, known in sorted(by_category.items()):
        kinds = (PLATEAU, CIRCULATION) if rulebook.at(now, "", category).plateau else (CIRCULATION,)
        possible = [
            next_possible([restriction for restriction in known if restriction.kind in {"", kind}], now)
            for kind in kinds
        ]
        first = min((at for at in possible if at is not None), default=None)
        if first is not None:
            standing.next_possible_at[category].CopyFrom(timestamp(first))
    return standing


def _restriction(kept: KeptRestriction) -> pb.StandingRestriction:
    restriction = kept.restriction
    return pb.StandingRestriction(
        id=restriction.id,
        category=kept.whom.category,
        reason=restriction.reason,
        since=timestamp(restriction.since),
        until=None if restriction.until is None else timestamp(restriction.until),
        from_rdvpermis=restriction.from_rdvpermis,
        waived=restriction.waived,
        waiver_proposed=bool(kept.proposed_by) and not restriction.waived,
        waiver_proposed_by=kept.proposed_by,
    )


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError as error:
        raise malformed("restriction_id", "not an id") from error
