"""Each process is given its own: one that finds another's secret in its environment does not start."""

import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from resapermis_auth_gateway.egress.settings import EgressSettings
from resapermis_auth_gateway.egress_process import registration
from resapermis_auth_gateway.settings import Database, Settings
from resapermis_auth_gateway.web.settings import WebSettings

pytestmark = pytest.mark.req("S-02", "S-03")
SHARED = {
    "DATABASE_URL": "postgresql://role:a-password@host/db",
    "NATS_URL": "tls://nats",
    "TLS_DIR": "/run/tls",
    "GRPC_LISTEN": "127.0.0.1:1",
    "METRICS_LISTEN": "127.0.0.1:2",
    "PRINCIPAL_JWKS": "/run/principal.jwks.json",
    "POLICIES": "/policies",
    "PUBLIC_URL": "https://resapermis.test/",
    "OIDC_ISSUER": "https://idp.test/realm/",
}
EGRESS = SHARED | {
    "KEYSET_FILE": "/k",
    "OIDC_CLIENT_ID": "us",
    "OIDC_CLIENT_SECRET": "s",
    "RDVPERMIS_URL": "https://rdv.test/",
}
WEB = SHARED | {"KEYSET_FILE": "/k", "PRINCIPAL_KEY_FILE": "/run/principal.jwk.json"}
MIGRATE = {"DATABASE_URL": SHARED["DATABASE_URL"]}
OWN: dict[type[Settings] | type[Database], dict[str, str]] = {
    WebSettings: WEB,
    EgressSettings: EGRESS,
    Database: MIGRATE,
}
FOREIGN = [
    (WebSettings, "OIDC_CLIENT_SECRET"),
    (WebSettings, "OIDC_CLIENT_SECRET_FILE"),
    (WebSettings, "OIDC_CLIENT_KEY_FILE"),
    (EgressSettings, "PRINCIPAL_KEY_FILE"),
    (Database, "OIDC_CLIENT_SECRET_FILE"),
    (Database, "PRINCIPAL_KEY_FILE"),
    (Database, "KEYSET_FILE"),
]


def _set(monkeypatch: pytest.MonkeyPatch, environment: dict[str, str]) -> None:
    for name, value in environment.items():
        monkeypatch.setenv(f"RESAPERMIS_{name}", value)


@pytest.mark.parametrize("kind", OWN)
def test_each_starts_with_its_own(monkeypatch: pytest.MonkeyPatch, kind: type[Settings] | type[Database]) -> None:
    _set(monkeypatch, OWN[kind])
    found = kind()  # type: ignore[call-arg] - from the environment
    if isinstance(found, Settings):
        assert found.public_url == "https://resapermis.test"
        assert found.oidc_issuer == "https://idp.test/realm/", "to the letter"


@pytest.mark.parametrize(("kind", "secret"), FOREIGN)
def test_none_starts_with_anothers_secret_and_no_value_is_shown(
    monkeypatch: pytest.MonkeyPatch, kind: type[Settings] | type[Database], secret: str
) -> None:
    _set(monkeypatch, OWN[kind])
    file = Path(__file__)
    monkeypatch.setenv(f"RESAPERMIS_{secret}", str(file))
    with pytest.raises(ValidationError) as refused:
        kind()  # type: ignore[call-arg] - from the environment
    assert f"RESAPERMIS_{secret}" in str(refused.value)
    assert "a-password" not in str(refused.value)


def test_claims_that_are_mapped_wrongly_stop_the_start_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, EGRESS | {"OIDC_CLAIMS": "display_name=given_name usual_name, email=mail"})
    mapped = registration(EgressSettings()).claims  # type: ignore[call-arg] - from the environment
    assert (mapped.display_name, mapped.email) == (("given_name", "usual_name"), "mail")
    _set(monkeypatch, {"OIDC_CLAIMS": "name=full_name"})
    with pytest.raises(ValidationError, match="not one of display_name=<claim>") as refused:
        EgressSettings()  # type: ignore[call-arg] - from the environment
    assert "oidc_claims" in str(refused.value)


def test_no_field_of_one_is_a_secret_of_the_other() -> None:
    assert not {"oidc_client_secret", "oidc_client_key_file", "rdvpermis_url"} & set(WebSettings.model_fields)
    assert "principal_key_file" not in EgressSettings.model_fields
    assert set(Database.model_fields) == {"database_url"}


def test_the_web_process_loads_nothing_that_could_speak_to_another_site() -> None:
    code = (
        "import sys; sys.modules |= dict.fromkeys(['aiohttp', 'httpx', 'httpx2', 'requests', 'authlib']);"  # not there
        "import resapermis_auth_gateway.web_process;"
        "print([name for name in sys.modules if name.startswith('resapermis_auth_gateway.egress')])"
    )
    shown = subprocess.run(  # noqa: S603 - our own interpreter
        [sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert shown.stdout == "[]\n"
