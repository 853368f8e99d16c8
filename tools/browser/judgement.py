"""What the figures of the pages must be, and whether they are."""

from collections.abc import Iterable, Mapping, Sequence
from statistics import median
from typing import TypeAlias

FORMS = ("mobile", "desktop")
"""Lighthouse's: a phone on slow 4G with a CPU four times slower, and a desktop computer."""
PAGES = ("sign-in", "home", "slots")
HOLD = "hold"
"""No page but an act: slots chosen and held, on the page of slots."""
GOALS: Mapping[str, float] = {"score": 95, "lcp_ms": 2500, "cls": 0.02, "inp_ms": 150}
"""By measure: the score is to reach it, the others to stay within (web.md 7, issue 14)."""
OF_A_PAGE, OF_AN_ACT = ("score", "lcp_ms", "cls"), ("inp_ms",)
DECIMALS: Mapping[str, int] = {"cls": 4}

Run: TypeAlias = Mapping[str, str | float]
"""One measurement: `page`, `form`, and figures by name."""
Summary: TypeAlias = dict[str, dict[str, dict[str, float]]]
"""Medians: page → form → figure → value."""


def summary(runs: Iterable[Run]) -> Summary:
    """The median of each figure of each page and form."""
    figures: dict[tuple[str, str], dict[str, list[float]]] = {}
    for run in runs:
        of_one = figures.setdefault((str(run["page"]), str(run["form"])), {})
        for name, value in run.items():
            if name not in {"page", "form"}:
                of_one.setdefault(name, []).append(float(value))
    found: Summary = {}
    for (page, form), values in figures.items():
        medians = {name: round(median(several), DECIMALS.get(name)) for name, several in values.items()}
        found.setdefault(page, {})[form] = medians
    return found


def missed(found: Summary, subjects: Sequence[str]) -> list[str]:
    """A sentence for each goal that one of `subjects` misses in one form, or of which nothing is known."""
    return [
        f"{subject}, {form}: {measure} {'not measured' if value is None else value}, goal {GOALS[measure]}"
        for subject in subjects
        for form in FORMS
        for measure in (OF_AN_ACT if subject == HOLD else OF_A_PAGE)
        if not _met(measure, value := found.get(subject, {}).get(form, {}).get(measure))
    ]


def _met(measure: str, value: float | None) -> bool:
    if value is None:
        return False
    return value >= GOALS[measure] if measure == "score" else value <= GOALS[measure]
