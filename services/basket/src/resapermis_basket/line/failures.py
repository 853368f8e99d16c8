"""Lines that fail are written apart: one bad line stops none of the others, anywhere."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeVar
from uuid import UUID

import structlog
from prometheus_client import Counter

from resapermis_basket.domain.line import Line
from resapermis_kit.errors import Code, Failure

T = TypeVar("T")
FAILED_LINES = Counter(
    "resapermis_basket_lines_failed_total", "Decisions on a line that failed and were left to a later round", ["state"]
)
DATABASE_AWAY = frozenset({Code.CODE_UNAVAILABLE, Code.CODE_OVERLOADED})
log = structlog.get_logger()


class LinesFailed(Exception):
    """Some lines could not be dealt with and stand as they stood; all others were. Each is logged and counted."""

    def __init__(self, line_ids: Sequence[UUID], changed: int = 0) -> None:
        """`changed`: how many of the others changed."""
        super().__init__(f"{len(line_ids)} lines failed")
        self.line_ids, self.changed = line_ids, changed


async def write_apart(
    parts: Sequence[Sequence[T]],
    write: Callable[[Sequence[T]], Awaitable[int]],
    failed: Callable[[Sequence[T], Exception], None],
) -> int:
    """Write all at once, in one transaction; where that fails, each part by itself. Returns how many changed.

    `failed` is called with each part that fails alone. Failure when the database is away, which is no part's fault.
    """
    if not parts:
        return 0
    try:
        return await write([one for part in parts for one in part])
    except Exception as error:
        if isinstance(error, Failure) and error.code in DATABASE_AWAY:
            raise
        if len(parts) == 1:
            failed(parts[0], error)
            return 0
    return sum([await write_apart([part], write, failed) for part in parts])


def note_failed(lines: Sequence[Line], error: Exception) -> None:
    """Log and count lines that could not be written: ids and codes only."""
    code = error.name if isinstance(error, Failure) else ""
    for line in lines:
        FAILED_LINES.labels(line.state).inc()
        log.error("line.failed", line=str(line.id), state=line.state, error_type=type(error).__qualname__, code=code)
