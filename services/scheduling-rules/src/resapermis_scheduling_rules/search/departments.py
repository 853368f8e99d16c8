"""Where departments are: which of them a search around a school may reach. Pure."""

from collections.abc import Sequence
from functools import lru_cache

from resapermis_places.table import PLACES
from resapermis_scheduling_rules.domain.distance import distance_km
from resapermis_scheduling_rules.domain.slots import Point

REACH_KM = 90
"""From a prefecture to the furthest exam centre of its department, generously."""
MOST_ASKED = 12
"""Departments whose centres one search asks RdvPermis for; further ones are known from searches and the planner."""
_SEATS = tuple((place.code, Point(place.latitude, place.longitude)) for place in PLACES.values())


@lru_cache(maxsize=4096)
def departments_within(place: Point, kilometres: int) -> Sequence[str]:
    """Departments that may have a centre so near, nearest prefecture first. Remembered: a school stays where it is."""
    distances = sorted((distance_km(place, seat), department) for department, seat in _SEATS)
    return [department for distance, department in distances if distance <= kilometres + REACH_KM]
