"""When candidates, trainers, vehicles and the school are not free; calendars read and offered."""

from datetime import date, timedelta
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo

from fastapi import APIRouter, Query, Request, Response

from resapermis.scheduling.v1 import availability_pb2
from resapermis_auth_gateway.web.days import known_zone, local_instant, midnight, plausible_day
from resapermis_auth_gateway.web.dependencies import Key, Who, dependencies_of
from resapermis_auth_gateway.web.wire.availability import (
    AddedUnavailabilityView,
    FeedAddressView,
    ImportView,
    NewUnavailability,
    Subject,
    UnavailabilityPage,
    UnavailabilityView,
)
from resapermis_auth_gateway.web.wire.base import Id, PathId, QueryFlag
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.rpc import peers
from resapermis_places.table import zone_of

router = APIRouter(tags=["availability"])
open_router = APIRouter(tags=["availability"])
LONGEST_WINDOW_DAYS = 100
LONGEST_TOKEN = 200
Kind = Annotated[Literal["candidate", "trainer", "vehicle", "school"], Query(description="Whose.")]
SubjectId = Annotated[Id | None, Query(alias="subjectId", description="Absent for the school itself.")]
DespiteLosses = Annotated[
    QueryFlag, Query(alias="despiteLosses", description="Replace an earlier import also where that loses something.")
]
CALENDAR_BODY: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "An iCalendar file (RFC 5545) in UTF-8, at most 1 MiB.",
        "content": {"text/calendar": {"schema": {"type": "string"}}},
    }
}
CALENDAR: dict[int | str, dict[str, Any]] = {
    200: {"description": "An iCalendar file.", "content": {"text/calendar": {"schema": {"type": "string"}}}}
}


def _subject(kind: str, subject_id: str | None, field: str) -> availability_pb2.Subject:
    if (subject_id is None) != (kind == "school"):
        raise malformed(field, "needed for a candidate, trainer or vehicle, and absent for the school")
    number = availability_pb2.SubjectKind.Value(f"SUBJECT_KIND_{kind.upper()}")
    return availability_pb2.Subject(kind=number, id=subject_id or "")


@router.get("/unavailabilities")
async def list_unavailabilities(
    who: Who,
    from_: Annotated[date, Query(alias="from", description="First day.")],
    to: Annotated[date, Query(description="Last day, included; at most 99 days later.")],
    subject: Annotated[Kind | None, Query()] = None,
    subject_id: SubjectId = None,
) -> UnavailabilityPage:
    """List who and what is not free in a window, occurrence by occurrence."""
    if not plausible_day(from_, "from") <= plausible_day(to, "to") < from_ + timedelta(days=LONGEST_WINDOW_DAYS):
        raise malformed("to", "on or after `from`, at most 99 days later")
    if subject is None and subject_id is not None:
        raise malformed("subject", "needed with `subjectId`")
    question = availability_pb2.ListUnavailabilitiesRequest(
        subject=None if subject is None else _subject(subject, subject_id, "subjectId"),
        to=midnight(to + timedelta(days=1), who.session.department),
    )
    getattr(question, "from").CopyFrom(midnight(from_, who.session.department))
    answer = await who.ask(who.peers.availability.ListUnavailabilities, question)
    return UnavailabilityPage(items=[UnavailabilityView.of(one) for one in answer.occurrences])


@router.post("/unavailabilities", status_code=201)
async def add_unavailability(who: Who, key: Key, body: NewUnavailability) -> AddedUnavailabilityView:
    """Say that somebody or something is not free; bookings that it meets are listed, not changed."""
    zone = known_zone(body.time_zone, "timeZone") if body.time_zone else ZoneInfo(zone_of(who.session.department))
    starts_at = local_instant(body.starts_at, zone, "startsAt")
    ends_at = local_instant(body.ends_at, zone, "endsAt")
    if ends_at.ToDatetime() <= starts_at.ToDatetime():
        raise malformed("endsAt", "after `startsAt`")
    command = availability_pb2.AddUnavailabilityRequest(
        request_id=key,
        unavailability=availability_pb2.Unavailability(
            subject=_subject_of(body.subject),
            starts_at=starts_at,
            ends_at=ends_at,
            rrule=body.rrule or "",
            time_zone=zone.key,
        ),
    )
    answer = await who.ask(who.peers.availability.AddUnavailability, command)
    return AddedUnavailabilityView(
        unavailability=UnavailabilityView.of(answer.unavailability), met_line_ids=list(answer.met_line_ids)
    )


def _subject_of(subject: Subject) -> availability_pb2.Subject:
    return _subject(subject.kind, subject.id, "subject.id")


@router.delete("/unavailabilities/{unavailability_id}", status_code=204, response_class=Response)
async def remove_unavailability(who: Who, unavailability_id: PathId) -> None:
    """Take one back, with all its occurrences."""
    command = availability_pb2.RemoveUnavailabilityRequest(id=unavailability_id)
    await who.ask(who.peers.availability.RemoveUnavailability, command)


@router.post("/unavailabilities/import", openapi_extra=CALENDAR_BODY)
async def import_calendar(
    who: Who, request: Request, subject: Kind, subject_id: SubjectId = None, *, despite_losses: DespiteLosses = False
) -> ImportView:
    """Read a calendar: its busy times replace what an earlier import of the same subject brought.

    Where that would lose something nothing is changed, and the answer says what (`needsConfirmation`).
    """
    command = availability_pb2.ImportCalendarRequest(
        subject=_subject(subject, subject_id, "subjectId"),
        calendar=await request.body(),
        despite_losses=despite_losses,
    )
    if not command.calendar:
        raise malformed("body", "an iCalendar file")
    answer = await who.ask(who.peers.availability.ImportCalendar, command)
    return ImportView.of(answer)


@router.post("/calendar-feeds/{trainer_id}", status_code=201)
async def create_feed(who: Who, trainer_id: PathId) -> FeedAddressView:
    """Make a private address of a trainer's exams, shown this once; an earlier one ends."""
    command = availability_pb2.CreateFeedRequest(trainer_id=trainer_id)
    answer = await who.ask(who.peers.availability.CreateFeed, command)
    return FeedAddressView(address=f"{who.dependencies.settings.public_url}/calendars/{answer.token}.ics")


@router.delete("/calendar-feeds/{trainer_id}", status_code=204, response_class=Response)
async def revoke_feed(who: Who, trainer_id: PathId) -> None:
    """End a trainer's private calendar address at once; 404 when there is none."""
    command = availability_pb2.RevokeFeedRequest(trainer_id=trainer_id)
    await who.ask(who.peers.availability.RevokeFeed, command)


@open_router.get("/calendars/{token}.ics", responses=CALENDAR, response_class=Response)
async def get_calendar(request: Request, token: str) -> Response:
    """Give the calendar behind a private address. Who knows it needs no session; one that ended never was."""
    if not token or len(token) > LONGEST_TOKEN or not token.isprintable():
        raise Failure(Code.CODE_NOT_FOUND, "no such calendar")
    question = availability_pb2.GetFeedRequest(token=token)
    answer = await peers.ask(dependencies_of(request).peers.availability.GetFeed, question, principal="")
    headers = {"Cache-Control": "private, max-age=300", "X-Robots-Tag": "noindex"}
    return Response(answer.calendar, media_type="text/calendar; charset=utf-8", headers=headers)
