"""Settings every service has; each service adds its own in one frozen subclass, its peers' addresses among them."""

import os
from pathlib import Path
from typing import Any

from pydantic import Field, field_validator
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from resapermis_kit.tls.policy import require_tls

PREFIX = "RESAPERMIS_"


class SecretFiles(PydanticBaseSettingsSource):
    """Reads RESAPERMIS_<NAME>_FILE for any setting, so that a secret need not stand in the environment."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return the file's content without its last line end, or None."""
        del field
        path = os.environ.get(f"{PREFIX}{field_name.upper()}_FILE")
        return (Path(path).read_text(encoding="utf-8").rstrip("\n") if path else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return field name → content, for those that have a file."""
        found = {name: self.get_field_value(field, name)[0] for name, field in self.settings_cls.model_fields.items()}
        return {name: value for name, value in found.items() if value is not None}


class ProcessSettings(BaseSettings):
    """What a deployment sets for any process, as RESAPERMIS_<NAME>, or in a file that RESAPERMIS_<NAME>_FILE names.

    A refusal (ValidationError) names settings and never shows the values that came along.
    """

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="ignore", hide_input_in_errors=True)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments first, then the environment, then *_FILE."""
        del dotenv_settings, file_secret_settings
        return init_settings, env_settings, SecretFiles(settings_cls)


class Database(ProcessSettings):
    """All that `migrate` is given: it needs no key, no certificate and no peer."""

    database_url: str
    """postgresql://role@host/db of one service."""


class BusSettings(ProcessSettings):
    """What a deployment sets for any process that is on the bus."""

    nats_url: str
    """tls://host:port; several with commas."""
    nats_replicas: int = 1
    """Copies of each stream; 3 in production. bus-admin's alone."""
    tls_dir: Path
    """Folder with ca.pem, tls.pem, tls.key; the certificate's common name is the service's name, or the operator's. Looked at
    every ten seconds: who renews them need restart nothing."""
    tls_denied_serials: Path | None = None
    """File with serial numbers of certificates that are not believed any more: hexadecimal, one a line, # begins a comment. It
    must be there if it is named; by default `denied-serials` in tls_dir, if it is there."""
    nats_monitor: str = ""
    """https:// addresses of the NATS servers' monitoring ports, with commas. A service does not start on a bus that acknowledges
    what is not on its disk, and bus-admin counts handshakes that failed there; empty: neither can ask, and
    `resapermisctl invariants --nats-monitor` must."""
    metrics_listen: str
    """host:port for /metrics, /healthz and /readyz."""
    policies: Path
    """Folder of Cedar policies and their schema, and of who publishes and handles what on the bus."""
    otlp_endpoint: str = ""
    """Where traces go: https://host:port of an OTLP receiver (gRPC) with a certificate of our authority; http:// on this machine
    alone; empty: nowhere."""
    trace_ratio: float = Field(default=0.05, ge=0, le=1)
    """Share of the traces that begin here, or in a browser, which are recorded; of others their caller has decided."""
    log_level: str = "info"

    @field_validator("otlp_endpoint", "nats_monitor")
    @classmethod
    def _in_clear_on_this_machine_alone(cls, value: str) -> str:
        for url in filter(None, value.split(",")):
            require_tls(url)
        return value


class ServiceSettings(BusSettings):
    """What a deployment sets for any process of a service that serves gRPC."""

    database_url: str
    """postgresql://role@host/db of this service alone; a unix socket as ?host=/dir."""
    database_pool: int = 10
    """Connections kept; more callers than this queue for at most two seconds."""
    grpc_listen: str
    """host:port for gRPC."""
    grpc_clients: str = ""
    """Common names of the certificates whose owners may call, with commas: those that have this service among their `calls`. Any
    other is refused at each RPC, before it is asked what it may; empty: whoever has a certificate of our authority may ask."""
    principal_jwks: Path
    """Public keys with which the gateway signs who is asking."""
    leave_seconds: float = 0.0
    """How long a process goes on after SIGTERM as before, but for `/readyz`, so that whoever hands it work hears of it first."""
    drain_seconds: float = 10.0
    """How long calls under way may go on once nothing new is taken."""

    @property
    def clients(self) -> frozenset[str] | None:
        """Who may call; None: any."""
        return frozenset(filter(None, (name.strip() for name in self.grpc_clients.split(",")))) or None

    def peer(self, name: str) -> str:
        """Address of a peer by its service name: the field `peer_<name>` of the service's own settings.

        host:port, several with commas, or dns:///name:port of a headless Service; all replicas are used. ValueError
        when the deployment did not give it.
        """
        address: str = getattr(self, "peer_" + name.replace("-", "_"), "")
        if not address:
            msg = f"set {PREFIX}PEER_{name.replace('-', '_').upper()}: this service calls {name}"
            raise ValueError(msg)
        return address
