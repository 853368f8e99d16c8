"""What NATS servers tell on their monitoring ports: how they are set, and which connections they refused."""

import asyncio
import json
import ssl
import urllib.request
from collections.abc import Mapping
from typing import Any

import structlog
from prometheus_client import Counter

from resapermis_kit.tls.certificates import Certificates

PEER, SECONDS = "bus_monitor", 3.0
"""What metrics call the monitoring ports, and how long one may take to answer."""
REFUSED = Counter(
    "resapermis_bus_connections_refused_total",
    "Connections that a NATS server closed: the handshake failed, or the certificate is nobody's whom it knows",
    ["why"],
)
REASONS: Mapping[str, str] = {"TLS Handshake Failure": "handshake", "Authentication Failure": "unknown"}
"""NATS' own words for why it closed a connection, and ours."""
for _why in REASONS.values():
    REFUSED.labels(_why)  # from 0 on: else the first would be no increase
NEWEST = 1024
"""Of those that a server closed. More within a round of bus-admin are not counted: the number says "at least"."""
log = structlog.get_logger()


def monitored(url: str, path: str, context: ssl.SSLContext) -> Any:
    """What the monitoring port at `url` answers (JSON); OSError or ValueError where it gives nothing."""
    address = f"{url.rstrip('/')}/{path}"
    with urllib.request.urlopen(address, timeout=SECONDS, context=context) as answer:  # noqa: S310 - an address of the deployment
        return json.load(answer)


class RefusedConnections:
    """Counts what each server closed since it was last asked."""

    def __init__(self, monitors: str, certificates: Certificates) -> None:
        """`monitors`: https:// addresses of monitoring ports, with commas; "" where they cannot be asked."""
        self._urls = [url for url in monitors.split(",") if url]
        self._certificates = certificates
        self._seen: dict[str, set[int]] = {}
        """Ids of closed connections by server, of its last answer. A server that starts again has another name."""

    async def count(self) -> None:
        """Ask each server; one that does not answer is asked again in the next round."""
        context = self._certificates.client_context(PEER)
        for url in self._urls:
            try:
                answer = await asyncio.to_thread(
                    monitored, url, f"connz?state=closed&sort=stop&limit={NEWEST}", context
                )
            except (OSError, ValueError) as error:
                log.warning("bus.monitor_silent", error_type=type(error).__qualname__)
            else:
                self._add(answer)

    def _add(self, answer: Mapping[str, Any]) -> None:
        server, closed = str(answer["server_id"]), answer.get("connections") or []
        # What it had closed before it was asked first was counted by who was here then.
        before = self._seen.get(server, {one["cid"] for one in closed})
        for one in closed:
            why = REASONS.get(one.get("reason", ""))
            if why is not None and one["cid"] not in before:
                REFUSED.labels(why).inc()
        self._seen[server] = {one["cid"] for one in closed}
