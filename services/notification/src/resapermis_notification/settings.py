"""Settings of notification."""

from pathlib import Path

from pydantic import SecretStr

from resapermis_kit.process.settings import ServiceSettings


class Settings(ServiceSettings):
    """What notification needs beside the kit's settings: as RESAPERMIS_<NAME>."""

    # Where the services that this one calls are: see ServiceSettings.peer for what an address may be.
    peer_auth_gateway: str = ""
    peer_mandate: str = ""
    peer_basket: str = ""
    peer_scheduling_rules: str = ""

    database_pool: int = 16
    """Connections. Seven are held for good: by the relay, the three consumers and the three leader tasks."""
    smtp_url: str
    """smtps://host:port (TLS from the start) or smtp+starttls://host:port (STARTTLS or nothing); smtp://host:port is for a mail
    catcher on the same machine, and refused for any other."""
    smtp_ca_file: Path | None = None
    """CAs (PEM) trusted for the mail server instead of the system's. TLS is always verified."""
    smtp_username: str = ""
    """Account at the mail server; when set, STARTTLS is demanded of an smtp:// server too."""
    smtp_password: SecretStr = SecretStr("")
    """Its password; give it as RESAPERMIS_SMTP_PASSWORD_FILE."""
    mail_from: str
    """Sender of every mail, e.g. "ResaPermis <no-reply@example.org>"; its domain ends each Message-ID."""
    public_url: str = ""
    """Where mails to schools lead; empty: they hold no link."""
    deliver_seconds: float = 1.0
    """Seconds between rounds of sending what is due; each mail has its own back-off."""
    purge_seconds: float = 3600.0
    """Seconds between rounds of deleting notices older than twelve months."""
