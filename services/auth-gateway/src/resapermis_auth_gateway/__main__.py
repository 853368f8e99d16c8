"""auth-gateway: `web` (browsers' side), `egress` (RdvPermis' side), `migrate`, `openapi` (prints the REST contract)."""

import json
import sys
from collections.abc import Awaitable, Callable, Sequence

import uvloop

from resapermis_kit.database.migration import migrate

PACKAGE = "resapermis_auth_gateway"
USAGE = f"usage: python -m {PACKAGE} web | egress | migrate | openapi"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one face until SIGTERM, or do one of the two chores; return the exit status."""
    match list(sys.argv[1:] if arguments is None else arguments):
        case ["web"]:
            from resapermis_auth_gateway.web_process import serve as web  # noqa: PLC0415 - one face does not load the other

            return _run(web)
        case ["egress"]:
            from resapermis_auth_gateway.egress_process import serve as egress  # noqa: PLC0415 - the same

            return _run(egress)
        case ["migrate"]:
            from resapermis_auth_gateway.settings import Database  # noqa: PLC0415 - needs one setting of them all

            migrate(PACKAGE, Database().database_url)
            return 0
        case ["openapi"]:
            from resapermis_auth_gateway.web.openapi import contract  # noqa: PLC0415 - needs no settings

            sys.stdout.write(json.dumps(contract(), indent=2, ensure_ascii=False) + "\n")
            return 0
    sys.stderr.write(USAGE + "\n")
    return 2


def _run(serve: Callable[[], Awaitable[None]]) -> int:
    async def run() -> None:
        await serve()

    uvloop.run(run())
    return 0


if __name__ == "__main__":
    sys.exit(main())
