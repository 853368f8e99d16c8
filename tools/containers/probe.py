"""What a container can reach, and how its ports speak TLS. Runs in its network, with the standard library alone.

Takes an order as JSON on standard input and answers with JSON on standard output (`answer` lists the orders).
"""

import asyncio
import json
import re
import socket
import ssl
import struct
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any

SECONDS = 2.0
TRIES = 3
STANDS_SECONDS = 0.5
"""So long a server may take to refuse a client's certificate."""
LISTEN = "0A"
"""State of a listening socket in /proc/net/tcp."""
VERSIONS = ("TLSv1", "TLSv1_1", "TLSv1_2", "TLSv1_3")
ANY_SUITE = "ALL:COMPLEMENTOFALL:@SECLEVEL=0"
SPOKEN = {"tls": ["h2", "http/1.1"], "postgres": ["postgresql"], "smtp": ["smtp"]}
"""What a client says that it speaks within: PostgreSQL from 17 on refuses any other."""
LAST_LINE = re.compile(rb"(?m)^\d{3} .*\n\Z")
ALERT = b"\x15"
"""First byte of a TLS alert."""
POSTGRES_ASKS_FOR_TLS = struct.pack("!ii", 8, 80877103)
POSTGRES_IN_CLEAR = struct.pack("!ii", 36, 196608) + b"user\0resapermis\0database\0x\0\0\0"


def answer(order: dict[str, Any]) -> Any:
    """{"do": "listening"} → ports; "reach" `targets` → whether each takes a connection; "scan" → one report a port.

    "certificates" `begins` (port → how TLS begins there) → what each port's certificate is now.
    """
    if order["do"] == "listening":
        return listening(Path("/proc/net"))
    if order["do"] == "reach":
        return asyncio.run(reach([(host, port) for host, port in order["targets"]]))
    with tempfile.NamedTemporaryFile("w") as pem:
        pem.write(order["certificate"] + order["key"])
        pem.flush()
        scans = [Scan(order["host"], port, order["name"], order["ca"], pem.name) for port in order["ports"]]
        if order["do"] == "certificates":
            return [scan.certificate(order["begins"][str(scan.port)]) for scan in scans]
        return [scan.report() for scan in scans]


def listening(folder: Path) -> list[int]:
    """TCP ports that something listens on beyond loopback, from the kernel's own list."""
    found = set()
    for name in ("tcp", "tcp6"):
        file = folder / name
        for line in file.read_text().splitlines()[1:] if file.exists() else ():
            address, state = line.split()[1], line.split()[3]
            host, _, port = address.partition(":")
            # Loopback is 127.0.0.0/8, in the host's byte order, or ::1; Docker's resolver listens there.
            if state == LISTEN and not host.endswith("7F") and host != "00000000000000000000000001000000":
                found.add(int(port, 16))
    return sorted(found)


async def reach(targets: list[tuple[str, int]]) -> list[bool]:
    """Whether each takes a connection within two seconds; all at once."""

    async def one(host: str, port: int) -> bool:
        try:
            async with asyncio.timeout(SECONDS):
                _, writer = await asyncio.open_connection(host, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True

    return list(await asyncio.gather(*(one(*target) for target in targets)))


class Scan:
    """One port: how TLS begins there, what it takes, what it refuses."""

    def __init__(self, host: str, port: int, name: str, ca: str, pem: str) -> None:
        """`name` is whom its certificate must name, `ca` the authorities to believe (PEM), `pem` a client's certificate and key."""
        self.host, self.port, self.name, self.ca, self.pem = host, port, name, ca, pem

    def report(self) -> dict[str, Any]:
        """All that was seen; `begins` is "" where no TLS is spoken."""
        begins = next((kind for kind in ("tls", "postgres", "smtp") if self._works(kind, self._context())), "")
        seen: dict[str, Any] = {"port": self.port, "begins": begins, "in_clear": self._in_clear(begins)}
        if not begins:
            return seen
        seen["versions"] = {version: self._accepts(begins, version) for version in VERSIONS}
        seen["suites"] = self._suites(begins) if seen["versions"]["TLSv1_2"] else []
        newest = self._shake(begins, self._context("TLSv1_3")) if seen["versions"]["TLSv1_3"] else None
        seen["suites"] += [newest[0]] if newest else []
        seen["client_certificate"] = self._demands_certificate(begins)
        seen["certificate"] = self.certificate(begins)
        return seen

    def _context(self, version: str = "", suites: str = ANY_SUITE, *, certificate: bool = True) -> ssl.SSLContext:
        """What takes everything, so that only the server can refuse."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        context.set_ciphers(suites)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # the old versions are named to see them refused
            context.minimum_version = ssl.TLSVersion[version or "TLSv1"]
            context.maximum_version = ssl.TLSVersion[version or "TLSv1_3"]
        if certificate:
            context.load_cert_chain(self.pem)
        return context

    def _accepts(self, begins: str, version: str) -> bool | None:
        """None: this client cannot speak it itself, so nothing is known."""
        if not able(version, self.pem):
            return None
        return self._works(begins, self._context(version))

    def _works(self, begins: str, context: ssl.SSLContext) -> bool:
        return self._shake(begins, context) is not None

    def _shake(self, begins: str, context: ssl.SSLContext) -> tuple[str, str] | None:
        """Suite and version of a handshake that the server stood by, or None; a silence is asked again, a refusal is one."""
        for _ in range(TRIES):
            try:
                return self._shaken(begins, context)
            except TimeoutError:
                continue
            except (OSError, ValueError):
                return None
        return None

    def _shaken(self, begins: str, context: ssl.SSLContext) -> tuple[str, str] | None:
        with socket.create_connection((self.host, self.port), SECONDS) as plain:
            if not began(plain, begins):
                return None
            context.set_alpn_protocols(SPOKEN[begins])
            with context.wrap_socket(plain, server_hostname=self.name) as secured:
                suite, version = secured.cipher(), secured.version()
                return (suite[0], version) if suite and version and stands(secured) else None

    def _suites(self, begins: str) -> list[str]:
        """Of TLS 1.2, each by leaving out those already seen."""
        found: list[str] = []
        while True:
            without = "".join(f":!{suite}" for suite in found)
            try:
                context = self._context("TLSv1_2", f"ALL:COMPLEMENTOFALL{without}:@SECLEVEL=0")
            except ssl.SSLError:  # none is left
                return found
            seen = self._shake(begins, context)
            if seen is None or seen[0] in found:
                return found
            found.append(seen[0])

    def _demands_certificate(self, begins: str) -> bool:
        return not self._works(begins, self._context(certificate=False))

    def certificate(self, begins: str) -> dict[str, Any]:
        """Whom the certificate names, whether it is believed, and when it ends; `begins` as the report has it."""
        context = ssl.create_default_context(cadata=self.ca)
        context.load_cert_chain(self.pem)
        try:
            with socket.create_connection((self.host, self.port), SECONDS) as plain:
                began(plain, begins)
                context.set_alpn_protocols(SPOKEN[begins])
                with context.wrap_socket(plain, server_hostname=self.name) as secured:
                    held: Any = secured.getpeercert() or {}
        except ssl.SSLError as refusal:
            return {"verified": False, "why": getattr(refusal, "verify_message", "") or refusal.reason or ""}
        except OSError as refusal:
            return {"verified": False, "why": type(refusal).__name__}
        ends = ssl.cert_time_to_seconds(str(held["notAfter"]))
        return {
            "verified": True,
            "names": [value for kind, value in held.get("subjectAltName", ()) if kind in {"DNS", "IP Address"}],
            "issuer": _common_name(held["issuer"]),
            "serial": str(held["serialNumber"]),
            "ends": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends)),
        }

    def _in_clear(self, begins: str) -> str:
        """How what is said without TLS is answered: "" (cut, or by a TLS alert), else in short."""
        said = {"postgres": POSTGRES_IN_CLEAR, "smtp": b"MAIL FROM:<a@b.example>\r\n"}
        try:
            with socket.create_connection((self.host, self.port), SECONDS) as plain:
                if begins == "smtp":
                    smtp_answer(plain)
                    plain.sendall(b"EHLO scan.example\r\n")
                    smtp_answer(plain)
                plain.sendall(said.get(begins, b"GET / HTTP/1.0\r\nHost: scan.example\r\n\r\n"))
                heard = plain.recv(4096)
        except OSError:
            return ""
        return "" if heard[:1] == ALERT else _in_short(heard.decode("ascii", "replace"))


def began(plain: socket.socket, begins: str) -> bool:
    """Bring the connection to where TLS begins; False where the other side does not know that."""
    if begins == "postgres":
        plain.sendall(POSTGRES_ASKS_FOR_TLS)
        return plain.recv(1) == b"S"
    if begins == "smtp":
        if not smtp_answer(plain).startswith(b"220"):
            return False
        plain.sendall(b"EHLO scan.example\r\n")
        smtp_answer(plain)
        plain.sendall(b"STARTTLS\r\n")
        return smtp_answer(plain).startswith(b"220")
    return True


def smtp_answer(plain: socket.socket) -> bytes:
    """One answer of an SMTP server, all its lines; what there is where it ends before."""
    heard = b""
    while not LAST_LINE.search(heard) and (more := plain.recv(4096)):
        heard += more
    return heard


def stands(secured: ssl.SSLSocket) -> bool:
    """Whether the server stays with it: in TLS 1.3 it judges the client's certificate after our side is done."""
    if secured.version() != "TLSv1.3":
        return True
    secured.settimeout(STANDS_SECONDS)
    try:
        return secured.recv(1) != b""
    except TimeoutError:
        return True


def able(version: str, pem: str) -> bool:
    """Whether our own OpenSSL speaks that version at all, seen with a server of its own in memory."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    server.load_cert_chain(pem)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    try:
        for context in (server, client):
            context.set_ciphers(ANY_SUITE)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", DeprecationWarning)
                context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
        ends = (
            client.wrap_bio(to_client, to_server, server_hostname="x"),
            server.wrap_bio(to_server, to_client, server_side=True),
        )
        for end in (*ends, *ends, *ends):
            _step(end)
        return all([_step(end) for end in ends])  # noqa: C419 - both take their step
    except (ssl.SSLError, ValueError):
        return False


def _step(end: ssl.SSLObject) -> bool:
    try:
        end.do_handshake()
    except ssl.SSLWantReadError:
        return False
    return True


def _in_short(heard: str) -> str:
    """The first line, and where HTTP leads to."""
    lines = heard.replace("\0", " ").split("\r\n")
    return "\n".join(line for number, line in enumerate(lines) if number == 0 or line.lower().startswith("location:"))


def _common_name(name: Any) -> str:
    return next((value for part in name for key, value in part if key == "commonName"), "")


if __name__ == "__main__":
    json.dump(answer(json.load(sys.stdin)), sys.stdout)
