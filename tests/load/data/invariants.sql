-- What must hold in basket's database, each as a question that counts what breaks it. Its states: a line takes its slot when it is
-- asking, held, confirming or booked; it is in the basket until it is booked; it counts for its threshold when it is done too.

-- name: oversold
SELECT count(*) FROM (
  SELECT slot_id FROM basket_line WHERE state IN ('asking', 'held', 'confirming', 'booked')
  GROUP BY slot_id HAVING count(*) > 1
) AS twice;

-- name: candidates_on_two_lines
SELECT count(*) FROM (
  SELECT candidate_id, category FROM basket_line
  WHERE state IN ('asking', 'held', 'confirming', 'booked') AND candidate_id IS NOT NULL
  GROUP BY candidate_id, category HAVING count(*) > 1
) AS twice;

-- name: counters_wrong
WITH really AS (
  SELECT school_id, department, month, category, count(*) AS many FROM basket_line
  WHERE state IN ('asking', 'held', 'confirming', 'booked', 'done') GROUP BY school_id, department, month, category
  UNION ALL
  SELECT school_id, '', '', '', count(*) FROM basket_line WHERE state IN ('asking', 'held', 'confirming') GROUP BY school_id
)
SELECT count(*) FROM really FULL JOIN quota USING (school_id, department, month, category)
WHERE coalesce(many, 0) <> coalesce(taken, 0);

-- name: above_limit
SELECT count(*) FROM quota WHERE taken > cap;

-- name: baskets_above_limit
-- $1: lines in one school's basket.
SELECT count(*) FROM (
  SELECT school_id FROM basket_line WHERE state IN ('asking', 'held', 'confirming')
  GROUP BY school_id HAVING count(*) > $1::int
) AS full_baskets;

-- name: groups_above_four
SELECT count(*) FROM (SELECT group_id FROM basket_line GROUP BY group_id HAVING count(*) > 4) AS large;

-- name: live_lines
-- Not an invariant: lines whose slot is taken.
SELECT count(*) FROM basket_line WHERE state IN ('asking', 'held', 'confirming', 'booked');
