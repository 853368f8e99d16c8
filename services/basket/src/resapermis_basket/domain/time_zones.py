"""Where an exam's hours are meant."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

MAINLAND = "Europe/Paris"
OVERSEAS: Mapping[str, str] = {
    "971": "America/Guadeloupe",
    "972": "America/Martinique",
    "973": "America/Cayenne",
    "974": "Indian/Reunion",
    "975": "America/Miquelon",
    "976": "Indian/Mayotte",
}


def zone_of(department: str) -> str:
    """IANA zone of a department."""
    return OVERSEAS.get(department, MAINLAND)


def month_of(at: datetime, zone: str) -> str:
    """The month that an exam counts for, e.g. "2026-12"."""
    return f"{at.astimezone(ZoneInfo(zone)):%Y-%m}"
