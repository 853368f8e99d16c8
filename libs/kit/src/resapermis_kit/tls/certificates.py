"""A process's certificate, key and authorities: read when it starts, and again whenever the files change."""

import asyncio
import ssl
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import structlog
from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding
from prometheus_client import Counter, Gauge

from resapermis_kit.clock import Clock, utc_now
from resapermis_kit.tls import policy

OWN, AUTHORITY = "own", "authority"
READ = Counter(
    "resapermis_certificate_files_total",
    "Changed files of certificates, CAs or revoked serial numbers, by whether they were taken or refused",
    ["outcome"],
)
REFUSED = Gauge(
    "resapermis_certificate_files_refused", "Files that changed and cannot be used: what they held before is used on"
)
CHECK_SECONDS, LOOK_SECONDS = 10.0, 1.0
DENIED_FILE = "denied-serials"
log = structlog.get_logger()


class Unusable(Exception):
    """Certificates with which no connection would come about; the message says which file and what is wrong, never its content."""


class Watched(ABC):
    """Files that are read again when they change. What cannot be used is refused: what was read before stays.

    `generation` counts how often they changed, for who holds connections that were made with what was there before.
    """

    def __init__(self, required: Sequence[Path], optional: Sequence[Path] = ()) -> None:
        """Read them for the first time: Unusable where that cannot be."""
        self.generation = 0
        self._required, self._optional = tuple(required), tuple(optional)
        self._refused: object = None
        self._seen, self._held = self._stamp(), self._contents()
        self._take(*self._held)

    def look(self) -> bool:
        """Read what changed since the last look; whether something else is used now."""
        stamp = self._stamp()
        if stamp == self._seen:  # nothing changed, or what was taken once is back
            self._taken(stamp)
            return False
        try:
            found = self._contents()
            if found == self._held:
                self._taken(stamp)
                return False
            self._take(*found)
        except Unusable as wrong:
            if self._refused is None:
                REFUSED.inc()
            if self._refused != stamp:  # once for each state of the files, which are looked at again in any case
                READ.labels("refused").inc()
                log.error("certificates.refused", reason=str(wrong))
            self._refused = stamp
            return False
        self._held = found
        self._taken(stamp)
        self.generation += 1
        READ.labels("taken").inc()
        log.info("certificates.renewed", files=[file.name for file in (*self._required, *self._optional)])
        return True

    def _taken(self, stamp: object) -> None:
        if self._refused is not None:
            REFUSED.dec()
        self._seen, self._refused = stamp, None

    @abstractmethod
    def _take(self, *contents: bytes) -> None:
        """Use what the files hold (an absent optional one: nothing), or refuse all of it: Unusable."""

    def _contents(self) -> list[bytes]:
        found = []
        for file in (*self._required, *self._optional):
            try:
                found.append(file.read_bytes())
            except FileNotFoundError:
                if file in self._required:
                    raise Unusable(f"{file} is missing") from None
                found.append(b"")
            except OSError as error:
                raise Unusable(f"{file} cannot be read: {error.strerror}") from None
        return found

    def _stamp(self) -> object:
        return tuple(_stamp(file) for file in (*self._required, *self._optional))


@dataclass(frozen=True, eq=False)
class Material:
    """Key, certificate chain and authorities (PEM) that fit each other; what is in use is known by being the same object."""

    key: bytes
    chain: bytes
    authorities: str


class Certificates(Watched):
    """What a folder with ca.pem, tls.pem and tls.key says of us, and whose certificates are denied."""

    def __init__(self, folder: Path, denied_serials: Path | None = None, now: Clock = utc_now) -> None:
        """`denied_serials`: hexadecimal numbers, one a line, "#" begins a comment; by default the folder's file of that name, if it is there."""
        self.now = now
        files = [folder / name for name in ("tls.key", "tls.pem", "ca.pem")]
        if denied_serials is None:
            super().__init__(files, [folder / DENIED_FILE])
        else:
            super().__init__([*files, denied_serials])

    def denied(self, serial: int) -> bool:
        """Whether the certificate of this serial number must not be believed any more."""
        return serial in self.denials

    def client_context(self, peer: str) -> ssl.SSLContext:
        """For a connection that is opened now to one of the platform's own servers; `peer` as `policy.client_context` has it."""
        context = policy.client_context(peer, self.material.authorities, self.denied)
        policy.show(context, self.material.key, self.material.chain)
        return context

    async def watch(self, renewed: Callable[[], Awaitable[None]], seconds: float = CHECK_SECONDS) -> None:
        """Look every so many seconds, for ever; `renewed` is for who holds connections and does not look by itself."""
        while True:
            await asyncio.sleep(seconds)
            if self.look():
                await renewed()

    def _take(self, *contents: bytes) -> None:
        key, chain, authorities, serials = contents
        denied, now = _serials(serials), self.now()
        own, *between = _certificates(chain, "tls.pem")
        known = _certificates(authorities, "ca.pem")
        issuer = _issuer(own, between, known)
        for name, one in (("tls.pem", own), ("ca.pem", issuer)):
            if not one.not_valid_before_utc <= now < one.not_valid_after_utc:
                raise Unusable(
                    f"{name}: not valid now, but from {_day(one.not_valid_before_utc)} to {_day(one.not_valid_after_utc)}"
                )
        try:
            policy.server_context(key, chain)
        except ssl.SSLError:
            raise Unusable("tls.key and tls.pem do not belong together, or are written by half") from None
        self.material, self.denials = Material(key, chain, _pem(known)), denied
        for label, one in ((OWN, own), (AUTHORITY, issuer)):
            policy.EXPIRES.labels(label).set(one.not_valid_after_utc.timestamp())
            policy.BEGAN.labels(label).set(one.not_valid_before_utc.timestamp())


class Authorities(Watched):
    """A file of authorities (PEM) that are believed for one server outside of the platform's own."""

    def __init__(
        self,
        peer: str,
        file: Path,
        denied: policy.Denied = policy.nobody,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`peer` as `policy.client_context` has it. Unusable where the file cannot be read."""
        self._peer, self._denied, self._file, self._monotonic = peer, denied, file, monotonic
        self._again = monotonic()
        super().__init__([file])

    def look(self) -> bool:
        """As each of these, but once a second at most: it is asked at each use of a connection, on the event loop."""
        now = self._monotonic()
        if now < self._again:
            return False
        self._again = now + LOOK_SECONDS
        return super().look()

    def client_context(self) -> ssl.SSLContext:
        """For a connection that is opened now, by what the file held within the last second."""
        self.look()
        return self._context

    def _take(self, *contents: bytes) -> None:
        authorities = _pem(_certificates(contents[0], str(self._file)))
        try:
            self._context = policy.client_context(self._peer, authorities, self._denied)
        except ssl.SSLError:
            raise Unusable(f"{self._file} holds a CA that TLS cannot take") from None


def _certificates(pem: bytes, name: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError:
        raise Unusable(f"{name} holds no certificate, or half of one") from None


def _pem(certificates: Sequence[x509.Certificate]) -> str:
    """Without the comments that a file may have between them, which OpenSSL takes in ASCII alone."""
    return b"".join(one.public_bytes(Encoding.PEM) for one in certificates).decode("ascii")


def issued_by(own: x509.Certificate, between: bytes, authorities: str) -> bool:
    """Whether one of these authorities (PEM) signed a certificate, through those between (PEM, may hold itself)."""
    try:
        others = [one for one in _certificates(between, "between") if one != own] if between else []
        _issuer(own, others, _certificates(authorities.encode(), "authorities"))
    except Unusable:
        return False
    return True


def _issuer(
    own: x509.Certificate, between: Sequence[x509.Certificate], authorities: Sequence[x509.Certificate]
) -> x509.Certificate:
    """The authority that signed our certificate, through those between; Unusable where none did."""
    last = own
    for one in between:
        if not _signed(last, one):
            raise Unusable("tls.pem: the certificates in it did not sign each other, first one first")
        last = one
    for authority in authorities:
        if last == authority or _signed(last, authority):
            return authority
    raise Unusable("tls.pem was signed by no CA of ca.pem")


def _signed(certificate: x509.Certificate, by: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(by)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def _serials(text: bytes) -> frozenset[int]:
    """Serial numbers as `openssl x509 -serial` or a browser writes them, with or without colons."""
    found = set()
    for number, line in enumerate(text.decode("utf-8", "replace").splitlines(), 1):
        word = line.partition("#")[0].strip().removeprefix("serial=").replace(":", "")
        try:
            found |= {int(word, 16)} if word else set()
        except ValueError:
            raise Unusable(f"denied serials, line {number}: not a hexadecimal number") from None
    return frozenset(found)


def _stamp(file: Path) -> tuple[int, int, int] | None:
    try:
        found = file.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_ino, found.st_size


def _day(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M UTC")
