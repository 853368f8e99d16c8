"""What a school's thresholds rest on, as far as we know it at a moment."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from resapermis_scheduling_rules.domain.parameters import Parameters
from resapermis_scheduling_rules.domain.quota import ComputedFte, Quota, SeenThreshold, ThresholdKey
from resapermis_scheduling_rules.domain.slots import School


@dataclass(frozen=True, slots=True)
class SchoolStanding:
    """A school with RdvPermis' figures about it, by threshold, and when it was last described."""

    school: School
    thresholds: Mapping[ThresholdKey, SeenThreshold]
    seen_at: datetime
    ftes: Mapping[tuple[str, str], ComputedFte] = field(default_factory=dict)
    """Computed from declared hours, by department and category."""

    def quota(self, place: ThresholdKey, taken: int, parameters: Parameters) -> Quota:
        """What R-THRESHOLD rests on: RdvPermis' figures, known for the department of the school's licence, and ours.

        `taken`: lines that count through us for `place`; `parameters`: those in force there.

        Ours is computed from declared hours; where none were declared for the category, it is the number of trainers that
        RdvPermis knows. Elsewhere the school's FTE counts by that department's rate [default]: no source states otherwise.
        """
        seen = self.thresholds.get(place, SeenThreshold())
        fte, source, as_of = self._fte(place, seen)
        return Quota(
            rate=parameters.threshold_rate,
            fte=fte,
            taken=taken,
            elsewhere=seen.elsewhere,
            rdvpermis_limit=seen.limit,
            rdvpermis_says_reached=seen.reached,
            fte_source=source,
            fte_as_of=as_of,
        )

    def _fte(self, place: ThresholdKey, seen: SeenThreshold) -> tuple[Decimal | None, str, datetime | None]:
        here, home = (place.department, place.category), (self.school.department, place.category)
        computed = self.ftes.get(here) or self.ftes.get(home)
        if computed is not None:
            return computed.fte, "hours", computed.at
        declared = self.school.fte
        if seen.fte is not None and seen.seen_at is not None and (declared is None or seen.seen_at > self.seen_at):
            return seen.fte, "declared", seen.seen_at  # trainers were declared since
        return (None, "unknown", None) if declared is None else (declared, "declared", self.seen_at)
