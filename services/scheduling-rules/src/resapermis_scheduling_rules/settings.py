"""Settings of scheduling-rules, beside those of every service."""

from pathlib import Path

from pydantic import Field

from resapermis_kit.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """Rule parameters are not here: they are effective-dated rows of the database."""

    # Where the services that this one calls are: see ServiceSettings.peer for what an address may be.
    peer_egress: str = ""
    peer_basket: str = ""

    keyset_file: Path
    """Vault keyset: seals what people write for themselves, the labels of their searches. Losing it loses the labels."""
    polls_at_once: int = 8
    """Polls under way at a time for people, in one process; more wait in order."""
    polls_per_minute: int = 120
    """Polls a school's people may cause in a minute; what is left of their token's budget (210) is for their acts."""
    first_poll_seconds: float = 2.0
    """How long a search waits for polls when nothing of its window was ever seen; seconds."""
    remembered_seconds: float = Field(default=5.0, ge=0, le=30)
    """How long parameters, schools and centres are kept in memory; a change is in force everywhere after this.

    Well under a minute: an approved parameter counts a minute later, and each process must know it by then."""
    plan_seconds: float = 2.0
    """Pause between rounds of background polls; 0 turns them off."""
    plan_polls: int = 100
    """Most background polls in a round; with the pause, what RdvPermis is asked unasked for by all schools together."""
    polls_behind: int = 16
    """Background polls under way at a time."""
    calendar_seconds: float = Field(default=6.0, gt=0, le=60)
    """How long reading one calendar may take by the clock; its processor time ends at four seconds whatever this is."""
