"""When somebody or something is not free."""

from typing import Annotated

from resapermis.scheduling.v1 import availability_pb2
from resapermis_auth_gateway.web.days import PARIS
from resapermis_auth_gateway.web.views.base import View, local, word, words

Kind = Annotated[str, words(availability_pb2.SubjectKind, "SUBJECT_KIND_")]


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
        """From scheduling-rules."""
        kind = word(availability_pb2.SubjectKind, one.subject.kind, "SUBJECT_KIND_")
        return cls(
            id=one.id,
            subject=SubjectView(kind=kind, id=one.subject.id or None),
            starts_at=local(one.starts_at, one.time_zone),
            ends_at=local(one.ends_at, one.time_zone),
            time_zone=one.time_zone or PARIS,
            rrule=one.rrule or None,
            imported=one.imported,
        )


class UnavailabilityPage(View):
    """Occurrences of a window, in order."""

    items: list[UnavailabilityView]


class AddedUnavailabilityView(View):
    """What was written down, and the coming bookings that it meets: told, not changed."""

    unavailability: UnavailabilityView
    met_line_ids: list[str]


class ImportView(View):
    """How many occurrences were kept, and how many events were left out, by why."""

    kept: int
    left_out: dict[str, int]


class FeedAddressView(View):
    """A private address, shown this once: whoever knows it reads the trainer's exams."""

    address: str
