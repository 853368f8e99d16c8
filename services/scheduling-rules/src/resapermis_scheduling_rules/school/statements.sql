-- Lines that count, and standings of schools: the records that `standing` of queries.py reads; evaluation/statements.sql reads
-- them as well.

-- name: keep_lines
-- The last event of a line stands; its threshold is the one it was first counted for.
INSERT INTO line (
  id, school_id, department, month, category, slot_id, candidate_id, trainer_id, vehicle_id, centre_id, kind,
  starts_at, ends_at, booked_at, changed_at
)
SELECT * FROM unnest(
  CAST(:id AS text[]),
  CAST(:school_id AS text[]),
  CAST(:department AS text[]),
  CAST(:month AS text[]),
  CAST(:category AS text[]),
  CAST(:slot_id AS text[]),
  CAST(:candidate_id AS text[]),
  CAST(:trainer_id AS text[]),
  CAST(:vehicle_id AS text[]),
  CAST(:centre_id AS text[]),
  CAST(:kind AS text[]),
  CAST(:starts_at AS timestamptz[]),
  CAST(:ends_at AS timestamptz[]),
  CAST(:booked_at AS timestamptz[]),
  CAST(:changed_at AS timestamptz[])
)
ON CONFLICT (id) DO UPDATE SET
  slot_id = excluded.slot_id,
  candidate_id = excluded.candidate_id,
  trainer_id = excluded.trainer_id,
  vehicle_id = excluded.vehicle_id,
  centre_id = excluded.centre_id,
  kind = excluded.kind,
  starts_at = excluded.starts_at,
  ends_at = excluded.ends_at,
  booked_at = excluded.booked_at,
  changed_at = excluded.changed_at;

-- name: uncount_lines
DELETE FROM line WHERE id = ANY(CAST(:ids AS text[]));

-- name: standings
SELECT ARRAY(
  SELECT ROW(
    ROW(school.id, school.department, school.licence_number,
        school.fte, school.licensed_until, school.latitude, school.longitude),
    school.seen_at,
    ARRAY(
      SELECT ROW(department, month, category, rdvpermis_limit, elsewhere, fte, reached_at, seen_at)
      FROM threshold WHERE threshold.school_id = school.id
    ),
    ARRAY(SELECT ROW(department, category, hundredths, computed_at) FROM fte WHERE fte.school_id = school.id)
  ) FROM school WHERE school.id = ANY(CAST((SELECT CAST(:school_ids AS text[])) AS text[]))
) AS standings;

-- name: counted_standings
SELECT ARRAY(
  SELECT ROW(
    ROW(school.id, school.department, school.licence_number,
        school.fte, school.licensed_until, school.latitude, school.longitude),
    school.seen_at,
    ARRAY(
      SELECT ROW(department, month, category, rdvpermis_limit, elsewhere, fte, reached_at, seen_at)
      FROM threshold WHERE threshold.school_id = school.id
    ),
    ARRAY(SELECT ROW(department, category, hundredths, computed_at) FROM fte WHERE fte.school_id = school.id)
  ) FROM school WHERE school.id = ANY(CAST((SELECT CAST(:school_ids AS text[])) AS text[]))
) AS standings,
  ARRAY(
    SELECT ROW(school_id, department, month, category, count(*)) FROM line
    WHERE school_id = ANY(CAST(:school_ids AS text[])) AND month = ANY(CAST(:months AS text[]))
    GROUP BY school_id, department, month, category
  ) AS counts,
  ARRAY(
    SELECT ROW(name, department, category, value, valid_from) FROM parameter WHERE approved_by IS NOT NULL
  ) AS parameters;
