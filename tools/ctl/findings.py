"""What an invariant's question brought."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

SHOWN = 5
"""So many ids of what breaks an invariant are shown; ids only, no person's data."""


@dataclass(frozen=True)
class Finding:
    """One invariant: how much breaks it, and some of it by id."""

    name: str
    breaches: int
    examples: tuple[str, ...] = ()
    at_once: bool = False
    """It must hold in every snapshot; the others only once what is under way has arrived."""

    @property
    def holds(self) -> bool:
        """Whether no breach was found of this invariant."""
        return self.breaches == 0


@dataclass(frozen=True)
class Report:
    """All findings of one check, and how much was read."""

    findings: tuple[Finding, ...]
    seen: dict[str, int] = field(default_factory=dict)

    @property
    def holds(self) -> bool:
        """Whether every invariant holds."""
        return all(finding.holds for finding in self.findings)

    def as_json(self) -> dict[str, Any]:
        """`holds`, `invariants` (name → breaches and examples) and `seen` (what was read → how many)."""
        invariants = {
            finding.name: {"breaches": finding.breaches}
            | ({"examples": list(finding.examples)} if finding.examples else {})
            for finding in self.findings
        }
        return {"holds": self.holds, "invariants": invariants, "seen": self.seen}


def of(name: str, found: Iterable[object], *, at_once: bool = False) -> Finding:
    """A finding of everything that breaks an invariant."""
    rows = [str(one) for one in found]
    return Finding(name, len(rows), tuple(rows[:SHOWN]), at_once)
