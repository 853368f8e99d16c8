"""Who is at the other end of a call, by the certificate of its connection, and whether that is believed now."""

import functools
from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from cryptography import x509
from prometheus_client import Counter

from resapermis_kit.errors import Code, Failure
from resapermis_kit.tls.certificates import Certificates, issued_by

CONNECTIONS = Counter(
    "resapermis_rpc_connections",
    "Connections of others on which a call came: of the handshakes that they began, those that came to something",
)
REMEMBERED = 4096
"""Addresses of connections. A service has a few hundred; one that is forgotten is counted twice."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Certified:
    """The common name of a certificate, its serial number, when it ends, in seconds since 1970, and whether an authority of now signed it."""

    service: str
    serial: int
    ends: float
    signed: bool


class Callers:
    """Reads who calls. A handshake is verified once, a connection lives for weeks: what has changed since is asked at each call."""

    def __init__(self, certificates: Certificates, clients: Collection[str] | None = None) -> None:
        """`certificates` says which authorities are believed, which serial numbers are denied, and what time it is.

        `clients`: common names of who may call at all; None: whoever has a certificate.
        """
        self._certificates, self._clients = certificates, clients
        self._met: OrderedDict[str, None] = OrderedDict()

    def of(self, context: grpc.aio.ServicerContext[Any, Any]) -> Certified:
        """Who is at the other end; "" where there is no certificate, which gRPC does not let in."""
        self.met(context)
        found = context.auth_context()
        names, certificates = list(found.get("x509_common_name", ())), list(found.get("x509_pem_cert", ()))
        between = b"".join(found.get("x509_pem_cert_chain", ()))  # nothing where an authority of ours signed it itself
        known = self._certificates.material.authorities
        serial, ends, signed = _read(certificates[0], between, known) if certificates else (0, 0.0, False)
        return Certified(names[0].decode() if names else "", serial, ends, signed)

    def require(self, found: Certified) -> None:
        """Refuse a certificate that is denied, or has ended or lost its authority since its connection was opened: UNAUTHENTICATED.

        FORBIDDEN for a good one of a service that does not call this one.
        """
        reason, code = "", Code.CODE_UNAUTHENTICATED
        if self._certificates.denied(found.serial):
            reason = "denied"
        elif found.ends <= self._certificates.now().timestamp():
            reason = "expired"
        elif not found.signed:
            reason = "untrusted"
        elif self._clients is not None and found.service not in self._clients:
            reason, code = "unlisted", Code.CODE_FORBIDDEN
        if reason:
            log.warning("certificate.refused", caller=found.service, serial=f"{found.serial:x}", reason=reason)
            raise Failure(code, f"the caller's certificate is {reason}", denied=f"certificate_{reason}")

    def met(self, context: grpc.aio.ServicerContext[Any, Any]) -> None:
        """Count its connection, once."""
        address = context.peer()
        if address in self._met:
            return
        CONNECTIONS.inc()
        self._met[address] = None
        if len(self._met) > REMEMBERED:
            self._met.popitem(last=False)


@functools.lru_cache(maxsize=REMEMBERED)
def _read(certificate: bytes, between: bytes, authorities: str) -> tuple[int, float, bool]:
    read = x509.load_pem_x509_certificate(certificate)
    return read.serial_number, read.not_valid_after_utc.timestamp(), issued_by(read, between, authorities)
