"""`resapermisctl`: what an operator asks of a running ResaPermis, and does before its first start.

Questions read, and change nothing but the journal of their checks (`people` lets a code count):

    resapermisctl.py invariants [--home DIR] [--rdvpermis-control URL] [--nats-monitor URL,… [--nats-ca FILE]] [--within SECONDS]
    resapermisctl.py dlq [--home DIR]
    resapermisctl.py compliance-check [--home DIR] [--port PORT]
    resapermisctl.py rule-preview NAME VALUE [DEPARTMENT [CATEGORY]] [--home DIR] [--port PORT]
    resapermisctl.py platform status|wait [--within SECONDS] [--port PORT | --urls FILE | URL …]

First steps make what is missing and keep what is there; `keys rotate` replaces a key in three steps:

    resapermisctl.py keys init [--output DIR] [--oidc-client-secret FILE] [--smtp-password FILE] [--kubernetes | --apply] [--name NAME] [--namespace NS] [--database-host HOST]
    resapermisctl.py keys rotate principal|KEYSET add|promote|retire --output DIR
    resapermisctl.py keys hand-on --output DIR
    resapermisctl.py database handover
    resapermisctl.py outbox raise [--home DIR]                after a restore, services stopped
    resapermisctl.py people new-code
    resapermisctl.py people first-administrator [--home DIR] [--code-hash HEX]
    resapermisctl.py bus-beside-0.2.0 --listen HOST:PORT --monitor HOST:PORT --store DIR --tls DIR

Databases: RESAPERMIS_<NAME>_DATABASE_URL (or _FILE) for each of auth_gateway, mandate, scheduling_rules, basket, audit, notification,
or the folder of a local stack. compliance-check and rule-preview are asked as basket, with its settings. Prints JSON. Exit status: 0 all holds, 1 something does not, 2 it could not be asked.
"""

import argparse
import asyncio
import getpass
import json
import os
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import asyncpg
from sqlalchemy.exc import SQLAlchemyError

from ctl import compliance, dead_letters, people
from ctl.addresses import Addresses, UnknownAddress, of_environment, of_home
from ctl.invariants import Unreadable, until_settled
from ctl.steps import bus_beside_0_2_0, cluster, databases, keys, outbox, platform
from devstack.components import DATABASES
from resapermis_kit.clock import utc_now
from resapermis_kit.errors import Failure
from resapermis_kit.roles.__main__ import main as roles
from resapermis_kit.roles.__main__ import words

HOLDS, BROKEN, NOT_ASKED = 0, 1, 2
BUS_ARGUMENTS = {
    "listen": "host:port of the server",
    "monitor": "host:port where it answers how it is set",
    "store": "the server's folder of streams",
    "tls": "the server's folder with ca.pem, tls.pem and tls.key",
}


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; exits with 2 when it cannot be read."""
    parser = argparse.ArgumentParser(prog="resapermisctl", description="Asks a running ResaPermis, and prepares one.")
    commands = parser.add_subparsers(dest="command", required=True)
    invariants = commands.add_parser("invariants", help="check on live data that nothing was lost, doubled or oversold")
    invariants.add_argument("--home", type=Path, help="folder of a local stack (make up: .resapermis)")
    invariants.add_argument("--rdvpermis-control", default="", help="URL of the sandbox, to compare with its truth")
    invariants.add_argument(
        "--nats-monitor", default="", help="https:// addresses of NATS' monitoring ports, with commas"
    )
    invariants.add_argument(
        "--nats-ca",
        type=Path,
        help="who may have signed their certificates (PEM); by default the local stack's, or the system's",
    )
    invariants.add_argument(
        "--within", type=float, default=10.0, help="seconds that what is under way may take to arrive (default 10)"
    )
    dlq = commands.add_parser("dlq", help="list the events that a consumer set aside after repeated failure")
    dlq.add_argument("--home", type=Path, help="folder of a local stack (make up: .resapermis)")
    check = commands.add_parser(
        "compliance-check", help="judge every booking again by the rules in force when it was made"
    )
    preview = commands.add_parser(
        "rule-preview", help="what a parameter would refuse of the bookings and holds there are"
    )
    preview.add_argument("words", nargs="+", metavar="WORD", help="NAME VALUE [DEPARTMENT [CATEGORY]]")
    for asked in (check, preview):
        asked.add_argument("--home", type=Path, help="folder of a local stack (make up: .resapermis)")
        asked.add_argument("--port", type=int, default=8080, help="its port (default 8080)")
    beside = commands.add_parser("bus-beside-0.2.0", help="print nats.conf for while services of 0.2.0 still run")
    for name, what in BUS_ARGUMENTS.items():
        beside.add_argument(f"--{name}", required=True, help=what)
    database = commands.add_parser("database", help="make roles and databases, hand over what an earlier release left")
    database.add_argument(
        "step", choices=("handover",), help="RESAPERMIS_ADMIN_URL, RESAPERMIS_PASSWORDS: docs/databases.md"
    )
    outboxes = commands.add_parser("outbox", help="after a restore: give no number again that a consumer has handled")
    outboxes.add_argument("step", choices=("raise",), help="while services are stopped: docs/deploy.md")
    outboxes.add_argument("--home", type=Path, help="folder of a local stack (make up: .resapermis)")
    _people_arguments(commands.add_parser("people", help="the platform's first administrator"))
    _platform_arguments(commands.add_parser("platform", help="whether every process is ready"))
    _keys_arguments(commands.add_parser("keys", help="make the secrets of a deployment, replace a key"))
    return parser.parse_args(given)


def _platform_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("step", choices=("status", "wait"), help="ask once, or until all are ready")
    parser.add_argument(
        "urls", nargs="*", metavar="URL", help="http://host:port/readyz; each address of the name is asked"
    )
    parser.add_argument("--urls", dest="file", type=Path, help="a file with one a line")
    parser.add_argument("--port", type=int, default=8080, help="port of a local stack, where no URL is named")
    parser.add_argument("--within", type=float, default=600.0, help="seconds that `wait` waits (default 600)")


def _people_arguments(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", required=True)
    steps.add_parser("new-code", help="print a code and its hash, here alone: the hash is for a cluster's values")
    first = steps.add_parser("first-administrator", help="let a code count, while the platform has no administrator")
    first.add_argument("--home", type=Path, help="folder of a local stack (make up: .resapermis)")
    first.add_argument(
        "--code-hash", default="", help="of a code that was printed elsewhere; without it, one is made and printed"
    )


def _keys_arguments(parser: argparse.ArgumentParser) -> None:
    steps = parser.add_subparsers(dest="step", required=True)
    init = steps.add_parser("init", help="make every key that is missing, and keep what is there")
    init.add_argument("--output", type=Path, help="folder that keeps them; without one they are only handed on")
    init.add_argument("--oidc-client-secret", metavar="FILE", help="the provider's secret for us; - asks for it")
    init.add_argument("--smtp-password", metavar="FILE", help="the mail server's password; - asks for it")
    where = init.add_mutually_exclusive_group()
    where.add_argument("--kubernetes", action="store_true", help="print them as Secrets, for kubectl create -f -")
    where.add_argument(
        "--apply", action="store_true", help="in a pod: make the Secrets that are missing in its namespace"
    )
    init.add_argument("--name", default="resapermis", help="how the Secrets' names begin (the release's name)")
    init.add_argument(
        "--database-host", default="", help="PostgreSQL's host[:port]: roles' passwords and URLs too, as Secrets"
    )
    init.add_argument("--namespace", default="", help="namespace of the Secrets that are printed")
    passed = steps.add_parser(
        "hand-on", help="egress' keyset, part of auth-gateway's in 0.2.0, as a copy; before its upgrade"
    )
    passed.add_argument("--output", type=Path, required=True, help="the folder that keeps the keys")
    rotate = steps.add_parser("rotate", help="replace a key in three steps")
    rotate.add_argument("which", choices=keys.SETS)
    rotate.add_argument("turn", choices=keys.STEPS)
    rotate.add_argument("--output", type=Path, required=True, help="the folder that keeps the keys")


def addresses(asked: argparse.Namespace) -> Addresses:
    """Where the databases are; Unknown when they are not named."""
    return of_home(asked.home) if asked.home is not None else of_environment(os.environ)


def show_dead_letters(where: Addresses) -> int:
    """Print them; BROKEN where there is one. Unreadable when a database does not answer."""
    try:
        found = asyncio.run(dead_letters.read(where))
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unreadable(f"cannot be read: {type(error).__name__}") from error
    print(json.dumps({"dead_letters": [letter.as_json() for letter in found]}, indent=2))
    return BROKEN if found else HOLDS


def raise_outboxes(where: Addresses) -> int:
    """Raise what is behind its consumers, doubt basket's data, and print both. Unreadable when a database does not answer."""

    async def both() -> tuple[list[outbox.Raised], int]:
        return await outbox.raise_heads(where), await outbox.doubt_basket(where)

    try:
        raised, doubted = asyncio.run(both())
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError, Failure) as error:
        raise Unreadable(f"cannot be read or written: {type(error).__name__}") from error
    print(json.dumps({"raised": [one.as_json() for one in raised], "doubted": doubted}, indent=2))
    return HOLDS


def ask_platform(asked: argparse.Namespace) -> int:
    """Print what each process says; BROKEN where one is not ready. OSError for a file that cannot be read."""
    urls = asked.urls or (platform.of_file(asked.file) if asked.file else platform.local(asked.port))
    waiting = platform.until_ready(urls, asked.within) if asked.step == "wait" else platform.status(urls)
    report = platform.as_json(asyncio.run(waiting))
    print(json.dumps(report, indent=2))
    return HOLDS if report["ready"] else BROKEN


def make_keys(asked: argparse.Namespace) -> int:
    """`keys init`: prints names, or Secrets where they are asked for; never a key beside them."""
    given = {keys.CLIENT_SECRET: asked.oidc_client_secret, keys.MAIL_PASSWORD: asked.smtp_password}
    if asked.output is None and not (asked.kubernetes or asked.apply):
        raise keys.Refused("name a folder (--output), or where to hand the keys on (--kubernetes, --apply)")
    with _kept(asked.output) as folder:
        made = keys.init(folder, {name: _secret(name, file) for name, file in given.items() if file})
        secrets = cluster.secrets_of(folder, asked.name)
        if asked.database_host:
            secrets += databases.secrets_of(folder, asked.name, asked.database_host)
        if asked.kubernetes:
            print(json.dumps(cluster.listed(secrets, asked.namespace), indent=2))
        elif asked.apply:
            print(json.dumps(cluster.create(secrets, cluster.ApiServer.of_pod()), indent=2))
        else:
            print(json.dumps({"made": made}, indent=2))
    return HOLDS


@contextmanager
def _kept(folder: Path | None) -> Iterator[Path]:
    """The operator's folder, or one that is gone with this process."""
    if folder is not None:
        yield folder
        return
    with tempfile.TemporaryDirectory() as gone:
        yield Path(gone)


def _secret(name: str, file: str) -> str:
    """What a file holds without its last line end; "-": what is typed, unseen, or comes on standard input."""
    if file != "-":
        return Path(file).read_text(encoding="utf-8").rstrip("\n")
    return getpass.getpass(f"{name}: ") if sys.stdin.isatty() else sys.stdin.readline().rstrip("\n")


def do_step(asked: argparse.Namespace) -> int:
    """Run a command that makes something; HOLDS, or the reason why not as an exception."""
    if asked.step == "init":
        return make_keys(asked)
    if asked.step == "hand-on":
        print(json.dumps({"made": keys.hand_on(asked.output)}, indent=2))
        return HOLDS
    print(f"{asked.which}: {keys.rotate(asked.output, asked.which, asked.turn)}")
    return HOLDS


def first_administrator(asked: argparse.Namespace) -> int:
    """Print a code, or let one count; HOLDS too where a hash came and there is an administrator already: nothing is left to do."""
    code = people.new_code()
    if asked.step == "new-code":
        print(json.dumps(code.as_json(), indent=2))
        return HOLDS
    try:
        digest = people.digest_of(asked.code_hash) if asked.code_hash else code.digest
    except ValueError as reason:
        raise keys.Refused(f"--code-hash: {reason}") from reason
    url = addresses(asked).databases[people.DATABASE] if asked.home is not None else people.address(os.environ)
    try:
        made = asyncio.run(people.let_in(url, digest, utc_now()))
    except (Failure, SQLAlchemyError) as error:
        raise Unreadable(f"the database cannot be asked: {type(error).__name__}") from error
    if asked.code_hash:
        print(json.dumps({"counts": made}))
        return HOLDS
    print(json.dumps(code.as_json() if made else {"counts": False, "why": "there is an administrator"}, indent=2))
    return HOLDS if made else BROKEN


def check_invariants(asked: argparse.Namespace) -> int:
    """Print the report; Unreadable when something does not answer."""
    where = addresses(asked).reading(asked.rdvpermis_control, asked.nats_monitor, asked.nats_ca)
    report = asyncio.run(until_settled(where, asked.within))
    print(json.dumps(report.as_json(), indent=2))
    return HOLDS if report.holds else BROKEN


def print_bus(asked: argparse.Namespace) -> int:
    """The server's configuration, which holds no secret."""
    print(bus_beside_0_2_0.configuration(asked.listen, asked.monitor, Path(asked.store), Path(asked.tls)), end="")
    return HOLDS


COMMANDS: dict[str, Callable[[argparse.Namespace], int]] = {
    "invariants": check_invariants,
    "dlq": lambda asked: show_dead_letters(addresses(asked)),
    "compliance-check": lambda asked: compliance.ask(["compliance-check"], asked.home, asked.port),
    "rule-preview": lambda asked: compliance.ask(["preview", *asked.words], asked.home, asked.port),
    "platform": ask_platform,
    "people": first_administrator,
    "keys": do_step,
    "database": lambda _: roles([words(database) for database in DATABASES], os.environ),
    "outbox": lambda asked: raise_outboxes(addresses(asked)),
    "bus-beside-0.2.0": print_bus,
}


def main(given: Sequence[str]) -> int:
    """Run one command; returns HOLDS, BROKEN or NOT_ASKED."""
    asked = arguments(given)
    try:
        return COMMANDS[asked.command](asked)
    except (UnknownAddress, Unreadable, keys.Refused, cluster.NoCluster, OSError) as reason:
        print(f"resapermisctl: {reason}", file=sys.stderr)
        return NOT_ASKED


def command() -> None:
    """The console script of the ops image."""
    sys.exit(main(sys.argv[1:]))


if __name__ == "__main__":
    command()
