"""The sandbox's settings, from RDVPERMIS_* variables."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Settings:
    """Each has a default that works on one machine."""

    listen: str = "127.0.0.1:8081"
    public_url: str = "http://localhost:8081"
    client_id: str = "resapermis"
    client_secret: str = "sandbox-secret"  # noqa: S105 - invented, printed in the README
    redirect_uris: tuple[str, ...] = ("http://localhost:8080/auth/callback",)
    backchannel_logout_uri: str = ""
    """Where the client wants to be told that somebody signed out here; empty: nowhere."""
    introspection_url: str = ""
    """Where another provider tells what its tokens are worth (RFC 7662); empty: only our own are known."""
    introspection_client_id: str = "rdvpermis"
    introspection_client_secret: str = ""
    smtp_url: str = ""
    """smtp://host:port, or smtp+starttls://host:port, which sends nothing in clear."""
    tls_dir: str = ""
    """Folder with tls.pem and tls.key: then all is https. Empty: plain HTTP, for one machine."""
    seed: int = 1
    schools: int = 1000
    state_file: str = ""
    now: datetime | None = None

    @property
    def issuer(self) -> str:
        """URL of the realm: the `iss` of its tokens."""
        return f"{self.public_url}/realms/formation"


def _secret(environment: Mapping[str, str], name: str, otherwise: str) -> str:
    """As a variable, or in the file that `<name>_FILE` names; OSError where there is none."""
    file = environment.get(f"{name}_FILE", "")
    return Path(file).read_text(encoding="utf-8").strip() if file else environment.get(name, otherwise)


def read(environment: Mapping[str, str]) -> Settings:
    """From the environment; ValueError for a number or time that is none, OSError for a secret's file that cannot be read."""
    plain = Settings()
    redirects = environment.get("RDVPERMIS_REDIRECT_URIS", "")
    now = environment.get("RDVPERMIS_NOW", "")
    moment = datetime.fromisoformat(now) if now else None
    if moment and moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return Settings(
        environment.get("RDVPERMIS_LISTEN", plain.listen),
        environment.get("RDVPERMIS_PUBLIC_URL", plain.public_url).rstrip("/"),
        environment.get("RDVPERMIS_CLIENT_ID", plain.client_id),
        _secret(environment, "RDVPERMIS_CLIENT_SECRET", plain.client_secret),
        tuple(each.strip() for each in redirects.split(",") if each.strip()) or plain.redirect_uris,
        environment.get("RDVPERMIS_BACKCHANNEL_LOGOUT_URI", ""),
        environment.get("RDVPERMIS_INTROSPECTION_URL", ""),
        environment.get("RDVPERMIS_INTROSPECTION_CLIENT_ID", plain.introspection_client_id),
        environment.get("RDVPERMIS_INTROSPECTION_CLIENT_SECRET", ""),
        environment.get("RDVPERMIS_SMTP_URL", ""),
        environment.get("RDVPERMIS_TLS_DIR", ""),
        int(environment.get("RDVPERMIS_SEED", plain.seed)),
        int(environment.get("RDVPERMIS_SCHOOLS", plain.schools)),
        environment.get("RDVPERMIS_STATE_FILE", ""),
        moment,
    )
