"""A trainer's exams as a calendar to subscribe to (RFC 5545), behind an address that only its hash is kept of. Pure.

It names nobody: category, centre and hours. Line ends in a centre's name are escaped and long lines folded by the library.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256

from icalendar import Calendar
from icalendar import Event as Component

PRODUCT = "-//ResaPermis//feed//FR"
NAME = "Examens du permis"
PAST = timedelta(days=30)
MOST = 2000
REFRESH = timedelta(minutes=15)


@dataclass(frozen=True, slots=True)
class Exam:
    """A trainer's booking as their calendar shows it: hours, category and centre, never the candidate."""

    line_id: str
    category: str
    centre: str
    starts_at: datetime
    ends_at: datetime
    booked_at: datetime


def digest(token: str) -> bytes:
    """What is kept of an address. 256 random bits need no salt, and a look-up by digest gives nothing away by its time."""
    return sha256(token.encode()).digest()


def calendar(exams: Sequence[Exam]) -> bytes:
    """The file, the same bytes for the same exams; UID = line id, so that a subscriber moves what has moved."""
    whole = Calendar()
    whole.add("prodid", PRODUCT)
    whole.add("version", "2.0")
    whole.add("x-wr-calname", NAME)
    whole.add("refresh-interval", REFRESH, parameters={"VALUE": "DURATION"})
    for exam in exams:
        centre = " ".join(exam.centre.split())
        event = Component()
        event.add("uid", exam.line_id)
        event.add("dtstamp", exam.booked_at)
        event.add("dtstart", exam.starts_at)
        event.add("dtend", exam.ends_at)
        event.add("summary", f"Examen {exam.category}, {centre}".rstrip(", "))
        if centre:
            event.add("location", centre)
        event.add("status", "CONFIRMED")
        whole.add_component(event)
    return bytes(whole.to_ical())
