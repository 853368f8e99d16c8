"""A certificate authority of this stack alone, and one leaf certificate a process.

Keys never leave `home/tls`; files are 0600. Leaves live 90 days and are renewed when fewer than 30 are left, the
authority lives ten years.
"""

import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

AUTHORITY_LIFE = timedelta(days=3650)
LEAF_LIFE = timedelta(days=90)
RENEW_BEFORE = timedelta(days=30)
BACKDATED = timedelta(minutes=5)
"""So that a clock a little behind does not refuse a fresh certificate."""


def ensure_certificates(folder: Path, names: Iterable[str], now: datetime) -> None:
    """Write `folder/<name>/{ca.pem,tls.pem,tls.key}` for each name, keeping what is still good."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    certificate, key = _authority(folder, now)
    for name in names:
        _leaf(folder / name, name, certificate, key, now)


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


def _leaf(
    folder: Path, name: str, authority: x509.Certificate, authority_key: ec.EllipticCurvePrivateKey, now: datetime
) -> None:
    authority_pem = authority.public_bytes(serialization.Encoding.PEM)
    files = {name: folder / name for name in ("ca.pem", "tls.pem", "tls.key")}
    if all(file.exists() for file in files.values()) and files["ca.pem"].read_bytes() == authority_pem:
        leaf = x509.load_pem_x509_certificate(files["tls.pem"].read_bytes())
        if leaf.not_valid_after_utc - now > RENEW_BEFORE:
            return
    folder.mkdir(mode=0o700, exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    # The service's own name comes first: NATS takes the first name that is one of its users.
    names: list[x509.GeneralName] = [
        x509.DNSName(name),
        x509.DNSName("localhost"),
        x509.IPAddress(ip_address("127.0.0.1")),
    ]
    leaf = (
        _builder(subject, authority.subject, key.public_key(), now, LEAF_LIFE)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_usage(authority=False), critical=True)
        .add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    write_secret(files["tls.key"], _pem(key))
    write_secret(files["tls.pem"], leaf.public_bytes(serialization.Encoding.PEM))
    write_secret(files["ca.pem"], authority_pem)


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
