"""Between search messages and values."""

import base64
import binascii
from datetime import datetime

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.errors import malformed
from resapermis_scheduling_rules.domain.slots import LONGEST_WINDOW
from resapermis_scheduling_rules.search.criteria import DAY, Position, SearchCriteria
from resapermis_scheduling_rules.wire import time_of, word

USUAL_PAGE, LARGEST_PAGE = 200, 500
MOST_CENTRES, FURTHEST_KM, LONGEST_RUN = 50, 300, 8
WEEK = frozenset(range(1, 8))
KINDS = ("", "CIRCULATION", "PLATEAU")


def criteria_of(request: pb.SearchSlotsRequest, now: datetime) -> SearchCriteria:
    """Read a search: a window of at most 56 days, from now on."""
    if request.HasField("within_km") and not 1 <= request.within_km <= FURTHEST_KM:
        raise malformed("within_km", f"1 to {FURTHEST_KM}")
    anywhere = request.HasField("within_km") and not request.department
    if not 0 <= request.limit <= LARGEST_PAGE:
        raise malformed("limit", "1 to 500")
    if len(request.centre_ids) > MOST_CENTRES:
        raise malformed("centre_ids", f"at most {MOST_CENTRES}")
    if not 0 <= request.consecutive <= LONGEST_RUN:
        raise malformed("consecutive", f"2 to {LONGEST_RUN}")
    if request.kind not in KINDS:
        raise malformed("kind", '"CIRCULATION", "PLATEAU" or empty')
    since, until = _window(request, now)
    day_from, day_to = _hours(request)
    return SearchCriteria(
        department="" if anywhere else word(request.department, "department"),
        category=word(request.category, "category"),
        since=since,
        until=until,
        centre_ids=tuple(dict.fromkeys(word(one, f"centre_ids[{n}]") for n, one in enumerate(request.centre_ids))),
        within_km=request.within_km if request.HasField("within_km") else None,
        day_from=day_from,
        day_to=day_to,
        weekdays=_weekdays(request),
        kind=request.kind,
        consecutive=request.consecutive,
        open_now=request.open_now,
        opens_before=time_of(request.opens_before, "opens_before") if request.HasField("opens_before") else None,
        after=read_cursor(request.cursor) if request.cursor else None,
        limit=request.limit or USUAL_PAGE,
    )


def _window(request: pb.SearchSlotsRequest, now: datetime) -> tuple[datetime, datetime]:
    since = max(time_of(getattr(request, "from"), "from"), now) if request.HasField("from") else now
    until = time_of(request.to, "to") if request.HasField("to") else since + LONGEST_WINDOW
    if request.HasField("from") and until <= time_of(getattr(request, "from"), "from"):
        raise malformed("to", "after from")
    if until - since > LONGEST_WINDOW:
        raise malformed("to", "at most 56 days after from")
    return since, until


def _hours(request: pb.SearchSlotsRequest) -> tuple[int, int]:
    day_from = request.day_from_minutes if request.HasField("day_from_minutes") else 0
    day_to = request.day_to_minutes if request.HasField("day_to_minutes") else DAY
    if not 0 <= day_from < DAY:
        raise malformed("day_from_minutes", "0 to 1439")
    if not day_from < day_to <= DAY:
        raise malformed("day_to_minutes", "after day_from_minutes, at most 1440")
    return day_from, day_to


def _weekdays(request: pb.SearchSlotsRequest) -> frozenset[int]:
    days = frozenset(request.weekdays)
    if not days <= WEEK:
        raise malformed("weekdays", "1 (Monday) to 7")
    return frozenset() if days == WEEK else days


def cursor(position: Position) -> str:
    """Where the next page begins; opaque to everybody else."""
    return base64.urlsafe_b64encode(f"{position[0].isoformat()} {position[1]}".encode()).decode().rstrip("=")


def read_cursor(text: str) -> Position:
    """Inverse of `cursor`; MALFORMED for anything it did not make."""
    bad = malformed("cursor", "not a cursor of this search")
    if len(text) > 300:
        raise bad
    try:
        plain = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True).decode()
        at, separator, slot_id = plain.partition(" ")
        starts_at = datetime.fromisoformat(at)
    except (binascii.Error, UnicodeDecodeError, ValueError):
        raise bad from None
    if not separator or starts_at.tzinfo is None or not (slot_id.isprintable() or not slot_id):
        raise bad
    return starts_at, slot_id
