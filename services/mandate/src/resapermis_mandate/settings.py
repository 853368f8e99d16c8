"""Settings of mandate."""

from pathlib import Path

from resapermis_kit.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """What mandate is told from outside."""

    # Where the services that this one calls are: see ServiceSettings.peer for what an address may be.
    peer_egress: str = ""

    keyset_file: Path
    """Vault keyset: wraps person keys, keys the blind index. Losing it loses every name."""
    look_seconds: float = 2.0
    """How often due mandates are looked for; each has its own back-off."""
    looks_at_once: int = 20
    """At most this many mandates are read at RdvPermis in a round, so that people's calls come first."""
