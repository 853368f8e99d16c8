"""How far places are from each other, and how long the drive takes."""

from collections.abc import Iterable
from decimal import Decimal
from math import asin, ceil, cos, radians, sin, sqrt

from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.slots import Centre, Point

EARTH_KM = 6371.0
KM_A_DEGREE = 111
"""Of latitude, at least."""


def distance_km(one: Point, other: Point) -> float:
    """Great-circle distance in kilometres, on a sphere of 6,371 km (haversine)."""
    a, b = radians(one.latitude), radians(other.latitude)
    half = sin((b - a) / 2) ** 2 + cos(a) * cos(b) * sin(radians(other.longitude - one.longitude) / 2) ** 2
    return 2 * EARTH_KM * asin(sqrt(min(1.0, half)))


def travel_minutes(one: Point, other: Point, parameters: Parameters) -> int:
    """Estimated drive: great-circle distance × detour ÷ speed, rounded up to a minute."""
    road = Decimal(str(round(distance_km(one, other), 3))) * parameters.travel_detour
    return ceil(road * 60 / max(1, parameters.travel_kmh))


def within(centre: Centre, school: Point | None, kilometres: int) -> bool:
    """Whether a centre lies at most `kilometres` from the school as the crow flies; False when either place is unknown."""
    if school is None or centre.latitude is None or centre.longitude is None:
        return False
    if abs(school.latitude - centre.latitude) * KM_A_DEGREE > kilometres:
        return False  # most of them, without trigonometry
    return distance_km(school, Point(centre.latitude, centre.longitude)) <= kilometres


def nearest_first(centres: Iterable[Centre], school: Point | None) -> list[Centre]:
    """Nearest to the school where places are known, the others after them by name."""

    def rank(centre: Centre) -> tuple[bool, float, str, str]:
        here = centre.point
        known = school is not None and here is not None
        return not known, distance_km(school, here) if school and here else 0.0, centre.name, centre.id

    return sorted(centres, key=rank)
