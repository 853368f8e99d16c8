"""What a rule answers, as data."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one rule decides, as data; texts are made from it in the reader's language. Facts are never personal."""

    rule: str
    """Its id, of `words.RULE_IDS`."""
    allowed: bool
    facts: Mapping[str, str]
    source: str
    """Where the rule comes from: charter section, RdvPermis' API, decree or parameter."""
    opens_at: datetime | None = None
    """The first moment at which the same facts are allowed; None when time alone does not open it (or it is open)."""
    remedy: str = ""
    """A stable word for what the school can do, of `words.REMEDIES`; empty when allowed."""


@dataclass(frozen=True, slots=True)
class Statement:
    """What all verdicts of one rule have in common."""

    rule: str
    source: str

    def allows(self, facts: Mapping[str, str]) -> Verdict:
        """Allowed, whatever the facts: the rule does not apply to this act."""
        return Verdict(self.rule, True, facts, self.source)

    def judges(self, facts: Mapping[str, str], *, allowed: bool, remedy: str) -> Verdict:
        """Allowed, or refused with the remedy."""
        return Verdict(self.rule, allowed, facts, self.source, remedy="" if allowed else remedy)
