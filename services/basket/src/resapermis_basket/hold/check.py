"""Would a hold be allowed? Everything that a hold asks, and nothing of what it does."""

import asyncio

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.scheduling.v1.scheduling_pb2 import ExplainResponse, Need
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.hold.judgement import MOST_EVALUATED, explain_hold, hold_question, parse_hold
from resapermis_basket.hold.queries import read_situations
from resapermis_basket.line.queries import Conflicts
from resapermis_kit.errors import malformed
from resapermis_kit.rpc.auth import Principal


async def check_hold(dependencies: Dependencies, who: Principal, request: pb.CheckHoldRequest) -> pb.CheckHoldResponse:
    """Every reason against these lines, what would remedy it, and when it opens by itself.

    No line, no counter, no record, nothing at RdvPermis.
    """
    wanted = parse_hold(request)
    if len(wanted) > MOST_EVALUATED:
        raise malformed("lines", f"at most {MOST_EVALUATED}")
    (situation,), mandates = await asyncio.gather(
        read_situations(dependencies.engine, [hold_question(who, wanted, "")]),
        dependencies.peers.mandates([(str(line.candidate_id), "") for line in wanted if line.candidate_id]),
    )
    explained = await explain_hold(dependencies, wanted, situation, mandates)
    _with_our_own_lines(explained, situation.conflicts)
    return pb.CheckHoldResponse(explained=explained)


def _with_our_own_lines(explained: ExplainResponse, conflicts: Conflicts) -> None:
    """A slot that a line of ours has is taken, whatever the mirror last saw."""
    for line in explained.lines:
        if line.slot_id in conflicts.slots and all(need.rule != "R-PUBLISHED" for need in line.needs):
            line.allowed = False
            line.ClearField("opens_at")
            source = "RdvPermis API, planning: statutDeReservation"
            facts = {"slot": line.slot_id, "status": "TAKEN"}
            line.needs.append(Need(rule="R-PUBLISHED", source=source, remedy="choose_another_slot", facts=facts))
