-- What a hold runs, for all holds of a moment at once. Parameters come as sub-selects, so that a plan made for these holds seems no
-- cheaper than one made for any number of them: PostgreSQL then keeps the latter, instead of planning again each time.

-- name: situation
-- Reads of four tables and the clock: one round trip, one snapshot. Lines are looked up one by one, each by its own index,
-- whatever the planner believes of the others (OFFSET 0); ELIGIBILITY_LASTS is 300 s.
SELECT now() AS now, ARRAY(
    SELECT asked.n
    FROM unnest((SELECT CAST(:callers AS text[])), (SELECT CAST(:request_ids AS text[]))) WITH ORDINALITY AS
        asked (caller, request_id, n)
    WHERE (
        SELECT 1
        FROM request
        WHERE request.caller = asked.caller
            AND request.request_id = asked.request_id
    ) IS NOT NULL
) AS asked_before, (
    SELECT json_agg(json_build_array(school, department, month, category, taken))::text
    FROM unnest((SELECT CAST(:schools AS text[]))) AS asked (school)
    CROSS JOIN LATERAL (
        SELECT department, month, category, taken
        FROM quota
        WHERE quota.school_id = asked.school
            AND taken > 0
            AND (month = '' OR month >= to_char(now() - interval '1 day', 'YYYY-MM')) OFFSET 0
    ) AS counter
) AS counted, (
    SELECT json_agg(json_build_array(slot_id, category, candidate_id, wanted_candidate_id))::text
    FROM (
        SELECT found.*
        FROM unnest((SELECT CAST(:slots AS text[]))) AS asked (id)
        CROSS JOIN LATERAL (
            SELECT slot_id, category, candidate_id, wanted_candidate_id
            FROM basket_line
            WHERE slot_id = asked.id
                AND ended_at IS NULL OFFSET 0
        ) AS found
        UNION ALL
        SELECT found.*
        FROM unnest((SELECT CAST(:candidates AS uuid[]))) AS asked (id)
        CROSS JOIN LATERAL (
            SELECT slot_id, category, candidate_id, wanted_candidate_id
            FROM basket_line
            WHERE candidate_id = asked.id
                AND ended_at IS NULL OFFSET 0
        ) AS found
        UNION ALL
        SELECT found.*
        FROM unnest((SELECT CAST(:candidates AS uuid[]))) AS asked (id)
        CROSS JOIN LATERAL (
            SELECT slot_id, category, candidate_id, wanted_candidate_id
            FROM basket_line
            WHERE wanted_candidate_id = asked.id
                AND ended_at IS NULL OFFSET 0
        ) AS found
    ) AS met
) AS conflicts, (
    SELECT json_agg(json_build_array(school, category, rdvpermis_candidate_id, eligible, code, seen_at))::text
    FROM unnest((SELECT CAST(:schools AS text[]))) AS asked (school)
    CROSS JOIN LATERAL (
        SELECT category, rdvpermis_candidate_id, eligible, code, seen_at
        FROM eligibility
        WHERE eligibility.school_id = asked.school
            AND seen_at > now() - interval '300.0 s' OFFSET 0
    ) AS answered
) AS eligibilities;

-- name: intend
-- The order of locks is the order of data: claims, then the counters (of a school the basket's first), then lines in slot order,
-- each read by the next. What does not fit becomes a NULL that the column refuses, so that nothing of the statement stands.
-- Whom a change under way would put on a line is asked when the line is written (migration 0005): the statement may have waited
-- for its school's turn. Prepared baskets are looked up one by one, whatever the planner believes of a table that was empty when
-- it made its plan; BASKET_MARGIN is 180 s.
WITH asked AS (
    SELECT *
    FROM unnest((SELECT CAST(:caller AS text[])), (SELECT CAST(:request_id AS text[])), (SELECT CAST(:digest AS
        bytea[])), (SELECT CAST(:response AS bytea[])), (SELECT CAST(:claimed_at AS timestamptz[])), (SELECT
        CAST(:group_id AS uuid[])), (SELECT CAST(:school_id AS text[])), (SELECT CAST(:account_id AS text[])),
        (SELECT CAST(:session_id AS text[])), (SELECT CAST(:all_or_nothing AS boolean[])), (SELECT
        CAST(:created_at AS timestamptz[])), (SELECT CAST(:asking AS boolean[]))) AS asked (caller, request_id,
        digest, response, claimed_at, group_id, school_id, account_id, session_id, all_or_nothing, created_at,
        asking)
),
claim AS (
    INSERT INTO request (caller, request_id, digest, response, created_at, made)
    SELECT caller, request_id, digest, response, claimed_at, group_id
    FROM asked
    ORDER BY caller, request_id
    ON CONFLICT DO NOTHING
    RETURNING caller, request_id
),
mine AS MATERIALIZED (SELECT asked.* FROM asked JOIN claim USING (caller, request_id)),
action AS (
    INSERT INTO group_ (id, school_id, account_id, session_id, all_or_nothing, request_caller, request_id,
        created_at)
    SELECT group_id, school_id, account_id, session_id, all_or_nothing, caller, request_id, created_at
    FROM mine
),
counted AS (
    INSERT INTO quota AS q (school_id, department, month, category, taken, cap, granted)
    SELECT mine.school_id, department, month, category, many, CASE WHEN many <= cap THEN cap END, many
    FROM json_to_recordset(CAST((SELECT CAST(:counts AS text)) AS json)) AS wanted (group_id uuid, department
        text, month text, category text, many int, cap int)
    JOIN mine USING (group_id)
    ORDER BY mine.school_id, department, month, category
    ON CONFLICT (school_id, department, month, category) DO UPDATE
    SET taken = q.taken + excluded.granted, granted = excluded.granted,
        cap = CASE WHEN q.taken + excluded.granted <= excluded.cap THEN excluded.cap END
    RETURNING 1
),
after_counting AS (SELECT count(*) FROM counted),
added AS (
    INSERT INTO basket_line (id, group_id, position, school_id, account_id, slot_id, department, category,
        month, starts_at, ends_at, time_zone, centre_name, snapshot, centre_id, kind, found_elsewhere, state,
        since, candidate_id, rdvpermis_candidate_id, expires_at, ended_at, basket_id, exam_id, reason, refusal,
        changing, wanted_candidate_id, wanted_rdvpermis_id, next_poll_at, polls, owed, trainer_id, vehicle_id,
        partner_id, outcome, points, result_at, version)
    SELECT CASE WHEN NOT (new.ended_at IS NULL AND new.candidate_id IS NOT NULL AND
        candidate_wanted_now(new.candidate_id, new.category)) THEN new.id END, group_id, position, school_id,
        account_id, slot_id, department, category, month, starts_at, ends_at, time_zone, centre_name, snapshot,
        centre_id, kind, found_elsewhere, state, since, candidate_id, rdvpermis_candidate_id, expires_at,
        ended_at, basket_id, exam_id, reason, refusal, changing, wanted_candidate_id, wanted_rdvpermis_id,
        next_poll_at, polls, owed, trainer_id, vehicle_id, partner_id, outcome, points, result_at, version
    FROM json_populate_recordset(NULL::basket_line, CAST((SELECT CAST(:lines AS text)) AS json)) AS new,
        after_counting
    WHERE new.group_id IN (SELECT mine.group_id FROM mine)
    ORDER BY slot_id
),
judged AS (
    INSERT INTO judgement (line_id, purpose, facts)
    SELECT judged.line_id, 'hold', judged.facts
    FROM unnest((SELECT CAST(:judged_lines AS uuid[])), (SELECT CAST(:judged_facts AS bytea[])), (SELECT
        CAST(:judged_groups AS uuid[]))) AS judged (line_id, facts, group_id)
    WHERE judged.group_id IN (SELECT mine.group_id FROM mine)
),
prepared AS (
    UPDATE prepared_basket
    SET taken_at = now()
    WHERE taken_at IS NULL
        AND next_drop_at IS NULL
        AND basket_id = ANY(ARRAY(SELECT (SELECT basket_id FROM prepared_basket AS waiting WHERE
            waiting.school_id = mine.school_id AND waiting.account_id = mine.account_id AND taken_at IS NULL
            AND next_drop_at IS NULL AND expires_at > now() + interval '180 seconds') FROM mine WHERE
            mine.asking))
    RETURNING school_id, account_id, basket_id
),
published AS (
    INSERT INTO outbox (id, stream, type, payload, traceparent, occurred_at)
    SELECT message.id, message.stream, message.type, message.payload, message.traceparent, message.at
    FROM unnest((SELECT CAST(:outbox_ids AS uuid[])), (SELECT CAST(:outbox_streams AS text[])), (SELECT
        CAST(:outbox_types AS text[])), (SELECT CAST(:outbox_payloads AS bytea[])), (SELECT
        CAST(:outbox_traceparents AS text[])), (SELECT CAST(:outbox_ats AS timestamptz[])), (SELECT
        CAST(:outbox_groups AS uuid[]))) AS message (id, stream, type, payload, traceparent, at, group_id)
    JOIN mine USING (group_id)
)
SELECT mine.group_id, prepared.basket_id
FROM mine
LEFT JOIN prepared USING (school_id, account_id);

-- name: answer
-- Counters do not move here: an answer that gives something back goes the careful way, with the school locked.
WITH asked AS (
    SELECT *
    FROM unnest((SELECT CAST(:caller AS text[])), (SELECT CAST(:request_id AS text[])), (SELECT CAST(:digest AS
        bytea[])), (SELECT CAST(:response AS bytea[])), (SELECT CAST(:claimed_at AS timestamptz[])), (SELECT
        CAST(:group_id AS uuid[])), (SELECT CAST(:school_id AS text[])), (SELECT CAST(:account_id AS text[])),
        (SELECT CAST(:session_id AS text[])), (SELECT CAST(:all_or_nothing AS boolean[])), (SELECT
        CAST(:created_at AS timestamptz[])), (SELECT CAST(:asking AS boolean[]))) AS asked (caller, request_id,
        digest, response, claimed_at, group_id, school_id, account_id, session_id, all_or_nothing, created_at,
        asking)
),
new AS MATERIALIZED (
    SELECT id, group_id, state, since, candidate_id, rdvpermis_candidate_id, expires_at, ended_at, basket_id,
        exam_id, reason, refusal, changing, wanted_candidate_id, wanted_rdvpermis_id, next_poll_at, polls, owed,
        trainer_id, vehicle_id, partner_id, outcome, points, result_at, version
    FROM json_populate_recordset(NULL::basket_line, CAST((SELECT CAST(:lines AS text)) AS json))
),
locked AS MATERIALIZED (
    SELECT line.id, line.group_id
    FROM basket_line AS line
    JOIN new USING (id)
    WHERE line.version = new.version - 1
    ORDER BY line.slot_id, line.id FOR UPDATE OF line
),
mine AS MATERIALIZED (
    SELECT asked.*
    FROM asked
    WHERE (SELECT count(*) FROM locked WHERE locked.group_id = asked.group_id) = (SELECT count(*) FROM new WHERE
        new.group_id = asked.group_id)
),
saved AS (
    UPDATE basket_line AS line
    SET state = new.state, since = new.since, candidate_id = new.candidate_id, rdvpermis_candidate_id =
        new.rdvpermis_candidate_id, expires_at = new.expires_at, ended_at = new.ended_at, basket_id =
        new.basket_id, exam_id = new.exam_id, reason = new.reason, refusal = new.refusal, changing =
        new.changing, wanted_candidate_id = new.wanted_candidate_id, wanted_rdvpermis_id =
        new.wanted_rdvpermis_id, next_poll_at = new.next_poll_at, polls = new.polls, owed = new.owed, trainer_id
        = new.trainer_id, vehicle_id = new.vehicle_id, partner_id = new.partner_id, outcome = new.outcome,
        points = new.points, result_at = new.result_at, version = new.version
    FROM new
    WHERE line.id = new.id
        AND new.group_id IN (SELECT mine.group_id FROM mine)
),
settled AS (
    UPDATE request
    SET response = mine.response
    FROM mine
    WHERE request.caller = mine.caller
        AND request.request_id = mine.request_id
        AND mine.response IS NOT NULL
),
published AS (
    INSERT INTO outbox (id, stream, type, payload, traceparent, occurred_at)
    SELECT message.id, message.stream, message.type, message.payload, message.traceparent, message.at
    FROM unnest((SELECT CAST(:outbox_ids AS uuid[])), (SELECT CAST(:outbox_streams AS text[])), (SELECT
        CAST(:outbox_types AS text[])), (SELECT CAST(:outbox_payloads AS bytea[])), (SELECT
        CAST(:outbox_traceparents AS text[])), (SELECT CAST(:outbox_ats AS timestamptz[])), (SELECT
        CAST(:outbox_groups AS uuid[]))) AS message (id, stream, type, payload, traceparent, at, group_id)
    JOIN mine USING (group_id)
)
SELECT mine.group_id
FROM mine;

-- name: refuse_taken_slots
-- `free` and the claims decide for each action by itself; the rest is written for those that remain. Refused lines take nothing,
-- so no counter and no lock of a school or a slot is touched. Claims are made in one order, so that two replicas with the same
-- twins queue instead of deadlocking. Not NOT EXISTS: that is joined, and the join reads every live line where few are believed to live.
WITH asked AS (
    SELECT *
    FROM unnest((SELECT CAST(:caller AS text[])), (SELECT CAST(:request_id AS text[])), (SELECT CAST(:digest AS
        bytea[])), (SELECT CAST(:response AS bytea[])), (SELECT CAST(:claimed_at AS timestamptz[])), (SELECT
        CAST(:group_id AS uuid[])), (SELECT CAST(:school_id AS text[])), (SELECT CAST(:account_id AS text[])),
        (SELECT CAST(:session_id AS text[])), (SELECT CAST(:all_or_nothing AS boolean[])), (SELECT
        CAST(:created_at AS timestamptz[])), (SELECT CAST(:asking AS boolean[]))) AS asked (caller, request_id,
        digest, response, claimed_at, group_id, school_id, account_id, session_id, all_or_nothing, created_at,
        asking)
),
new AS MATERIALIZED (
    SELECT *
    FROM json_populate_recordset(NULL::basket_line, CAST((SELECT CAST(:lines AS text)) AS json))
),
free AS MATERIALIZED (
    SELECT DISTINCT group_id
    FROM new
    WHERE (
        SELECT 1
        FROM basket_line AS other
        WHERE other.slot_id = new.slot_id
            AND other.ended_at IS NULL LIMIT 1
    ) IS NULL
),
claim AS (
    INSERT INTO request (caller, request_id, digest, response, created_at)
    SELECT caller, request_id, digest, response, claimed_at
    FROM asked
    WHERE group_id NOT IN (SELECT group_id FROM free)
    ORDER BY caller, request_id
    ON CONFLICT DO NOTHING
    RETURNING caller, request_id
),
mine AS MATERIALIZED (SELECT asked.* FROM asked JOIN claim USING (caller, request_id)),
action AS (
    INSERT INTO group_ (id, school_id, account_id, session_id, all_or_nothing, request_caller, request_id,
        created_at)
    SELECT group_id, school_id, account_id, session_id, all_or_nothing, caller, request_id, created_at
    FROM mine
),
added AS (
    INSERT INTO basket_line (id, group_id, position, school_id, account_id, slot_id, department, category,
        month, starts_at, ends_at, time_zone, centre_name, snapshot, centre_id, kind, found_elsewhere, state,
        since, candidate_id, rdvpermis_candidate_id, expires_at, ended_at, basket_id, exam_id, reason, refusal,
        changing, wanted_candidate_id, wanted_rdvpermis_id, next_poll_at, polls, owed, trainer_id, vehicle_id,
        partner_id, outcome, points, result_at, version)
    SELECT id, group_id, position, school_id, account_id, slot_id, department, category, month, starts_at,
        ends_at, time_zone, centre_name, snapshot, centre_id, kind, found_elsewhere, state, since, candidate_id,
        rdvpermis_candidate_id, expires_at, ended_at, basket_id, exam_id, reason, refusal, changing,
        wanted_candidate_id, wanted_rdvpermis_id, next_poll_at, polls, owed, trainer_id, vehicle_id, partner_id,
        outcome, points, result_at, version
    FROM new
    WHERE group_id IN (SELECT mine.group_id FROM mine)
),
published AS (
    INSERT INTO outbox (id, stream, type, payload, traceparent, occurred_at)
    SELECT message.id, message.stream, message.type, message.payload, message.traceparent, message.at
    FROM unnest((SELECT CAST(:outbox_ids AS uuid[])), (SELECT CAST(:outbox_streams AS text[])), (SELECT
        CAST(:outbox_types AS text[])), (SELECT CAST(:outbox_payloads AS bytea[])), (SELECT
        CAST(:outbox_traceparents AS text[])), (SELECT CAST(:outbox_ats AS timestamptz[])), (SELECT
        CAST(:outbox_groups AS uuid[]))) AS message (id, stream, type, payload, traceparent, at, group_id)
    JOIN mine USING (group_id)
)
SELECT asked.group_id, EXISTS (SELECT FROM mine WHERE mine.group_id = asked.group_id) AS refused, EXISTS (SELECT
    FROM free WHERE free.group_id = asked.group_id) AS free
FROM asked;

-- name: take_prepared_basket
UPDATE prepared_basket
SET taken_at = now()
WHERE school_id = :school_id
    AND account_id = :account_id
    AND taken_at IS NULL
    AND next_drop_at IS NULL
    AND expires_at > now() + interval '180 seconds'
RETURNING basket_id;
