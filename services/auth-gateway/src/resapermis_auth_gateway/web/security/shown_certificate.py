"""The certificate that browsers are shown: by the reverse proxy that ends their TLS, which is no process of ours and tells no metric of it."""

import asyncio
import functools
from pathlib import Path

from resapermis_kit.process import leader
from resapermis_kit.tls import policy
from resapermis_kit.tls.certificates import Authorities

PEER = "reverse_proxy"
"""What metrics call it."""
TASK = "meet the reverse proxy"
EVERY_SECONDS, MOST_SECONDS = 60.0, 5.0
"""How often it is met, and how long that may take."""


class ShownCertificate:
    """Greets the reverse proxy as a browser does; `policy` says when what it shows ends, and counts what fails."""

    def __init__(self, address: str, name: str, ca_file: Path | None) -> None:
        """`address`: host:port. `name`: whom its certificate must name. `ca_file`: authorities (PEM) instead of the system's, looked at again."""
        self._host, _, port = address.rpartition(":")
        self._port, self._name = int(port), name
        # The system's are read once: they take 50 ms.
        self._context = (
            Authorities(PEER, ca_file).client_context
            if ca_file
            else functools.cache(functools.partial(policy.client_context, PEER, None))
        )

    async def watch(self) -> None:
        """Look once a minute, for ever; each replica for itself, for what one that leads no more was shown would be told for ever."""
        await leader.every(EVERY_SECONDS, TASK, self.look, MOST_SECONDS)

    async def look(self) -> None:
        """Shake hands once. OSError where nobody is there, or what is shown is not believed."""
        _, writer = await asyncio.open_connection(
            self._host, self._port, ssl=self._context(), server_hostname=self._name
        )
        writer.transport.abort()
