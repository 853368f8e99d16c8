-- What must hold of lines, counters and prepared baskets: each statement finds what breaks it. Read by `invariants.py`.

-- Of every line there ever was, trusting no index and no counter.

-- name: slot_has_one_live_line
SELECT slot_id
FROM basket_line
WHERE state IN ('asking', 'held', 'confirming', 'booked')
GROUP BY slot_id
HAVING count(*) > 1;

-- name: candidate_has_one_live_line_a_category
SELECT concat_ws(' ', candidate_id, category)
FROM basket_line
WHERE state IN ('asking', 'held', 'confirming', 'booked')
    AND candidate_id IS NOT NULL
GROUP BY candidate_id, category
HAVING count(*) > 1;

-- name: booking_is_nominative
SELECT id::text
FROM basket_line
WHERE state IN ('confirming', 'booked')
    AND candidate_id IS NULL
    AND NOT (found_elsewhere AND state = 'booked');

-- name: found_elsewhere_is_booked_there
SELECT id::text
FROM basket_line
WHERE found_elsewhere
    AND state = 'booked'
    AND exam_id = '';

-- name: trainer_is_in_one_place
SELECT concat_ws(' ', one.trainer_id, one.id, other.id)
FROM basket_line AS one
JOIN basket_line AS other ON other.school_id = one.school_id
    AND other.trainer_id = one.trainer_id
    AND other.id > one.id
    AND other.starts_at < one.ends_at
    AND one.starts_at < other.ends_at
WHERE one.trainer_id <> ''
    AND one.state IN ('asking', 'held', 'confirming', 'booked')
    AND other.state IN ('asking', 'held', 'confirming', 'booked');

-- name: vehicle_is_in_one_place
SELECT concat_ws(' ', one.vehicle_id, one.id, other.id)
FROM basket_line AS one
JOIN basket_line AS other ON other.school_id = one.school_id
    AND other.vehicle_id = one.vehicle_id
    AND other.id > one.id
    AND other.starts_at < one.ends_at
    AND one.starts_at < other.ends_at
WHERE one.vehicle_id <> ''
    AND one.state IN ('asking', 'held', 'confirming', 'booked')
    AND other.state IN ('asking', 'held', 'confirming', 'booked');

-- name: quota_equals_counted_lines
WITH really AS (
    SELECT school_id, department, month, category, count(*) AS many
    FROM basket_line
    WHERE state IN ('asking', 'held', 'confirming', 'booked', 'done')
    GROUP BY school_id, department, month, category
    UNION ALL
    SELECT school_id, '', '', '', count(*)
    FROM basket_line
    WHERE state IN ('asking', 'held', 'confirming')
    GROUP BY school_id
)
SELECT concat_ws(' ', school_id, department, month, category, 'counted', coalesce(many, 0), 'kept', taken)
FROM really
FULL JOIN quota USING (school_id, department, month, category)
WHERE coalesce(many, 0) <> coalesce(taken, 0);

-- What a school books at RdvPermis itself may pass our cap, and so may what it had before its threshold fell.
-- name: quota_within_cap
WITH elsewhere AS (
    SELECT school_id, department, month, category, count(*) AS many
    FROM basket_line
    WHERE state IN ('asking', 'held', 'confirming', 'booked', 'done')
        AND found_elsewhere
    GROUP BY school_id, department, month, category
)
SELECT concat_ws(' ', school_id, department, month, category, taken, 'of', cap)
FROM quota
LEFT JOIN elsewhere USING (school_id, department, month, category)
WHERE granted > 0
    AND taken - coalesce(many, 0) > cap;

-- name: action_has_four_lines_at_most
SELECT group_id::text
FROM basket_line
GROUP BY group_id
HAVING count(*) > 4;

-- name: person_has_one_prepared_basket
SELECT concat_ws(' ', school_id, account_id)
FROM prepared_basket
WHERE taken_at IS NULL
    AND next_drop_at IS NULL
GROUP BY school_id, account_id
HAVING count(*) > 1;

-- The same of live lines, and of the months that still count: what they cost grows with what is going on, not with the past.
-- They go through the index of live lines: that these have a slot, which is its condition, PostgreSQL sees from a comparison
-- alone (slot_id >= ''). A month still counts until a day after it, in any time zone.

-- name: lately_slot_has_one_live_line
SELECT slot_id
FROM basket_line
WHERE ended_at IS NULL
    AND slot_id >= ''
    AND state IN ('asking', 'held', 'confirming', 'booked')
GROUP BY slot_id
HAVING count(*) > 1;

-- name: lately_candidate_has_one_live_line_a_category
SELECT concat_ws(' ', candidate_id, category)
FROM basket_line
WHERE ended_at IS NULL
    AND slot_id >= ''
    AND state IN ('asking', 'held', 'confirming', 'booked')
    AND candidate_id IS NOT NULL
GROUP BY candidate_id, category
HAVING count(*) > 1;

-- name: lately_booking_is_nominative
SELECT id::text
FROM basket_line
WHERE ended_at IS NULL
    AND slot_id >= ''
    AND state IN ('confirming', 'booked')
    AND candidate_id IS NULL
    AND NOT (found_elsewhere AND state = 'booked');

-- name: lately_found_elsewhere_is_booked_there
SELECT id::text
FROM basket_line
WHERE ended_at IS NULL
    AND slot_id >= ''
    AND found_elsewhere
    AND state = 'booked'
    AND exam_id = '';

-- name: lately_trainer_is_in_one_place
WITH live AS NOT MATERIALIZED (SELECT * FROM basket_line WHERE ended_at IS NULL AND slot_id >= '')
SELECT concat_ws(' ', one.trainer_id, one.id, other.id)
FROM live AS one
JOIN live AS other ON other.school_id = one.school_id
    AND other.trainer_id = one.trainer_id
    AND other.id > one.id
    AND other.starts_at < one.ends_at
    AND one.starts_at < other.ends_at
WHERE one.trainer_id <> ''
    AND one.state IN ('asking', 'held', 'confirming', 'booked')
    AND other.state IN ('asking', 'held', 'confirming', 'booked');

-- name: lately_vehicle_is_in_one_place
WITH live AS NOT MATERIALIZED (SELECT * FROM basket_line WHERE ended_at IS NULL AND slot_id >= '')
SELECT concat_ws(' ', one.vehicle_id, one.id, other.id)
FROM live AS one
JOIN live AS other ON other.school_id = one.school_id
    AND other.vehicle_id = one.vehicle_id
    AND other.id > one.id
    AND other.starts_at < one.ends_at
    AND one.starts_at < other.ends_at
WHERE one.vehicle_id <> ''
    AND one.state IN ('asking', 'held', 'confirming', 'booked')
    AND other.state IN ('asking', 'held', 'confirming', 'booked');

-- name: lately_quota_equals_counted_lines
WITH live AS NOT MATERIALIZED (SELECT * FROM basket_line WHERE ended_at IS NULL AND slot_id >= ''),
school AS NOT MATERIALIZED (SELECT DISTINCT school_id FROM live),
counted AS NOT MATERIALIZED (
    SELECT line.*
    FROM school
    CROSS JOIN LATERAL (
        SELECT *
        FROM basket_line
        WHERE basket_line.school_id = school.school_id
            AND starts_at >= date_trunc('month', now() - interval '1 day') - interval '1 day' OFFSET 0
    ) AS line
    WHERE month >= to_char(now() - interval '1 day', 'YYYY-MM')
),
kept AS NOT MATERIALIZED (
    SELECT quota.*
    FROM quota
    JOIN school USING (school_id)
    WHERE month = ''
        OR month >= to_char(now() - interval '1 day', 'YYYY-MM')
),
really AS (
    SELECT school_id, department, month, category, count(*) AS many
    FROM counted
    WHERE state IN ('asking', 'held', 'confirming', 'booked', 'done')
    GROUP BY school_id, department, month, category
    UNION ALL
    SELECT school_id, '', '', '', count(*)
    FROM live
    WHERE state IN ('asking', 'held', 'confirming')
    GROUP BY school_id
)
SELECT concat_ws(' ', school_id, department, month, category, 'counted', coalesce(many, 0), 'kept', taken)
FROM really
FULL JOIN kept USING (school_id, department, month, category)
WHERE coalesce(many, 0) <> coalesce(taken, 0);

-- name: lately_quota_within_cap
WITH live AS NOT MATERIALIZED (SELECT * FROM basket_line WHERE ended_at IS NULL AND slot_id >= ''),
school AS NOT MATERIALIZED (SELECT DISTINCT school_id FROM live),
counted AS NOT MATERIALIZED (
    SELECT line.*
    FROM school
    CROSS JOIN LATERAL (
        SELECT *
        FROM basket_line
        WHERE basket_line.school_id = school.school_id
            AND starts_at >= date_trunc('month', now() - interval '1 day') - interval '1 day' OFFSET 0
    ) AS line
    WHERE month >= to_char(now() - interval '1 day', 'YYYY-MM')
),
kept AS NOT MATERIALIZED (
    SELECT quota.*
    FROM quota
    JOIN school USING (school_id)
    WHERE month = ''
        OR month >= to_char(now() - interval '1 day', 'YYYY-MM')
),
elsewhere AS (
    SELECT school_id, department, month, category, count(*) AS many
    FROM counted
    WHERE state IN ('asking', 'held', 'confirming', 'booked', 'done')
        AND found_elsewhere
    GROUP BY school_id, department, month, category
)
SELECT concat_ws(' ', school_id, department, month, category, taken, 'of', cap)
FROM kept
LEFT JOIN elsewhere USING (school_id, department, month, category)
WHERE granted > 0
    AND taken - coalesce(many, 0) > cap;

-- name: lately_action_has_four_lines_at_most
SELECT action.group_id::text
FROM (SELECT DISTINCT group_id FROM basket_line WHERE ended_at IS NULL AND slot_id >= '') AS action
CROSS JOIN LATERAL (SELECT count(*) AS many FROM basket_line WHERE basket_line.group_id = action.group_id) AS counted
WHERE many > 4;

-- True while basket and its peers work; what breaks these has waited longer than any wait that is ours.
-- A hold ends within a second of its time (R-15); 5 s later nobody expires any more.

-- name: in_time_no_hold_past_its_time
SELECT id::text
FROM basket_line
WHERE state = 'held'
    AND expires_at < clock_timestamp() - interval '5 seconds';

-- name: in_time_no_booking_open_past_its_exam
SELECT id::text
FROM basket_line
WHERE state = 'booked'
    AND changing = ''
    AND starts_at < clock_timestamp() - interval '5 minutes';

-- name: in_time_nothing_long_in_doubt
SELECT concat_ws(' ', id, state, changing)
FROM basket_line
WHERE ended_at IS NULL
    AND slot_id >= ''
    AND (state IN ('asking', 'confirming') OR changing <> '')
    AND since < clock_timestamp() - interval '1 hour';

-- name: in_time_nothing_long_owed
SELECT id::text
FROM basket_line
WHERE owed
    AND next_poll_at IS NOT NULL
    AND ended_at < clock_timestamp() - interval '2 hours';

-- name: in_time_no_prepared_basket_past_its_time
SELECT basket_id
FROM prepared_basket
WHERE taken_at IS NULL
    AND expires_at < clock_timestamp() - interval '1 hour';
