"""What must hold of lines, counters and prepared baskets, whatever was asked at once: queries of what breaks it.

Nothing here trusts an index or a counter: lines are counted anew, so that a lost constraint shows. Asked by basket itself
every minute, and by `resapermisctl invariants` with every row read in sequence.
"""

from collections.abc import Mapping

LIVE = "('asking', 'held', 'confirming', 'booked')"
IN_BASKET = "('asking', 'held', 'confirming')"
COUNTED = "('asking', 'held', 'confirming', 'booked', 'done')"
LATEST_EXPIRY = "5 seconds"
"""A hold ends within a second of its time (R-15); later than this, nobody expires any more."""


def _in_two_places(who: str) -> str:
    return f"""
        SELECT concat_ws(' ', one.{who}, one.id, other.id) FROM basket_line AS one JOIN basket_line AS other
            ON other.school_id = one.school_id AND other.{who} = one.{who} AND other.id > one.id
            AND other.starts_at < one.ends_at AND one.starts_at < other.ends_at
        WHERE one.{who} <> '' AND one.state IN {LIVE} AND other.state IN {LIVE}"""  # noqa: S608 - a column of ours


ALWAYS: Mapping[str, str] = {
    "slot_has_one_live_line": f"""
        SELECT slot_id FROM basket_line WHERE state IN {LIVE} GROUP BY slot_id HAVING count(*) > 1""",  # noqa: S608 - constants of this file
    "candidate_has_one_live_line_a_category": f"""
        SELECT concat_ws(' ', candidate_id, category) FROM basket_line
        WHERE state IN {LIVE} AND candidate_id IS NOT NULL
        GROUP BY candidate_id, category HAVING count(*) > 1""",  # noqa: S608 - constants of this file
    "quota_equals_counted_lines": f"""
        WITH really AS (
            SELECT school_id, department, month, category, count(*) AS many FROM basket_line
            WHERE state IN {COUNTED} GROUP BY school_id, department, month, category
            UNION ALL
            SELECT school_id, '', '', '', count(*) FROM basket_line WHERE state IN {IN_BASKET} GROUP BY school_id)
        SELECT concat_ws(' ', school_id, department, month, category, 'counted', coalesce(many, 0), 'kept', taken)
        FROM really FULL JOIN quota USING (school_id, department, month, category)
        WHERE coalesce(many, 0) <> coalesce(taken, 0)""",  # noqa: S608 - constants of this file
    # What a school books at RdvPermis itself may pass our cap, and so may what it had before its threshold fell.
    "quota_within_cap": f"""
        WITH elsewhere AS (
            SELECT school_id, department, month, category, count(*) AS many FROM basket_line
            WHERE state IN {COUNTED} AND found_elsewhere GROUP BY school_id, department, month, category)
        SELECT concat_ws(' ', school_id, department, month, category, taken, 'of', cap)
        FROM quota LEFT JOIN elsewhere USING (school_id, department, month, category)
        WHERE granted > 0 AND taken - coalesce(many, 0) > cap""",  # noqa: S608 - constants of this file
    "action_has_four_lines_at_most": """
        SELECT group_id::text FROM basket_line GROUP BY group_id HAVING count(*) > 4""",
    "booking_is_nominative": """
        SELECT id::text FROM basket_line
        WHERE state IN ('confirming', 'booked') AND candidate_id IS NULL AND NOT (found_elsewhere AND state = 'booked')""",
    "found_elsewhere_is_booked_there": """
        SELECT id::text FROM basket_line WHERE found_elsewhere AND state = 'booked' AND exam_id = ''""",
    "trainer_is_in_one_place": _in_two_places("trainer_id"),
    "vehicle_is_in_one_place": _in_two_places("vehicle_id"),
    "person_has_one_prepared_basket": """
        SELECT concat_ws(' ', school_id, account_id) FROM prepared_basket
        WHERE taken_at IS NULL AND next_drop_at IS NULL GROUP BY school_id, account_id HAVING count(*) > 1""",
}
"""True in every snapshot."""
IN_TIME: Mapping[str, str] = {
    "no_hold_past_its_time": f"""
        SELECT id::text FROM basket_line
        WHERE state = 'held' AND expires_at < clock_timestamp() - interval '{LATEST_EXPIRY}'""",  # noqa: S608 - constants of this file
    "no_booking_open_past_its_exam": """
        SELECT id::text FROM basket_line
        WHERE state = 'booked' AND changing = '' AND starts_at < clock_timestamp() - interval '5 minutes'""",
    "nothing_long_in_doubt": """
        SELECT concat_ws(' ', id, state, changing) FROM basket_line
        WHERE ended_at IS NULL AND (state IN ('asking', 'confirming') OR changing <> '')
        AND since < clock_timestamp() - interval '1 hour'""",
    "nothing_long_owed": """
        SELECT id::text FROM basket_line WHERE owed AND ended_at < clock_timestamp() - interval '2 hours'""",
    "no_prepared_basket_past_its_time": """
        SELECT basket_id FROM prepared_basket
        WHERE taken_at IS NULL AND expires_at < clock_timestamp() - interval '1 hour'""",
}
"""True while basket and its peers work; what breaks these has waited longer than any wait that is ours."""
