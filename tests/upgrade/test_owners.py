"""Databases of v0.1.0, each owned by the role that serves, belong to an owner afterwards, and are served as before.

The other tests of this folder show that nothing in them changed on the way; without the hand-over `migrate` refuses.
"""

import asyncio

import asyncpg
import pytest
from upgraded import Upgraded

from devstack.components import DATABASES

pytestmark = [pytest.mark.timeout(600), pytest.mark.long_only]  # a machine's first run installs the old release
OWNERS = """
SELECT DISTINCT pg_get_userbyid(relowner)::text FROM pg_class WHERE relnamespace = 'public'::regnamespace
UNION SELECT pg_get_userbyid(datdba)::text FROM pg_database WHERE datname = current_database()
"""


def test_each_database_is_its_owners_and_the_role_that_served_can_change_no_table(upgraded: Upgraded) -> None:
    async def refused(url: str) -> bool:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            await connection.execute("TRUNCATE outbox")
        except asyncpg.InsufficientPrivilegeError:
            return True
        finally:
            await connection.close()
        return False

    for database in DATABASES:
        assert {row[0] for row in upgraded.ask(database.name, OWNERS)} == {database.owner}
        assert all(asyncio.run(refused(upgraded.stack.database_url(role))) for role in database.serving)
