"""A certificate for each service and the gateway's signing key; trust in nobody. A pytest plugin."""

import datetime as dt
import ipaddress
import json
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from joserfc.jwk import KeySet, OKPKey

from resapermis_kit.rpc.auth import Signer

SERVICES = ("auth-gateway", "egress", "mandate", "scheduling-rules", "basket", "audit", "notification")
NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""`verify=` of an httpx2 client of plain HTTP, which else reads all authorities of the system: 54 ms of CPU a client."""


def make_certificates(folder: Path, names: tuple[str, ...] = SERVICES, days: int = 2) -> None:
    """Write a CA and one leaf for each service: <folder>/<name>/{ca.pem,tls.pem,tls.key}."""
    now = dt.datetime.now(dt.UTC)
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "ResaPermis test CA")])

    def build(subject: x509.Name, public_key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(ca_name)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - dt.timedelta(minutes=5))
            .not_valid_after(now + dt.timedelta(days=days))
        )

    ca = build(ca_name, ca_key.public_key()).add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
    ca_pem = ca.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    for name in names:
        place = folder / name
        place.mkdir(parents=True, exist_ok=True)
        key = ec.generate_private_key(ec.SECP256R1())
        san = x509.SubjectAlternativeName(
            [x509.DNSName(name), x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        )
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH])
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        leaf = build(subject, key.public_key()).add_extension(san, critical=False).add_extension(usage, critical=False)
        (place / "ca.pem").write_bytes(ca_pem)
        (place / "tls.pem").write_bytes(leaf.sign(ca_key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
        (place / "tls.key").write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )


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
