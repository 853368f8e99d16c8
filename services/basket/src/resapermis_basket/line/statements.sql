-- How lines, judgements and counters are written. Lines travel as one JSON parameter, so that a statement's text (and its plan) is the
-- same for one line and for four.

-- name: insert_lines
INSERT INTO basket_line (id, group_id, position, school_id, account_id, slot_id, department, category, month,
    starts_at, ends_at, time_zone, centre_name, snapshot, centre_id, kind, found_elsewhere, state, since,
    candidate_id, rdvpermis_candidate_id, expires_at, ended_at, basket_id, exam_id, reason, refusal, changing,
    wanted_candidate_id, wanted_rdvpermis_id, next_poll_at, polls, owed, trainer_id, vehicle_id, partner_id,
    outcome, points, result_at, version)
SELECT id, group_id, position, school_id, account_id, slot_id, department, category, month, starts_at, ends_at,
    time_zone, centre_name, snapshot, centre_id, kind, found_elsewhere, state, since, candidate_id,
    rdvpermis_candidate_id, expires_at, ended_at, basket_id, exam_id, reason, refusal, changing,
    wanted_candidate_id, wanted_rdvpermis_id, next_poll_at, polls, owed, trainer_id, vehicle_id, partner_id,
    outcome, points, result_at, version
FROM json_populate_recordset(NULL::basket_line, CAST(CAST(:rows AS text) AS json)) AS new
WHERE NOT (new.ended_at IS NULL AND new.candidate_id IS NOT NULL AND candidate_wanted_now(new.candidate_id,
    new.category))
ORDER BY slot_id
ON CONFLICT DO NOTHING
RETURNING id;

-- name: update_lines
-- Lines that still are as they were read, locked in slot order.
WITH new AS (
    SELECT id, state, since, candidate_id, rdvpermis_candidate_id, expires_at, ended_at, basket_id, exam_id,
        reason, refusal, changing, wanted_candidate_id, wanted_rdvpermis_id, next_poll_at, polls, owed,
        trainer_id, vehicle_id, partner_id, outcome, points, result_at, version
    FROM json_populate_recordset(NULL::basket_line, CAST(CAST(:rows AS text) AS json))
),
locked AS (
    SELECT line.id
    FROM basket_line AS line
    JOIN new USING (id)
    WHERE line.version = new.version - 1
    ORDER BY line.slot_id, line.id FOR UPDATE OF line
)
UPDATE basket_line AS line
SET state = new.state, since = new.since, candidate_id = new.candidate_id, rdvpermis_candidate_id =
    new.rdvpermis_candidate_id, expires_at = new.expires_at, ended_at = new.ended_at, basket_id = new.basket_id,
    exam_id = new.exam_id, reason = new.reason, refusal = new.refusal, changing = new.changing, wanted_candidate_id
    = new.wanted_candidate_id, wanted_rdvpermis_id = new.wanted_rdvpermis_id, next_poll_at = new.next_poll_at, polls
    = new.polls, owed = new.owed, trainer_id = new.trainer_id, vehicle_id = new.vehicle_id, partner_id =
    new.partner_id, outcome = new.outcome, points = new.points, result_at = new.result_at, version = new.version
FROM new
JOIN locked USING (id)
WHERE line.id = new.id
RETURNING line.id;

-- name: keep_judgements
-- The newest judgement of a purpose stands: a group that RdvPermis was surely not asked to validate is judged again.
INSERT INTO judgement (line_id, purpose, facts)
SELECT line_id, :purpose, facts
FROM json_to_recordset(CAST(CAST(:rows AS text) AS json)) AS new (line_id uuid, facts bytea)
ON CONFLICT (line_id, purpose) DO UPDATE
SET facts = excluded.facts, drift = '';

-- name: pass_judgements
UPDATE judgement
SET line_id = heir.new
FROM json_to_recordset(CAST(CAST(:rows AS text) AS json)) AS heir (old uuid, new uuid)
WHERE line_id = heir.old
    AND purpose IN ('replace', 'swap');

-- name: take_counters
INSERT INTO quota AS q (school_id, department, month, category, taken, cap, granted)
SELECT :school_id, department, month, category, LEAST(asked, cap), cap, LEAST(asked, cap)
FROM json_to_recordset(CAST(CAST(:rows AS text) AS json)) AS wanted (department text, month text, category text,
    asked int, cap int)
ORDER BY department, month, category
ON CONFLICT (school_id, department, month, category) DO UPDATE
SET taken = q.taken + LEAST(excluded.granted, GREATEST(excluded.cap - q.taken, 0)), cap = excluded.cap, granted =
    LEAST(excluded.granted, GREATEST(excluded.cap - q.taken, 0))
RETURNING department, month, category, granted;

-- name: move_counters
UPDATE quota
SET taken = taken + moved.by
FROM json_to_recordset(CAST(CAST(:rows AS text) AS json)) AS moved (department text, month text, category text, by
    int)
WHERE school_id = :school_id
    AND quota.department = moved.department
    AND quota.month = moved.month
    AND quota.category = moved.category;
