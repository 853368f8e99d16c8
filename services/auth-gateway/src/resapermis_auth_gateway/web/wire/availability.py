"""When somebody or something is not free."""

from typing import Annotated, Literal

from pydantic import Field

from resapermis.scheduling.v1 import availability_pb2
from resapermis_auth_gateway.web.wire.base import Body, Id, LocalMoment, Text, View, enum_field, enum_word, local_time
from resapermis_places.table import PARIS

Kind = Annotated[str, enum_field(availability_pb2.SubjectKind, "SUBJECT_KIND_")]


class Subject(Body):
    """Who or what is not free; the school itself has no id."""

    kind: Literal["candidate", "trainer", "vehicle", "school"]
    id: Id | None = None


class NewUnavailability(Body):
    """When somebody or something is not free, on the clock of `timeZone` (the school's if absent)."""

    subject: Subject
    starts_at: LocalMoment
    ends_at: LocalMoment
    rrule: Annotated[Text, Field(max_length=500, description="RFC 5545 RRULE, e.g. FREQ=WEEKLY;BYDAY=MO.")] | None = (
        None
    )
    time_zone: Annotated[Text, Field(min_length=1, max_length=64)] | None = None


class SubjectView(View):
    """Who or what; the school itself has no id."""

    kind: Kind
    id: str | None = None


class UnavailabilityView(View):
    """One occurrence, on the clock of `timeZone`; those of one recurrence share their id."""

    id: str
    subject: SubjectView
    starts_at: str
    ends_at: str
    time_zone: str
    rrule: str | None = None
    imported: bool

    @classmethod
    def of(cls, one: availability_pb2.Unavailability) -> "UnavailabilityView":
        """From scheduling.v1.Unavailability; instants become hours on the clock of its zone."""
        kind = enum_word(availability_pb2.SubjectKind, one.subject.kind, "SUBJECT_KIND_")
        return cls(
            id=one.id,
            subject=SubjectView(kind=kind, id=one.subject.id or None),
            starts_at=local_time(one.starts_at, one.time_zone),
            ends_at=local_time(one.ends_at, one.time_zone),
            time_zone=one.time_zone or PARIS,
            rrule=one.rrule or None,
            imported=one.imported,
        )


class UnavailabilityPage(View):
    """Occurrences that overlap the window asked for, by start."""

    items: list[UnavailabilityView]


class AddedUnavailabilityView(View):
    """What was written down, and the coming bookings that it meets: listed, not changed."""

    unavailability: UnavailabilityView
    met_line_ids: list[str]


class LostEventView(View):
    """An event that could not be kept, or a series with all its parts; never what it is about."""

    why: Annotated[str, Field(description="As in `leftOut`.")]
    starts: Annotated[str | None, Field(description="As the file says it: a day, or a local time.")] = None
    repeats: bool


class ImportView(View):
    """How many occurrences were kept, and what was left out; or, when it is to be confirmed first, what would be."""

    kept: Annotated[int, Field(description="Occurrences kept; 0 while `needsConfirmation`.")]
    left_out: Annotated[
        dict[str, int],
        Field(
            description="Events by why, a series counting once: `not_busy`, `past`; `unreadable`, `too_many`, and `not_read`"
            " for other parts of the file."
        ),
    ]
    needs_confirmation: Annotated[
        bool, Field(description="Nothing was changed: an earlier import would be replaced by less than the file has.")
    ]
    would_keep: Annotated[int, Field(description="Set while `needsConfirmation`.")]
    lost: Annotated[list[LostEventView], Field(description="The first twenty that are unreadable or too many.")]

    @classmethod
    def of(cls, answer: availability_pb2.ImportCalendarResponse) -> "ImportView":
        """From scheduling.v1.ImportCalendarResponse."""
        lost = [LostEventView(why=one.why, starts=one.starts or None, repeats=one.repeats) for one in answer.lost]
        return cls(
            kept=answer.kept,
            left_out=dict(answer.left_out),
            needs_confirmation=answer.needs_confirmation,
            would_keep=answer.would_keep,
            lost=lost,
        )


class FeedAddressView(View):
    """A private address, shown this once: whoever knows it reads the trainer's exams."""

    address: str
