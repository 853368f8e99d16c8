"""Would a hold be allowed? Everything that a hold asks, and nothing of what it does."""

import asyncio

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.scheduling.v1.scheduling_pb2 import ExplainResponse, Need
from resapermis_basket import store
from resapermis_basket.acts import Parts, Time
from resapermis_basket.judging import MOST_EVALUATED, Judging, Situation, parse_hold, question
from resapermis_kit.errors import malformed
from resapermis_kit.rpc.auth import Principal


class Checking:
    """Asks without acting: no line, no counter, no record, nothing at RdvPermis."""

    def __init__(self, parts: Parts) -> None:
        """Keep the parts."""
        self._parts = parts
        self._judging = Judging(parts)

    async def check(self, who: Principal, request: pb.CheckHoldRequest) -> pb.CheckHoldResponse:
        """Every reason against these lines, what would remedy it, and when it opens by itself."""
        wanted = parse_hold(request)
        if len(wanted) > MOST_EVALUATED:
            raise malformed("lines", f"at most {MOST_EVALUATED}")
        (found,), mandates = await asyncio.gather(
            store.standings(self._parts.engine, [question(who, wanted, "")]),
            self._parts.peers.mandates([(str(line.candidate_id), "") for line in wanted if line.candidate_id]),
        )
        situation = Situation(Time(found.now), found.asked_before, found.counted, found.conflicts, found.words)
        explained = await self._judging.explain(wanted, situation, mandates)
        _with_our_own_lines(explained, found.conflicts)
        return pb.CheckHoldResponse(explained=explained)


def _with_our_own_lines(explained: ExplainResponse, conflicts: store.Conflicts) -> None:
    """A slot that a line of ours has is taken, whatever the mirror last saw."""
    for line in explained.lines:
        if line.slot_id in conflicts.slots and all(need.rule != "R-PUBLISHED" for need in line.needs):
            line.allowed = False
            line.ClearField("opens_at")
            source = "RdvPermis API, planning: statutDeReservation"
            facts = {"slot": line.slot_id, "status": "TAKEN"}
            line.needs.append(Need(rule="R-PUBLISHED", source=source, remedy="choose_another_slot", facts=facts))
