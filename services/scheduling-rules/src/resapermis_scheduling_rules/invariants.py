"""What must hold of restrictions, parameters and terms, whatever was asked at once: queries of what breaks it.

Asked by the service itself every minute, with a metric each; nothing here trusts a constraint.
"""

from collections.abc import Mapping

ALWAYS: Mapping[str, str] = {
    "restriction_is_waived_by_two": """
        SELECT id::text FROM restriction WHERE approved_by IS NOT NULL
        AND (proposed_by IS NULL OR approved_by = proposed_by OR waiver_reason IS NULL)""",
    "restriction_follows_from_one_event_once": """
        SELECT concat_ws(' ', line_id, reason) FROM restriction WHERE line_id IS NOT NULL
        GROUP BY line_id, reason HAVING count(*) > 1""",
    "parameter_is_approved_by_another": """
        SELECT id::text FROM parameter WHERE approved_by = set_by""",
    "trainer_has_one_term_at_a_time": """
        SELECT concat_ws(' ', one.school_id, one.id, one.active_from) FROM trainer AS one JOIN trainer AS other
            ON other.school_id = one.school_id AND other.id = one.id AND other.active_from > one.active_from
            AND other.active_from < coalesce(one.active_until, 'infinity')""",
}
