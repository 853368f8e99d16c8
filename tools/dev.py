"""`make up`: the whole platform in the foreground on loopback, until Ctrl-C or SIGTERM."""

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from devstack.components import ALL_COMPONENTS, MAIL, SANDBOX, replicas_of
from devstack.probes import http_body
from devstack.settings import ROOT
from devstack.stack import CannotStart, Stack

OURS = (
    "RESAPERMIS_PORT",
    "RESAPERMIS_HOME",
    "RESAPERMIS_DATABASE_URL",
    "RESAPERMIS_COMPONENTS",
    "RESAPERMIS_PYTHON",
    "RESAPERMIS_REPLICAS",
)
"""Settings of this command; the other RESAPERMIS_* of the environment are handed to the components."""
HIGHEST_BASE_PORT = 65_500
FIRST_ADMINISTRATOR = ".venv/bin/python tools/resapermisctl.py people first-administrator"
"""Prints the code with which somebody becomes the administrator of the platform, while it has none."""
ANOTHER_RDVPERMIS, ISSUER = "RESAPERMIS_RDVPERMIS_URL", "RESAPERMIS_OIDC_ISSUER"


def say(component: str, line: str) -> None:
    """Print a component's line for the person watching."""
    print(f"  {component:<17}{line}", flush=True)


def refusal(handed: Mapping[str, str]) -> str:
    """Why nobody could sign in with these settings, and what to set; empty when they can."""
    if ANOTHER_RDVPERMIS not in handed or handed.get(ISSUER):
        return ""
    return (
        f"{ANOTHER_RDVPERMIS} is set, so the sandbox stays off, and with it the provider that people sign in at.\n"
        f"Set {ISSUER} to the issuer of that RdvPermis' provider, RESAPERMIS_OIDC_CLIENT_ID to our name there,\n"
        "and RESAPERMIS_OIDC_CLIENT_SECRET_FILE or RESAPERMIS_OIDC_CLIENT_KEY_FILE to a file with our secret or key."
    )


async def run() -> int:
    """Start, announce, wait for a signal, stop. Returns the exit status."""
    since = time.monotonic()
    text = os.environ.get("RESAPERMIS_PORT", "8080")
    if not text.isdecimal() or not 1 <= int(text) <= HIGHEST_BASE_PORT:
        print(f"make up: RESAPERMIS_PORT={text} is no port number from 1 to {HIGHEST_BASE_PORT}", file=sys.stderr)
        return 2
    home = Path(os.environ.get("RESAPERMIS_HOME", str(ROOT / ".resapermis")))
    handed = {name: value for name, value in os.environ.items() if name.startswith("RESAPERMIS_") and name not in OURS}
    if why := refusal(handed):
        print(f"make up: {why}", file=sys.stderr)
        return 2
    chosen = os.environ.get("RESAPERMIS_COMPONENTS", ",".join(ALL_COMPONENTS)).split(",")
    # Whoever points at another RdvPermis needs no sandbox.
    components = [component for component in chosen if component != SANDBOX or ANOTHER_RDVPERMIS not in handed]
    database = os.environ.get("RESAPERMIS_DATABASE_URL", "")
    try:
        replicas = replicas_of(os.environ.get("RESAPERMIS_REPLICAS", ""))
        stack = Stack(
            home,
            int(text),
            components=components,
            database_url=database,
            settings=handed,
            replicas=replicas,
            say=say,
            mails_to_console=True,
        )
    except ValueError as reason:
        print(f"make up: RESAPERMIS_COMPONENTS or RESAPERMIS_REPLICAS: {reason}", file=sys.stderr)
        return 2
    leave = asyncio.Event()
    starting = asyncio.create_task(stack.start())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, _leave, leave, starting)
    print(f"ResaPermis, in {stack.home}", flush=True)
    try:
        await starting
    except CannotStart as reason:
        print(f"\nResaPermis cannot start:\n{reason}", file=sys.stderr)
        return 1
    except asyncio.CancelledError:
        print("\nstopped before it was ready", flush=True)
        return 130
    await _announce(stack, time.monotonic() - since)
    await leave.wait()
    print("\nstopping", flush=True)
    since = time.monotonic()
    await stack.stop()
    print(f"all stopped in {time.monotonic() - since:.1f} s; the data stay in {stack.home}", flush=True)
    return 0


def _leave(leave: asyncio.Event, starting: asyncio.Task[None]) -> None:
    if not starting.done():
        starting.cancel()
    leave.set()


async def _announce(stack: Stack, seconds: float) -> None:
    missing = f"; NOT started: {', '.join(stack.absent)}" if stack.absent else ""
    what = "the platform serves, after" if stack.whole else "ready in"
    print(f"\n{what} {seconds:.1f} s{missing}\n", flush=True)
    for line in [*addresses(stack), *(await _logins(stack) if _runs(stack, SANDBOX) else [])]:
        print(f"  {line}")
    print("\nCtrl-C stops everything", flush=True)


def addresses(stack: Stack) -> list[str]:
    """Where people find what was started: a line each."""
    lines = [f"ResaPermis        {stack.url}"]
    if _runs(stack, SANDBOX):
        lines.append(f"RdvPermis sandbox {stack.settings.sandbox_url}/swagger")
    if _runs(stack, MAIL):
        lines.append(f"mails             http://localhost:{stack.ports.mail_web}")
    if _runs(stack, "auth-gateway"):
        lines.append(f"first administrator {FIRST_ADMINISTRATOR} --home {stack.home}")
    return lines


def _runs(stack: Stack, component: str) -> bool:
    return component in stack.components and component not in stack.absent


async def _logins(stack: Stack) -> list[str]:
    body = await http_body(stack.ports.sandbox, "/control/logins")
    if not body:
        return []
    found = json.loads(body)
    logins = found if isinstance(found, list) else found.get("logins", [])
    lines = ["", "logins of the sandbox (invented people):"]
    for login in logins[:12]:
        known = {key: str(value) for key, value in login.items() if value not in {None, ""}}
        who, password = known.pop("username", "?"), known.pop("password", "?")
        lines.append(f"  {who:<28} {password:<16} {' · '.join(known.values())}")
    return lines


if __name__ == "__main__":
    sys.exit(asyncio.run(run()))
