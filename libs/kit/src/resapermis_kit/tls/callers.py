"""Who is at the other end of a call, by the certificate of its connection, and whether that is believed now."""

import functools
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

import grpc
import structlog
from cryptography import x509
from prometheus_client import Counter

from resapermis_kit.errors import Code, Failure
from resapermis_kit.tls.certificates import Certificates

CONNECTIONS = Counter(
    "resapermis_rpc_connections",
    "Connections of others on which a call came: of the handshakes that they began, those that came to something",
)
REMEMBERED = 4096
"""Addresses of connections. A service has a few hundred; one that is forgotten is counted twice."""
log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Certified:
    """The common name of a certificate, its serial number, and when it ends, in seconds since 1970."""

    service: str
    serial: int
    ends: float


class Callers:
    """Reads who calls. A handshake is verified once, a connection lives for weeks: what has changed since is asked at each call."""

    def __init__(self, certificates: Certificates) -> None:
        """`certificates` says which serial numbers are denied, and what time it is."""
        self._certificates = certificates
        self._met: OrderedDict[str, None] = OrderedDict()

    def of(self, context: grpc.aio.ServicerContext[Any, Any]) -> Certified:
        """Who is at the other end; "" where there is no certificate, which gRPC does not let in."""
        self.met(context)
        found = context.auth_context()
        names, certificates = list(found.get("x509_common_name", ())), list(found.get("x509_pem_cert", ()))
        serial, ends = _read(certificates[0]) if certificates else (0, 0.0)
        return Certified(names[0].decode() if names else "", serial, ends)

    def require_believed(self, found: Certified) -> None:
        """Refuse a certificate that is denied, or has ended since its connection was opened: UNAUTHENTICATED."""
        reason = ""
        if self._certificates.denied(found.serial):
            reason = "denied"
        elif found.ends <= self._certificates.now().timestamp():
            reason = "expired"
        if reason:
            log.warning("certificate.refused", caller=found.service, serial=f"{found.serial:x}", reason=reason)
            raise Failure(
                Code.CODE_UNAUTHENTICATED, f"the caller's certificate is {reason}", denied=f"certificate_{reason}"
            )

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
def _read(certificate: bytes) -> tuple[int, float]:
    read = x509.load_pem_x509_certificate(certificate)
    return read.serial_number, read.not_valid_after_utc.timestamp()
