"""Public holidays and working days of a department. Pure.

Alsace and Moselle keep Good Friday and 26 December; overseas departments keep their own abolition days.
"""

from datetime import date
from functools import cache

import holidays

_LOCAL_HOLIDAYS = {
    "57": "57",
    "67": "6AE",
    "68": "6AE",
    "971": "971",
    "972": "972",
    "973": "973",
    "974": "974",
    "975": "PM",
    "976": "976",
}
"""Departments with holidays of their own, as the holidays package names them."""


@cache
def _days_off(department: str, year: int) -> frozenset[date]:
    return frozenset(holidays.country_holidays("FR", subdiv=_LOCAL_HOLIDAYS.get(department), years=year))


def is_public_holiday(day: date, department: str) -> bool:
    """Public holidays of France and of the department."""
    return day in _days_off(department, day.year)


def is_working_day(day: date, department: str) -> bool:
    """Monday to Friday, public holidays of the department off."""
    return day.weekday() < 5 and not is_public_holiday(day, department)
