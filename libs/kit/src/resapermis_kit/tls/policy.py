"""What TLS is here: 1.2 or 1.3, forward secrecy and authenticated encryption, names verified; what fails is counted.

Every `ssl` context of the platform is made here; gRPC brings a TLS of its own (BoringSSL), whose defaults are the same suites.
"""

import contextlib
import os
import ssl
import time
from collections.abc import Callable, Iterator
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from prometheus_client import Counter, Gauge

SUITES = "ECDHE+AESGCM:ECDHE+CHACHA20"
"""Of TLS 1.2; those of 1.3 all have both properties, and cannot be chosen otherwise."""
EXPIRED, WRONG_NAME = frozenset({9, 10}), frozenset({62, 64})
"""X509_V_ERR_…: not yet or no longer valid; another host name or address."""
WRONG_USE = frozenset({26})
FAILED = Counter(
    "resapermis_tls_failures_total",
    "Handshakes of this process with a server that failed, by what server it is and why; of other services, calls that found no other",
    ["peer", "kind"],
)
EXPIRES = Gauge(
    "resapermis_certificate_expires_seconds",
    "When a certificate ends, in seconds since 1970: the one that this process shows (own), its CA's (authority), a server's (its peer)",
    ["certificate"],
)
BEGAN = Gauge("resapermis_certificate_began_seconds", "When it began, in seconds since 1970", ["certificate"])
SEEN = Gauge(
    "resapermis_certificate_seen_seconds",
    "When a server showed it, at the newest handshake with that peer, in seconds since 1970; it may show another since",
    ["certificate"],
)
KINDS = ("denied", "expired", "wrong_name", "wrong_use", "untrusted", "refused", "protocol")
"""Why a handshake failed; "refused": by the other end, for what we showed or speak."""
Now = Callable[[], float]
"""Seconds since 1970."""
Denied = Callable[[int], bool]
"""Whether the certificate of this serial number is denied."""


class CertificateDenied(ssl.SSLError):
    """The other end's certificate is good, and on the list of denied serial numbers."""


def nobody(serial: int) -> bool:
    """No serial number is denied."""
    del serial
    return False


def client_context(peer: str, authorities: str | None, denied: Denied = nobody, now: Now = time.time) -> ssl.SSLContext:
    """A context for connections to `peer`, a word for metrics: "database", "bus", "mail" and the like.

    `authorities`: PEM of those who may have signed its certificate; None: those of the system. The name that is asked for must
    stand in it. ssl.SSLError for authorities that cannot be read.
    """
    for kind in KINDS:
        FAILED.labels(peer, kind)  # from 0 on: else the first failure would be no increase
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    _restrict(context)
    if authorities is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        context.load_verify_locations(cadata=authorities)
    told = {"peer": peer, "denied": denied, "now": now}
    context.sslobject_class = type("CountedObject", (_Counted, ssl.SSLObject), told)
    context.sslsocket_class = type("CountedSocket", (_Counted, ssl.SSLSocket), told)
    return context


def server_context(key: bytes, chain: bytes) -> ssl.SSLContext:
    """A context for who answers, with its key and certificate (PEM); no certificate is asked of who comes."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    _restrict(context)
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    show(context, key, chain)
    return context


def show(context: ssl.SSLContext, key: bytes, chain: bytes) -> None:
    """Have a context show a certificate (PEM); ssl.SSLError where key and certificate do not fit.

    OpenSSL reads them from a file alone. One in memory holds both of the same moment, and leaves no key on a disk.
    """
    file = os.memfd_create("certificate", os.MFD_CLOEXEC)
    try:
        os.write(file, key.rstrip() + b"\n" + chain)
        context.load_cert_chain(f"/proc/self/fd/{file}", password="")
    finally:
        os.close(file)


def _restrict(context: ssl.SSLContext) -> None:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(SUITES)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION


class _Counted:
    """Above ssl.SSLObject or ssl.SSLSocket: counts what fails, says when what it was shown ends, refuses whose serial number is denied."""

    peer: str
    denied: Denied
    now: Now

    def do_handshake(self, *arguments: Any) -> None:
        with _counting(self.peer):
            super().do_handshake(*arguments)  # type: ignore[misc] # of the class that stands beside this one
            found = self.getpeercert() or {}  # type: ignore[attr-defined]
            if type(self).denied(int(found.get("serialNumber", "0"), 16)):
                raise CertificateDenied("the certificate is on the list of denied serial numbers")
            EXPIRES.labels(self.peer).set(ssl.cert_time_to_seconds(found["notAfter"]))
            BEGAN.labels(self.peer).set(ssl.cert_time_to_seconds(found["notBefore"]))
            SEEN.labels(self.peer).set(type(self).now())

    def read(self, *arguments: Any) -> Any:
        """In TLS 1.3 a server refuses a client's certificate after the client has ended its own handshake."""
        try:
            return super().read(*arguments)  # type: ignore[misc]
        except ssl.SSLError as error:
            if "ALERT" in (error.reason or ""):
                FAILED.labels(self.peer, kind_of(error)).inc()
            raise


@contextlib.contextmanager
def _counting(peer: str) -> Iterator[None]:
    try:
        yield
    except (ssl.SSLWantReadError, ssl.SSLWantWriteError):
        raise  # goes on with the next packet
    except ssl.SSLError as error:
        FAILED.labels(peer, kind_of(error)).inc()
        raise


def require_tls(url: str) -> None:
    """Accept https://, and http:// on this machine; ValueError with what to write for anything else."""
    parts = urlsplit(url)
    if not parts.hostname or not (
        parts.scheme == "https" or (parts.scheme == "http" and on_this_machine(parts.hostname))
    ):
        raise ValueError("https://host:port; http:// is for this machine alone (localhost, 127.0.0.1, [::1])")


def on_this_machine(host: str) -> bool:
    """Whether a host name or address is loopback: what is sent there stays on this machine."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def kind_of(error: ssl.SSLError) -> str:
    """Why a handshake failed, one of KINDS."""
    if isinstance(error, CertificateDenied):
        return "denied"
    if isinstance(error, ssl.SSLCertVerificationError):
        kinds = {"expired": EXPIRED, "wrong_name": WRONG_NAME, "wrong_use": WRONG_USE}
        return next((kind for kind, codes in kinds.items() if error.verify_code in codes), "untrusted")
    return "refused" if "ALERT" in (error.reason or "") else "protocol"
