"""Slots with the verdict of every rule for the asker's school, exam centres, thresholds."""

from datetime import date, timedelta
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import AwareDatetime

from resapermis.basket.v1 import basket_pb2
from resapermis.scheduling.v1 import scheduling_pb2
from resapermis_auth_gateway.web.days import midnight, plausible_day
from resapermis_auth_gateway.web.dependencies import Who, now_of
from resapermis_auth_gateway.web.wire.base import (
    Category,
    Clock,
    Cursor,
    Department,
    Id,
    Kind,
    QueryFlag,
    Weekday,
    optional_instant,
)
from resapermis_auth_gateway.web.wire.slots import (
    CentrePage,
    CentreView,
    JudgedSlotView,
    PolledDayView,
    Search,
    SlotPage,
    ThresholdPage,
    ThresholdView,
)
from resapermis_kit.errors import malformed
from resapermis_places.days import local_day

router = APIRouter(tags=["slots"])
DAYS_BY_DEFAULT = 28
LONGEST_WINDOW_DAYS = 56


@router.get("/slots")
async def search_slots(
    who: Who,
    category: Annotated[Category, Query()],
    department: Annotated[Department | None, Query(description="May be absent where `withinKm` says where.")] = None,
    from_: Annotated[date | None, Query(alias="from", description="First day; today if absent.")] = None,
    to: Annotated[date | None, Query(description="Last day, included; at most 55 days later.")] = None,
    centre: Annotated[list[Id] | None, Query(max_length=50, description="Centres; all if absent.")] = None,
    within_km: Annotated[
        int | None, Query(alias="withinKm", ge=1, le=300, description="Centres at most so far from the school.")
    ] = None,
    day_from: Annotated[Clock | None, Query(alias="dayFrom", description="First hour, at the centre: 08:00.")] = None,
    day_to: Annotated[Clock | None, Query(alias="dayTo", description="Before this hour: 12:00.")] = None,
    consecutive: Annotated[
        int, Query(alias="consecutive", ge=1, le=8, description="At least this many free slots one after the other.")
    ] = 1,
    open_now: Annotated[QueryFlag, Query(alias="openNow", description="Only what the school may take now.")] = False,  # noqa: FBT002 - a query parameter
    opens_before: Annotated[
        AwareDatetime | None, Query(alias="opensBefore", description="Only what is open, or opens by itself, before.")
    ] = None,
    kind: Annotated[Kind | None, Query(description="Kind of test; both if absent.")] = None,
    weekdays: Annotated[list[Weekday] | None, Query(max_length=7, description="Monday is 1; all if absent.")] = None,
    cursor: Cursor = "",
    limit: Annotated[int, Query(ge=1, le=500)] = 200,
    poll_now: Annotated[QueryFlag, Query(alias="pollNow", description="Poll RdvPermis again; spends calls.")] = False,  # noqa: FBT002 - a query parameter
) -> SlotPage:
    """Search slots; each with its age and with what every rule says of it for this school."""
    place = department or who.session.department
    first = plausible_day(from_ or local_day(now_of(who), place), "from")
    last = to or first + timedelta(days=DAYS_BY_DEFAULT - 1)
    if not first <= last < first + timedelta(days=LONGEST_WINDOW_DAYS):
        raise malformed("to", "on or after `from`, at most 55 days later")
    question = Search(
        department=department,
        category=category,
        centres=centre or [],
        within_km=within_km,
        day_from=day_from,
        day_to=day_to,
        consecutive=consecutive,
        open_now=open_now,
        opens_before=opens_before,
        kind=kind,
        weekdays=weekdays or [],
    ).message()
    question.to.CopyFrom(midnight(last + timedelta(days=1), place))
    getattr(question, "from").CopyFrom(midnight(first, place))
    question.cursor, question.limit, question.poll_now = cursor, limit, poll_now
    answer = await who.ask(who.peers.scheduling.SearchSlots, question)
    return SlotPage(
        items=[JudgedSlotView.judged(one) for one in answer.slots],
        next_cursor=answer.next_cursor or None,
        seen_at=optional_instant(answer, "oldest_seen_at"),
        incomplete=answer.incomplete,
        incomplete_reason=answer.incomplete_reason or None,
        threshold=ThresholdView.of(answer.threshold) if answer.HasField("threshold") else None,
        thresholds=[ThresholdView.of(one) for one in answer.thresholds],
        days=[PolledDayView.of(one) for one in answer.days],
        polls_left=answer.polls_left,
        server_time=now_of(who),
    )


@router.get("/centres")
async def list_centres(
    who: Who, department: Annotated[Department, Query()], category: Annotated[Category, Query()]
) -> CentrePage:
    """Open exam centres of a department that offer the licence group."""
    question = scheduling_pb2.ListCentresRequest(department=department, category=category)
    answer = await who.ask(who.peers.scheduling.ListCentres, question)
    return CentrePage(items=[CentreView.of(one) for one in answer.centres])


@router.get("/thresholds")
async def list_thresholds(who: Who) -> ThresholdPage:
    """Say what the school may take, has taken and has left."""
    usage = await who.ask(who.peers.basket.GetUsage, basket_pb2.GetUsageRequest())
    question = scheduling_pb2.ListThresholdsRequest(usage=usage.usage)
    answer = await who.ask(who.peers.scheduling.ListThresholds, question)
    return ThresholdPage(items=[ThresholdView.of(one) for one in answer.thresholds], server_time=now_of(who))
