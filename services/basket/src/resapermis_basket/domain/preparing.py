"""What was settled before an opening: RdvPermis' own word on candidates, a basket that waits."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

WORD_LASTS = timedelta(minutes=5)
"""So long RdvPermis' word on a candidate is passed on to the rules."""
BASKET_MARGIN = timedelta(minutes=3)
"""A basket that ends sooner is not begun with, for a hold in it would end as soon: the hold opens its own."""


@dataclass(frozen=True, slots=True)
class Eligibility:
    """RdvPermis' word on whether a candidate may take a slot of a category."""

    category: str
    rdvpermis_candidate_id: str
    eligible: bool
    word: str
    """Its refusal, verbatim."""
    seen_at: datetime


Words = Mapping[tuple[str, str], Eligibility]
"""By (category, RdvPermis' candidate id)."""


@dataclass(frozen=True, slots=True)
class PreparedBasket:
    """An empty basket at RdvPermis, for one hold of one person."""

    id: str
    expires_at: datetime
