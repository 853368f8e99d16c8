"""A service starts only on a database that has what its code was written for."""

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.engine import make_engine as new_engine
from resapermis_kit.database.revision import newest, require_head
from resapermis_testing.databases import as_owner
from resapermis_testing.postgres import MakeEngine, Postgres

SAMPLE = Path(__file__).parent / "kit_sample"


@pytest.fixture
def grown(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A package like the sample, to add migrations to."""
    shutil.copytree(SAMPLE / "migrations", tmp_path / "grown_sample" / "migrations")
    (tmp_path / "grown_sample" / "__init__.py").touch()
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path / "grown_sample" / "migrations" / "versions"
    sys.modules.pop("grown_sample", None)


async def test_a_database_that_its_own_migrations_made_is_the_one(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")
    await require_head(engine, "kit_sample")  # what Alembic wrote is what we read


async def test_a_database_behind_the_code_is_none(make_engine: MakeEngine) -> None:
    engine = await make_engine("kit_sample")
    await _set(engine, "0001")
    with pytest.raises(RuntimeError, match="database is at 0001, code wants 0003: run `python -m kit_sample"):
        await require_head(engine, "kit_sample")


@pytest.mark.req("P-04")
async def test_a_process_of_the_release_before_starts_again_on_a_database_that_was_upgraded(
    make_engine: MakeEngine,
) -> None:
    engine = await make_engine("kit_sample")
    await _set(engine, "0099")
    refused: list[RuntimeError] = []
    try:
        await require_head(engine, "kit_sample")
    except RuntimeError as why:
        refused.append(why)
    assert refused == []


async def _set(engine: AsyncEngine, revision: str) -> None:
    async with as_owner(engine) as tx:
        await tx.execute(sa.text("UPDATE alembic_version SET version_num = :revision"), {"revision": revision})


async def test_an_empty_database_is_none(postgres: Postgres) -> None:
    engine = new_engine(postgres.url("postgres"), pool=1, name="kit_sample")
    with pytest.raises(RuntimeError, match="database is at None"):
        await require_head(engine, "kit_sample")
    await engine.dispose()


def test_the_newest_is_what_no_other_comes_after(grown: Path) -> None:
    assert newest("grown_sample") == "0003"
    (grown / "0004_more.py").write_text('revision = "0004"\ndown_revision = "0003"\n')
    assert newest("grown_sample") == "0004"


def test_two_newest_are_none(grown: Path) -> None:
    (grown / "0004_a.py").write_text('revision = "0004a"\ndown_revision = "0003"\n')
    (grown / "0004_b.py").write_text('revision = "0004b"\ndown_revision = "0003"\n')
    with pytest.raises(ValueError, match="too many values"):
        newest("grown_sample")
