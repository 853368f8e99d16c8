"""What has changed since the last release must not break it: messages between services, and migrations of live tables.

The last release is the highest version in docs/releases.yaml. v0.1.0 is not compared with: its breaks happened once and are
listed in the changelog.
"""

import ast
import contextlib
import difflib
import io
import json
import os
import re
import subprocess
import tempfile
import threading
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
_ALEMBIC = threading.Lock()
"""What `alembic.op` and `alembic.context` are is the process's, and checks run side by side."""
_SAY = """
import json
import sys
from pathlib import Path
from sqlalchemy.dialects.postgresql.base import PGCompiler
from sqlalchemy.exc import CompileError
from checks.compatible import as_sql

literal = PGCompiler.render_literal_value

def literal_or_value(self, value, type_):
    try:
        return literal(self, value, type_)
    except CompileError:
        return repr(value)

PGCompiler.render_literal_value = literal_or_value
said = {}
for package, (folder, known) in json.load(sys.stdin).items():
    try:
        said[package] = as_sql(Path(folder), set(), set(known))
    except Exception as wrong:
        wrong.add_note(folder)
        raise
json.dump(said, sys.stdout)
"""
"""In one process for each tree, which has its own kit; a value that SQL has no literal for (bytes) is compared as Python's."""
VERSIONS = "*/src/*/migrations/versions"
LIMITS = "SET lock_timeout = '4s';\nSET statement_timeout = '5s';\n"
"""With which the kit connects to migrate: a migration that would wait longer undoes itself."""
_AT = re.compile(r"migrations\.sql:(\d+):\d+: ")
CONTRACTS_AFTER = "contracts_after"
"""The constant in which a migration says since which release nobody minds what it takes away (checks.migrations.contracts)."""
_CONTRACTING = re.compile(r"\b(?:ban-drop-column|ban-drop-table|renaming-column|renaming-table)\b")
"""Squawk's rules about peers of the release before; a migration that says so is judged by contracts.py instead."""
_RUNNING = re.compile(r"-- Running upgrade \S* ?-> (\w+)")
NOT_ABOUT_LOCKS = ("prefer-bigint-over-int", "prefer-bigint-over-smallint", "prefer-text-field", "prefer-identity")
"""Squawk's rules of taste: a type is chosen by what it holds."""


def last_release(root: Path) -> tuple[str, str] | None:
    """Version and commit to be compatible with; None while that is the unbound one. NoRelease when it cannot be had."""
    versions = list(releases((root / "docs" / "releases.yaml").read_text(encoding="utf-8")))
    if not versions or versions != sorted(versions, key=_number):
        raise NoRelease(f"docs/releases.yaml: oldest first is wanted, not {', '.join(versions) or 'nothing'}")
    version = versions[-1]
    return None if version == UNBOUND else (version, commit_of(version))


def _number(version: str) -> tuple[int, ...]:
    return tuple(int(part) for part in version.removeprefix("v").split("."))


def broken_messages(root: Path, commit: str, buf: str) -> list[str]:
    """What `buf breaking` has against the protos since a commit, by the rules of protos/buf.yaml."""
    with as_released(root, commit, "protos") as folder:
        command = (buf, "breaking", "protos", "--against", f"{folder}/protos")
        done = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    return [] if done.returncode == 0 else (done.stdout + done.stderr).splitlines()


@contextlib.contextmanager
def as_released(root: Path, commit: str, *paths: str) -> Iterator[Path]:
    """A folder with these paths as a commit has them."""
    with tempfile.TemporaryDirectory() as folder:
        archive = _git(root, "archive", "--format=tar", commit, *paths)
        subprocess.run(("tar", "-x", "-C", folder), input=archive, check=True)
        yield Path(folder)


def dangerous_migrations(root: Path, commit: str, squawk: str) -> list[str]:
    """What squawk has against the SQL of migrations that a commit has not, and which migrations cannot be written as SQL."""
    wrong = []
    for versions in sorted((root / "services").glob(VERSIONS)):
        known = released_migrations(root, commit).get(versions.parts[-3], set())
        if any(file.name not in known for file in versions.glob("*.py")):
            wrong += [f"{versions.parts[-3]}: {line}" for line in _squawked(versions.parent, known, squawk)]
    return wrong


def changed_migrations(root: Path, commit: str, python: str) -> list[str]:
    """Services whose released migrations no longer say the SQL that they said then, the kit's steps within them included.

    A database that has run them would differ from one that runs them today.
    """
    released = released_migrations(root, commit)
    with as_released(root, commit, *_there(root, commit, "services", "libs")) as folder:
        then, now = (_said(tree, released, python) for tree in (folder, root))
    wrong = []
    for service in sorted(service for service in released if then[service] != now[service]):
        old, new = then[service].splitlines(), now[service].splitlines()
        lines = difflib.unified_diff(old, new, commit[:12], "today", n=0, lineterm="")
        wrong.append(f"{service}: a released migration has changed:\n" + "\n".join(lines))
    return wrong


def released_migrations(root: Path, commit: str) -> dict[str, set[str]]:
    """File names of the migrations that a commit has, by package."""
    found: dict[str, set[str]] = {}
    for name in _git(root, "ls-tree", "-r", "--name-only", commit, "services").decode().splitlines():
        file = Path(name)
        if file.parts[-3:-1] == ("migrations", "versions") and file.suffix == ".py":
            found.setdefault(file.parts[-4], set()).add(file.name)
    return found


def _there(root: Path, commit: str, *folders: str) -> list[str]:
    return _git(root, "ls-tree", "--name-only", commit, *folders).decode().splitlines()


def _said(tree: Path, released: Mapping[str, set[str]], python: str) -> dict[str, str]:
    """The SQL of each package's released migrations as a tree's own code writes it, or why it does not: a difference too."""
    said, asked = {}, {}
    for package, known in released.items():
        found = next(iter((tree / "services").glob(f"*/src/{package}/migrations")), None)
        gone = sorted(name for name in known if found and not (found / "versions" / name).is_file())
        if found is None:
            said[package] = "the service is gone"
        elif gone:
            said[package] = f"gone: {', '.join(gone)}"
        else:
            asked[package] = (str(found), sorted(known))
    paths = [str(Path(__file__).resolve().parents[1]), *map(str, sorted(tree.glob("*/*/src")))]
    done = subprocess.run(
        (python, "-c", _SAY),
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONDONTWRITEBYTECODE": "1"},
        input=json.dumps(asked),
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        raise NoRelease(f"{tree}: its migrations cannot be written as SQL:\n{done.stderr[-2000:]}")
    written: dict[str, str] = json.loads(done.stdout)
    return said | written


def as_sql(migrations: Path, known: set[str], until: set[str] | None = None, written: io.StringIO | None = None) -> str:
    """The SQL of every migration after the known files, up to the newest of the files `until` (all when None).

    `written`, if given, has each statement written to it as it comes, by the very call that a migration makes.

    Nothing is connected to. A transaction is begun and committed for each migration, as the kit runs them: what a migration
    does in Alembic's `autocommit_block` stands outside of it.

    ValueError when one asks the database something, which cannot be known beforehand.
    """
    config = Config()
    config.set_main_option("script_location", str(migrations))
    script = ScriptDirectory.from_config(config)
    base = _head(migrations / "versions", known)
    end = "head" if until is None else _head(migrations / "versions", until)
    written = written or io.StringIO()

    def steps(_revision: object, _context: object) -> list[RevisionStep]:
        return list(script._upgrade_revs(end, base))  # type: ignore[arg-type]  # noqa: SLF001 - None is the beginning; as Alembic's own command does

    with (
        _ALEMBIC,
        EnvironmentContext(
            config, script, fn=steps, as_sql=True, starting_rev=base, destination_rev=end
        ) as environment,
    ):
        environment.configure(dialect_name="postgresql", output_buffer=written, transaction_per_migration=True)
        try:
            with environment.begin_transaction():
                environment.run_migrations()
        except (AttributeError, TypeError, LookupError, CommandError, SQLAlchemyError) as asked:
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
        f"--exclude={','.join(NOT_ABOUT_LOCKS)}",
        "--reporter",
        "gcc",
    )
    done = subprocess.run(
        (*command, "--stdin-filepath", "migrations.sql"), input=sql, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        written = sql.splitlines()
        contracting = _contracting(migrations / "versions")
        for line in (done.stdout + done.stderr).splitlines():
            number = _AT.match(line)
            if number is None:
                yield line
            elif not (_CONTRACTING.search(line) and _revision_at(written, int(number[1])) in contracting):
                yield f"{line[number.end() :]}: {written[int(number[1])]}"  # counted from 0


def _contracting(versions: Path) -> set[str | None]:
    """Revisions of the migrations that say after which release they contract."""
    found = (constants_of(file) for file in versions.glob("*.py"))
    return {one["revision"] for one in found if CONTRACTS_AFTER in one}


def _revision_at(written: list[str], number: int) -> str | None:
    """The migration that wrote a line, by Alembic's comment above it."""
    for line in reversed(written[: number + 1]):
        if (running := _RUNNING.match(line)) is not None:
            return running[1]
    return None


def _head(versions: Path, known: set[str]) -> str | None:
    """The newest of the known revisions, which a service has one of; None when it has none."""
    after: dict[str, str | None] = {}
    for file in versions.glob("*.py"):
        if file.name in known:
            constants = constants_of(file)
            after[str(constants["revision"])] = constants.get("down_revision")
    return next((revision for revision in after if revision not in after.values()), None)


def constants_of(file: Path) -> Mapping[str, str | None]:
    """The texts that a module gives names to, such as `revision`."""
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
