"""The administrator's step: roles and databases as services need them, and what an earlier release made handed over (ADR 41).

It may be done as often as one likes, while services run too, and goes on where it was cut off: a database is handed over in one
transaction. Its command line is `python -m resapermis_kit.roles`.

The administrator is a superuser, or a role with CREATEROLE and CREATEDB that may make itself a member of these roles.
"""

import asyncio
import base64
import hashlib
import hmac
import random
import re
import secrets
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, urlsplit, urlunsplit

import asyncpg

from resapermis_kit.roles.rights import (
    FUNCTIONS,
    NOT_OWNED,
    OWNER,
    TABLES,
    Rights,
    closed_to_everybody,
    entry,
    rows,
)
from resapermis_kit.tls import policy

PATIENCE_SECONDS = 120.0
"""So long moments are looked for in which nobody is in the way."""
PAUSE_SECONDS = 0.1
LOCK_TIMEOUT = "20ms"
"""Whoever works on one of the tables is waited for so long while others are locked already."""
HELD_SECONDS = 0.5
"""Locks are let go when not all of them were had by then. A server looks for deadlocks after one second of waiting
(deadlock_timeout), and would undo a service's transaction to end one with us: it never finds us in one."""
SCRAM_ITERATIONS = 4096
"""PostgreSQL's own default (scram_iterations)."""


@dataclass(frozen=True)
class Database:
    """A database, the role that owns it, and those that serve from it."""

    name: str
    owner: str
    serving: tuple[str, ...]

    @classmethod
    def of(cls, name: str, suffixes: Iterable[str] = ()) -> "Database":
        """By the convention: `name` is served by the role of its name and by `name_<suffix>`."""
        return cls(name, f"{name}{OWNER}", (name, *(f"{name}_{suffix}" for suffix in suffixes)))

    @property
    def roles(self) -> tuple[str, ...]:
        """All of them, the owner first."""
        return (self.owner, *self.serving)


class NotHandedOver(Exception):
    """A database cannot be handed over as it is; the message says what is in the way."""


async def ensure(admin_url: str, databases: Sequence[Database], passwords: Mapping[str, str]) -> list[str]:
    """Make what is missing and hand over what an earlier release left to the role that serves; names of the databases touched.

    The server's own databases `postgres` and `template1` are closed to PUBLIC where the administrator may: a service has its own.
    `passwords`: of some roles or none; the others keep theirs. asyncpg's errors and OSError where the server refuses or is away.
    """
    require_verified(admin_url)
    connection = await asyncpg.connect(admin_url, timeout=10)
    try:
        every = [role for database in databases for role in database.roles]
        await make_roles(connection, every, passwords)
        for name in [row[0] for row in await connection.fetch(_OPEN)]:
            await connection.execute(f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC')
        touched = [database for database in databases if not await _is_in_order(connection, database)]
        for database in touched:
            await _create(connection, database)
    finally:
        await connection.close()
    for database in touched:
        await hand_over(_in_database(admin_url, database.name), database)
    return [database.name for database in touched]


def require_verified(url: str) -> None:
    """ValueError where another machine would be spoken to without a certificate that is verified, name included."""
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    named = [host for text in (parts.netloc.rpartition("@")[2], *query.get("host", [])) for host in text.split(",")]
    hosts = [re.sub(r":\d+$", "", host).strip("[]") for host in named if host]
    here = bool(hosts) and all(host.startswith("/") or policy.on_this_machine(host) for host in hosts)
    if not here and query.get("sslmode") != ["verify-full"]:
        raise ValueError("another machine: add ?sslmode=verify-full&sslrootcert=/path/of/ca.pem to its address")


async def make_roles(connection: Any, roles: Sequence[str], passwords: Mapping[str, str]) -> None:
    """Make the roles that are missing, able to connect and to nothing else, and give those in `passwords` theirs."""
    superuser = await connection.fetchval("SELECT rolsuper FROM pg_roles WHERE rolname = current_user")
    known = {row[0] for row in await connection.fetch("SELECT rolname FROM pg_roles WHERE rolname = ANY($1)", roles)}
    for role in roles:
        if role not in known:
            await connection.execute(f'CREATE ROLE "{role}" LOGIN')
        if role in passwords:
            verifier = scram_verifier(passwords[role], secrets.token_bytes(16))
            await connection.execute(f"ALTER ROLE \"{role}\" PASSWORD '{verifier}'")
        if not superuser:
            await connection.execute(f'GRANT "{role}" TO CURRENT_USER')


_OPEN = """
SELECT datname::text FROM pg_database
WHERE datname IN ('postgres', 'template1') AND pg_has_role(datdba, 'USAGE')
AND EXISTS (SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE grantee = 0)
"""


_IN_ORDER = """
SELECT pg_get_userbyid(datdba) = $2 AND NOT EXISTS (
    SELECT FROM aclexplode(coalesce(datacl, acldefault('d', datdba))) WHERE grantee = 0
) AND (SELECT bool_and(has_database_privilege(role, datname, 'CONNECT')) FROM unnest($3::text[]) AS role)
FROM pg_database WHERE datname = $1
"""
"""Its owner changes in the very transaction that hands it over."""


async def _is_in_order(connection: Any, database: Database) -> bool:
    return bool(await connection.fetchval(_IN_ORDER, database.name, database.owner, list(database.serving)))


async def _create(connection: Any, database: Database) -> None:
    if await connection.fetchval("SELECT count(*) FROM pg_database WHERE datname = $1", database.name) == 0:
        await connection.execute(f'CREATE DATABASE "{database.name}" OWNER "{database.owner}"')


async def hand_over(admin_url: str, database: Database, monotonic: Callable[[], float] = time.monotonic) -> None:
    """Give the database, and all that its first serving role owns in it, to its owner, and let the serving roles in.

    The first keeps the rights to rows that it had by owning them; where it owned nothing, rights to rows are `migrate`'s alone to
    state, and stay as they are. One transaction. Services go on meanwhile: they are kept waiting for HELD_SECONDS at a time, and
    none of their transactions is undone. asyncpg.LockNotAvailableError where somebody is in the way for all of PATIENCE_SECONDS.
    `admin_url` is the administrator's, of this very database.
    """
    connection = await asyncpg.connect(admin_url, timeout=10)
    ends = monotonic() + PATIENCE_SECONDS
    try:
        while True:
            try:
                async with connection.transaction():
                    await _hand_over(connection, database, monotonic)
            except (asyncpg.LockNotAvailableError, asyncpg.DeadlockDetectedError):
                if monotonic() >= ends:
                    raise
                await asyncio.sleep(PAUSE_SECONDS * (0.5 + random.random()))  # noqa: S311 - no secret
            else:
                return
    finally:
        await connection.close()


_OWNED_TABLES = """
SELECT oid::regclass::text FROM pg_class
WHERE relkind IN ('r', 'p', 'v') AND pg_get_userbyid(relowner) = $1 ORDER BY relkind = 'v', relname
"""


_OWNS = """
SELECT EXISTS (
    SELECT FROM pg_shdepend JOIN pg_roles ON refobjid = pg_roles.oid JOIN pg_database ON datname = current_database()
    WHERE refclassid = 'pg_authid'::regclass AND deptype = 'o' AND rolname = $1
    AND (dbid = pg_database.oid OR classid = 'pg_database'::regclass AND objid = pg_database.oid)
)
"""
"""Whether this role owns the database, or anything in it."""


async def _hand_over(connection: Any, database: Database, monotonic: Callable[[], float]) -> None:
    await connection.execute(f"SET LOCAL lock_timeout = '{LOCK_TIMEOUT}'")
    serves = database.serving[0]
    owned = await connection.fetchval(_OWNS, serves)
    lets_go = monotonic() + HELD_SECONDS
    for table in [row[0] for row in await connection.fetch(_OWNED_TABLES, serves)]:
        if monotonic() >= lets_go:
            raise asyncpg.LockNotAvailableError("not all tables were to be had in time")
        await connection.execute(f"LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE")
    await connection.execute(f'ALTER DATABASE "{database.name}" OWNER TO "{database.owner}"')
    if not await connection.fetchval(
        "SELECT pg_get_userbyid(nspowner) IN ('pg_database_owner', $1) FROM pg_namespace WHERE nspname = 'public'",
        database.owner,
    ):  # a cluster that was once of PostgreSQL 14
        await connection.execute(f'ALTER SCHEMA public OWNER TO "{database.owner}"')
    await connection.execute(f'REASSIGN OWNED BY "{serves}" TO "{database.owner}"')
    await connection.execute(f'SET LOCAL ROLE "{database.owner}"')
    if foreign := [row[0] for row in await connection.fetch(NOT_OWNED)]:
        raise NotHandedOver(
            f"{database.name}: neither {serves} nor {database.owner} owns {', '.join(foreign)}; "
            f'ALTER … OWNER TO "{database.owner}" first'
        )
    functions = [row[0] for row in await connection.fetch(FUNCTIONS)]
    said = closed_to_everybody(database.name, functions)
    for role in database.serving:
        said += entry(database.name, role)
    if owned:
        said += rows(serves, Rights(), [row[0] for row in await connection.fetch(TABLES)], functions)
    for statement in said:
        await connection.execute(statement)


def scram_verifier(password: str, salt: bytes) -> str:
    """What PostgreSQL stores of a password (RFC 5803), so that the password itself is in no statement, nor in a server's log.

    `password` is ASCII: SASLprep, which leaves that as it is, is not done here.
    """
    if not password.isascii():
        raise ValueError("a role's password is ASCII")
    salted = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, SCRAM_ITERATIONS)
    stored = hashlib.sha256(hmac.digest(salted, b"Client Key", "sha256")).digest()
    server = hmac.digest(salted, b"Server Key", "sha256")
    text = [base64.b64encode(part).decode() for part in (salt, stored, server)]
    return f"SCRAM-SHA-256${SCRAM_ITERATIONS}:{text[0]}${text[1]}:{text[2]}"


def _in_database(admin_url: str, name: str) -> str:
    parts = urlsplit(admin_url)
    return urlunsplit((parts.scheme, parts.netloc, f"/{name}", parts.query, ""))
