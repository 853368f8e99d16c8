"""A school's basket as it stands: its groups, and what it has taken by month."""

from resapermis.basket.v1 import basket_pb2 as pb
from resapermis.scheduling.v1.scheduling_pb2 import Limits
from resapermis_basket.dependencies import Dependencies
from resapermis_basket.line.counters import read_counters
from resapermis_basket.line.queries import find_groups, lines_of_live_groups
from resapermis_basket.peers import usage
from resapermis_basket.visits import Visits, keep_visit
from resapermis_basket.wire import by_group, group_message
from resapermis_kit.database.transaction import transaction
from resapermis_kit.rpc.auth import Principal


async def basket_of(dependencies: Dependencies, visits: Visits, who: Principal) -> pb.GetBasketResponse:
    """The school's groups that have a line in its basket or lost one lately, newest first, and the limits in force."""
    async with transaction(dependencies.engine) as tx:
        lines = await lines_of_live_groups(tx, who.school_id)
        if visits.first_lately(who.school_id):
            await keep_visit(tx, who.school_id)
        of_group = by_group(lines)
        groups = await find_groups(tx, of_group)
    newest_first = sorted(groups.values(), key=lambda group: group.created_at, reverse=True)
    limits = dependencies.peers.limits
    return pb.GetBasketResponse(
        groups=[group_message(group, of_group[group.id]) for group in newest_first],
        limits=Limits(
            group=limits.group,
            basket=limits.basket,
            hold_ttl_seconds=limits.hold_ttl_seconds,
            notice_seconds=limits.notice_seconds,
        ),
    )


async def usage_of(dependencies: Dependencies, who: Principal) -> pb.GetUsageResponse:
    """What the school has taken, by department, month and category group."""
    async with transaction(dependencies.engine) as tx:
        return pb.GetUsageResponse(usage=usage(await read_counters(tx, who.school_id)))
