"""The environment of each component: the process contract of every service, filled in for loopback."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from devstack.components import (
    BUS_ADMIN,
    MAIL,
    NATS,
    OPERATOR,
    POSTGRES,
    SANDBOX,
    Ports,
    Service,
    callers_of,
    service_named,
)
from resapermis_kit.roles.rights import OWNER

ROOT = Path(__file__).resolve().parents[2]
INHERITED = (
    "PATH",
    "PYTHONPATH",  # a copy of the tree runs its own services, not the installed ones
    "HOME",
    "USER",
    "LANG",
    "LC_ALL",
    "TZ",
    "TMPDIR",
    "SSL_CERT_FILE",
    "COVERAGE_PROCESS_START",
)
CLIENT_ID = "resapermis"
GATEWAY = "resapermis_auth_gateway"
"""The package whose processes have secrets that the others of it must not have."""
REALM = "realms/formation"
PREFIX = "RESAPERMIS_"
"""How the settings of our services and of bus-admin begin; what else runs has none of them."""
READERS: dict[str, tuple[str, ...]] = {
    "RESAPERMIS_OIDC_ISSUER": ("auth-gateway", "egress"),
    "RESAPERMIS_OIDC_": ("egress",),
    "RESAPERMIS_RDVPERMIS_": ("egress",),
    "RESAPERMIS_PRINCIPAL_KEY_FILE": ("auth-gateway",),
}
"""How a setting's name begins → the only components that are given it; the first that fits counts, other settings go to every service."""
CREDENTIALS = ("OIDC_CLIENT_SECRET", "OIDC_CLIENT_SECRET_FILE", "OIDC_CLIENT_KEY_FILE", "OIDC_CLIENT_KEY_FILE_FILE")
"""Settings that prove at the provider who we are: with one of them the sandbox's secret is not used."""


def reads(component: str, name: str) -> bool:
    """Whether a variable for the whole stack goes into the environment of a component's process."""
    if not name.startswith(PREFIX):
        return True
    if component in {POSTGRES, NATS, MAIL, SANDBOX}:
        return False
    return component in next((readers for start, readers in READERS.items() if name.startswith(start)), (component,))


@dataclass
class Settings:
    """The settings of each process of a stack; those given win over what is computed.

    `extra` goes to all processes that read it (`reads`), `by_component` to one component's; a `migrate` gets no RESAPERMIS_* of either.
    """

    home: Path
    ports: Ports
    extra: dict[str, str]
    by_component: dict[str, Mapping[str, str]]
    databases: dict[str, str] = field(default_factory=dict)
    """URL by role: a service's (`Service.role`) serves from its database, `<database>_owner` migrates it."""
    replicas: Mapping[str, int] = field(default_factory=dict)
    """How often a service runs, by its name; once where it is not named."""

    @property
    def tls(self) -> Path:
        """The authority and a folder with a certificate for each process."""
        return self.home / "tls"

    @property
    def secrets(self) -> Path:
        """Folder of the signing key, the client secret and the keysets."""
        return self.home / "secrets"

    @property
    def public_url(self) -> str:
        """The web face's URL, for people and as the OIDC redirect's base."""
        return f"http://localhost:{self.ports.web}"

    @property
    def sandbox_url(self) -> str:
        """The sandbox's URL, RdvPermis' API and OIDC provider."""
        return f"http://localhost:{self.ports.sandbox}"

    @property
    def smtp_url(self) -> str:
        """The mail catcher's SMTP URL."""
        return f"smtp://127.0.0.1:{self.ports.smtp}"

    def base(self, component: str) -> dict[str, str]:
        """The little of our own environment that any component gets, and what the caller adds for it."""
        inherited = {name: os.environ[name] for name in INHERITED if name in os.environ}
        extra = {name: value for name, value in self.extra.items() if reads(component, name)}
        return {**inherited, "PYTHONUNBUFFERED": "1", **extra, **self.by_component.get(component, {})}

    def address(self, service: Service) -> str:
        """Where the others find a service: every replica, as a headless Service's name resolves in Kubernetes."""
        replicas = range(1, self.replicas.get(service.name, 1) + 1)
        return ",".join(f"127.0.0.1:{self.ports.grpc(service, replica)}" for replica in replicas)

    def bus_admin(self) -> dict[str, str]:
        """Environment variables of bus-admin's process: the bus, the operator's certificate, nothing else."""
        computed = {
            "RESAPERMIS_NATS_URL": f"tls://127.0.0.1:{self.ports.nats}",
            "RESAPERMIS_NATS_MONITOR": f"https://127.0.0.1:{self.ports.nats_monitor}",
            "RESAPERMIS_TLS_DIR": str(self.tls / OPERATOR),
            "RESAPERMIS_METRICS_LISTEN": f"127.0.0.1:{self.ports.bus_admin}",
            "RESAPERMIS_POLICIES": str(ROOT / "policies"),
        }
        return computed | self.base(BUS_ADMIN)

    def service(self, service: Service, replica: int = 1) -> dict[str, str]:
        """Environment variables of a service's process (RESAPERMIS_*), those of one replica."""
        given = self.base(service.name)
        computed = {
            "RESAPERMIS_DATABASE_URL": self.databases.get(service.role, ""),
            "RESAPERMIS_NATS_URL": f"tls://127.0.0.1:{self.ports.nats}",
            "RESAPERMIS_NATS_MONITOR": f"https://127.0.0.1:{self.ports.nats_monitor}",
            "RESAPERMIS_TLS_DIR": str(self.tls / service.name),
            "RESAPERMIS_GRPC_LISTEN": f"127.0.0.1:{self.ports.grpc(service, replica)}",
            "RESAPERMIS_GRPC_CLIENTS": ",".join(callers_of(service)),
            "RESAPERMIS_METRICS_LISTEN": f"127.0.0.1:{self.ports.metrics(service, replica)}",
            "RESAPERMIS_PRINCIPAL_JWKS": str(self.secrets / "principal.jwks.json"),
            "RESAPERMIS_POLICIES": str(ROOT / "policies"),
            **{service_named(name).peer_variable: self.address(service_named(name)) for name in service.calls},
        }
        if service.keyset:
            computed["RESAPERMIS_KEYSET_FILE"] = str(self.secrets / f"keyset-{service.keyset}.json")
        if service.package == GATEWAY:
            computed |= {
                "RESAPERMIS_PUBLIC_URL": self.public_url,
                "RESAPERMIS_OIDC_ISSUER": f"{self.sandbox_url}/{REALM}",
            }
        if service.face == "web":
            computed |= {
                "RESAPERMIS_WEB_LISTEN": f"127.0.0.1:{self.ports.pages(replica)}",
                "RESAPERMIS_WEB_ROOT": str(ROOT / "web" / "dist"),
                "RESAPERMIS_PRINCIPAL_KEY_FILE": str(self.secrets / "principal.jwk.json"),
            }
        if service.face == "egress":
            computed |= {
                "RESAPERMIS_OIDC_CLIENT_ID": CLIENT_ID,
                "RESAPERMIS_RDVPERMIS_URL": self.sandbox_url,
            }
            if not any(f"{PREFIX}{name}" in given for name in CREDENTIALS):
                computed["RESAPERMIS_OIDC_CLIENT_SECRET_FILE"] = str(self.secrets / "oidc-client-secret")
        if service.name == "notification":
            computed |= {
                "RESAPERMIS_SMTP_URL": self.smtp_url,
                "RESAPERMIS_MAIL_FROM": "ResaPermis <ne-pas-repondre@resapermis.example>",
                "RESAPERMIS_PUBLIC_URL": self.public_url,
            }
        return computed | given

    def migration(self, service: Service) -> dict[str, str]:
        """Environment variables of a service's `migrate`: its database as the owner, no key, no certificate, no peer."""
        given = {name: value for name, value in self.base(service.name).items() if not name.startswith(PREFIX)}
        return {**given, "RESAPERMIS_DATABASE_URL": self.databases[f"{service.database}{OWNER}"]}

    def sandbox(self) -> dict[str, str]:
        """Environment variables of the RdvPermis sandbox's process (RDVPERMIS_*)."""
        computed = {
            "RDVPERMIS_LISTEN": f"127.0.0.1:{self.ports.sandbox}",
            "RDVPERMIS_PUBLIC_URL": self.sandbox_url,
            "RDVPERMIS_CLIENT_ID": CLIENT_ID,
            "RDVPERMIS_CLIENT_SECRET": (self.secrets / "oidc-client-secret").read_text(encoding="utf-8"),
            "RDVPERMIS_REDIRECT_URIS": f"{self.public_url}/auth/callback",
            "RDVPERMIS_BACKCHANNEL_LOGOUT_URI": f"{self.public_url}/auth/backchannel-logout",
            "RDVPERMIS_SMTP_URL": self.smtp_url,
            "RDVPERMIS_STATE_FILE": str(self.home / "rdvpermis.state"),
        }
        return computed | self.base(SANDBOX)

    @property
    def nats_tls(self) -> Path:
        """The folder with the server certificate of NATS."""
        return self.tls / NATS
