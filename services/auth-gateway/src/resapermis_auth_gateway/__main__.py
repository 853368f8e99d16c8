"""auth-gateway: `web` (browsers' side), `egress` (RdvPermis' side), `migrate`, `openapi` (prints the REST contract)."""

import json
import sys
from collections.abc import Sequence

from resapermis_kit.process import command

PACKAGE = "resapermis_auth_gateway"
USAGE = f"usage: python -m {PACKAGE} web | egress | migrate | openapi"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one face until SIGTERM, or do one of the two chores; return the exit status."""
    match list(sys.argv[1:] if arguments is None else arguments):
        case ["web"]:
            command.run(_web)
            return 0
        case ["egress"]:
            command.run(_egress, command.UNUSED)
            return 0
        case ["migrate"]:
            from resapermis_auth_gateway.settings import Database  # noqa: PLC0415 - needs one setting of them all

            command.migrate(PACKAGE, Database().database_url)
            return 0
        case ["openapi"]:
            from resapermis_auth_gateway.web.openapi import contract  # noqa: PLC0415 - needs no settings

            sys.stdout.write(json.dumps(contract(), indent=2, ensure_ascii=False) + "\n")
            return 0
    sys.stderr.write(USAGE + "\n")
    return 2


def _web() -> command.Serve:
    from resapermis_auth_gateway.web_process import serve  # noqa: PLC0415 - one face does not load the other

    return serve


def _egress() -> command.Serve:
    from resapermis_auth_gateway.egress_process import serve  # noqa: PLC0415 - the same

    return serve


if __name__ == "__main__":
    sys.exit(main())
