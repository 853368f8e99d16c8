-- Bookings of years past, number $1 to $2, over 2,000 schools and 900 days that end before this month; ids are made of the number.

-- name: groups
INSERT INTO group_ (id, school_id, account_id, session_id, all_or_nothing, request_caller, request_id, created_at)
SELECT CAST('01900000-0000-7000-a000-' || lpad(to_hex(n), 12, '0') AS uuid),
  'ecole-' || lpad((n % 2000 + 1)::text, 10, '0'), 'ancien', '', false, 'ancien', n::text,
  date_trunc('month', now()) - interval '1 day' - n % 900 * interval '1 day'
FROM generate_series($1::bigint, $2::bigint) AS n;

-- name: lines
-- $3, $4, $5: department, category, centre.
INSERT INTO basket_line (id, group_id, position, school_id, account_id, slot_id, department, category, month,
  starts_at, ends_at, time_zone, centre_name, snapshot, centre_id, kind, state, since, candidate_id,
  rdvpermis_candidate_id, expires_at, ended_at, basket_id, exam_id, reason, refusal, changing,
  wanted_rdvpermis_id, polls, owed, version)
SELECT CAST('01900000-0000-7000-b000-' || digits AS uuid), CAST('01900000-0000-7000-a000-' || digits AS uuid), 0,
  'ecole-' || lpad((n % 2000 + 1)::text, 10, '0'), 'ancien', 'creneau-passe-' || n, $3::text, $4::text,
  to_char(at, 'YYYY-MM'), at, at + interval '32 minutes', 'Europe/Paris', 'Créteil',
  convert_to(repeat('x', 120), 'UTF8'), $5::text, 'CIRCULATION',
  CASE n % 5 WHEN 3 THEN 'cancelled' WHEN 4 THEN 'expired' ELSE 'done' END, at,
  CAST('01900000-0000-7000-9000-' || digits AS uuid),
  'candidat-' || n, at, at, 'panier-' || n, 'examen-' || n, '', '', '', '', 0, false, 4
FROM generate_series($1::bigint, $2::bigint) AS n
CROSS JOIN LATERAL (
  SELECT lpad(to_hex(n), 12, '0') AS digits,
    date_trunc('month', now()) - interval '1 day' - n % 900 * interval '1 day' AS at
) AS past;

-- name: counters
-- Of all from number $1 on.
INSERT INTO quota (school_id, department, month, category, taken, cap, granted)
SELECT school_id, department, month, category, count(*), 1000000, 1 FROM basket_line
WHERE state = 'done' AND account_id = 'ancien'
  AND id >= CAST('01900000-0000-7000-b000-' || lpad(to_hex($1::bigint), 12, '0') AS uuid)
GROUP BY school_id, department, month, category
ON CONFLICT (school_id, department, month, category) DO UPDATE SET taken = quota.taken + excluded.taken;

-- name: counted_lines
-- In the database of scheduling-rules; $3, $4: department, category.
INSERT INTO line (id, school_id, department, month, category, changed_at)
SELECT CAST('01900000-0000-7000-b000-' || lpad(to_hex(n), 12, '0') AS uuid)::text,
  'ecole-' || lpad((n % 2000 + 1)::text, 10, '0'), $3::text, to_char(at, 'YYYY-MM'), $4::text, at
FROM generate_series($1::bigint, $2::bigint) AS n
CROSS JOIN LATERAL (SELECT date_trunc('month', now()) - interval '1 day' - n % 900 * interval '1 day' AS at) AS past
WHERE n % 5 < 3;
