"""Parameters and tables: what the database itself refuses, and that migrations make what the code reads."""

from datetime import timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from scheduling_peers import NOW, Service

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.db import KIT, transaction
from resapermis_kit.testing import MakeEngine
from resapermis_scheduling_rules.domain import Parameters, parameters_for
from resapermis_scheduling_rules.store import schools
from resapermis_scheduling_rules.store.tables import metadata, parameters

PACKAGE = "resapermis_scheduling_rules"


def row(name: str, value: float, **more: Any) -> dict[str, Any]:
    base = {"id": uuid4(), "name": name, "value": value, "valid_from": NOW, "set_by": "a", "approved_by": "b"}
    return base | {"set_at": NOW} | more


@pytest.mark.req("R-24")
async def test_the_defaults_of_the_domain_are_in_force(make_engine: MakeEngine) -> None:
    engine = await make_engine(PACKAGE)
    async with transaction(engine) as tx:
        assert parameters_for(await schools.parameters_in_force(tx, NOW)) == Parameters()


@pytest.mark.req("R-14")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("group", 5),
        ("group", 0),
        ("basket", 37),
        ("pace_full_day", 29),
        ("warn_percent", 101),
        ("hold_ttl_seconds", -1),
    ],
)
async def test_the_database_refuses_what_may_never_be(make_engine: MakeEngine, name: str, value: float) -> None:
    engine = await make_engine(PACKAGE)
    with pytest.raises(sa.exc.IntegrityError):
        async with transaction(engine) as tx:
            await tx.execute(sa.insert(parameters).values(row(name, value)))


@pytest.mark.req("R-24")
async def test_one_person_alone_changes_nothing(make_engine: MakeEngine) -> None:
    engine = await make_engine(PACKAGE)
    async with transaction(engine) as tx:
        await tx.execute(sa.insert(parameters).values(row("group", 2, approved_by=None)))
        assert parameters_for(await schools.parameters_in_force(tx, NOW)).group == 4
    with pytest.raises(sa.exc.IntegrityError):
        async with transaction(engine) as tx:
            await tx.execute(sa.insert(parameters).values(row("basket", 2, approved_by="a")))


@pytest.mark.req("R-24")
async def test_a_value_is_in_force_from_its_day_on(service: Service) -> None:
    tomorrow = NOW + timedelta(days=1)
    async with transaction(service.engine) as tx:
        await tx.execute(sa.insert(parameters).values(row("group", 2, valid_from=tomorrow)))
        await tx.execute(sa.insert(parameters).values(row("threshold_rate", 2.4, department="91", category="B")))
    for at, group in ((tomorrow - timedelta(seconds=1), 4), (tomorrow, 2)):
        async with transaction(service.engine) as tx:
            found = parameters_for(await schools.parameters_in_force(tx, at), "91", "B")
        assert (found.group, found.threshold_rate) == (group, Decimal("2.4000"))
    request = pb.EvaluateRequest(purpose="hold", lines=[pb.EvaluateLine(slot_id="s1")])
    stub = service.stub("basket")
    assert (await stub.Evaluate(request, metadata=service.who())).limits.group == 4
    service.clock.at = tomorrow + timedelta(seconds=6)
    assert (await stub.Evaluate(request, metadata=service.who())).limits.group == 2


async def test_migrations_make_the_tables_that_the_code_reads(make_engine: MakeEngine) -> None:
    engine = await make_engine(PACKAGE)
    async with engine.connect() as connection:
        differences = await connection.run_sync(
            lambda c: compare_metadata(MigrationContext.configure(c), [KIT, metadata])  # type: ignore[arg-type]
        )
    assert [one for one in differences if one[0] != "remove_table"] == []
