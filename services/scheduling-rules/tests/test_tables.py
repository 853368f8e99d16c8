"""The tables that the code reads are those that the migrations make."""

import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from resapermis_kit.database.metadata import KIT
from resapermis_scheduling_rules.availability import tables as availability
from resapermis_scheduling_rules.evaluation import tables as evaluation
from resapermis_scheduling_rules.mirror import tables as mirror
from resapermis_scheduling_rules.parameters import tables as parameters
from resapermis_scheduling_rules.school import tables as school
from resapermis_scheduling_rules.watchlist import tables as watchlist
from resapermis_testing.postgres import MakeEngine

PACKAGE = "resapermis_scheduling_rules"


async def test_migrations_make_the_tables_that_the_code_reads(make_engine: MakeEngine) -> None:
    engine = await make_engine(PACKAGE)
    rooms = [room.metadata for room in (availability, evaluation, mirror, parameters, school, watchlist)]
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda c: compare_metadata(MigrationContext.configure(c), [KIT, *rooms])  # type: ignore[arg-type]
        )
    assert [one for one in differences if one[0] != "remove_table"] == []


async def test_no_name_in_the_database_is_of_the_words_before_release_0_2(make_engine: MakeEngine) -> None:
    engine = await make_engine(PACKAGE)
    names = sa.text(
        "SELECT name FROM (SELECT relname AS name FROM pg_class WHERE relnamespace = 'public'::regnamespace"
        " UNION SELECT conname FROM pg_constraint WHERE connamespace = 'public'::regnamespace"
        " UNION SELECT attname FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid"
        " WHERE relnamespace = 'public'::regnamespace UNION SELECT name FROM parameter) AS known WHERE name ~ '(^|_)(looks?|bars?|said|lift|told)(_|$)'"
    )
    async with engine.connect() as connection:
        assert list((await connection.execute(names)).scalars()) == []
