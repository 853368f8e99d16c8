"""Slots with the verdict of every rule for the asker's school, exam centres, thresholds."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query
from google.protobuf.timestamp_pb2 import Timestamp

from resapermis.basket.v1 import basket_pb2
from resapermis.scheduling.v1 import scheduling_pb2
from resapermis_auth_gateway.web.bodies import Category, Department, Id
from resapermis_auth_gateway.web.gateway import Who, now_of
from resapermis_auth_gateway.web.routes.parameters import Cursor
from resapermis_auth_gateway.web.views.base import PARIS, maybe
from resapermis_auth_gateway.web.views.slots import (
    CentrePage,
    CentreView,
    JudgedSlotView,
    SlotPage,
    ThresholdPage,
    ThresholdView,
)
from resapermis_kit.errors import malformed

router = APIRouter(tags=["slots"])
DAYS_BY_DEFAULT = 28
LONGEST_WINDOW_DAYS = 56
FIRST_DAY, LAST_DAY = date(2000, 1, 1), date(2100, 1, 1)
OVERSEAS = {
    "971": "America/Guadeloupe",
    "972": "America/Martinique",
    "973": "America/Cayenne",
    "974": "Indian/Reunion",
    "976": "Indian/Mayotte",
}


def midnight(day: date, department: str) -> Timestamp:
    """The instant at which a day begins in a department."""
    stamp = Timestamp()
    stamp.FromDatetime(datetime.combine(day, time(), ZoneInfo(OVERSEAS.get(department, PARIS))).astimezone(UTC))
    return stamp


@router.get("/slots")
async def search_slots(
    who: Who,
    department: Annotated[Department, Query()],
    category: Annotated[Category, Query()],
    from_: Annotated[date | None, Query(alias="from", description="First day; today if absent.")] = None,
    to: Annotated[date | None, Query(description="Last day, included; at most 55 days later.")] = None,
    centre: Annotated[list[Id] | None, Query(max_length=50, description="Centres; all if absent.")] = None,
    cursor: Cursor = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    look_now: Annotated[bool, Query(alias="lookNow", description="Look again at RdvPermis; spends calls.")] = False,  # noqa: FBT002 - a query parameter
) -> SlotPage:
    """Search slots; each with its age and with what every rule says of it for this school."""
    first = from_ or now_of(who).astimezone(ZoneInfo(OVERSEAS.get(department, PARIS))).date()
    last = to or first + timedelta(days=DAYS_BY_DEFAULT - 1)
    if not FIRST_DAY <= first <= LAST_DAY:
        raise malformed("from", "a day between 2000 and 2100")
    if not first <= last < first + timedelta(days=LONGEST_WINDOW_DAYS):
        raise malformed("to", "on or after `from`, at most 55 days later")
    question = scheduling_pb2.SearchSlotsRequest(
        department=department,
        category=category,
        to=midnight(last + timedelta(days=1), department),
        centre_ids=centre or (),
        cursor=cursor,
        limit=limit,
        look_now=look_now,
    )
    getattr(question, "from").CopyFrom(midnight(first, department))
    answer = await who.ask(who.gateway.peers.scheduling.SearchSlots, question)
    return SlotPage(
        items=[JudgedSlotView.judged(one) for one in answer.slots],
        next_cursor=answer.next_cursor or None,
        seen_at=maybe(answer, "oldest_seen_at"),
        incomplete=answer.incomplete,
        incomplete_reason=answer.incomplete_reason or None,
        threshold=ThresholdView.of(answer.threshold) if answer.HasField("threshold") else None,
        server_time=now_of(who),
    )


@router.get("/centres")
async def list_centres(
    who: Who, department: Annotated[Department, Query()], category: Annotated[Category, Query()]
) -> CentrePage:
    """List the exam centres of a department."""
    question = scheduling_pb2.ListCentresRequest(department=department, category=category)
    answer = await who.ask(who.gateway.peers.scheduling.ListCentres, question)
    return CentrePage(items=[CentreView.of(one) for one in answer.centres])


@router.get("/thresholds")
async def list_thresholds(who: Who) -> ThresholdPage:
    """Say what the school may take, has taken and has left."""
    usage = await who.ask(who.gateway.peers.basket.GetUsage, basket_pb2.GetUsageRequest())
    question = scheduling_pb2.ListThresholdsRequest(usage=usage.usage)
    answer = await who.ask(who.gateway.peers.scheduling.ListThresholds, question)
    return ThresholdPage(items=[ThresholdView.of(one) for one in answer.thresholds], server_time=now_of(who))
