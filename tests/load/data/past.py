"""Bookings of years past, made inside PostgreSQL: done, cancelled and expired lines of the schools that hold now.

They lie where the services keep theirs, with the counts that go with them, and end before this month.
"""

from typing import Any

from data.seed import CATEGORY, CENTRE, DEPARTMENT
from resapermis_kit.database.sql_file import sql_file

Connection = Any
_SQL = sql_file("data", "past.sql")


async def past_bookings(connection: Connection, first: int, last: int) -> None:
    """Basket's lines number `first` + 1 to `last`, with their groups and counters."""
    async with connection.transaction():
        await connection.execute("SET LOCAL statement_timeout = 0")
        await connection.execute(_SQL["groups"], first + 1, last, timeout=300)
        await connection.execute(_SQL["lines"], first + 1, last, DEPARTMENT, CATEGORY, CENTRE, timeout=300)
        await connection.execute(_SQL["counters"], first + 1, timeout=300)
    await connection.execute("VACUUM ANALYZE", timeout=300)


async def past_lines(connection: Connection, first: int, last: int) -> None:
    """What scheduling-rules counted of them."""
    await connection.execute(_SQL["counted_lines"], first + 1, last, DEPARTMENT, CATEGORY, timeout=300)
    await connection.execute("VACUUM ANALYZE", timeout=300)
