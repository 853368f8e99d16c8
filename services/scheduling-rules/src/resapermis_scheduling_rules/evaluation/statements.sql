-- Everything that is known about the lines of actions.

-- name: facts
-- Parameters come as sub-selects, so that a plan made for these lines seems no cheaper than one made for all: PostgreSQL then
-- keeps the latter, instead of planning a dozen joins again, which takes four times as long as executing them. Lines of all
-- actions stand in one list; what is found names by `n` whose line it is for, in records, whose values come in their own types.
-- Each table is asked line by line, for records of the line's own asker (OFFSET 0 keeps it so): left to itself, PostgreSQL goes
-- through whole indexes when a table was small when it planned.
WITH asked AS (
  SELECT line.n, line.asker, line.at, line.candidate, line.trainer, line.vehicle, slot.*, centre.*,
         slot.starts_at AS begins, greatest(slot.ends_at, slot.starts_at + (SELECT CAST(:exam AS interval))) AS ends
  FROM unnest(
    (SELECT CAST(:askers AS text[])), (SELECT CAST(:moments AS timestamptz[])), (SELECT CAST(:slots AS text[])),
    (SELECT CAST(:candidates AS text[])), (SELECT CAST(:trainers AS text[])), (SELECT CAST(:vehicles AS text[]))
  ) WITH ORDINALITY AS line (asker, at, slot, candidate, trainer, vehicle, n)
  CROSS JOIN LATERAL (SELECT * FROM slot WHERE slot.id = line.slot OFFSET 0) AS slot
  CROSS JOIN LATERAL (
    SELECT name, latitude, longitude FROM centre WHERE centre.id = slot.centre_id OFFSET 0
  ) AS centre
)
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
    SELECT ROW(n, id, centre_id, name, department, latitude, longitude,
               starts_at, ends_at, category, kind, published_at, status, seen_at, school_id)
    FROM asked
  ) AS slots,
  ARRAY(
    SELECT ROW(asked.n, restriction.id, reason, since, until, restriction.kind, line_id IS NULL, approved_by IS NOT NULL)
    FROM asked CROSS JOIN LATERAL (
      SELECT * FROM restriction
      WHERE restriction.candidate_id = asked.candidate AND restriction.category = asked.category
        AND restriction.school_id = asked.asker
        AND (restriction.until IS NULL OR restriction.until > asked.at)
      OFFSET 0
    ) AS restriction
    WHERE asked.candidate <> ''
    ORDER BY until, restriction.id
  ) AS restrictions,
  ARRAY(
    SELECT ROW(asked.n, whose, met.unavailability_id, lower(met.during), upper(met.during))
    FROM asked CROSS JOIN LATERAL (
      VALUES ('candidate', candidate), ('trainer', trainer), ('vehicle', vehicle), ('school', '')
    ) AS subject (whose, named) CROSS JOIN LATERAL (
      SELECT * FROM occurrence
      WHERE occurrence.school_id = asked.asker AND occurrence.kind = whose AND occurrence.subject_id = named
        AND during && tstzrange(asked.begins - (SELECT CAST(:near AS interval)), asked.ends + (SELECT CAST(:near AS interval)))
      OFFSET 0
    ) AS met
    WHERE whose = 'school' OR named <> ''
  ) AS unavailable,
  ARRAY(
    SELECT ROW(asked.n, whose, met.id, met.starts_at, met.ends_at, met.centre_id, there.latitude, there.longitude)
    FROM asked CROSS JOIN LATERAL (
      SELECT * FROM line
      WHERE line.school_id = asked.asker
        AND line.starts_at < asked.ends + (SELECT CAST(:far AS interval))
        AND line.ends_at > asked.begins - (SELECT CAST(:far AS interval))
        AND line.starts_at > asked.begins - (SELECT CAST(:far AS interval)) - (SELECT CAST(:longest_exam AS interval))
      OFFSET 0
    ) AS met CROSS JOIN LATERAL (
      VALUES ('candidate', candidate, met.candidate_id), ('trainer', trainer, met.trainer_id),
             ('vehicle', vehicle, met.vehicle_id)
    ) AS subject (whose, named, met_there) LEFT JOIN LATERAL (
      SELECT latitude, longitude FROM centre WHERE centre.id = met.centre_id OFFSET 0
    ) AS there ON true
    WHERE named = met_there AND named <> ''
  ) AS booked,
  ARRAY(
    SELECT ROW(asked.n, term.id, term.department, term.categories, term.active_from, term.active_until, term.authorised_until)
    FROM asked CROSS JOIN LATERAL (
      SELECT * FROM trainer WHERE trainer.school_id = asked.asker AND trainer.id = asked.trainer
      ORDER BY trainer.active_from <= asked.starts_at DESC, abs(extract(epoch FROM trainer.active_from - asked.starts_at))
      LIMIT 1
    ) AS term
    WHERE asked.trainer <> ''
  ) AS trainers,
  ARRAY(
    SELECT ROW(asked.n, vehicle.id, vehicle.gearbox, vehicle.categories)
    FROM asked CROSS JOIN LATERAL (
      SELECT * FROM vehicle
      WHERE vehicle.school_id = asked.asker AND vehicle.id = asked.vehicle AND NOT vehicle.retired
      OFFSET 0
    ) AS vehicle
    WHERE asked.vehicle <> ''
  ) AS vehicles;
