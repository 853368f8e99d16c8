"""Fields that requests of every service have, read in one way: ids, and how many rows a list answers at once."""

from uuid import UUID

from resapermis_kit.errors import malformed

DEFAULT_PAGE, LARGEST_PAGE = 50, 200


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
