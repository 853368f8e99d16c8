"""Settings of audit."""

from pathlib import Path

from resapermis_kit.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """What audit needs beside the kit's settings: as RESAPERMIS_<NAME>."""

    # Where the services that this one calls are: see ServiceSettings.peer for what an address may be.
    peer_auth_gateway: str = ""
    peer_mandate: str = ""
    peer_scheduling_rules: str = ""
    peer_basket: str = ""
    peer_notification: str = ""
    peer_audit: str = ""

    keyset_file: Path
    """Vault keyset that seals records and the signing key at rest."""
    audit_origin: str = "resapermis/journal"
    """Name of the log in its checkpoints; changing it starts a log that no verifier knows."""
    integrate_seconds: float = 0.25
    """Seconds between rounds that put waiting records into the tree."""
