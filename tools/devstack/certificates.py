"""A certificate authority of this stack alone, and one leaf certificate a process.

Keys never leave `home/tls`; files are 0600. Leaves live seven days and are renewed when a third of that is left: a short life is
the revocation that needs nobody (ADR 43). The authority lives ten years.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from devstack.components import NATS, OPERATOR, SERVICES

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=7)
RENEW_BEFORE = LEAF_LIFE / 3
FILES = ("tls.key", "tls.pem", "ca.pem")
"""Of each folder, as they are written: who reads between two of them refuses that they do not fit, and looks again."""
BACKDATED = timedelta(minutes=5)
"""So that a clock a little behind does not refuse a fresh certificate."""


@dataclass(frozen=True)
class Leaf:
    """What the certificate of a component is for, whose name is its common name and its first DNS name.

    `names` are further DNS names or addresses by which it is called. `serves`: it answers connections; `asks`: it opens them.
    """

    names: tuple[str, ...] = ()
    serves: bool = True
    asks: bool = True

    def alternative_names(self, own: str) -> x509.SubjectAlternativeName:
        """Its own name comes first: NATS takes the first name that is one of its users."""
        return x509.SubjectAlternativeName([_general(name) for name in (own, "localhost", "127.0.0.1", *self.names)])

    @property
    def usage(self) -> x509.ExtendedKeyUsage:
        """No more than it does: who only asks cannot be taken for a server, nor the other way round."""
        uses = {ExtendedKeyUsageOID.SERVER_AUTH: self.serves, ExtendedKeyUsageOID.CLIENT_AUTH: self.asks}
        return x509.ExtendedKeyUsage([use for use, wanted in uses.items() if wanted])


PLATFORM: Mapping[str, Leaf] = {
    NATS: Leaf(asks=False),
    OPERATOR: Leaf(serves=False),
    **{service.name: Leaf() for service in SERVICES},
}
"""Those of every deployment of ours; what else runs with it has more (`ensure_certificates(folder, {**PLATFORM, …}, now)`)."""


def ensure_certificates(folder: Path, leaves: Mapping[str, Leaf], now: datetime, *, renew: bool = False) -> list[str]:
    """Write `folder/<name>/{ca.pem,tls.pem,tls.key}` for each name, keeping what is still good; return whose are new.

    `renew`: all of them, as after one was stolen; the authority stays.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, key = _authority(folder, now)
    authority = certificate.public_bytes(serialization.Encoding.PEM)
    fresh = [
        name for name, leaf in leaves.items() if renew or not _still_good(folder / name, name, leaf, authority, now)
    ]
    for name in fresh:
        _write(folder / name, name, leaves[name], certificate, key, now)
    return fresh


def write_secret(path: Path, content: bytes) -> None:
    """Write a file that only its owner may read, in one step."""
    fresh = path.with_name(path.name + ".new")
    fresh.unlink(missing_ok=True)
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    fresh.replace(path)


def _authority(folder: Path, now: datetime) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    certificate_file, key_file = folder / "ca.pem", folder / "ca.key"
    if certificate_file.exists() and key_file.exists():
        certificate = x509.load_pem_x509_certificate(certificate_file.read_bytes())
        key = serialization.load_pem_private_key(key_file.read_bytes(), password=None)
        if isinstance(key, ec.EllipticCurvePrivateKey) and certificate.not_valid_after_utc - now > LEAF_LIFE:
            return certificate, key
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ResaPermis local authority")])
    certificate = (
        _builder(name, name, key.public_key(), now, AUTHORITY_LIFE)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_usage(authority=True), critical=True)
        .sign(key, hashes.SHA256())
    )
    write_secret(key_file, _pem(key))
    write_secret(certificate_file, certificate.public_bytes(serialization.Encoding.PEM))
    return certificate, key


def _still_good(folder: Path, name: str, leaf: Leaf, authority: bytes, now: datetime) -> bool:
    if not all((folder / file).exists() for file in FILES) or (folder / "ca.pem").read_bytes() != authority:
        return False
    return _good(x509.load_pem_x509_certificate((folder / "tls.pem").read_bytes()), name, leaf, now)


def _write(
    folder: Path,
    name: str,
    leaf: Leaf,
    authority: x509.Certificate,
    authority_key: ec.EllipticCurvePrivateKey,
    now: datetime,
) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    fresh = (
        _builder(subject, authority.subject, key.public_key(), now, LEAF_LIFE)
        .add_extension(leaf.alternative_names(name), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(leaf.usage, critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    certificate, above = (one.public_bytes(serialization.Encoding.PEM) for one in (fresh, authority))
    for file, content in zip(FILES, (_pem(key), certificate, above), strict=True):
        write_secret(folder / file, content)


def _good(found: x509.Certificate, name: str, leaf: Leaf, now: datetime) -> bool:
    """Whether a certificate says what it must, ends not soon, and was not made for longer than certificates live now."""
    says = found.extensions
    return (
        found.not_valid_before_utc <= now < found.not_valid_after_utc - RENEW_BEFORE
        and found.not_valid_after_utc - found.not_valid_before_utc <= LEAF_LIFE + BACKDATED
        and says.get_extension_for_class(x509.SubjectAlternativeName).value == leaf.alternative_names(name)
        and says.get_extension_for_class(x509.ExtendedKeyUsage).value == leaf.usage
    )


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey, now: datetime, life: timedelta
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - BACKDATED)
        .not_valid_after(now + life)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _usage(*, authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not authority,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
