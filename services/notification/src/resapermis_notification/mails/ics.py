"""An exam as an iCalendar file (RFC 5545, iTIP methods of RFC 5546). Pure."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Literal

from icalendar import Calendar, Event, Timezone, vCalAddress, vText

from resapermis_notification.notices import vocabulary

Method = Literal["PUBLISH", "CANCEL"]
PRODUCT = "-//ResaPermis//notification//FR"
SEQUENCES: Mapping[Method, int] = {"PUBLISH": 0, "CANCEL": 1}
"""A line is booked once and cancelled at most once after that."""


def calendar(
    method: Method, facts: Mapping[str, str], stamped_at: datetime, organizer: str, *, english: bool = False
) -> bytes | None:
    """The file for a line's exam, UID = line id, hours in the centre's zone; None when the slot's time is unknown.

    `stamped_at` makes it the same bytes each time it is sent. `organizer` is the sender's address.
    """
    where = vocabulary.zone(facts.get("time_zone", ""))
    if where is None or not {"line_id", "starts_at", "ends_at"} <= facts.keys():
        return None
    starts, ends = (datetime.fromisoformat(facts[key]).astimezone(where) for key in ("starts_at", "ends_at"))
    category = facts.get("category", "")
    event = Event()
    event.add("uid", facts["line_id"])
    event.add("sequence", SEQUENCES[method])
    event.add("dtstamp", stamped_at)
    event.add("dtstart", starts)
    event.add("dtend", ends)
    event.add("summary", f"{'Driving test' if english else 'Examen du permis'} {category}".strip())
    event.add("status", "CANCELLED" if method == "CANCEL" else "CONFIRMED")
    event.add("organizer", vCalAddress(f"mailto:{organizer}"))
    if "centre" in facts:
        event["location"] = vText(facts["centre"])
    whole = Calendar()
    whole.add("prodid", PRODUCT)
    whole.add("version", "2.0")
    whole.add("method", method)
    whole.add_component(_zone(facts["time_zone"], starts.year))
    whole.add_component(event)
    return bytes(whole.to_ical())


def _zone(name: str, year: int) -> Timezone:
    """VTIMEZONE from the year before the exam to the year after: enough, and short."""
    zone = Timezone.from_tzid(name, first_date=date(year - 1, 1, 1), last_date=date(year + 2, 1, 1))
    zone.pop("comment", None)
    return zone
