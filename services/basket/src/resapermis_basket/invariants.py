"""What must hold of lines, counters and prepared baskets, whatever was asked at once: queries of what breaks it.

`ALWAYS` and `IN_TIME` read every line there ever was and trust no index and no counter, so that a lost constraint shows:
`resapermisctl invariants` asks them with every row read in sequence, basket itself once a day (`EVER`). `LATELY` are the
same questions of live lines and of the months that still count, which basket asks every minute: what they cost grows
with what is going on, not with the past.
"""

from collections.abc import Mapping

LIVE = "('asking', 'held', 'confirming', 'booked')"
IN_BASKET = "('asking', 'held', 'confirming')"
COUNTED = "('asking', 'held', 'confirming', 'booked', 'done')"
LATEST_EXPIRY = "5 seconds"
"""A hold ends within a second of its time (R-15); later than this, nobody expires any more."""


_ALIVE = "(SELECT * FROM basket_line WHERE ended_at IS NULL AND slot_id >= '') AS basket_line"
"""Through the index of live lines: that they have a slot, which is its condition, PostgreSQL sees from a comparison alone."""
_MONTH = "to_char(now() - interval '1 day', 'YYYY-MM')"
_MONTH_BEGINS = "date_trunc('month', now() - interval '1 day') - interval '1 day'"
"""The first month that still counts, and a moment before it begins in any time zone."""


def _in_two_places(who: str, lines: str) -> str:
    return f"""
        SELECT concat_ws(' ', one.{who}, one.id, other.id)
        FROM (SELECT * FROM {lines}) AS one JOIN (SELECT * FROM {lines}) AS other
            ON other.school_id = one.school_id AND other.{who} = one.{who} AND other.id > one.id
            AND other.starts_at < one.ends_at AND one.starts_at < other.ends_at
        WHERE one.{who} <> '' AND one.state IN {LIVE} AND other.state IN {LIVE}"""  # noqa: S608 - a column of ours


def _of_lines(lines: str) -> dict[str, str]:
    """Questions that live lines alone answer."""
    return {
        "slot_has_one_live_line": f"""
            SELECT slot_id FROM {lines} WHERE state IN {LIVE} GROUP BY slot_id HAVING count(*) > 1""",  # noqa: S608 - constants of this file
        "candidate_has_one_live_line_a_category": f"""
            SELECT concat_ws(' ', candidate_id, category) FROM {lines}
            WHERE state IN {LIVE} AND candidate_id IS NOT NULL
            GROUP BY candidate_id, category HAVING count(*) > 1""",  # noqa: S608 - constants of this file
        "booking_is_nominative": f"""
            SELECT id::text FROM {lines} WHERE state IN ('confirming', 'booked') AND candidate_id IS NULL
            AND NOT (found_elsewhere AND state = 'booked')""",  # noqa: S608 - constants of this file
        "found_elsewhere_is_booked_there": f"""
            SELECT id::text FROM {lines} WHERE found_elsewhere AND state = 'booked' AND exam_id = ''""",  # noqa: S608 - constants of this file
        "trainer_is_in_one_place": _in_two_places("trainer_id", lines),
        "vehicle_is_in_one_place": _in_two_places("vehicle_id", lines),
    }


def _of_counters(counted: str, in_basket: str, kept: str) -> dict[str, str]:
    """Questions of counters; `counted`, `in_basket`: lines to count, `kept`: counters to compare."""
    return {
        "quota_equals_counted_lines": f"""
            WITH really AS (
                SELECT school_id, department, month, category, count(*) AS many FROM {counted}
                WHERE state IN {COUNTED} GROUP BY school_id, department, month, category
                UNION ALL
                SELECT school_id, '', '', '', count(*) FROM {in_basket} WHERE state IN {IN_BASKET} GROUP BY school_id)
            SELECT concat_ws(' ', school_id, department, month, category, 'counted', coalesce(many, 0), 'kept', taken)
            FROM really FULL JOIN {kept} USING (school_id, department, month, category)
            WHERE coalesce(many, 0) <> coalesce(taken, 0)""",  # noqa: S608 - constants of this file
        # What a school books at RdvPermis itself may pass our cap, and so may what it had before its threshold fell.
        "quota_within_cap": f"""
            WITH elsewhere AS (
                SELECT school_id, department, month, category, count(*) AS many FROM {counted}
                WHERE state IN {COUNTED} AND found_elsewhere GROUP BY school_id, department, month, category)
            SELECT concat_ws(' ', school_id, department, month, category, taken, 'of', cap)
            FROM {kept} LEFT JOIN elsewhere USING (school_id, department, month, category)
            WHERE granted > 0 AND taken - coalesce(many, 0) > cap""",  # noqa: S608 - constants of this file
    }


_PREPARED = {
    "person_has_one_prepared_basket": """
        SELECT concat_ws(' ', school_id, account_id) FROM prepared_basket
        WHERE taken_at IS NULL AND next_drop_at IS NULL GROUP BY school_id, account_id HAVING count(*) > 1""",
}
ALWAYS: Mapping[str, str] = {
    **_of_lines("basket_line"),
    **_of_counters("basket_line", "basket_line", "quota"),
    "action_has_four_lines_at_most": """
        SELECT group_id::text FROM basket_line GROUP BY group_id HAVING count(*) > 4""",
    **_PREPARED,
}
"""True in every snapshot."""
EVER: Mapping[str, str] = {f"{name}_ever": question for name, question in ALWAYS.items()}
"""The same under names of their own, so that what is found by night is not overwritten a minute later."""
_SCHOOLS = f"(SELECT DISTINCT school_id FROM {_ALIVE}) AS school"  # noqa: S608 - constants of this file
LATELY: Mapping[str, str] = {
    **_of_lines(_ALIVE),
    **_of_counters(
        f"(SELECT line.* FROM {_SCHOOLS} CROSS JOIN LATERAL (SELECT * FROM basket_line "  # noqa: S608 - as above
        f"WHERE basket_line.school_id = school.school_id AND starts_at >= {_MONTH_BEGINS} OFFSET 0) AS line "
        f"WHERE month >= {_MONTH}) AS line",
        _ALIVE,
        f"(SELECT quota.* FROM quota JOIN {_SCHOOLS} USING (school_id) WHERE month = '' OR month >= {_MONTH}) AS kept",  # noqa: S608 - as above
    ),
    "action_has_four_lines_at_most": f"""
        SELECT action.group_id::text FROM (SELECT DISTINCT group_id FROM {_ALIVE}) AS action CROSS JOIN LATERAL
        (SELECT count(*) AS many FROM basket_line WHERE basket_line.group_id = action.group_id) AS counted
        WHERE many > 4""",  # noqa: S608 - as above
    **_PREPARED,
}
"""True in every snapshot, asked of schools with a live line."""
IN_TIME: Mapping[str, str] = {
    "no_hold_past_its_time": f"""
        SELECT id::text FROM basket_line
        WHERE state = 'held' AND expires_at < clock_timestamp() - interval '{LATEST_EXPIRY}'""",  # noqa: S608 - constants of this file
    "no_booking_open_past_its_exam": """
        SELECT id::text FROM basket_line
        WHERE state = 'booked' AND changing = '' AND starts_at < clock_timestamp() - interval '5 minutes'""",
    "nothing_long_in_doubt": """
        SELECT concat_ws(' ', id, state, changing) FROM basket_line
        WHERE ended_at IS NULL AND slot_id >= '' AND (state IN ('asking', 'confirming') OR changing <> '')
        AND since < clock_timestamp() - interval '1 hour'""",
    "nothing_long_owed": """
        SELECT id::text FROM basket_line
        WHERE owed AND next_poll_at IS NOT NULL AND ended_at < clock_timestamp() - interval '2 hours'""",
    "no_prepared_basket_past_its_time": """
        SELECT basket_id FROM prepared_basket
        WHERE taken_at IS NULL AND expires_at < clock_timestamp() - interval '1 hour'""",
}
"""True while basket and its peers work; what breaks these has waited longer than any wait that is ours."""
