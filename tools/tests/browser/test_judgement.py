"""The pages' figures are medians, and each goal that is missed, or was not measured, is said."""

import pytest

from browser.judgement import FORMS, HOLD, PAGES, missed, summary

GOOD = {"score": 97.0, "lcp_ms": 2100.0, "cls": 0.004}


def every(**changed: float) -> list[dict[str, str | float]]:
    """Runs of all pages in both forms; `changed` holds for the home page on a phone."""
    return [
        {"page": page, "form": form, **GOOD, **(changed if (page, form) == ("home", "mobile") else {})}
        for page in PAGES
        for form in FORMS
    ]


def test_a_figure_is_the_median_of_its_runs() -> None:
    runs = [
        {"page": "home", "form": "mobile", "score": score, "cls": cls}
        for score, cls in ((91, 0.3), (99, 0), (97, 0.00126))
    ]
    assert summary(runs) == {"home": {"mobile": {"score": 97, "cls": 0.0013}}}


def test_nothing_is_missed_where_each_goal_is_just_reached() -> None:
    assert not missed(summary(every(score=95, lcp_ms=2500, cls=0.02)), PAGES)


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"score": 94}, "score 94, goal 95"),
        ({"lcp_ms": 2501}, "lcp_ms 2501, goal 2500"),
        ({"cls": 0.0201}, "cls 0.0201, goal 0.02"),
    ],
)
def test_a_missed_goal_is_said_with_its_page_and_form(changed: dict[str, float], said: str) -> None:
    assert missed(summary(every(**changed)), PAGES) == [f"home, mobile: {said}"]


def test_a_hold_is_judged_by_how_long_it_takes_to_be_seen() -> None:
    runs = [{"page": HOLD, "form": form, "inp_ms": inp} for form, inp in (("mobile", 151), ("desktop", 150))]
    assert missed(summary(runs), [HOLD]) == ["hold, mobile: inp_ms 151, goal 150"]


def test_what_was_not_measured_is_missed() -> None:
    found = summary([run for run in every() if run["page"] != "slots" or run["form"] != "desktop"])
    assert missed(found, PAGES) == [
        f"slots, desktop: {measure} not measured, goal {goal}"
        for measure, goal in (("score", 95), ("lcp_ms", 2500), ("cls", 0.02))
    ]
