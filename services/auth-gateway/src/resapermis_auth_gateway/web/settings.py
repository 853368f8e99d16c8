"""Settings of the web process, on top of those both faces share. It has no secret of RdvPermis' and no address there."""

from pathlib import Path

from pydantic import PositiveFloat, PositiveInt, field_validator

from resapermis_auth_gateway.settings import CLIENT_SECRETS, Settings


class WebSettings(Settings):
    """What browsers meet."""

    of_another_process = CLIENT_SECRETS

    # Where the services that this one calls are: see ServiceSettings.peer for what an address may be.
    peer_mandate: str = ""
    peer_scheduling_rules: str = ""
    peer_basket: str = ""
    peer_audit: str = ""
    peer_notification: str = ""
    peer_egress: str = ""

    principal_key_file: Path
    """Private Ed25519 JWK with which it is signed for the services who is asking."""
    web_listen: str = "127.0.0.1:8080"
    """host:port for browsers."""
    web_root: Path = Path("web/dist")
    """Folder of the built interface; index.html holds __CSP_NONCE__ where a nonce belongs."""
    trusted_proxies: str = ""
    """Addresses, with commas, whose X-Forwarded-For is trusted; empty: nobody's."""
    reverse_proxy: str = ""
    """host:port of whoever ends browsers' TLS before this process, to be asked once a minute which certificate it shows for the name
    of RESAPERMIS_PUBLIC_URL: metrics say when that ends. Empty: nobody asks, and somebody else must watch it."""
    reverse_proxy_ca_file: Path | None = None
    """Authorities (PEM) that may have signed it; empty: those of the system."""

    session_idle_seconds: int = 15 * 60
    """A session ends when nobody asked anything for so long; live feeds and inbox polling are no acts."""
    session_absolute_seconds: int = 8 * 3600
    """A session ends so long after sign-in, whatever happens."""
    step_up_seconds: PositiveInt = 5 * 60
    """For an act that asks who is there: so long ago they may have proved it at the provider (`auth_time`)."""
    grant_days: PositiveInt = 365
    """A grant for background work ends so long after it was given, whatever the provider says."""
    school_admins: str = ""
    """Subjects (`sub`), with commas, who are administrators of their school at sign-in, besides each school's first."""
    security_officers: str = ""
    """Subjects (`sub`), with commas, who read the journal's security records from their next sign-in on, until they are named no more."""

    head_bytes: PositiveInt = 32 * 1024
    """Bytes of a request until its headers end; 414 for an address, 431 for headers that go on."""
    head_seconds: PositiveFloat = 10.0
    """Time until they end, from a connection's beginning or a later request's first byte; 408."""
    body_bytes: PositiveInt = 2 * 1024 * 1024
    """Bytes of a body, read or not; 413. Each route takes less, 64 KiB or a calendar of 1 MiB, and refuses by itself."""
    body_seconds: PositiveFloat = 15.0
    """Time until a body ends, read or not; 408. More than the 8 s after which a route refuses by itself."""
    keep_alive_seconds: PositiveInt = 30
    """A connection that asks nothing more is closed after this."""
    unread_seconds: PositiveFloat = 30.0
    """A connection whose client takes nothing of an answer for so long is cut."""
    connections: PositiveInt = 8000
    """Open connections of this process; further ones are cut at once. Less where it may not open so many files."""
    address_connections: PositiveInt = 256
    """Open connections of one address (IPv6: /64) to this process; 503. Trusted proxies have no such limit."""

    session_requests: PositiveInt = 100
    """Requests of one session under way at once in this process, feeds among them; 429."""
    account_requests: PositiveInt = 200
    """The same of one account."""
    session_feeds: PositiveInt = 12
    """Live feeds of one session in this process, one for each open page; 429."""
    account_feeds: PositiveInt = 24
    """The same of one account."""
    address_feeds: PositiveInt = 240
    """The same of one address (IPv6: /64), the one that a trusted proxy forwards."""

    request_seconds: float = 8.0
    """Deadline of a request of a browser; peers get what is left."""
    sign_in_rate: str = "60/minute"
    """Requests of /auth/login, and by themselves of /auth/callback and of the way in by a passkey, for each client address (limits' notation)."""
    read_rate: str = "1200/minute"
    """Reads of the API for each account; a page makes about ten, and more where others of the school change something."""
    write_rate: str = "120/minute"
    """Changes for each account; signing out is not counted."""
    report_rate: str = "60/minute"
    """Reports of what browsers blocked, for each client address."""
    provider_rate: str = "600/minute"
    """Sign-outs that the provider sends by itself, for each address that they come from."""
    calendar_rate: str = "60/minute"
    """Reads of private calendar addresses for each client address; programs ask every quarter of an hour or less."""
    tick_seconds: float = 10.0
    """How often a live feed sends the server's time, and reads again whether its session lives."""

    @field_validator("reverse_proxy")
    @classmethod
    def _has_a_port(cls, value: str) -> str:
        host, _, port = value.rpartition(":")
        if value and not (host and port.isdecimal()):
            raise ValueError("host:port")
        return value
