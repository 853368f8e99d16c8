"""Settings of the egress process, on top of those both faces share."""

from pathlib import Path

from pydantic import Field

from resapermis_auth_gateway.settings import Settings


class EgressSettings(Settings):
    """How RdvPermis is asked. The defaults are RdvPermis' published limits."""

    rdvpermis_ca_file: Path | None = None
    """Authorities (PEM) believed for RdvPermis and its provider instead of the system's. TLS is always verified."""
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
