"""Settings of mandate."""

from pathlib import Path

from resapermis_kit.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """What mandate needs beside the kit's settings: as RESAPERMIS_<NAME>."""

    # Where the services that this one calls are: see ServiceSettings.peer for what an address may be.
    peer_egress: str = ""

    keyset_file: Path
    """Vault keyset: wraps person keys, keys the blind index. Losing it loses every name."""
    poll_seconds: float = 2.0
    """Seconds between rounds of polling what is due; each mandate has its own back-off."""
    polls_at_once: int = 20
    """Most mandates polled in one round, so that people's calls come first."""
