"""Settings of audit."""

from pathlib import Path

from resapermis_kit.settings import ServiceSettings


class Settings(ServiceSettings):
    """What audit is told from outside."""

    keyset_file: Path
    """Vault keyset that seals records and the signing key at rest."""
    audit_origin: str = "resapermis/journal"
    """Name of the log in its checkpoints; changing it starts a log that no verifier knows."""
    integrate_seconds: float = 0.25
    """How long a record may wait for its place in the tree."""
