-- Slots of a search: one statement for each way to ask, the same but for the column of `key`, the state and the kind, so that
-- each has its own plan: one index scan a stream and part (slot_search_idx, slot_free_idx, slot_of_centre_idx, slot_centre_free_idx).
--
-- Parts of the window come in order and apart, and each is sorted in itself: what the outer LIMIT does not need of later parts is
-- not read at all. (A nested loop over functions keeps their order.)

-- name: department
SELECT part.n, s.id, s.centre_id, s.kind, s.starts_at, s.ends_at, s.published_at, s.status, s.school_id, s.seen_at
FROM unnest(CAST(:lows AS timestamptz[]), CAST(:ids AS text[]), CAST(:highs AS timestamptz[]))
  WITH ORDINALITY AS part(low, id, high, n)
CROSS JOIN LATERAL (
  SELECT one.* FROM unnest(CAST(:keys AS text[])) AS stream(key)
  CROSS JOIN LATERAL (
    SELECT id, centre_id, kind, starts_at, ends_at, published_at, status, school_id, seen_at FROM slot
    WHERE department = stream.key AND category = CAST(:category AS text)
      AND (starts_at, id) > (part.low, part.id) AND starts_at < part.high
      AND withdrawn_at IS NULL
    ORDER BY starts_at, id LIMIT CAST(:each AS int)
  ) AS one
  ORDER BY one.starts_at, one.id LIMIT CAST(:most AS int)
) AS s LIMIT CAST(:most AS int);

-- name: department_kind
SELECT part.n, s.id, s.centre_id, s.kind, s.starts_at, s.ends_at, s.published_at, s.status, s.school_id, s.seen_at
FROM unnest(CAST(:lows AS timestamptz[]), CAST(:ids AS text[]), CAST(:highs AS timestamptz[]))
  WITH ORDINALITY AS part(low, id, high, n)
CROSS JOIN LATERAL (
  SELECT one.* FROM unnest(CAST(:keys AS text[])) AS stream(key)
  CROSS JOIN LATERAL (
    SELECT id, centre_id, kind, starts_at, ends_at, published_at, status, school_id, seen_at FROM slot
    WHERE department = stream.key AND category = CAST(:category AS text)
      AND (starts_at, id) > (part.low, part.id) AND starts_at < part.high
      AND withdrawn_at IS NULL AND kind = :kind
    ORDER BY starts_at, id LIMIT CAST(:each AS int)
  ) AS one
  ORDER BY one.starts_at, one.id LIMIT CAST(:most AS int)
) AS s LIMIT CAST(:most AS int);

-- name: department_free
SELECT part.n, s.id, s.centre_id, s.kind, s.starts_at, s.ends_at, s.published_at, s.status, s.school_id, s.seen_at
FROM unnest(CAST(:lows AS timestamptz[]), CAST(:ids AS text[]), CAST(:highs AS timestamptz[]))
  WITH ORDINALITY AS part(low, id, high, n)
CROSS JOIN LATERAL (
  SELECT one.* FROM unnest(CAST(:keys AS text[])) AS stream(key)
  CROSS JOIN LATERAL (
    SELECT id, centre_id, kind, starts_at, ends_at, published_at, status, school_id, seen_at FROM slot
    WHERE department = stream.key AND category = CAST(:category AS text)
      AND (starts_at, id) > (part.low, part.id) AND starts_at < part.high
      AND withdrawn_at IS NULL AND status = 'FREE'
    ORDER BY starts_at, id LIMIT CAST(:each AS int)
  ) AS one
  ORDER BY one.starts_at, one.id LIMIT CAST(:most AS int)
) AS s LIMIT CAST(:most AS int);

-- name: department_free_kind
SELECT part.n, s.id, s.centre_id, s.kind, s.starts_at, s.ends_at, s.published_at, s.status, s.school_id, s.seen_at
FROM unnest(CAST(:lows AS timestamptz[]), CAST(:ids AS text[]), CAST(:highs AS timestamptz[]))
  WITH ORDINALITY AS part(low, id, high, n)
CROSS JOIN LATERAL (
  SELECT one.* FROM unnest(CAST(:keys AS text[])) AS stream(key)
  CROSS JOIN LATERAL (
    SELECT id, centre_id, kind, starts_at, ends_at, published_at, status, school_id, seen_at FROM slot
    WHERE department = stream.key AND category = CAST(:category AS text)
      AND (starts_at, id) > (part.low, part.id) AND starts_at < part.high
      AND withdrawn_at IS NULL AND status = 'FREE' AND kind = :kind
    ORDER BY starts_at, id LIMIT CAST(:each AS int)
  ) AS one
  ORDER BY one.starts_at, one.id LIMIT CAST(:most AS int)
) AS s LIMIT CAST(:most AS int);

-- name: centre
SELECT part.n, s.id, s.centre_id, s.kind, s.starts_at, s.ends_at, s.published_at, s.status, s.school_id, s.seen_at
FROM unnest(CAST(:lows AS timestamptz[]), CAST(:ids AS text[]), CAST(:highs AS timestamptz[]))
  WITH ORDINALITY AS part(low, id, high, n)
CROSS JOIN LATERAL (
  SELECT one.* FROM unnest(CAST(:keys AS text[])) AS stream(key)
  CROSS JOIN LATERAL (
    SELECT id, centre_id, kind, starts_at, ends_at, published_at, status, school_id, seen_at FROM slot
    WHERE centre_id = stream.key AND category = CAST(:category AS text)
      AND (starts_at, id) > (part.low, part.id) AND starts_at < part.high
      AND withdrawn_at IS NULL
    ORDER BY starts_at, id LIMIT CAST(:each AS int)
  ) AS one
  ORDER BY one.starts_at, one.id LIMIT CAST(:most AS int)
) AS s LIMIT CAST(:most AS int);

-- name: centre_kind
SELECT part.n, s.id, s.centre_id, s.kind, s.starts_at, s.ends_at, s.published_at, s.status, s.school_id, s.seen_at
FROM unnest(CAST(:lows AS timestamptz[]), CAST(:ids AS text[]), CAST(:highs AS timestamptz[]))
  WITH ORDINALITY AS part(low, id, high, n)
CROSS JOIN LATERAL (
  SELECT one.* FROM unnest(CAST(:keys AS text[])) AS stream(key)
  CROSS JOIN LATERAL (
    SELECT id, centre_id, kind, starts_at, ends_at, published_at, status, school_id, seen_at FROM slot
    WHERE centre_id = stream.key AND category = CAST(:category AS text)
      AND (starts_at, id) > (part.low, part.id) AND starts_at < part.high
      AND withdrawn_at IS NULL AND kind = :kind
    ORDER BY starts_at, id LIMIT CAST(:each AS int)
  ) AS one
  ORDER BY one.starts_at, one.id LIMIT CAST(:most AS int)
) AS s LIMIT CAST(:most AS int);

-- name: centre_free
SELECT part.n, s.id, s.centre_id, s.kind, s.starts_at, s.ends_at, s.published_at, s.status, s.school_id, s.seen_at
FROM unnest(CAST(:lows AS timestamptz[]), CAST(:ids AS text[]), CAST(:highs AS timestamptz[]))
  WITH ORDINALITY AS part(low, id, high, n)
CROSS JOIN LATERAL (
  SELECT one.* FROM unnest(CAST(:keys AS text[])) AS stream(key)
  CROSS JOIN LATERAL (
    SELECT id, centre_id, kind, starts_at, ends_at, published_at, status, school_id, seen_at FROM slot
    WHERE centre_id = stream.key AND category = CAST(:category AS text)
      AND (starts_at, id) > (part.low, part.id) AND starts_at < part.high
      AND withdrawn_at IS NULL AND status = 'FREE'
    ORDER BY starts_at, id LIMIT CAST(:each AS int)
  ) AS one
  ORDER BY one.starts_at, one.id LIMIT CAST(:most AS int)
) AS s LIMIT CAST(:most AS int);

-- name: centre_free_kind
SELECT part.n, s.id, s.centre_id, s.kind, s.starts_at, s.ends_at, s.published_at, s.status, s.school_id, s.seen_at
FROM unnest(CAST(:lows AS timestamptz[]), CAST(:ids AS text[]), CAST(:highs AS timestamptz[]))
  WITH ORDINALITY AS part(low, id, high, n)
CROSS JOIN LATERAL (
  SELECT one.* FROM unnest(CAST(:keys AS text[])) AS stream(key)
  CROSS JOIN LATERAL (
    SELECT id, centre_id, kind, starts_at, ends_at, published_at, status, school_id, seen_at FROM slot
    WHERE centre_id = stream.key AND category = CAST(:category AS text)
      AND (starts_at, id) > (part.low, part.id) AND starts_at < part.high
      AND withdrawn_at IS NULL AND status = 'FREE' AND kind = :kind
    ORDER BY starts_at, id LIMIT CAST(:each AS int)
  ) AS one
  ORDER BY one.starts_at, one.id LIMIT CAST(:most AS int)
) AS s LIMIT CAST(:most AS int);
