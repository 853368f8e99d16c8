"""Settings of the egress process, on top of those both faces share."""

from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, field_validator

from resapermis_auth_gateway.egress.claim_names import ClaimNames
from resapermis_auth_gateway.settings import SIGNING_KEY, Settings, http_address


class EgressSettings(Settings):
    """How RdvPermis and its provider are asked. The defaults are RdvPermis' published limits."""

    of_another_process = (SIGNING_KEY,)

    oidc_client_id: str
    """Our name at the provider."""
    oidc_client_secret: SecretStr = SecretStr("")
    """Our secret there; better as RESAPERMIS_OIDC_CLIENT_SECRET_FILE. Empty where a key alone is registered."""
    oidc_client_key_file: Path | None = None
    """Our private key there as JWK (RSA or P-256), for private_key_jwt."""
    oidc_client_auth: Literal["", "private_key_jwt", "client_secret_basic", "client_secret_post"] = ""
    """How we prove who we are there; empty: the strongest of these that the provider's document lists and we have."""
    oidc_scopes: str = "openid rdvpermis"
    """Asked at sign-in; where a provider gives no name without `profile`, that too. A grant for background work is asked `offline_access` besides."""
    oidc_claims: str = ""
    """Where the provider states what we use of a person, if not as the standard has it (`name`, `email`, `locale`, `sid`): with commas
    display_name=, email=, locale=, provider_session_id= and its claim; several for a name, e.g. "display_name=given_name usual_name,email=mail"."""
    oidc_prompt: str = ""
    """`prompt` of each sign-in, e.g. "consent" where a provider gives no refresh token otherwise; empty: none."""
    oidc_grant_prompt: str = "consent"
    """`prompt` where a grant for background work is asked for, so that a person agrees to that by itself; empty: none."""
    oidc_max_age_seconds: int = Field(default=0, ge=0)
    """So long ago a person may have proved at the provider who they are (`max_age`, `auth_time`); 0: whenever."""
    oidc_revocation_ends: Literal["family", "person"] = "person"
    """What ends at the provider with a token that is revoked: all that the person let us do (Keycloak, oidc-provider), so that nothing is
    revoked of who has a session or a grant for background work here; or what came of the same sign-in or grant, and it is revoked at once."""
    oidc_timeout_seconds: float = Field(default=5.0, gt=0, le=6)
    """How long the provider may take for one whole answer."""
    rdvpermis_url: str
    """Base address of RdvPermis' API."""
    rdvpermis_ca_file: Path | None = None
    """CAs (PEM) trusted for RdvPermis and its provider instead of the system's. TLS is always verified."""
    rdvpermis_connections: int = Field(default=64, ge=1, le=1000)
    """HTTP connections at most; a call waits one second for one."""
    rdvpermis_employee_calls: int = Field(default=210, ge=1)
    """Calls a minute of one employee."""
    rdvpermis_school_calls: int = Field(default=600, ge=1)
    """Calls a minute of one school."""
    rdvpermis_background_share: float = Field(default=0.5, gt=0, lt=1)
    """Part of a minute's calls that work nobody asked for may use; the rest waits for people."""
    rdvpermis_call_seconds: float = 8.0
    """A call ends after so long, whatever drips in."""
    rdvpermis_failures_to_open: int = Field(default=5, ge=1)
    """Calls without answer, in a row, after which the circuit opens."""
    rdvpermis_open_seconds: float = 2.0
    """First pause of an open circuit; pauses double to 30 s."""

    @field_validator("rdvpermis_url")
    @classmethod
    def _is_an_api_address(cls, value: str) -> str:
        return http_address(value).rstrip("/")

    @field_validator("oidc_claims")
    @classmethod
    def _maps_claims(cls, value: str) -> str:
        ClaimNames.parse(value)
        return value

    @field_validator("oidc_client_secret", mode="before")
    @classmethod
    def _without_line_end(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value
