"""`resapermisctl`: what an operator asks of a running ResaPermis. It reads, and changes nothing but the journal of its checks.

    resapermisctl.py invariants [--home DIR] [--rdvpermis-control URL] [--nats-monitor URL,…] [--within SECONDS]
    resapermisctl.py dlq [--home DIR]
    resapermisctl.py compliance-check [--home DIR] [--port PORT]
    resapermisctl.py rule-preview NAME VALUE [DEPARTMENT [CATEGORY]] [--home DIR] [--port PORT]

Databases: RESAPERMIS_<NAME>_DATABASE_URL for each of auth_gateway, mandate, scheduling_rules, basket, audit, notification,
or the folder of a local stack. The last two are asked as basket, with its settings. Prints JSON. Exit status: 0 all holds, 1 something does not, 2 it could not be asked.
"""

import argparse
import asyncio
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

import asyncpg

from ctl import compliance, dead_letters
from ctl.addresses import Addresses, UnknownAddress, of_environment, of_home
from ctl.invariants import Unreadable, until_settled

HOLDS, BROKEN, NOT_ASKED = 0, 1, 2


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Parse the command line; exits with 2 when it cannot be read."""
    parser = argparse.ArgumentParser(prog="resapermisctl", description="Asks a running ResaPermis; changes nothing.")
    commands = parser.add_subparsers(dest="command", required=True)
    invariants = commands.add_parser("invariants", help="check on live data that nothing was lost, doubled or oversold")
    invariants.add_argument("--home", type=Path, help="folder of a local stack (make up: .resapermis)")
    invariants.add_argument("--rdvpermis-control", default="", help="URL of the sandbox, to compare with its truth")
    invariants.add_argument("--nats-monitor", default="", help="URLs of NATS' monitoring ports, with commas")
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
    return parser.parse_args(given)


def databases(asked: argparse.Namespace) -> Addresses:
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


def main(given: Sequence[str]) -> int:
    """Run one command; returns HOLDS, BROKEN or NOT_ASKED."""
    asked = arguments(given)
    try:
        if asked.command == "compliance-check":
            return compliance.ask(["compliance-check"], asked.home, asked.port)
        if asked.command == "rule-preview":
            return compliance.ask(["preview", *asked.words], asked.home, asked.port)
        if asked.command == "dlq":
            return show_dead_letters(databases(asked))
        where = databases(asked).reading(asked.rdvpermis_control, asked.nats_monitor)
        report = asyncio.run(until_settled(where, asked.within))
    except (UnknownAddress, Unreadable) as reason:
        print(f"resapermisctl: {reason}", file=sys.stderr)
        return NOT_ASKED
    print(json.dumps(report.as_json(), indent=2))
    return HOLDS if report.holds else BROKEN


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
