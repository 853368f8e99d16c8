"""How many rows of a list are answered at once."""

from resapermis_kit.errors import malformed

DEFAULT_PAGE, LARGEST_PAGE = 50, 200


def page_limit(asked: int) -> int:
    """Rows of a page by a request's `limit`: at most 200, 50 for 0. MALFORMED when negative."""
    if asked < 0:
        raise malformed("limit", f"1 to {LARGEST_PAGE}")
    return min(asked or DEFAULT_PAGE, LARGEST_PAGE)
