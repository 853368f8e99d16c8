"""Parameters, their proposals and previews: domain → protobuf."""

from collections.abc import Sequence
from datetime import datetime

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_scheduling_rules.domain.parameters import Proposal, plain_number
from resapermis_scheduling_rules.wire import timestamp


def parameters(rows: Sequence[Proposal], now: datetime) -> list[pb.Parameter]:
    """As messages: of each name and place what is in force, what is to come, and what waits for its second person."""
    newest: dict[tuple[str, str | None, str | None], Proposal] = {}
    for row in rows:  # oldest first
        if row.approved_by and row.valid_from <= now:
            newest[row.parameter.name, row.parameter.department, row.parameter.category] = row
    in_force = {row.id for row in newest.values()}
    return [
        pb.Parameter(
            id=str(row.id),
            name=row.parameter.name,
            value=plain_number(row.parameter.value),
            department=row.parameter.department or "",
            category=row.parameter.category or "",
            valid_from=timestamp(row.valid_from),
            proposed_by=row.proposed_by,
            approved_by=row.approved_by,
        )
        for row in rows
        if row.id in in_force or not row.approved_by or row.valid_from > now
    ]
