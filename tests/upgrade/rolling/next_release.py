"""A release after this one, made out of this tree: it has a column and a field more, and a column less.

What goes is a column that no release here reads or writes: `left_over`, put into the database as one of before would have left it.
"""

import asyncio
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import asyncpg
from rolling.trees import HERE, ROOT, Tree

COLUMN, FIELD, LEFT_OVER, WORD = "noted", 900, "left_over", "next"
BASKET = "services/basket/src/resapermis_basket"
MIGRATION = f'''"""The next release: a column more, a column less."""

from alembic import op

revision = "9999"
down_revision = "{{before}}"
contracts_after = "this"  # no release reads or writes it


def upgrade() -> None:
    op.execute("ALTER TABLE basket_line ADD COLUMN {COLUMN} text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE basket_line DROP COLUMN {LEFT_OVER}")
'''


@dataclass(frozen=True)
class Change:
    """A text that stands once in a file of this tree, and what the next release has in its place."""

    file: str
    old: str
    new: str


CHANGES = (
    # One in place of another would be found by `buf breaking`.
    Change(
        "protos/resapermis/basket/v1/events.proto",
        "  bool found_elsewhere = 23;\n",
        f"  bool found_elsewhere = 23;\n  string {COLUMN} = {FIELD};\n",
    ),
    Change(
        f"{BASKET}/events.py",
        "        found_elsewhere=elsewhere,\n",
        f'        found_elsewhere=elsewhere,\n        {COLUMN}="{WORD}",\n',
    ),
    Change(
        f"{BASKET}/tables.py",
        '    sa.Column("found_elsewhere", sa.Boolean, nullable=False, server_default=sa.false()),\n',
        '    sa.Column("found_elsewhere", sa.Boolean, nullable=False, server_default=sa.false()),\n'
        f'    sa.Column("{COLUMN}", sa.Text, nullable=False, server_default=""),\n',
    ),
    Change(
        f"{BASKET}/line/statements.sql",
        "SET state = new.state, since = new.since,",
        f"SET {COLUMN} = '{WORD}', state = new.state, since = new.since,",
    ),
)


def made(folder: Path) -> Tree:
    """Copy this tree, as it lies here, into `folder` and change it; AssertionError where a text is not there once."""
    listed = subprocess.run(
        ("git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", ".", ":!web", ":!docs"),  # noqa: S607
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():  # one that was removed and not committed is listed too
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, folder / name)
    for change in CHANGES:
        file = folder / change.file
        text = file.read_text(encoding="utf-8")
        assert text.count(change.old) == 1, f"{change.file} has not once: {change.old}"
        file.write_text(text.replace(change.old, change.new), encoding="utf-8")
    versions = folder / BASKET / "migrations" / "versions"
    before = max(file.name[:4] for file in versions.glob("[0-9]*.py"))
    (versions / "9999_next.py").write_text(MIGRATION.format(before=before), encoding="utf-8")
    (folder / ".venv").symlink_to(Path(sys.prefix))
    subprocess.run(("bash", str(folder / "tools" / "protos.sh")), cwd=folder, check=True)  # noqa: S603, S607
    return Tree("next", folder, Path(sys.executable), HERE / "described_by_this.py", own_sources=True)


def leave_over(url: str) -> None:
    """The column that a release of before left."""

    async def add() -> None:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            await connection.execute("SET lock_timeout = '4s'")
            await connection.execute(f"ALTER TABLE basket_line ADD COLUMN IF NOT EXISTS {LEFT_OVER} text")
        finally:
            await connection.close()

    asyncio.run(add())


def seen(url: str) -> dict[str, int]:
    """How many lines have the new column filled, and how many events said the new field; both by the next release alone."""
    said = bytes((0xA2, 0x38, len(WORD))) + WORD.encode()  # field 900, length-delimited

    async def count() -> dict[str, int]:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            lines = await connection.fetchval(f"SELECT count(*) FROM basket_line WHERE {COLUMN} = $1", WORD)  # noqa: S608
            events = await connection.fetchval("SELECT count(*) FROM outbox WHERE position($1 in payload) > 0", said)
        finally:
            await connection.close()
        return {"lines_with_the_column": lines, "events_with_the_field": events}

    return asyncio.run(count())
