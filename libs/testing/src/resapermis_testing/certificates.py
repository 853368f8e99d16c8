"""A certificate for each service and the gateway's signing key; what a port speaks, asked of by openssl s_client; trust in nobody.

A pytest plugin.
"""

import asyncio
import datetime as dt
import ipaddress
import json
import re
import ssl
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc.jwk import KeySet, OKPKey

from resapermis_kit.rpc.auth import Signer

SERVICES = ("auth-gateway", "egress", "mandate", "scheduling-rules", "basket", "audit", "notification")
BACKDATED = dt.timedelta(minutes=5)
NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""`verify=` of an httpx2 client of plain HTTP, which else reads all authorities of the system: 54 ms of CPU a client."""


class Authority:
    """One that signs what it is asked to, false certificates too."""

    def __init__(self, days: float = 2, by: "Authority | None" = None) -> None:
        """Makes its key; it is valid for so many days. `by`: the authority that signs its certificate; by default it is its own."""
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name(
            [x509.NameAttribute(NameOID.COMMON_NAME, f"ResaPermis test CA{' between' if by else ''}")]
        )
        constraints = x509.BasicConstraints(ca=True, path_length=0 if by else 1)
        now = dt.datetime.now(dt.UTC)
        signs = by or self
        made = signs._builder(  # noqa: SLF001 - another of its kind
            self._name, self._key.public_key(), now - BACKDATED, now + dt.timedelta(days=days)
        )
        made = made.add_extension(x509.SubjectKeyIdentifier.from_public_key(self._key.public_key()), critical=False)
        certificate = made.add_extension(constraints, critical=True).sign(signs._key, hashes.SHA256())  # noqa: SLF001
        self.pem = certificate.public_bytes(serialization.Encoding.PEM)
        """Its own certificate."""

    def sign(
        self,
        folder: Path,
        name: str,
        *,
        names: Sequence[str] | None = None,
        begins: dt.timedelta = -BACKDATED,
        ends: dt.timedelta = dt.timedelta(days=2),
        uses: Sequence[x509.ObjectIdentifier] = (ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH),
    ) -> int:
        """Write <folder>/{ca.pem,tls.pem,tls.key} for common name `name`; return the serial number.

        `names`: DNS names; by default its own, localhost and 127.0.0.1. `begins`, `ends`: from now.
        """
        folder.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        alternatives: list[x509.GeneralName] = [x509.DNSName(one) for one in names or (name, "localhost")]
        if names is None:
            alternatives.append(x509.IPAddress(ipaddress.ip_address("127.0.0.1")))
        subject, now = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), dt.datetime.now(dt.UTC)
        leaf = (
            self._builder(subject, key.public_key(), now + begins, now + ends)
            .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
            .add_extension(x509.ExtendedKeyUsage(list(uses)), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "ca.pem").write_bytes(self.pem)
        (folder / "tls.pem").write_bytes(leaf.public_bytes(serialization.Encoding.PEM))
        (folder / "tls.key").write_bytes(private)
        (folder / "tls.key").chmod(0o600)
        return leaf.serial_number

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePublicKey, begins: dt.datetime, ends: dt.datetime
    ) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(begins)
            .not_valid_after(ends)
        )


def make_certificates(folder: Path, names: tuple[str, ...] = SERVICES) -> None:
    """Write a CA and one leaf for each service: <folder>/<name>/{ca.pem,tls.pem,tls.key}."""
    authority = Authority()
    for name in names:
        authority.sign(folder / name, name)


LOOSE = ("-cipher", "ALL:@SECLEVEL=0")
"""What our own library would refuse to speak is for the server to refuse."""
NEGOTIATED = re.compile(r"^New, (\S+), Cipher is (\S+)$", re.MULTILINE)
SECONDS = 20


@dataclass(frozen=True)
class Spoken:
    """What was agreed on, and everything that s_client said."""

    version: str
    """"TLSv1.2", "TLSv1.3"; "" where nothing was agreed on."""
    suite: str
    text: str

    @property
    def serial(self) -> int:
        """The serial number of the server's certificate, with `-showcerts`; ValueError without one."""
        found = re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", self.text, re.DOTALL)
        if found is None:
            raise ValueError(self.text)
        return x509.load_pem_x509_certificate(found.group().encode()).serial_number


async def spoken(port: int, *options: str, certificate: Path | None = None, said: bytes = b"") -> Spoken:
    """Greet a server on loopback with these options of s_client, as who the folder's certificate is; `said` is typed into it."""
    shown = () if certificate is None else ("-cert", str(certificate / "tls.pem"), "-key", str(certificate / "tls.key"))
    command = ["openssl", "s_client", "-connect", f"127.0.0.1:{port}", *options, *shown]
    done = await asyncio.to_thread(
        subprocess.run,
        command,
        input=said,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=SECONDS,
        check=False,
    )
    text = done.stdout.decode("utf-8", "replace")
    agreed = NEGOTIATED.search(text)
    none = agreed is None or agreed[2] in {"(NONE)", "0000"}
    return Spoken("", "", text) if none or agreed is None else Spoken(agreed[1], agreed[2], text)


MODERN = (
    ("TLSv1.3", ("-tls1_3",)),
    ("TLSv1.2", ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256")),
    ("TLSv1.2", ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-GCM-SHA384")),
)
OLD = (
    ("-tls1", *LOOSE),
    ("-tls1_1", *LOOSE),
    ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA:@SECLEVEL=0"),
    ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA384:@SECLEVEL=0"),
    ("-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-CCM:ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0"),
    ("-tls1_2", "-cipher", "kRSA:kDHE:@SECLEVEL=0"),
)
"""Versions before 1.2; suites without authenticated encryption, with none, or without forward secrecy."""


async def modern_only(port: int, *options: str, certificate: Path | None = None) -> list[str]:
    """What is wrong with how a server speaks, in words: what it refuses of `MODERN`, what it takes of `OLD`, a second handshake in 1.2."""
    agreed = await asyncio.gather(
        *(spoken(port, *options, *how, certificate=certificate) for _, how in MODERN),
        *(spoken(port, *options, *how, certificate=certificate) for how in OLD),
    )
    wrong = [
        f"refused {' '.join(how)}:\n{one.text}"
        for (version, how), one in zip(MODERN, agreed, strict=False)
        if one.version != version
    ]
    wrong += [f"took {' '.join(how)}" for how, one in zip(OLD, agreed[len(MODERN) :], strict=True) if one.version]
    again = await spoken(port, *options, "-tls1_2", certificate=certificate, said=b"R\n")
    _, asked, after = again.text.partition("RENEGOTIATING")
    if not asked or "depth=" in after:  # s_client tells of each certificate that it is shown
        wrong.append(f"a second handshake:\n{again.text}")
    if "Compression: NONE" not in again.text:
        wrong.append("compression")
    return wrong


@pytest.fixture(scope="session")
def tls(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Folder with one sub-folder of certificates a service."""
    folder = tmp_path_factory.mktemp("tls")
    make_certificates(folder)
    return folder


@pytest.fixture(scope="session")
def principal_keys(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(private JWK file, public JWKS file) of the gateway."""
    folder = tmp_path_factory.mktemp("principal")
    key = OKPKey.generate_key("Ed25519", parameters={"kid": "test-1"}, private=True)
    (folder / "key.json").write_text(json.dumps(key.as_dict(private=True)))
    (folder / "jwks.json").write_text(json.dumps(KeySet([key]).as_dict(private=False)))
    return folder / "key.json", folder / "jwks.json"


@pytest.fixture(scope="session")
def signer(principal_keys: tuple[Path, Path]) -> Signer:
    """A Signer with this test's key, as the gateway has one."""
    return Signer(principal_keys[0])
