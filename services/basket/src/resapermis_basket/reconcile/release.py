"""What ended here and RdvPermis still has in a basket of ours is given back."""

from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.doubt import pause_seconds
from resapermis_basket.domain.line import Line
from resapermis_basket.line.failures import LinesFailed
from resapermis_basket.peers import on_behalf
from resapermis_basket.reconcile.decision import decide_lines
from resapermis_basket.reconcile.queries import due_to_give_back
from resapermis_basket.reconcile.school_batches import SchoolBatches
from resapermis_kit.errors import Failure

SCHOOLS_AT_ONCE = 4
LINES_A_BATCH = 12
"""As many as a school's basket has."""


def releases(dependencies: Dependencies) -> SchoolBatches:
    """The task that gives back what ended here; it is in no hurry, and takes few places at RdvPermis.

    A batch ends with the first slot that could not be given back: its school's others would wait as long for RdvPermis.
    """

    async def give_back(school_id: str, lines: list[Line]) -> int:
        given, broken = 0, list[UUID]()
        for line in lines:
            try:
                if not await _given_back(dependencies, school_id, line):
                    break
            except LinesFailed as some:
                broken += some.line_ids
            else:
                given += 1
        if broken:
            raise LinesFailed(broken, given)
        return given

    return SchoolBatches(
        dependencies.engine, "give back", due_to_give_back, give_back, at_once=SCHOOLS_AT_ONCE, most=LINES_A_BATCH
    )


async def give_back(dependencies: Dependencies) -> None:
    """Give back at RdvPermis, once for every school, what is due; what could not be is tried later."""
    await releases(dependencies).whole_round()


async def _given_back(dependencies: Dependencies, school_id: str, line: Line) -> bool:
    request = rdv.ReleaseSlotRequest(on_behalf=on_behalf(school_id), basket_id=line.basket_id, slot_id=line.slot.id)
    given = True
    try:
        await dependencies.peers.rdvpermis("ReleaseSlot", request, itself=True)
    except Failure as failure:
        given = failure.rdvpermis_code != ""  # a refusal of theirs: it is not there to be given

    def given_or_later(owed: Line, now: datetime) -> Line:
        lapsed = owed.expires_at is not None and now > owed.expires_at + timedelta(hours=1)
        if given or lapsed:
            return replace(owed, owed=False, next_poll_at=None)
        pause = timedelta(seconds=pause_seconds(owed.polls, dependencies.settings.give_back_seconds))
        return replace(owed, polls=owed.polls + 1, next_poll_at=now + pause)

    await decide_lines(dependencies, school_id, [line], given_or_later)
    return given
