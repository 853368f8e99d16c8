"""The administrator's command: roles and databases as services need them, and what an earlier release made handed over.

    RESAPERMIS_ADMIN_URL=postgresql://postgres@host/postgres python -m resapermis_kit.roles auth_gateway basket …

Each argument is a database; behind a colon, with commas, what further roles that serve from it have behind their names
("one:more" is served by the roles `one` and `one_more`). RESAPERMIS_ADMIN_URL_FILE names a file with the address instead;
RESAPERMIS_PASSWORDS a folder with a file `postgres-<role>` for each role whose password is to be set. It says what it touched,
and touches nothing that is as it should be.
"""

import asyncio
import os
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import asyncpg

from resapermis_kit.roles.handover import Database, NotHandedOver, ensure

URL, FOLDER = "RESAPERMIS_ADMIN_URL", "RESAPERMIS_PASSWORDS"


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Do it for the databases named; the exit status."""
    file = environment.get(f"{URL}_FILE")
    url = Path(file).read_text(encoding="utf-8").strip() if file else environment.get(URL, "")
    if not url or not arguments or any(one.startswith("-") for one in arguments):
        print(__doc__, file=sys.stderr)  # noqa: T201 - a command line speaks on its terminal
        return 2
    databases = [_database(one) for one in arguments]
    try:
        touched = asyncio.run(ensure(url, databases, _passwords(databases, environment.get(FOLDER, ""))))
    except (NotHandedOver, ValueError, asyncpg.PostgresError, OSError, TimeoutError) as reason:
        print(f"roles: {reason}", file=sys.stderr)  # noqa: T201
        return 1
    print(f"roles: {', '.join(touched) or 'nothing'} made or handed over")  # noqa: T201
    return 0


def words(database: Database) -> str:
    """The argument that says a database with its serving roles: "basket", "auth_gateway:egress,web"."""
    further = [role.removeprefix(f"{database.name}_") for role in database.serving[1:]]
    return ":".join([database.name, *([",".join(further)] if further else [])])


def _database(argument: str) -> Database:
    name, _, suffixes = argument.partition(":")
    return Database.of(name, filter(None, suffixes.split(",")))


def _passwords(databases: Sequence[Database], folder: str) -> dict[str, str]:
    files = {role: Path(folder, f"postgres-{role}") for one in databases for role in one.roles} if folder else {}
    return {role: file.read_text(encoding="utf-8").strip() for role, file in files.items() if file.exists()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], os.environ))
