"""A role that serves reads and writes rows, and nothing else; who owns does not serve, who serves does not migrate."""

import asyncio
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.engine import make_engine as new_engine
from resapermis_kit.database.migration import migrate, state_rights
from resapermis_kit.database.revision import require_serving_role
from resapermis_kit.database.transaction import transaction
from resapermis_kit.roles.rights import EVERY_ROW, Rights, WrongRole
from resapermis_testing.databases import as_owner, owner_url
from resapermis_testing.postgres import MakeDatabase, MakeEngine, Postgres

PACKAGES = (
    "kit_sample",
    "resapermis_audit",
    "resapermis_auth_gateway",
    "resapermis_basket",
    "resapermis_mandate",
    "resapermis_notification",
    "resapermis_scheduling_rules",
)
TOO_MUCH = """
SELECT 'owns ' || relname FROM pg_class WHERE pg_get_userbyid(relowner) = current_user
UNION ALL SELECT privilege || ' on ' || relname FROM pg_class, unnest(ARRAY['TRUNCATE', 'REFERENCES', 'TRIGGER']) AS privilege
    WHERE relkind IN ('r', 'p') AND relnamespace = 'public'::regnamespace AND has_table_privilege(oid, privilege)
UNION ALL SELECT 'writes ' || relname FROM pg_class
    WHERE relname = 'alembic_version' AND has_any_column_privilege(oid, 'INSERT, UPDATE')
UNION ALL SELECT 'database' WHERE has_database_privilege(current_database(), 'CREATE, TEMPORARY')
UNION ALL SELECT 'schema ' || nspname FROM pg_namespace WHERE has_schema_privilege(oid, 'CREATE') AND nspname NOT LIKE 'pg_%'
UNION ALL SELECT 'sequence ' || relname FROM pg_class
    WHERE relnamespace = 'public'::regnamespace AND CASE relkind WHEN 'S' THEN has_sequence_privilege(oid, 'UPDATE') END
"""
EVERYBODYS = """
SELECT 'database' FROM pg_database, aclexplode(coalesce(datacl, acldefault('d', datdba)))
    WHERE datname = current_database() AND grantee = 0
UNION ALL SELECT 'schema' FROM pg_namespace, aclexplode(coalesce(nspacl, acldefault('n', nspowner)))
    WHERE nspname = 'public' AND grantee = 0
UNION ALL SELECT relname FROM pg_class, aclexplode(relacl) WHERE relnamespace = 'public'::regnamespace AND grantee = 0
UNION ALL SELECT proname FROM pg_proc, aclexplode(coalesce(proacl, acldefault('f', proowner)))
    WHERE pronamespace = 'public'::regnamespace AND grantee = 0
    AND NOT EXISTS (SELECT FROM pg_depend WHERE classid = 'pg_proc'::regclass AND objid = pg_proc.oid AND deptype = 'e')
"""
"""What PUBLIC may, beside the functions of an extension."""
SOMEBODYS = """
SELECT name FROM (
    SELECT relname, relacl FROM pg_class UNION ALL SELECT attname, attacl FROM pg_attribute
    UNION ALL SELECT proname, proacl FROM pg_proc UNION ALL SELECT nspname, nspacl FROM pg_namespace
    UNION ALL SELECT 'later', defaclacl FROM pg_default_acl
) AS given (name, acl), aclexplode(acl) WHERE pg_get_userbyid(grantee) LIKE 'some%'
"""
"""What roles may whose names begin so."""


async def _column(engine: AsyncEngine, question: str) -> list[str]:
    async with transaction(engine) as tx:
        return list((await tx.execute(sa.text(question))).scalars())


async def _refused(engine: AsyncEngine, statement: str) -> bool:
    try:
        async with transaction(engine) as tx:
            await tx.execute(sa.text(statement))
    except sa.exc.DBAPIError as error:
        if getattr(error.orig, "sqlstate", "") != "42501":
            raise
        return True
    return False


@pytest.mark.parametrize(
    ("package", "role"),
    [
        *((package, "") for package in PACKAGES),
        *(("resapermis_auth_gateway", f"auth_gateway_{process}") for process in ("web", "egress")),
    ],
)
async def test_the_role_that_serves_changes_no_table_and_everybody_may_nothing(
    make_engine: MakeEngine, package: str, role: str
) -> None:
    engine = await make_engine(package, role)
    assert await _column(engine, TOO_MUCH) == []
    assert await _column(engine, EVERYBODYS) == []
    await require_serving_role(engine)


async def test_who_serves_does_not_migrate(make_database: MakeDatabase) -> None:
    url = await make_database("kit_sample")
    with pytest.raises(
        WrongRole, match="kit_sample serves, and does not migrate: give `migrate` the URL of kit_sample_owner"
    ):
        await asyncio.to_thread(migrate, "kit_sample", url)
    await asyncio.to_thread(migrate, "kit_sample", owner_url(url))


@pytest.mark.parametrize("role", ["kit_sample_owner", "resapermis"])
async def test_who_may_change_tables_does_not_serve(make_engine: MakeEngine, postgres: Postgres, role: str) -> None:
    engine = await make_engine("kit_sample")
    other = new_engine(postgres.url(str(engine.url.database), role), pool=1)
    with pytest.raises(WrongRole, match=f"{role} can change the schema"):
        await require_serving_role(other)
    await other.dispose()


async def test_rights_are_stated_anew_each_time(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")

    async def state(rights: Rights) -> None:
        async with as_owner(engine) as tx:
            await tx.run_sync(lambda connection: state_rights(connection, {"": rights}))

    insert, update = "INSERT INTO seen VALUES ('a', 1)", "UPDATE seen SET number = 2"
    other, taken = "UPDATE seen SET id = 'b'", "DELETE FROM seen"
    await state(Rights({"seen": ("SELECT", "INSERT", "UPDATE (number)")}))
    assert [await _refused(engine, one) for one in (insert, update, other, taken)] == [False, False, True, True]
    await state(Rights({"seen": ("SELECT",)}))
    assert [await _refused(engine, one) for one in (insert, update, other, taken)] == [True] * 4
    await state(Rights(others=()))
    assert await _refused(engine, "SELECT * FROM seen")
    assert not await _refused(engine, "SELECT * FROM alembic_version")
    async with as_owner(engine) as tx:
        await tx.execute(sa.text("CREATE TABLE later (n int)"))
    assert await _refused(engine, "SELECT * FROM later")
    await state(EVERY_ROW[""])
    assert [await _refused(engine, one) for one in (insert, update, other, taken, "SELECT * FROM later")] == [False] * 5


async def test_who_is_not_named_loses_every_right_to_rows(make_engine: MakeEngine, postgres: Postgres) -> None:
    engine = await make_engine("kit_sample")
    reader, passed_on = 'some"reader', "some_other"
    quoted = f'"{reader.replace(chr(34), chr(34) * 2)}"'
    database = str(engine.url.database)
    await postgres.execute(f"CREATE ROLE {quoted} LOGIN", f"CREATE ROLE {passed_on}")
    try:
        async with as_owner(engine) as tx:
            for statement in (
                f'GRANT CONNECT ON DATABASE "{database}" TO {quoted}',
                f"GRANT USAGE ON SCHEMA public TO {quoted}",
                "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
                f"GRANT EXECUTE ON FUNCTION one() TO {quoted}",
                f"GRANT SELECT, UPDATE (number) ON seen TO {quoted} WITH GRANT OPTION",
                f"GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO {quoted}",
                f"ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO {quoted}",
                f"ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT ALL ON TABLES TO {quoted}",
            ):
                await tx.execute(sa.text(statement))
        other = new_engine(postgres.url(database, "resapermis"), pool=1)
        async with transaction(other) as tx:
            await tx.execute(sa.text(f"SET LOCAL SESSION AUTHORIZATION {quoted}"))
            await tx.execute(sa.text(f"GRANT SELECT ON seen TO {passed_on}"))
        await other.dispose()
        async with as_owner(engine) as tx:
            await tx.run_sync(lambda connection: state_rights(connection, EVERY_ROW))
            await tx.execute(sa.text("CREATE TABLE later (n int)"))
        assert await _column(engine, SOMEBODYS) == ["public"], (
            "it may connect and name what is there, as the roles command lets it"
        )
        assert not await _refused(engine, "SELECT * FROM seen")
    finally:
        async with as_owner(engine) as tx:
            await tx.execute(sa.text(f"REVOKE ALL ON SCHEMA public FROM {quoted}"))
            await tx.execute(sa.text(f'REVOKE ALL ON DATABASE "{database}" FROM {quoted}'))
        await postgres.execute(f"DROP ROLE {quoted}", f"DROP ROLE {passed_on}")


async def test_a_right_on_a_table_that_there_is_not_is_no_right(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")

    def state(connection: Any) -> None:
        state_rights(connection, {"": Rights({"sen": ("SELECT",)})})

    with pytest.raises(LookupError, match="not there: sen"):
        async with as_owner(engine) as tx:
            await tx.run_sync(state)


async def test_a_role_of_an_earlier_release_has_its_rights_where_it_is_and_need_not_be(
    make_engine: MakeEngine, postgres: Postgres
) -> None:
    engine, role = await make_engine("kit_sample"), "kit_sample_before"

    async def state(*, optional: bool) -> None:
        async with as_owner(engine) as tx:
            rights = {"": Rights(), "_before": Rights(optional=optional)}
            await tx.run_sync(lambda connection: state_rights(connection, rights))

    await state(optional=True)
    with pytest.raises(sa.exc.ProgrammingError, match="does not exist"):
        await state(optional=False)
    await postgres.execute(f"CREATE ROLE {role} LOGIN")
    try:
        await state(optional=True)
        before = new_engine(postgres.url(str(engine.url.database), role), pool=1)
        assert not await _refused(before, "INSERT INTO seen VALUES ('a', 1)")
        await before.dispose()
    finally:
        async with as_owner(engine) as tx:
            await tx.run_sync(lambda connection: state_rights(connection, EVERY_ROW))
            await tx.execute(sa.text(f"REVOKE ALL ON SCHEMA public FROM {role}"))
            await tx.execute(sa.text(f'REVOKE ALL ON DATABASE "{engine.url.database}" FROM {role}'))
        await postgres.execute(f"DROP ROLE {role}")


async def test_a_table_of_somebody_elses_is_named_where_postgresql_only_warns(
    make_engine: MakeEngine, postgres: Postgres
) -> None:
    engine = await make_engine("kit_sample")
    admin = await postgres.connect(str(engine.url.database))
    await admin.execute("CREATE TABLE foreign_ (n int); GRANT SELECT ON foreign_ TO kit_sample_owner")
    await admin.close()
    with pytest.raises(WrongRole, match="kit_sample_owner does not own table foreign_"):
        async with as_owner(engine) as tx:
            await tx.run_sync(lambda connection: state_rights(connection, EVERY_ROW))
