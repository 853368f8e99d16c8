"""`python -m rdvpermis_sandbox`: the sandbox on its address until SIGTERM."""

import logging
import os
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path

import uvicorn

from rdvpermis_sandbox import settings
from rdvpermis_sandbox.app import Sandbox

MODERN_SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2; nothing older is spoken."""


def main() -> int:
    """Serve on the configured address until SIGTERM; returns the exit status."""
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(message)s", stream=sys.stdout)
    chosen = settings.read(os.environ)
    sandbox = Sandbox(chosen, lambda: datetime.now(UTC), lambda: secrets.token_urlsafe(32))
    host, _, port = chosen.listen.rpartition(":")
    tls = Path(chosen.tls_dir) if chosen.tls_dir else None
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
        ssl_certfile=tls / "tls.pem" if tls else None,
        ssl_keyfile=str(tls / "tls.key") if tls else None,
        ssl_ciphers=MODERN_SUITES,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
