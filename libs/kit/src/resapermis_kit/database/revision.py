"""Whether a database is at the newest migration of its service, without Alembic: each start of a service asks it."""

import re
from importlib.resources import files

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis_kit.database.transaction import transaction

REVISION = re.compile(r'^revision = "(\w+)"$', re.MULTILINE)
DOWN_REVISION = re.compile(r'^down_revision = "(\w+)"$', re.MULTILINE)


def newest(package: str) -> str:
    """The revision of `package` (e.g. "resapermis_basket") that none comes after; ValueError unless it is one."""
    versions = [
        file.read_text(encoding="utf-8")
        for file in (files(package) / "migrations" / "versions").iterdir()
        if file.name.endswith(".py")
    ]
    made: set[str] = {found for text in versions for found in REVISION.findall(text)}
    (head,) = made - {found for text in versions for found in DOWN_REVISION.findall(text)}
    return head


async def require_head(engine: AsyncEngine, package: str) -> None:
    """Refuse to start on a database that is not at the newest migration (RuntimeError)."""
    head = newest(package)
    async with transaction(engine) as tx:
        begun = await tx.scalar(sa.text("SELECT to_regclass('alembic_version') IS NOT NULL"))
        current = await tx.scalar(sa.text("SELECT version_num FROM alembic_version")) if begun else None
    if current != head:
        msg = f"database is at {current}, code wants {head}: run `python -m {package} migrate`"
        raise RuntimeError(msg)
