"""What has changed since the last release must not break it: messages between services, and migrations of live tables.

The last release is the last line of docs/releases.yaml. v0.1.0 is not compared with: its breaks happened once and are listed
in the changelog.
"""

import ast
import io
import re
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import RevisionStep
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import SQLAlchemyError

from releases import NoRelease, commit_of, releases

UNBOUND = "v0.1.0"
VERSIONS = "*/src/*/migrations/versions"
LIMITS = "SET lock_timeout = '4s';\nSET statement_timeout = '5s';\n"
"""With which the kit connects to migrate: a migration that would wait longer undoes itself."""
_AT = re.compile(r"migrations\.sql:(\d+):\d+: ")
NOT_ABOUT_LOCKS = ("prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-text-field", "prefer-identity")
"""Squawk's rules of taste: a type is chosen by what it holds."""


def last_release(root: Path) -> tuple[str, str] | None:
    """Version and commit to be compatible with; None while that is the unbound one. NoRelease when it cannot be had."""
    version = list(releases((root / "docs" / "releases.yaml").read_text(encoding="utf-8")))[-1]
    return None if version == UNBOUND else (version, commit_of(version))


def broken_messages(root: Path, commit: str, buf: str) -> list[str]:
    """What `buf breaking` has against the protos since a commit, by the rules of protos/buf.yaml."""
    with tempfile.TemporaryDirectory() as folder:
        archive = _git(root, "archive", "--format=tar", commit, "protos")
        subprocess.run(("tar", "-x", "-C", folder), input=archive, check=True)
        command = (buf, "breaking", "protos", "--against", f"{folder}/protos")
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()


def dangerous_migrations(root: Path, commit: str, squawk: str) -> list[str]:
    """What squawk has against the SQL of migrations that a commit has not, and which migrations cannot be written as SQL."""
    old: dict[str, set[str]] = {}
    for name in _git(root, "ls-tree", "-r", "--name-only", commit, "services").decode().splitlines():
        file = Path(name)
        if file.parts[-3:-1] == ("migrations", "versions"):
            old.setdefault(file.parts[-4], set()).add(file.name)
    wrong = []
    for versions in sorted((root / "services").glob(VERSIONS)):
        known = old.get(versions.parts[-3], set())
        new = sorted(file.name for file in versions.glob("*.py") if file.name not in known)
        if new:
            wrong += [f"{versions.parts[-3]}: {line}" for line in _squawked(versions.parent, known, squawk)]
    return wrong


def as_sql(migrations: Path, known: set[str]) -> str:
    """The SQL of every migration after the known files; nothing is connected to.

    ValueError when one asks the database something, which cannot be known beforehand.
    """
    config = Config()
    config.set_main_option("script_location", str(migrations))
    script = ScriptDirectory.from_config(config)
    base = _heads(migrations / "versions", known)
    written = io.StringIO()

    def steps(_revision: object, _context: object) -> list[RevisionStep]:
        return list(script._upgrade_revs("head", base))  # type: ignore[arg-type]  # noqa: SLF001 - None is the beginning; as Alembic's own command does

    with EnvironmentContext(
        config, script, fn=steps, as_sql=True, starting_rev=base, destination_rev="head"
    ) as environment:
        environment.configure(dialect_name="postgresql", output_buffer=written, transactional_ddl=False)
        try:
            with environment.begin_transaction():
                environment.run_migrations()
        except (AttributeError, TypeError, CommandError, SQLAlchemyError) as asked:
            raise ValueError(f"a migration asks the database, say it by op.execute and op.…: {asked}") from asked
    return LIMITS + written.getvalue()


def _squawked(migrations: Path, known: set[str], squawk: str) -> Iterator[str]:
    try:
        sql = as_sql(migrations, known)
    except ValueError as wrong:
        yield str(wrong)
        return
    command = (
        squawk,
        "--pg-version",
        "18",
        "--assume-in-transaction",
        f"--exclude={','.join(NOT_ABOUT_LOCKS)}",
        "--reporter",
        "gcc",
    )
    done = subprocess.run(
        (*command, "--stdin-filepath", "migrations.sql"), input=sql, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        written = sql.splitlines()
        for line in (done.stdout + done.stderr).splitlines():
            number = _AT.match(line)
            yield f"{line[number.end() :]}: {written[int(number[1])]}" if number else line  # counted from 0


def _heads(versions: Path, known: set[str]) -> str | None:
    """The newest of the known revisions, which a service has one of; None when it has none."""
    after: dict[str, str | None] = {}
    for file in versions.glob("*.py"):
        if file.name in known:
            constants = _constants(file)
            after[str(constants["revision"])] = constants.get("down_revision")
    return next((revision for revision in after if revision not in after.values()), None)


def _constants(file: Path) -> Mapping[str, str | None]:
    found: dict[str, str | None] = {}
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            value = None if node.value.value is None else str(node.value.value)
            found |= {target.id: value for target in node.targets if isinstance(target, ast.Name)}
    return found


def _git(root: Path, *words: str) -> bytes:
    done = subprocess.run(("git", *words), cwd=root, capture_output=True, check=False)
    if done.returncode != 0:
        raise NoRelease(done.stderr.decode(errors="replace").strip())
    return done.stdout
