"""What the stack gives its processes to know each other by."""

import json
import stat
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, NameOID

from devstack import certificates
from devstack.certificates import BACKDATED, LEAF_LIFE, PLATFORM, RENEW_BEFORE, Leaf, ensure_certificates
from devstack.components import ALL_COMPONENTS, NATS, OPERATOR, SERVICES, Ports
from devstack.keys import ensure_keys, ensure_keysets
from devstack.nats import accounts
from devstack.settings import ROOT
from resapermis_kit.process.topology import Topology
from resapermis_vault.errors import Unreadable
from resapermis_vault.keyset import Keyset

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)


def leaf(folder, name):
    return x509.load_pem_x509_certificate((folder / name / "tls.pem").read_bytes())


def names_of(certificate):
    names = certificate.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    return names.get_values_for_type(x509.DNSName), [str(one) for one in names.get_values_for_type(x509.IPAddress)]


def test_a_certificate_names_its_service_and_loopback_and_only_its_owner_reads_the_key(tmp_path):
    ensure_certificates(tmp_path, {"basket": Leaf()}, NOW)
    certificate = leaf(tmp_path, "basket")
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "basket"
    assert names_of(certificate) == (["basket", "localhost"], ["127.0.0.1"])
    for key in (tmp_path / "ca.key", tmp_path / "basket" / "tls.key"):
        assert stat.S_IMODE(key.stat().st_mode) == 0o600


@pytest.mark.req("S-17")
@pytest.mark.parametrize(
    ("later", "renewed"),
    [(timedelta(days=1), []), (LEAF_LIFE - RENEW_BEFORE, ["basket"]), (-2 * BACKDATED, ["basket"])],
    ids=["young", "a third left", "not valid yet"],
)
def test_a_certificate_is_kept_until_it_is_close_to_its_end(tmp_path, later, renewed):
    ensure_certificates(tmp_path, {"basket": Leaf()}, NOW)
    before = leaf(tmp_path, "basket").serial_number
    assert ensure_certificates(tmp_path, {"basket": Leaf()}, NOW + later) == renewed
    assert (leaf(tmp_path, "basket").serial_number != before) is bool(renewed)


@pytest.mark.req("S-17")
def test_good_certificates_are_renewed_too_where_that_is_asked_for_and_the_authority_stays(tmp_path):
    ensure_certificates(tmp_path, {"basket": Leaf()}, NOW)
    before, authority = leaf(tmp_path, "basket").serial_number, (tmp_path / "ca.pem").read_bytes()
    assert ensure_certificates(tmp_path, {"basket": Leaf()}, NOW, renew=True) == ["basket"]
    assert leaf(tmp_path, "basket").serial_number != before
    assert (tmp_path / "ca.pem").read_bytes() == authority


@pytest.mark.req("S-17")
def test_certificates_live_seven_days_and_longer_ones_of_earlier_releases_are_replaced(tmp_path, monkeypatch):
    monkeypatch.setattr(certificates, "LEAF_LIFE", timedelta(days=90))
    ensure_certificates(tmp_path, {"basket": Leaf()}, NOW)
    monkeypatch.undo()
    assert ensure_certificates(tmp_path, {"basket": Leaf()}, NOW) == ["basket"]
    made = leaf(tmp_path, "basket")
    assert made.not_valid_after_utc - NOW == timedelta(days=7)


def test_a_component_that_gets_another_name_gets_another_certificate(tmp_path):
    ensure_certificates(tmp_path, {"postgres": Leaf(asks=False)}, NOW)
    wanted = {"postgres": Leaf(names=("db.internal", "10.0.0.8"), asks=False)}
    assert ensure_certificates(tmp_path, wanted, NOW) == ["postgres"]
    assert names_of(leaf(tmp_path, "postgres")) == (
        ["postgres", "localhost", "db.internal"],
        ["127.0.0.1", "10.0.0.8"],
    )
    assert ensure_certificates(tmp_path, wanted, NOW) == []


def test_who_only_asks_is_no_server_and_who_only_serves_is_no_client(tmp_path):
    ensure_certificates(tmp_path, PLATFORM, NOW)
    uses = {
        name: set(leaf(tmp_path, name).extensions.get_extension_for_oid(ExtensionOID.EXTENDED_KEY_USAGE).value)
        for name in PLATFORM
    }
    server, client = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH
    assert uses == {
        NATS: {server},
        OPERATOR: {client},
        **{service.name: {server, client} for service in SERVICES},
    }


def test_the_public_keys_hold_no_private_part(tmp_path):
    ensure_keys(tmp_path)
    public = json.loads((tmp_path / "principal.jwks.json").read_text())["keys"][0]
    private = json.loads((tmp_path / "principal.jwk.json").read_text())
    assert "d" not in public
    assert public["kid"] == private["kid"]


@pytest.mark.req("S-02")
def test_egress_has_a_keyset_of_its_own_and_reads_what_was_sealed_before_it_had(tmp_path):
    ensure_keysets(tmp_path)
    egress = tmp_path / "keyset-egress.json"
    web, fresh = Keyset.load(tmp_path / "keyset-auth-gateway.json"), Keyset.load(egress)
    sealed = web.wrap(b"token", "row")
    with pytest.raises(Unreadable):
        fresh.unwrap(sealed, "row")
    egress.unlink()  # as release 0.2.0 left a home
    ensure_keysets(tmp_path)
    upgraded = Keyset.load(egress)
    assert upgraded.unwrap(sealed, "row") == b"token"
    with pytest.raises(Unreadable):
        web.unwrap(upgraded.wrap(b"token", "row"), "row")
    assert stat.S_IMODE(egress.stat().st_mode) == 0o600
    assert sorted(file.name for file in tmp_path.glob("*.new")) == []


def test_no_subject_is_given_to_two_services():
    """What the bus' account gives away, tried on a server in test_bus_accounts.py."""
    exports = json.loads(accounts(Topology.load(ROOT / "policies")).splitlines()[0].partition(": ")[2])["exports"]
    given = {one["service"]: one["accounts"] for one in exports}
    assert len(given) == len(exports)
    basket = {
        subject for subject, owners in given.items() if owners == ["basket"] and subject.startswith("resapermis.")
    }
    assert basket == {"resapermis.basket.v1.*", "resapermis.booking.v1.*", "resapermis.audit.v1.Record.basket"}
    assert all(len(owners) == 1 for owners in given.values())


def test_every_service_stands_in_the_table_of_the_bus():
    assert set(Topology.load(ROOT / "policies").services) == {service.name for service in SERVICES}


def test_no_two_components_want_the_same_port():
    ports = Ports(8080)
    wanted = [port for component in ALL_COMPONENTS for port in ports.of(component).values()]
    assert len(wanted) == len(set(wanted))
    assert [ports.grpc(service) for service in SERVICES] == list(range(8090, 8097))
