"""`python -m rdvpermis_sandbox`: the sandbox on its address until SIGTERM."""

import logging
import os
import secrets
import sys
from datetime import UTC, datetime

import uvicorn

from rdvpermis_sandbox import settings
from rdvpermis_sandbox.app import Sandbox


def main() -> int:
    """Serve on the configured address until SIGTERM; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
    chosen = settings.read(os.environ)
    sandbox = Sandbox(chosen, lambda: datetime.now(UTC), lambda: secrets.token_urlsafe(32))
    host, _, port = chosen.listen.rpartition(":")
    uvicorn.run(
        sandbox.asgi,
        host=host,
        port=int(port),
        loop="uvloop",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        log_level="warning",
        timeout_graceful_shutdown=3,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
