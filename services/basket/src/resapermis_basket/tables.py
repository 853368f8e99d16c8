"""Tables of basket; the constraints are the referees."""

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ExcludeConstraint

from resapermis_basket.domain.line import LIVE, State
from resapermis_kit.database.metadata import NAMING

metadata = sa.MetaData(naming_convention=NAMING)
MOMENT = sa.DateTime(timezone=True)

groups = sa.Table(
    "group_",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("session_id", sa.Text, nullable=False),
    sa.Column("all_or_nothing", sa.Boolean, nullable=False),
    sa.Column("request_caller", sa.Text, nullable=False),
    sa.Column("request_id", sa.Text, nullable=False),
    sa.Column("created_at", MOMENT, nullable=False),
    sa.Column("warned_at", MOMENT),
)
# Release 0.2.0 finds by it what a command made; that is `request.made` now, and the next release drops it.
sa.Index("group__request_idx", groups.c.request_caller, groups.c.request_id)

_STATES = ", ".join(f"'{state}'" for state in State)
_LIVE = ", ".join(f"'{state}'" for state in sorted(LIVE))
# Not "line": that is a type of PostgreSQL's own.
lines = sa.Table(
    "basket_line",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("group_id", sa.Uuid, sa.ForeignKey("group_.id"), nullable=False),
    sa.Column("position", sa.SmallInteger, nullable=False),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("slot_id", sa.Text, nullable=False),
    sa.Column("department", sa.Text, nullable=False),
    sa.Column("category", sa.Text, nullable=False),
    sa.Column("month", sa.Text, nullable=False),
    sa.Column("starts_at", MOMENT, nullable=False),
    sa.Column("ends_at", MOMENT, nullable=False),
    sa.Column("time_zone", sa.Text, nullable=False),
    sa.Column("centre_name", sa.Text, nullable=False),
    sa.Column("snapshot", sa.LargeBinary, nullable=False),
    sa.Column("centre_id", sa.Text, nullable=False, server_default=""),
    sa.Column("kind", sa.Text, nullable=False, server_default=""),
    sa.Column("found_elsewhere", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("since", MOMENT, nullable=False),
    sa.Column("candidate_id", sa.Uuid),
    sa.Column("rdvpermis_candidate_id", sa.Text, nullable=False),
    sa.Column("expires_at", MOMENT),
    sa.Column("ended_at", MOMENT),
    sa.Column("basket_id", sa.Text, nullable=False),
    sa.Column("exam_id", sa.Text, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("refusal", sa.LargeBinary, nullable=False),
    sa.Column("changing", sa.Text, nullable=False),
    sa.Column("wanted_candidate_id", sa.Uuid),
    sa.Column("wanted_rdvpermis_id", sa.Text, nullable=False),
    sa.Column("next_poll_at", MOMENT),
    sa.Column("polls", sa.Integer, nullable=False),
    sa.Column("owed", sa.Boolean, nullable=False),
    sa.Column("trainer_id", sa.Text, nullable=False, server_default=""),
    sa.Column("vehicle_id", sa.Text, nullable=False, server_default=""),
    sa.Column("partner_id", sa.Uuid),
    sa.Column("outcome", sa.Text, nullable=False, server_default=""),
    sa.Column("points", sa.SmallInteger),
    sa.Column("result_at", MOMENT),
    sa.Column("version", sa.Integer, nullable=False),
    sa.UniqueConstraint("group_id", "position", name="basket_line_group_id_position_key"),
    sa.CheckConstraint("position BETWEEN 0 AND 3", "position"),
    sa.CheckConstraint(f"state IN ({_STATES})", "state"),
    sa.CheckConstraint(f"(ended_at IS NULL) = (state IN ({_LIVE}))", "ended"),
    sa.CheckConstraint(
        "state NOT IN ('confirming', 'booked') OR candidate_id IS NOT NULL OR (found_elsewhere AND state = 'booked')",
        "nominative",
    ),
    sa.CheckConstraint(
        "NOT found_elsewhere OR state IN ('booked', 'cancelled', 'replaced', 'swapped', 'done')", "elsewhere"
    ),
    sa.CheckConstraint("outcome = '' OR state = 'done'", "result"),
    sa.CheckConstraint("state <> 'held' OR expires_at IS NOT NULL", "expires"),
)
ALIVE = lines.c.ended_at.is_(None)
for _who in ("trainer", "vehicle"):
    lines.append_constraint(
        ExcludeConstraint(
            (lines.c.school_id, "="),
            (lines.c[f"{_who}_id"], "="),
            (sa.func.tstzrange(lines.c.starts_at, lines.c.ends_at), "&&"),
            name=f"one_place_at_a_time_a_{_who}",
            where=sa.and_(ALIVE, lines.c[f"{_who}_id"] != ""),
        )
    )
# Each index of live lines also says that its first column is there (it always is), which only a question by that column
# implies. Else a plan that was made while nobody held anything (an index of nothing is read at no cost) would go through
# this index for a question by another column, and be kept when thousands of lines live.
sa.Index(
    "one_live_line_a_slot",
    lines.c.slot_id,
    unique=True,
    postgresql_where=sa.and_(ALIVE, lines.c.slot_id.is_not(None)),
)
sa.Index(
    "one_live_line_a_candidate",
    lines.c.candidate_id,
    lines.c.category,
    unique=True,
    postgresql_where=sa.and_(ALIVE, lines.c.candidate_id.is_not(None)),
)
sa.Index(
    "basket_line_wanted_idx", lines.c.wanted_candidate_id, postgresql_where=lines.c.wanted_candidate_id.is_not(None)
)
sa.Index(
    "basket_line_live_school_idx",
    lines.c.school_id,
    lines.c.group_id,
    postgresql_where=sa.and_(ALIVE, lines.c.school_id.is_not(None)),
)
sa.Index("basket_line_expires_idx", lines.c.expires_at, postgresql_where=lines.c.state == "held")
sa.Index("basket_line_next_poll_idx", lines.c.next_poll_at, postgresql_where=lines.c.next_poll_at.is_not(None))
sa.Index("basket_line_booked_idx", lines.c.starts_at, postgresql_where=lines.c.state == "booked")
sa.Index("basket_line_school_starts_idx", lines.c.school_id, lines.c.starts_at, lines.c.id)


def in_state(state: State) -> sa.ColumnElement[bool]:
    """Lines in this state, written out: a plan that is kept for any state may not use the index that one state has."""
    return lines.c.state == sa.literal_column(f"'{state}'", sa.Text)


quota = sa.Table(
    "quota",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("department", sa.Text, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("taken", sa.Integer, nullable=False),
    sa.Column("cap", sa.Integer, nullable=False),
    sa.Column("granted", sa.Integer, nullable=False),
    sa.CheckConstraint("taken >= 0", "taken"),
)
"""What a school has taken. The row whose three keys are empty counts the lines in its basket.

`cap` is the limit that the newest `take_counters` was given, `granted` what it got: RETURNING carries it out, nothing else
reads it.
"""

received_events = sa.Table(
    "received_event",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("slot_id", sa.Text, nullable=False),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("candidate_id", sa.Uuid),
    sa.Column("category", sa.Text, nullable=False),
)
"""Events of others that concern held lines, until they are acted on."""

judgements = sa.Table(
    "judgement",
    metadata,
    sa.Column("line_id", sa.Uuid, sa.ForeignKey("basket_line.id", ondelete="CASCADE"), primary_key=True),
    sa.Column("purpose", sa.Text, primary_key=True),
    sa.Column("facts", sa.LargeBinary, nullable=False),
    sa.Column("drift", sa.Text, nullable=False, server_default=""),
)
"""What the rules looked at, as they answered it (scheduling.v1.EvaluationSnapshot); erased with the line.

Beside the line, not on it: a line is rewritten at each step of its life, its judgements never are.
"""

prepared_baskets = sa.Table(
    "prepared_basket",
    metadata,
    sa.Column("basket_id", sa.Text, primary_key=True),
    sa.Column("school_id", sa.Text, nullable=False),
    sa.Column("account_id", sa.Text, nullable=False),
    sa.Column("expires_at", MOMENT, nullable=False),
    sa.Column("taken_at", MOMENT),
    sa.Column("next_drop_at", MOMENT),
)
"""Empty baskets opened ahead at RdvPermis; each is taken by one hold, or dropped (`next_drop_at`)."""
sa.Index(
    "one_basket_prepared_a_person",
    prepared_baskets.c.school_id,
    prepared_baskets.c.account_id,
    unique=True,
    postgresql_where=sa.and_(prepared_baskets.c.taken_at.is_(None), prepared_baskets.c.next_drop_at.is_(None)),
)

eligibility = sa.Table(
    "eligibility",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("rdvpermis_candidate_id", sa.Text, primary_key=True),
    sa.Column("eligible", sa.Boolean, nullable=False),
    sa.Column("code", sa.Text, nullable=False),
    sa.Column("seen_at", MOMENT, nullable=False),
)
"""RdvPermis' own answers about a school's candidates, kept for minutes."""
sa.Index("eligibility_seen_at_idx", eligibility.c.seen_at)

watched = sa.Table(
    "watched",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("seen_at", MOMENT, nullable=False),
    sa.Column("next_reconciliation_at", MOMENT, nullable=False),
    sa.Column("failures", sa.Integer, nullable=False),
)
"""Schools whose exams at RdvPermis are reconciled with ours; `seen_at`: when somebody of it, or a grant, was last here."""
sa.Index("watched_next_reconciliation_at_idx", watched.c.next_reconciliation_at)

allowances = sa.Table(
    "allowance",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("month", sa.Text, primary_key=True),
    sa.Column("left_", sa.Integer, nullable=False),
    sa.Column("per_month", sa.Integer, nullable=False),
    sa.Column("seen_at", MOMENT, nullable=False),
)
"""Replacements at RdvPermis, as last read."""

penalties_seen = sa.Table(
    "penalties_seen",
    metadata,
    sa.Column("school_id", sa.Text, primary_key=True),
    sa.Column("category", sa.Text, primary_key=True),
    sa.Column("rdvpermis_candidate_id", sa.Text, primary_key=True),
    sa.Column("digest", sa.LargeBinary, nullable=False),
)
"""Which list of penalties was last published of a candidate, so that only a changed one is published again."""

compliance_checks = sa.Table(
    "compliance_check",
    metadata,
    sa.Column("id", sa.Uuid, primary_key=True),
    sa.Column("began_at", MOMENT, nullable=False),
    sa.Column("ended_at", MOMENT, nullable=False),
    sa.Column("bookings", sa.Integer, nullable=False),
    sa.Column("judgements", sa.Integer, nullable=False),
    sa.Column("drifted", sa.Integer, nullable=False),
)
sa.Index("compliance_check_ended_at_idx", compliance_checks.c.ended_at)
