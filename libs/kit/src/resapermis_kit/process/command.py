"""The command line of a service. Light itself: what is asked for is loaded when it is known, and nothing else.

Loading a service is most of the processor time of its start, so of every restart.
"""

import gc
import sys
from collections.abc import Callable, Coroutine, Sequence
from typing import Any

import uvloop

Serve = Callable[[], Coroutine[Any, Any, None]]
"""Runs a service until SIGTERM or SIGINT."""
UNUSED = ("rich", "psutil")
"""Optional imports of our libraries that no service uses: structlog's coloured traces, OpenTelemetry's owner of a process."""
WEBSOCKETS = "aiohttp"
"""The same of nats-py, of whose transports we use TCP. Egress calls RdvPermis with it."""


def main(arguments: Sequence[str], package: str, load: Callable[[], Serve]) -> int:
    """Do `migrate`, or serve where nothing is asked; return the exit status. `load` imports the service and returns its `serve`."""
    if list(arguments) == ["migrate"]:
        from resapermis_kit.process.settings import Database  # noqa: PLC0415 - who serves has settings of its own

        migrate(package, Database().database_url)
        return 0
    if arguments:
        print(f"usage: python -m {package} [migrate]")  # noqa: T201 - a command line speaks on its terminal
        return 2
    run(load)
    return 0


def migrate(package: str, url: str) -> None:
    """Bring the database of `package` to its newest migration."""
    from resapermis_kit.database import migration  # noqa: PLC0415 - Alembic, which a service that serves does without

    migration.migrate(package, url)


def run(load: Callable[[], Serve], unused: Sequence[str] = (*UNUSED, WEBSOCKETS)) -> None:
    """Import a service and run it until it ends.

    `unused` are modules that libraries import where they find them and do without where they do not, as in the images.
    The collector rests meanwhile: what is imported stays, and walking it a dozen times is an eighth of the time.
    """
    for name in unused:
        sys.modules.setdefault(name, None)  # type: ignore[arg-type] # the documented way to have an import fail
    gc.disable()
    serve = load()
    gc.freeze()
    gc.enable()
    uvloop.run(serve())
