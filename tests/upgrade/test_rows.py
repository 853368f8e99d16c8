"""No migration takes or changes a row of any database.

The test was seen to fail where a migration took or changed any row: mandate's `candidate_word` or `request`, notification's
notices of other kinds, basket's `judgement`, `request` or cancelled lines, scheduling-rules' `feed`, `hours` or a value in
`vehicle`: the rows are told, each table by name.
"""

from collections import Counter
from collections.abc import Sequence

import pytest
from kept_rows import Row
from upgraded import Upgraded

pytestmark = [pytest.mark.timeout(600), pytest.mark.long_only]  # a machine's first run installs the old release
RENAMED = {
    "basket": {"heard": "received_event"},
    "scheduling_rules": {
        "authorisation_said": "authorisation_published",
        "bar": "restriction",
        "centre_look": "centre_poll",
        "favourite_look": "favourite_poll",
        "look": "poll",
        "penalty_look": "penalty_poll",
        "threshold_said": "threshold_published",
    },
}
"""Database → table → its name of today."""

RENAMED_VALUES = {
    "inbox": {"facts": "events"},
    "outbox": {"facts": "events"},
    "outbox_head": {"facts": "events"},
    "parameter": {
        "late_cancel_bar_days": "late_cancel_restriction_days",
        "look_stale_seconds": "poll_stale_seconds",
    },
}
"""Table → a value of the old release → of today."""

EMPTY = {
    "no event or request of its own": (
        ("audit", "request"),
        ("auth_gateway", "inbox"),
        ("auth_gateway", "request"),
        ("mandate", "inbox"),
        ("notification", "request"),
    ),
    "each keeps dead letters in the same table, of which notification and scheduling-rules have one": (
        ("audit", "dead_letter"),
        ("auth_gateway", "dead_letter"),
        ("basket", "dead_letter"),
        ("mandate", "dead_letter"),
    ),
    "work of minutes, done again": (
        ("auth_gateway", "sign_in_attempt"),
        ("basket", "eligibility"),
        ("basket", "prepared_basket"),
        ("scheduling_rules", "slot_news"),
    ),
    "RdvPermis', asked for again": (("basket", "penalties_seen"), ("scheduling_rules", "penalty_poll")),
    "of the turn of a month or the end of an authorisation, which do not come while the old release makes its stack": (
        ("scheduling_rules", "authorisation_published"),
        ("scheduling_rules", "fte"),
        ("scheduling_rules", "threshold_published"),
    ),
}
"""Why → tables of which the old release leaves no row, so that nothing shows here whether one would be kept.

Every other table must have one.
"""


def test_no_migration_takes_or_changes_a_row(upgraded: Upgraded) -> None:
    """Every row of every table of every database, value by value; nothing that was there is meant to go."""
    empty, lost = set(), {}
    for database, tables in upgraded.was["kept"].items():
        for old_name, rows in tables.items():
            name = RENAMED.get(database, {}).get(old_name, old_name)
            now = upgraded.migrated[database].get(name, [])
            if not rows:
                empty.add((database, name))
            missing = _rows(rows, name, len(rows[0]) if rows else 0) - _rows(now, name, len(rows[0]) if rows else 0)
            if missing:
                lost[f"{database}.{name}"] = f"{missing.total()} of {len(rows)}, e.g. {next(iter(missing))}"
    assert lost == {}
    may_be_empty = {table for tables in EMPTY.values() for table in tables}
    assert empty - may_be_empty == set(), "a table without a row shows nothing"


def _rows(rows: Sequence[Row], table: str, width: int) -> Counter[tuple[str | None, ...]]:
    """Rows under today's words, as wide as they were: what has come since stands behind."""
    today = RENAMED_VALUES.get(table, {})
    return Counter(tuple(today.get(value, value) if value else value for value in row[:width]) for row in rows)
