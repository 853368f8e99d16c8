"""Bookings of years past, made inside PostgreSQL: done, cancelled and expired lines of the schools that hold now.

They lie where the services keep theirs, with the counts that go with them, and end before this month.
"""

from typing import Any

from data.seed import CATEGORY, CENTRE, DEPARTMENT

Connection = Any
_SCHOOLS = 2000
_WHEN = "date_trunc('month', now()) - interval '1 day' - n % 900 * interval '1 day'"
_ID = "CAST('01900000-0000-7000-{kind}000-' || lpad(to_hex(n), 12, '0') AS uuid)"
_GROUP, _LINE, _CANDIDATE = (_ID.format(kind=kind) for kind in ("a", "b", "9"))
_SCHOOL = f"'ecole-' || lpad((n % {_SCHOOLS} + 1)::text, 10, '0')"

_GROUPS = f"""
    INSERT INTO group_ (id, school_id, account_id, session_id, all_or_nothing, request_caller, request_id, created_at)
    SELECT {_GROUP}, {_SCHOOL}, 'ancien', '', false, 'ancien', n::text, {_WHEN}
    FROM generate_series($1::bigint, $2::bigint) AS n"""  # noqa: S608 - our own words
_LINES = f"""
    INSERT INTO basket_line (id, group_id, position, school_id, account_id, slot_id, department, category, month,
        starts_at, ends_at, time_zone, centre_name, snapshot, centre_id, kind, state, since, candidate_id,
        rdvpermis_candidate_id, expires_at, ended_at, basket_id, exam_id, reason, refusal, changing,
        wanted_rdvpermis_id, polls, owed, version)
    SELECT {_LINE}, {_GROUP}, 0, {_SCHOOL}, 'ancien', 'creneau-passe-' || n, '{DEPARTMENT}', '{CATEGORY}',
        to_char({_WHEN}, 'YYYY-MM'), {_WHEN}, {_WHEN} + interval '32 minutes', 'Europe/Paris', 'Créteil',
        convert_to(repeat('x', 120), 'UTF8'), '{CENTRE}', 'CIRCULATION',
        CASE n % 5 WHEN 3 THEN 'cancelled' WHEN 4 THEN 'expired' ELSE 'done' END, {_WHEN}, {_CANDIDATE},
        'candidat-' || n, {_WHEN}, {_WHEN}, 'panier-' || n, 'examen-' || n, '', '', '', '', 0, false, 4
    FROM generate_series($1::bigint, $2::bigint) AS n"""  # noqa: S608 - our own words
_COUNTERS = f"""
    INSERT INTO quota (school_id, department, month, category, taken, cap, granted)
    SELECT school_id, department, month, category, count(*), 1000000, 1 FROM basket_line
    WHERE state = 'done' AND account_id = 'ancien' AND id >= {_LINE.replace("n)", "$1::bigint)")}
    GROUP BY school_id, department, month, category
    ON CONFLICT (school_id, department, month, category) DO UPDATE SET taken = quota.taken + excluded.taken"""  # noqa: S608
_COUNTED = f"""
    INSERT INTO line (id, school_id, department, month, category, changed_at)
    SELECT {_LINE}::text, {_SCHOOL}, '{DEPARTMENT}', to_char({_WHEN}, 'YYYY-MM'), '{CATEGORY}', {_WHEN}
    FROM generate_series($1::bigint, $2::bigint) AS n WHERE n % 5 < 3"""  # noqa: S608 - our own words


async def past_bookings(connection: Connection, first: int, last: int) -> None:
    """Basket's lines number `first` + 1 to `last`, with their groups and counters."""
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        for statement in (_GROUPS, _LINES):
            await connection.execute(statement, first + 1, last, timeout=300)
        await connection.execute(_COUNTERS, first + 1, timeout=300)
    await connection.execute("VACUUM ANALYZE", timeout=300)


async def past_lines(connection: Connection, first: int, last: int) -> None:
    """What scheduling-rules counted of them."""
    await connection.execute(_COUNTED, first + 1, last, timeout=300)
    await connection.execute("VACUUM ANALYZE", timeout=300)
