"""Settings of auth-gateway: one class for both faces, so that a deployment writes them once."""

from functools import cached_property
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import urlsplit

from pydantic import SecretStr, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from resapermis_kit.process.settings import PREFIX, ServiceSettings

SERVICE = "auth-gateway"
"""Our name in principals, records and events."""


class Database(BaseSettings):
    """Settings of `migrate` alone, which needs no key and no peer."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore")

    database_url: str
    """postgresql://role@host/db of this package."""


class Settings(ServiceSettings):
    """What both faces are given from outside, as RESAPERMIS_<NAME>."""

    # Where the services that this one calls are: see ServiceSettings.peer for what an address may be.
    peer_mandate: str = ""
    peer_scheduling_rules: str = ""
    peer_basket: str = ""
    peer_audit: str = ""
    peer_notification: str = ""
    peer_egress: str = ""

    principal_key_file: Path
    """Private Ed25519 JWK with which the web face signs for the services who is asking."""
    keyset_file: Path
    """Vault keyset that seals tokens and people's names and addresses at rest."""

    public_url: str
    """Where people reach the web face, e.g. https://resapermis.example. Its scheme decides cookies and HSTS."""
    web_listen: str = "127.0.0.1:8080"
    """host:port for browsers."""
    web_root: Path = Path("web/dist")
    """Folder of the built interface; index.html holds __CSP_NONCE__ where a nonce belongs."""
    trusted_proxies: str = ""
    """Addresses, with commas, whose X-Forwarded-For is believed; empty: nobody's."""

    oidc_issuer: str
    """Issuer of RdvPermis' OpenID provider, to the letter as its discovery document states it."""
    oidc_client_id: str
    """Our name there."""
    oidc_client_secret: SecretStr
    """Our secret there; better as RESAPERMIS_OIDC_CLIENT_SECRET_FILE."""
    oidc_scopes: str = "openid rdvpermis livret_numerique:read livret_numerique:write"
    """Asked at sign-in. `offline_access` keeps background work going after people have left."""
    oidc_timeout_seconds: float = 5.0
    """How long the provider may take for one answer."""
    rdvpermis_url: str
    """Base address of RdvPermis' API; only the egress face asks it."""

    session_idle_seconds: int = 15 * 60
    """A session ends when nobody asked anything for so long; live feeds and inbox polling are no acts."""
    session_absolute_seconds: int = 8 * 3600
    """A session ends so long after sign-in, whatever happens."""
    school_admins: str = ""
    """Subjects (`sub`), with commas, who are administrators of their school at sign-in, besides each school's first."""

    request_seconds: float = 8.0
    """Deadline of a request of a browser; peers get what is left."""
    sign_in_rate: str = "60/minute"
    """Requests of /auth/login and /auth/callback for each client address (limits' notation); a sign-in makes two."""
    write_rate: str = "120/minute"
    """Changes for each session."""
    calendar_rate: str = "60/minute"
    """Reads of private calendar addresses for each client address; programs ask every quarter of an hour or less."""
    tick_seconds: float = 10.0
    """How often a live feed sends the server's time, and reads again whether its session lives."""

    @field_validator("public_url", "oidc_issuer", "rdvpermis_url")
    @classmethod
    def _an_http_address(cls, value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise ValueError("an http or https address")
        return value.rstrip("/")

    @field_validator("oidc_client_secret", mode="before")
    @classmethod
    def _without_line_end(cls, value: object) -> object:
        return value.strip() if isinstance(value, str) else value

    @cached_property
    def public_origin(self) -> str:
        """The one Origin from which changes are accepted."""
        parts = urlsplit(self.public_url)
        return f"{parts.scheme}://{parts.netloc}"

    @cached_property
    def secure(self) -> bool:
        """Whether cookies are Secure and named __Host-…: always, but for plain http on loopback."""
        parts = urlsplit(self.public_url)
        if parts.scheme == "https":
            return True
        if not _is_loopback(parts.hostname or ""):
            raise ValueError("RESAPERMIS_PUBLIC_URL is plain http and not loopback: sessions would travel in clear")
        return False

    @property
    def redirect_uri(self) -> str:
        """redirect_uri of OAuth: `public_url` and /auth/callback; the provider compares it to the letter."""
        return f"{self.public_url}/auth/callback"


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
