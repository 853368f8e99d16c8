"""Whether a service may serve from its database: it has every migration, and the role owns nothing. Each start asks it, without Alembic."""

import re
from importlib.resources import files

import sqlalchemy as sa
import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.transaction import transaction
from resapermis_kit.roles.rights import WrongRole

REVISION = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)
DOWN_REVISION = re.compile(r'^down_revision = "(\w+)"$', re.MULTILINE)
log = structlog.get_logger()


def newest(package: str) -> str:
    """The revision of `package` (e.g. "resapermis_basket") that none comes after; ValueError unless it is one."""
    return _newest(_versions(package))


async def require_head(engine: AsyncEngine, package: str) -> None:
    """Refuse to start on a database that lacks a migration of this code (RuntimeError).

    One that has newer ones is good: an upgrade migrates first, and a process of the release before that falls meanwhile must
    come up again. What it reads and writes stays until the release after (ADR 38).
    """
    versions = _versions(package)
    head = _newest(versions)
    async with transaction(engine) as tx:
        begun = await tx.scalar(sa.text("SELECT to_regclass('alembic_version') IS NOT NULL"))
        current = await tx.scalar(sa.text("SELECT version_num FROM alembic_version")) if begun else None
    if current is None or (current != head and current in _revisions(versions)):
        msg = f"database is at {current}, code wants {head}: run `python -m {package} migrate`"
        raise RuntimeError(msg)
    if current != head:
        log.warning("database.newer", revision=current, known=head)


def _versions(package: str) -> list[str]:
    """The source of each migration."""
    return [
        file.read_text(encoding="utf-8")
        for file in (files(package) / "migrations" / "versions").iterdir()
        if file.name.endswith(".py")
    ]


def _revisions(versions: list[str]) -> set[str]:
    return {found for text in versions for found in REVISION.findall(text)}


def _newest(versions: list[str]) -> str:
    (head,) = _revisions(versions) - {found for text in versions for found in DOWN_REVISION.findall(text)}
    return head


async def require_serving_role(engine: AsyncEngine) -> None:
    """WrongRole where this process connects as a role that can change what tables there are: its owner's, or an administrator's."""
    question = sa.text(
        "SELECT current_user::text, pg_has_role(current_user, datdba, 'USAGE') OR has_schema_privilege('public', 'CREATE') "
        "OR has_database_privilege(datname, 'CREATE, TEMPORARY') FROM pg_database WHERE datname = current_database()"
    )
    async with transaction(engine) as tx:
        role, too_much = (await tx.execute(question)).one()
    if too_much:
        raise WrongRole(
            f"{role} can change the schema: a service connects as a role that owns nothing (docs/databases.md)"
        )
