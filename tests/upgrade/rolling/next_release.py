"""Two releases after this one, made out of this tree, as any release is followed by two (docs/upgrade.md).

The next one has a column more that it fills, a field more in its events, and stops using a column that this tree declares, reads
and writes: `group_.request_caller`. The one after it drops that column, while the next one serves.
"""

import asyncio
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path

import asyncpg
from rolling.trees import HERE, ROOT, Tree

COLUMN, FIELD, WORD = "noted", 900, "next"
UNUSED_TABLE, UNUSED = "group_", "request_caller"
"""What the next release does without: this one still writes it with each hold, and reads it with each group."""
BASKET = "services/basket/src/resapermis_basket"
EXPANDS = f'''"""The next release: a column more; the one that it stops using has a default, since it leaves it out."""

from alembic import op

revision = "9001"
down_revision = "{{before}}"


def upgrade() -> None:
    op.execute("ALTER TABLE basket_line ADD COLUMN {COLUMN} text NOT NULL DEFAULT ''")
    op.execute("ALTER TABLE {UNUSED_TABLE} ALTER COLUMN {UNUSED} SET DEFAULT ''")
'''
CONTRACTS = f'''"""The release after the next one: without the column that the next one does not use; its index goes with it."""

from alembic import op

revision = "9002"
down_revision = "9001"
contracts_after = "next"  # neither reads nor writes it


def upgrade() -> None:
    op.execute("ALTER TABLE {UNUSED_TABLE} DROP COLUMN {UNUSED}")
'''


@dataclass(frozen=True)
class Change:
    """A text that stands in a file of this tree, and what the next release has in its place."""

    file: str
    old: str
    new: str
    times: int = 1
    """How often it stands there."""

    def applied(self, text: str) -> str:
        """The file's text in the next release; AssertionError where it does not stand there as often."""
        assert text.count(self.old) == self.times, f"{self.file} has not {self.times} times: {self.old}"
        return text.replace(self.old, self.new)


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
    Change(f"{BASKET}/tables.py", f'    sa.Column("{UNUSED}", sa.Text, nullable=False),\n', ""),
    Change(f"{BASKET}/tables.py", f'sa.Index("group__request_idx", groups.c.{UNUSED}, groups.c.request_id)\n', ""),
    Change(f"{BASKET}/domain/line.py", f"    {UNUSED}: str\n", ""),
    Change(
        f"{BASKET}/domain/line.py",
        'line.account_id, "", False, "", "", line.since)',
        'line.account_id, "", False, "", line.since)',
    ),
    Change(f"{BASKET}/hold/intention.py", f"        {UNUSED}=hold.command.caller,\n", ""),
    Change(
        f"{BASKET}/hold/statements.sql",
        f"all_or_nothing, {UNUSED}, request_id,\n",
        "all_or_nothing, request_id,\n",
        times=2,
    ),
    Change(
        f"{BASKET}/hold/statements.sql",
        "    SELECT group_id, school_id, account_id, session_id, all_or_nothing, caller, request_id, created_at\n",
        "    SELECT group_id, school_id, account_id, session_id, all_or_nothing, request_id, created_at\n",
        times=2,
    ),
)


def made(folder: Path) -> Tree:
    """Copy this tree, as it lies here, into `folder` and change it; AssertionError where a text is not there."""
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
        file.write_text(change.applied(file.read_text(encoding="utf-8")), encoding="utf-8")
    versions = folder / BASKET / "migrations" / "versions"
    before = max(file.name[:4] for file in versions.glob("[0-9]*.py"))
    (versions / "9001_next.py").write_text(EXPANDS.format(before=before), encoding="utf-8")
    (folder / ".venv").symlink_to(Path(sys.prefix))
    subprocess.run(("bash", str(folder / "tools" / "protos.sh")), cwd=folder, check=True)  # noqa: S603, S607
    return Tree("next", folder, Path(sys.executable), HERE / "described_by_this.py", own_sources=True)


def after(following: Tree, folder: Path) -> Tree:
    """The release after a made one: the same code, and a migration that drops what that one does not use."""
    shutil.copytree(following.root, folder, symlinks=True)
    (folder / BASKET / "migrations" / "versions" / "9002_after.py").write_text(CONTRACTS, encoding="utf-8")
    return replace(following, name="after", root=folder)


def without(url: str) -> int:
    """How many groups the next release has made, who leaves its unused column to the default; before that is dropped."""
    question = f"SELECT count(*) FROM {UNUSED_TABLE} WHERE {UNUSED} = '' AND request_id <> ''"  # noqa: S608

    async def count() -> int:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            found: int = await connection.fetchval(question)
        finally:
            await connection.close()
        return found

    return asyncio.run(count())


def seen(url: str) -> dict[str, int]:
    """How many lines have the new column filled and how many events said the new field, by the next release alone; what went."""
    said = bytes((0xA2, 0x38, len(WORD))) + WORD.encode()  # field 900, length-delimited

    async def count() -> dict[str, int]:
        connection = await asyncpg.connect(url, timeout=10)
        try:
            lines = await connection.fetchval(f"SELECT count(*) FROM basket_line WHERE {COLUMN} = $1", WORD)  # noqa: S608
            events = await connection.fetchval("SELECT count(*) FROM outbox WHERE position($1 in payload) > 0", said)
            gone = await connection.fetchval(
                "SELECT count(*) = 0 FROM information_schema.columns WHERE table_name = $1 AND column_name = $2",
                UNUSED_TABLE,
                UNUSED,
            )
        finally:
            await connection.close()
        return {"lines_with_the_column": lines, "events_with_the_field": events, "unused_column_is_gone": int(gone)}

    return asyncio.run(count())
