"""Every row of a database, read alike by the old release and by this one: it runs under either, with asyncpg alone."""

import asyncio

import asyncpg

Row = list[str | None]
Tables = dict[str, list[Row]]
"""Table → rows; a row has each value as PostgreSQL writes it (UTC), in the order in which the table got its columns, null for
one that was dropped: a renamed column keeps its place, a new one comes behind."""
_TABLES = """
SELECT c.relname, format('SELECT ARRAY[%s] FROM %I', string_agg(
    CASE WHEN a.attisdropped THEN 'NULL' ELSE quote_ident(a.attname) || '::text' END, ', ' ORDER BY a.attnum
), c.relname) AS rows
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.relkind IN ('r', 'p') AND c.relnamespace = 'public'::regnamespace AND c.relname <> 'alembic_version'
GROUP BY c.relname ORDER BY c.relname
"""


def kept_rows(database_url: str) -> Tables:
    """All that a service's database keeps."""

    async def read() -> Tables:
        connection = await asyncpg.connect(database_url, timeout=10, server_settings={"timezone": "UTC"})
        try:
            return {
                table: [list(values) for (values,) in await connection.fetch(rows)]
                for table, rows in await connection.fetch(_TABLES)
            }
        finally:
            await connection.close()

    return asyncio.run(read())
