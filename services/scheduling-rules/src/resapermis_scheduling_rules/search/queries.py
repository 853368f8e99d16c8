"""Slots of a search: parts of an index read side by side, each in order and no further than needed."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.sql_file import sql_file
from resapermis_kit.database.statement import Statement
from resapermis_scheduling_rules.search.criteria import Position, ReadStep, Row


@dataclass(frozen=True, slots=True)
class SearchShape:
    """How to read: by department or by centre, only free ones, only one kind."""

    by_centre: bool
    free_only: bool
    kind: bool

    @property
    def name(self) -> str:
        """Of its statement."""
        parts = ("centre" if self.by_centre else "department", "free" * self.free_only, "kind" * self.kind)
        return "_".join(filter(None, parts))


_STATEMENTS = {
    name: Statement(text) for name, text in sql_file("resapermis_scheduling_rules.search", "statements.sql").items()
}


async def read_step(
    engine: AsyncEngine, reading: SearchShape, category: str, kind: str, after: Position, step: ReadStep
) -> Sequence[Row]:
    """The first slots of a step after a position, in order of (starts_at, id): `most` of all its streams together."""
    values: dict[str, Any] = {
        "lows": [low for low, _ in step.parts],
        "highs": [high for _, high in step.parts],
        "keys": step.keys,
        "category": category,
        "ids": [after[1] if low == after[0] else "" for low, _ in step.parts],
        "each": step.most_each,
        "most": step.most,
        "kind": kind,
    }
    return await _STATEMENTS[reading.name].run(engine, values)
