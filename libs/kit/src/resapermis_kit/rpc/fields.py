"""Fields that requests of every service have, read in one way: ids, and how many rows a list answers at once."""

from collections.abc import Sequence
from typing import Protocol, TypeVar
from uuid import UUID

from resapermis_kit.errors import malformed

DEFAULT_PAGE, LARGEST_PAGE = 50, 200


class Listed(Protocol):
    """A row of a list that is paged by its id."""

    @property
    def id(self) -> UUID:
        """Where a page that ends with this row goes on."""


Row = TypeVar("Row", bound=Listed)


def parse_id(text: str, field: str) -> UUID:
    """A UUID from text; MALFORMED, naming the field and never the value, otherwise."""
    try:
        return UUID(text)
    except ValueError:
        raise malformed(field, "not an id of ours") from None


def parse_optional_id(text: str, field: str) -> UUID | None:
    """As `parse_id`, but None for ""."""
    return parse_id(text, field) if text else None


def page_limit(asked: int) -> int:
    """Rows of a page by a request's `limit`: at most 200, 50 for 0. MALFORMED when negative."""
    if asked < 0:
        raise malformed("limit", f"1 to {LARGEST_PAGE}")
    return min(asked or DEFAULT_PAGE, LARGEST_PAGE)


def cut(found: Sequence[Row], limit: int) -> tuple[Sequence[Row], str]:
    """A page, and the cursor of the next one: the id of its last row, "" where there is none. `found`: one more than `limit` was asked."""
    shown = found[:limit]
    return shown, str(shown[-1].id) if len(found) > limit else ""
