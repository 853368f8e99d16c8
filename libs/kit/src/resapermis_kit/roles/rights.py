"""What the roles that serve may do in a database, stated anew by its owner after each migration (ADR 41).

A database `basket` belongs to the role `basket_owner`, as which `migrate` alone connects. Services connect as `basket`, which
owns nothing: it reads and writes rows, and cannot change a table, make one, empty one, or give a right. A service says where it
needs less (`Rights.tables`), or that a further process serves from the same database (`<database>_<suffix>`).
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

OWNER = "_owner"
"""Ends the name of each role that owns a database; what stands before it is the role that serves."""
ALL = ("SELECT", "INSERT", "UPDATE", "DELETE")
READ = ("SELECT",)
VERSION_TABLE = "alembic_version"
"""Which migration a database is at: a service reads it when it starts, `migrate` alone writes it."""


class WrongRole(Exception):
    """This role may not do this work, or could do more than its work; the message says which role should."""


@dataclass(frozen=True)
class Rights:
    """What a role may do with rows: `tables` says it of some, `others` of every other one, those of later migrations included.

    Privileges are named as in GRANT; of single columns too: "UPDATE (leaf_index)".
    """

    tables: Mapping[str, Sequence[str]] = field(default_factory=dict)
    others: Sequence[str] = ALL
    optional: bool = False
    """The role need not be there: processes of an earlier release serve as it, and an installation may never have had any."""

    def of(self, table: str) -> Sequence[str]:
        """Those on one table."""
        return READ if table == VERSION_TABLE else self.tables.get(table, self.others)


ByRole = Mapping[str, Rights]
"""Rights of each role that serves, by what its name has behind that of the first: "" for that one, "_egress"."""
EVERY_ROW: ByRole = {"": Rights()}


def serving_roles(owner: str, rights: ByRole) -> dict[str, Rights]:
    """Name of each role that serves → its rights; WrongRole where `owner` is no owner's name."""
    if not owner.endswith(OWNER):
        raise WrongRole(
            f"{owner} serves, and does not migrate: give `migrate` the URL of {owner}{OWNER}, to which an administrator "
            f"hands the database over (python -m resapermis_kit.roles, docs/databases.md)"
        )
    return {owner.removesuffix(OWNER) + suffix: one for suffix, one in rights.items()}


def present(roles: Mapping[str, Rights], existing: Collection[str]) -> dict[str, Rights]:
    """Those that rights are stated of: an optional one only where it exists."""
    return {role: rights for role, rights in roles.items() if role in existing or not rights.optional}


def statements(
    database: str,
    roles: Mapping[str, Rights],
    strangers: Collection[str],
    tables: Collection[str],
    functions: Collection[str],
) -> list[str]:
    """What the owner says so that each role has just its rights, on what there is (TABLES, FUNCTIONS) and on what comes.

    `strangers` (GRANTEES) may have rights too: who is none of `roles` loses those on rows, and what it gave on.
    """
    return [
        *closed_to_everybody(database, functions),
        *(one for role in sorted(set(strangers) - set(roles)) for one in _no_rows(role, functions)),
        *(one for role in roles for one in entry(database, role)),
        *(one for role, rights in roles.items() for one in rows(role, rights, tables, functions)),
    ]


def closed_to_everybody(database: str, functions: Collection[str]) -> list[str]:
    """PUBLIC may nothing."""
    return [
        f'REVOKE ALL ON DATABASE "{database}" FROM PUBLIC',
        "REVOKE ALL ON SCHEMA public FROM PUBLIC",
        "ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM PUBLIC",
        *(f"REVOKE ALL ON FUNCTION {name} FROM PUBLIC" for name in sorted(functions)),
    ]


def entry(database: str, role: str) -> list[str]:
    """A role may connect and name what is there; which rows it reads and writes `rows` says."""
    return [
        f'REVOKE ALL ON DATABASE "{database}" FROM "{role}"',
        f'GRANT CONNECT ON DATABASE "{database}" TO "{role}"',
        f'REVOKE ALL ON SCHEMA public FROM "{role}"',
        f'GRANT USAGE ON SCHEMA public TO "{role}"',
    ]


def rows(role: str, rights: Rights, tables: Collection[str], functions: Collection[str]) -> list[str]:
    """A role has just these rights to rows, with the sequences and functions that go with them."""
    return [
        f'ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM "{role}"',
        *_grant("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT", rights.others, "TABLES", role),
        f'ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM "{role}"',
        f'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE ON SEQUENCES TO "{role}"',
        f'REVOKE ALL ON ALL TABLES IN SCHEMA public FROM "{role}"',
        *(grant for privileges, names in _alike(rights, tables) for grant in _grant("GRANT", privileges, names, role)),
        f'REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM "{role}"',
        f'GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO "{role}"',
        f'ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT EXECUTE ON FUNCTIONS TO "{role}"',
        *(f'GRANT EXECUTE ON FUNCTION {name} TO "{role}"' for name in sorted(functions)),
    ]


def _no_rows(stranger: str, functions: Collection[str]) -> list[str]:
    role = stranger.replace('"', '""')  # a name that is none of ours
    kinds = ("TABLES", "SEQUENCES", "FUNCTIONS")
    return [
        *(f'REVOKE ALL ON ALL {kind} IN SCHEMA public FROM "{role}" CASCADE' for kind in kinds[:2]),
        *(f'REVOKE ALL ON FUNCTION {name} FROM "{role}" CASCADE' for name in sorted(functions)),
        *(
            f'ALTER DEFAULT PRIVILEGES {where} REVOKE ALL ON {kind} FROM "{role}" CASCADE'
            for where in ("", "IN SCHEMA public")
            for kind in kinds
        ),
    ]


def _alike(rights: Rights, tables: Collection[str]) -> list[tuple[Sequence[str], str]]:
    """Tables with the same privileges, in one statement."""
    found: dict[tuple[str, ...], list[str]] = {}
    for name in sorted(tables):
        found.setdefault(tuple(rights.of(name)), []).append(f'"{name}"')
    return [(privileges, f"TABLE {', '.join(names)}") for privileges, names in found.items()]


def _grant(verb: str, privileges: Sequence[str], what: str, role: str) -> list[str]:
    return [f'{verb} {", ".join(privileges)} ON {what} TO "{role}"'] if privileges else []


TABLES = """
SELECT relname::text FROM pg_class WHERE relkind IN ('r', 'p', 'v', 'm') AND relnamespace = 'public'::regnamespace
"""
ROLES = "SELECT rolname::text FROM pg_roles"
FUNCTIONS = """
SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace AND pg_get_userbyid(proowner) = current_user
"""
"""Those of an extension are its own."""
GRANTEES = """
SELECT DISTINCT rolname::text FROM pg_shdepend JOIN pg_roles ON refobjid = pg_roles.oid
WHERE dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
    AND refclassid = 'pg_authid'::regclass AND deptype = 'a' AND rolname <> current_user
"""
"""Roles that were given something in this database, now or of what comes; those of PostgreSQL's own are not recorded there."""
NOT_OWNED = """
SELECT 'the database' FROM pg_database WHERE datname = current_database() AND pg_get_userbyid(datdba) <> current_user
UNION ALL SELECT 'schema public' FROM pg_namespace
    WHERE nspname = 'public' AND NOT pg_has_role(current_user, nspowner, 'USAGE')
UNION ALL SELECT 'table ' || relname FROM pg_class
    WHERE relkind IN ('r', 'p', 'S', 'v', 'm') AND relnamespace = 'public'::regnamespace AND pg_get_userbyid(relowner) <> current_user
"""
"""What is not the current role's own though the service's tables are."""
