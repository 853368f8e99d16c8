"""What ended here and RdvPermis still has in a basket of ours is given back."""

from dataclasses import replace
from datetime import timedelta

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.domain.doubt import pause_seconds
from resapermis_basket.domain.line import Line
from resapermis_basket.line.queries import database_now, update_lines
from resapermis_basket.peers import on_behalf
from resapermis_basket.reconcile.queries import due_to_give_back
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Failure


async def give_back(dependencies: Dependencies) -> None:
    """Release at RdvPermis what ended here; what cannot be released lapses there by itself."""
    async with transaction(dependencies.engine) as tx:
        due = await due_to_give_back(tx)
    for line in due:
        await _give_back(dependencies, line)


async def _give_back(dependencies: Dependencies, line: Line) -> None:
    request = rdv.ReleaseSlotRequest(
        on_behalf=on_behalf(line.school_id), basket_id=line.basket_id, slot_id=line.slot.id
    )
    given = True
    try:
        await dependencies.peers.rdvpermis("ReleaseSlot", request, itself=True)
    except Failure as failure:
        given = failure.rdvpermis_code != ""  # a refusal of theirs: it is not there to be given
    async with transaction(dependencies.engine) as tx:
        now = await database_now(tx)
        lapsed = line.expires_at is not None and now > line.expires_at + timedelta(hours=1)
        pause = timedelta(seconds=pause_seconds(line.polls, dependencies.settings.give_back_seconds))
        after = replace(line, owed=False, next_poll_at=None)
        if not (given or lapsed):
            after = replace(line, polls=line.polls + 1, next_poll_at=now + pause)
        await update_lines(tx, [after])
