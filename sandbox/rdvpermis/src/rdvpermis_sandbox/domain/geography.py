"""The departments of the sandbox's country, from the table of places that all read; invented centres lie about their prefectures."""

from rdvpermis_sandbox.domain.model import Department
from resapermis_places.table import PLACES

_LATER = frozenset({"975", "977", "978", "986", "987", "988"})


def wire(code: str) -> str:
    """`94` → `094`, `2A` → `02A`, `971` stays: three characters [default for Corsica]."""
    return code.zfill(3)


DEPARTMENTS = tuple(
    Department(wire(place.code), place.name, place.latitude, place.longitude, place.zone) for place in PLACES.values()
)
SEEDED = tuple(one for one in DEPARTMENTS if one.code not in _LATER)
"""Those whose schools, centres and candidates come first, in turn: ids follow from their number and order."""
ADDED = tuple(one for one in DEPARTMENTS if one.code in _LATER)
"""Came when ids were given already: what the seed makes of each stands after everything else, by dice of its own."""
