"""Facts of other services → notices. Pure; a notice holds ids, dates, places and codes, never a person."""

from resapermis_notification.render.lines import (
    LINES,
    compliance_drifted,
    conflict_found,
    group_expiring,
    line_changed,
    result_found,
)
from resapermis_notification.render.mandates import MANDATES, mandate_changed
from resapermis_notification.render.notice import EVERYBODY, FACT_WORDS, Notice, slot_words
from resapermis_notification.render.school import (
    authorisation_ending,
    rule_changed,
    search_matched,
    threshold_differs,
    threshold_reached,
)

__all__ = [
    "EVERYBODY",
    "FACT_WORDS",
    "LINES",
    "MANDATES",
    "Notice",
    "authorisation_ending",
    "compliance_drifted",
    "conflict_found",
    "group_expiring",
    "line_changed",
    "mandate_changed",
    "result_found",
    "rule_changed",
    "search_matched",
    "slot_words",
    "threshold_differs",
    "threshold_reached",
]
