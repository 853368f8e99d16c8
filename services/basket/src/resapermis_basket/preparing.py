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
from resapermis_basket import store
from resapermis_basket.acts import Parts, Time, parse_id
from resapermis_basket.domain import BASKET_MARGIN, Eligibility, PreparedBasket
from resapermis_basket.judging import LONGEST_ID, say
from resapermis_basket.peers import on_behalf
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure, malformed
from resapermis_kit.rpc.auth import Principal

log = structlog.get_logger()
MOST_CANDIDATES = 12
READY_FOR = timedelta(minutes=2)
"""A basket that ends sooner is opened anew when somebody prepares again."""
DROP_BEFORE = timedelta(seconds=20)
DROP_AGAIN = timedelta(seconds=30)
DROPS_A_ROUND = 50
_OF_A_CANDIDATE = frozenset({"R-MANDATE", "R-ONE-ACTIVE", "R-PENALTY", "R-RDVPERMIS"})
"""Rules that speak of a candidate whatever the slot; the others have their say when slots are chosen."""


@dataclass
class _Said:
    """What RdvPermis said while preparing."""

    basket: PreparedBasket | None = None
    refusal: Refusal | None = None
    answered: bool = False
    words: dict[str, Eligibility] = field(default_factory=dict)


class Preparing:
    """Readies a person's next hold."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        self._parts = parts

    async def prepare(self, who: Principal, request: pb.PrepareOpeningRequest) -> pb.PrepareOpeningResponse:
        """Basket, token, budget, candidates. What is missing is said, and stops nothing else."""
        candidates = parse(request)
        async with transaction(self._parts.engine) as tx:
            time = Time(await store.now(tx))
            counted = await store.counted(tx, who.school_id)
            conflicts = await store.conflicts(tx, [], candidates)
            waiting = await store.prepared(tx, who.school_id, who.account_id)
            known_slot = await store.a_slot_of(tx, who.school_id, request.category)
            await store.was_here(tx, who.school_id)
        mandates = await self._parts.peers.mandates([(str(one), request.category) for one in candidates])
        busy = {one for one in candidates if (one, request.category) in conflicts.candidates}
        budget, said = await asyncio.gather(self._budget(), self._ask(who, request, waiting, mandates, busy, time))
        lines = self._lines(request.slot_id or known_slot, mandates, busy, said.words)
        needs = await self._needs(lines, counted)
        response = pb.PrepareOpeningResponse(
            basket_refusal=said.refusal,
            calls_left=budget.calls_left,
            rdvpermis_reachable=budget.reachable and (said.answered or said.refusal is None),
            token_fresh=said.answered,
        )
        if said.basket is not None:
            response.basket_expires_at.FromDatetime(said.basket.expires_at)
        if budget.HasField("wait_until"):
            response.wait_until.CopyFrom(budget.wait_until)
        for one, mandate in zip(candidates, mandates, strict=True):
            against = needs.get(str(one), []) or own_needs(mandate, busy=one in busy)
            asked = mandate.rdvpermis_candidate_id in said.words
            response.candidates.add(candidate_id=str(one), ready=not against, needs=against, rdvpermis_asked=asked)
        response.prepared_at.FromDatetime(time.now)
        return response

    async def _budget(self) -> rdv.GetBudgetResponse:
        try:
            said: rdv.GetBudgetResponse = await self._parts.peers.rdvpermis("GetBudget", rdv.GetBudgetRequest())
        except Failure as failure:
            log.info("prepare.no_budget", code=failure.name)
            return rdv.GetBudgetResponse()
        return said

    async def _ask(
        self,
        who: Principal,
        request: pb.PrepareOpeningRequest,
        waiting: PreparedBasket | None,
        mandates: Sequence[MandateAnswer],
        busy: set[UUID],
        time: Time,
    ) -> _Said:
        """`busy`: candidates on a live line of ours; what RdvPermis says of them speaks of that line, and is not asked."""
        said = _Said()
        try:
            said.basket = await self._basket(who, waiting, time)
            said.answered = True
        except Failure as failure:
            said.refusal = failure.to_proto()
        theirs = {
            one.rdvpermis_candidate_id
            for one in mandates
            if one.active and one.rdvpermis_candidate_id and UUID(one.candidate_id) not in busy
        }
        if request.slot_id and theirs:
            try:
                said.words = await self._words(who.school_id, request, theirs, time.now)
                said.answered = True
            except Failure as failure:
                log.info("prepare.no_word", code=failure.name)
        return said

    async def _basket(self, who: Principal, waiting: PreparedBasket | None, time: Time) -> PreparedBasket:
        """The basket that waits, if it is still there and for long enough; else a new one."""
        if waiting is not None:
            seen = await self._parts.peers.rdvpermis("GetBasket", rdv.GetBasketRequest(basket_id=waiting.id))
            if seen.HasField("basket") and waiting.expires_at - time.now > READY_FOR + BASKET_MARGIN:
                return waiting
            async with transaction(self._parts.engine) as tx:
                await store.drop_later(tx, who.school_id, who.account_id, waiting)
        opened = await self._parts.peers.rdvpermis("OpenBasket", rdv.OpenBasketRequest())
        fresh = PreparedBasket(opened.basket.id, opened.basket.expires_at.ToDatetime(UTC))
        async with transaction(self._parts.engine) as tx:
            if not await store.keep_prepared(tx, who.school_id, who.account_id, fresh):
                await store.drop_later(tx, who.school_id, who.account_id, fresh)  # two prepared at once
                other = await store.prepared(tx, who.school_id, who.account_id)
                return other or fresh
        return fresh

    async def _words(
        self, school_id: str, request: pb.PrepareOpeningRequest, theirs: set[str], now: datetime
    ) -> dict[str, Eligibility]:
        """RdvPermis' own word on all of them at once, kept for the hold that follows."""
        said = await self._parts.peers.rdvpermis(
            "CheckEligibility", rdv.CheckEligibilityRequest(slot_id=request.slot_id)
        )
        words = {
            one.rdvpermis_candidate_id: Eligibility(
                request.category, one.rdvpermis_candidate_id, one.eligible, one.rdvpermis_code, now
            )
            for one in said.candidates
            if one.rdvpermis_candidate_id in theirs
        }
        async with transaction(self._parts.engine) as tx:
            await store.keep_words(tx, school_id, words.values())
        return words

    def _lines(
        self, slot_id: str, mandates: Sequence[MandateAnswer], busy: set[UUID], words: Mapping[str, Eligibility]
    ) -> list[EvaluateLine]:
        lines = []
        for mandate in mandates if slot_id else ():
            line = EvaluateLine(
                slot_id=slot_id,
                candidate_id=mandate.candidate_id,
                mandate_active=mandate.active,
                mandate_category=mandate.category,
                mandate_gearbox=mandate.gearbox,
                candidate_busy=mandate.active and UUID(mandate.candidate_id) in busy,
            )
            say(line, words.get(mandate.rdvpermis_candidate_id))
            lines.append(line)
        return lines

    async def _needs(
        self, lines: Sequence[EvaluateLine], counted: Mapping[tuple[str, str, str], int]
    ) -> dict[str, list[Need]]:
        """What the rules say against each candidate; nothing where no slot is known to ask about."""
        if not lines:
            return {}
        explained = await self._parts.peers.explain(lines, "hold", dict(counted))
        return {
            line.candidate_id: [need for need in one.needs if need.rule in _OF_A_CANDIDATE]
            for line, one in zip(lines, explained.lines, strict=True)
        }

    # Giving back

    async def drop(self) -> None:
        """Give back baskets that nobody used in time; what cannot be given back lapses there by itself."""
        async with transaction(self._parts.engine) as tx:
            due = await store.take_to_drop(tx, DROP_BEFORE + BASKET_MARGIN, DROP_AGAIN, DROPS_A_ROUND)
            now = await store.now(tx)
            await store.forget_prepared(tx)
        for one in due:
            request = rdv.DropBasketRequest(on_behalf=on_behalf(one.school_id), basket_id=one.basket_id)
            try:
                await self._parts.peers.rdvpermis("DropBasket", request, itself=True)
            except Failure as failure:
                if not failure.rdvpermis_code and now < one.expires_at:
                    continue  # tried again; a word of theirs says that it is not there
            async with transaction(self._parts.engine) as tx:
                await store.forget_basket(tx, one.basket_id)


def parse(request: pb.PrepareOpeningRequest) -> list[UUID]:
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
    needs = []
    if not mandate.active:
        needs.append(Need(rule="R-MANDATE", source="RdvPermis charter 3.1", remedy="ask_mandate"))
    if mandate.active and busy:
        needs.append(Need(rule="R-ONE-ACTIVE", source="RdvPermis charter 3.2", remedy="choose_another_candidate"))
    return needs
