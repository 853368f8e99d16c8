"""Before an opening: what can be settled is settled, so that the press is one call. Holds nothing, presses nothing."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import structlog

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.errors.v1.errors_pb2 import Refusal
from resapermis.mandate.v1.mandate_pb2 import MandateAnswer
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.scheduling.v1.scheduling_pb2 import EvaluateLine, Need
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.answer import BASKET_MARGIN, Eligibility, PreparedBasket
from resapermis_basket.judgement import verdicts
from resapermis_basket.line.counters import read_counters
from resapermis_basket.line.queries import ActTime, database_now, find_conflicts
from resapermis_basket.opening.queries import (
    Dropped,
    drop_later,
    find_prepared,
    forget_basket,
    forget_prepared,
    keep_eligibility,
    keep_prepared,
    slot_known_to,
    take_to_drop,
)
from resapermis_basket.peers import line_question, on_behalf
from resapermis_basket.visits import keep_visit
from resapermis_basket.wire import LONGEST_ID
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure, malformed
from resapermis_kit.rpc.auth import Principal
from resapermis_kit.rpc.fields import parse_id

log = structlog.get_logger()
MOST_CANDIDATES = 12
READY_FOR = timedelta(minutes=2)
"""A basket that ends sooner is opened again when somebody prepares again."""
DROP_BEFORE = timedelta(seconds=20)
DROP_AGAIN = timedelta(seconds=30)
DROPS_A_ROUND = 50
DROPS_AT_ONCE = 4
_OF_A_CANDIDATE = frozenset({"R-MANDATE", "R-ONE-ACTIVE", "R-PENALTY", "R-RDVPERMIS"})
"""Rules about a candidate whatever the slot; the others answer when slots are chosen."""


@dataclass
class _Settled:
    """What RdvPermis answered while preparing."""

    basket: PreparedBasket | None = None
    refusal: Refusal | None = None
    answered: bool = False
    eligibilities: dict[str, Eligibility] = field(default_factory=dict)


async def prepare_opening(
    dependencies: Dependencies, who: Principal, request: pb.PrepareOpeningRequest
) -> pb.PrepareOpeningResponse:
    """Basket, token, budget, candidates. What is missing is answered too, and stops nothing else."""
    candidates = parse_preparation(request)
    async with transaction(dependencies.engine) as tx:
        time = ActTime(await database_now(tx))
        counted = await read_counters(tx, who.school_id)
        conflicts = await find_conflicts(tx, [], candidates)
        waiting = await find_prepared(tx, who.school_id, who.account_id)
        known_slot = await slot_known_to(tx, who.school_id, request.category)
        await keep_visit(tx, who.school_id)
    mandates = await dependencies.peers.mandates([(str(one), request.category) for one in candidates])
    busy = {one for one in candidates if (one, request.category) in conflicts.candidates}
    budget, settled = await asyncio.gather(
        _budget(dependencies), _ask(dependencies, who, request, waiting, mandates, busy, time)
    )
    questions = _questions(request.slot_id or known_slot, mandates, busy, settled.eligibilities)
    needs = await _needs(dependencies, questions, counted)
    response = pb.PrepareOpeningResponse(
        basket_refusal=settled.refusal,
        calls_left=budget.calls_left,
        rdvpermis_reachable=budget.reachable and (settled.answered or settled.refusal is None),
        token_fresh=settled.answered,
    )
    if settled.basket is not None:
        response.basket_expires_at.FromDatetime(settled.basket.expires_at)
    if budget.HasField("wait_until"):
        response.wait_until.CopyFrom(budget.wait_until)
    for one, mandate in zip(candidates, mandates, strict=True):
        against = needs.get(str(one), []) or own_needs(mandate, busy=one in busy)
        asked = mandate.rdvpermis_candidate_id in settled.eligibilities
        response.candidates.add(candidate_id=str(one), ready=not against, needs=against, rdvpermis_asked=asked)
    response.prepared_at.FromDatetime(time.now)
    return response


async def _budget(dependencies: Dependencies) -> rdv.GetBudgetResponse:
    try:
        budget: rdv.GetBudgetResponse = await dependencies.peers.rdvpermis("GetBudget", rdv.GetBudgetRequest())
    except Failure as failure:
        log.info("prepare.no_budget", code=failure.name)
        return rdv.GetBudgetResponse()
    return budget


async def _ask(
    dependencies: Dependencies,
    who: Principal,
    request: pb.PrepareOpeningRequest,
    waiting: PreparedBasket | None,
    mandates: Sequence[MandateAnswer],
    busy: set[UUID],
    time: ActTime,
) -> _Settled:
    """`busy`: candidates on a live line of ours; what RdvPermis says of them is about that line, and is not asked."""
    settled = _Settled()
    try:
        settled.basket = await _basket(dependencies, who, waiting, time)
        settled.answered = True
    except Failure as failure:
        settled.refusal = failure.to_proto()
    theirs = {
        one.rdvpermis_candidate_id
        for one in mandates
        if one.active and one.rdvpermis_candidate_id and UUID(one.candidate_id) not in busy
    }
    if request.slot_id and theirs:
        try:
            settled.eligibilities = await _eligibilities(dependencies, who.school_id, request, theirs, time.now)
            settled.answered = True
        except Failure as failure:
            log.info("prepare.no_eligibility", code=failure.name)
    return settled


async def _basket(
    dependencies: Dependencies, who: Principal, waiting: PreparedBasket | None, time: ActTime
) -> PreparedBasket:
    """The basket that waits, if it is still there and for long enough; else a new one."""
    if waiting is not None:
        seen = await dependencies.peers.rdvpermis("GetBasket", rdv.GetBasketRequest(basket_id=waiting.id))
        if seen.HasField("basket") and waiting.expires_at - time.now > READY_FOR + BASKET_MARGIN:
            return waiting
        async with transaction(dependencies.engine) as tx:
            await drop_later(tx, who.school_id, who.account_id, waiting)
    opened = await dependencies.peers.rdvpermis("OpenBasket", rdv.OpenBasketRequest())
    fresh = PreparedBasket(opened.basket.id, opened.basket.expires_at.ToDatetime(UTC))
    async with transaction(dependencies.engine) as tx:
        if not await keep_prepared(tx, who.school_id, who.account_id, fresh):
            await drop_later(tx, who.school_id, who.account_id, fresh)  # two prepared at once
            other = await find_prepared(tx, who.school_id, who.account_id)
            return other or fresh
    return fresh


async def _eligibilities(
    dependencies: Dependencies, school_id: str, request: pb.PrepareOpeningRequest, theirs: set[str], now: datetime
) -> dict[str, Eligibility]:
    """RdvPermis' own answer about all of them at once, kept for the hold that follows."""
    answer = await dependencies.peers.rdvpermis(
        "CheckEligibility", rdv.CheckEligibilityRequest(slot_id=request.slot_id)
    )
    found = {
        one.rdvpermis_candidate_id: Eligibility(
            request.category, one.rdvpermis_candidate_id, one.eligible, one.rdvpermis_code, now
        )
        for one in answer.candidates
        if one.rdvpermis_candidate_id in theirs
    }
    async with transaction(dependencies.engine) as tx:
        await keep_eligibility(tx, school_id, found.values())
    return found


def _questions(
    slot_id: str, mandates: Sequence[MandateAnswer], busy: set[UUID], eligibilities: Mapping[str, Eligibility]
) -> list[EvaluateLine]:
    return [
        line_question(
            slot_id,
            UUID(mandate.candidate_id),
            mandate,
            busy=UUID(mandate.candidate_id) in busy,
            eligibility=eligibilities.get(mandate.rdvpermis_candidate_id),
        )
        for mandate in (mandates if slot_id else ())
    ]


async def _needs(
    dependencies: Dependencies, questions: Sequence[EvaluateLine], counted: Mapping[tuple[str, str, str], int]
) -> dict[str, list[Need]]:
    """What the rules say against each candidate; nothing where no slot is known to ask about."""
    if not questions:
        return {}
    explained = await dependencies.peers.explain(questions, "hold", dict(counted))
    return {
        line.candidate_id: [need for need in one.needs if need.rule in _OF_A_CANDIDATE]
        for line, one in zip(questions, explained.lines, strict=True)
    }


async def drop_unused(dependencies: Dependencies) -> None:
    """Give back baskets that nobody used in time; what cannot be given back lapses there by itself."""
    async with transaction(dependencies.engine) as tx:
        due = await take_to_drop(tx, DROP_BEFORE + BASKET_MARGIN, DROP_AGAIN, DROPS_A_ROUND)
        now = await database_now(tx)
        await forget_prepared(tx)
    free = asyncio.Semaphore(DROPS_AT_ONCE)

    async def drop(one: Dropped) -> None:
        async with free:
            await _drop(dependencies, one, now)

    for problem in await asyncio.gather(*(drop(one) for one in due), return_exceptions=True):
        if isinstance(
            problem, BaseException
        ):  # tried again later, as it was written down above; the others are dropped
            log.error("drop.failed", error_type=type(problem).__qualname__)


async def _drop(dependencies: Dependencies, one: Dropped, now: datetime) -> None:
    request = rdv.DropBasketRequest(on_behalf=on_behalf(one.school_id), basket_id=one.basket_id)
    try:
        await dependencies.peers.rdvpermis("DropBasket", request, itself=True)
    except Failure as failure:
        if not failure.rdvpermis_code and now < one.expires_at:
            return  # tried again; a refusal of theirs says that it is not there
    async with transaction(dependencies.engine) as tx:
        await forget_basket(tx, one.basket_id)


def parse_preparation(request: pb.PrepareOpeningRequest) -> list[UUID]:
    """Read the candidates; MALFORMED names each field that cannot be read."""
    if not 1 <= len(request.category) <= LONGEST_ID:
        raise malformed("category", "a category group, like B")
    if len(request.slot_id) > LONGEST_ID:
        raise malformed("slot_id", f"at most {LONGEST_ID} characters")
    if len(request.candidate_ids) > MOST_CANDIDATES:
        raise malformed("candidate_ids", f"at most {MOST_CANDIDATES}")
    found = [parse_id(text, f"candidate_ids[{n}]") for n, text in enumerate(request.candidate_ids)]
    if len(set(found)) != len(found):
        raise malformed("candidate_ids", "the same candidate twice")
    return found


def own_needs(mandate: MandateAnswer, *, busy: bool) -> list[Need]:
    """What basket itself knows against a candidate: their mandate, and that they stand on a line already."""
    own = [verdicts.mandate(active=mandate.active), verdicts.one_active(busy=mandate.active and busy)]
    return [Need(rule=one.rule, source=one.source, remedy=one.remedy) for one in verdicts.against(own)]
