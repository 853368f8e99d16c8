"""Where a database is and how it is reached: in clear on this machine alone, else over TLS that verifies chain and name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from resapermis_kit.tls import policy
from resapermis_kit.tls.certificates import Authorities, Certificates, Unusable

PEER = "database"
VERIFIED = "verify-full"
WORDS = "RESAPERMIS_DATABASE_URL: postgresql://role@host/database?sslmode=verify-full&sslrootcert=/path/of/ca.pem"


def open_engine(
    url: str, certificates: Certificates | None = None, *, connect_args: Mapping[str, Any], **options: Any
) -> AsyncEngine:
    """An engine for postgresql://…, with libpq's words for TLS: `sslmode`, `sslrootcert`.

    ValueError where another machine would be spoken to without `sslmode=verify-full`, or its authorities cannot be read.
    `certificates` say which serial numbers are denied. A connection that was opened while another authority was believed, or
    other numbers were denied, is not used again: the pool opens another.
    """
    address = make_url(url).set(drivername="postgresql+asyncpg")
    mode, root = _word(address, "sslmode"), _word(address, "sslrootcert")
    address = address.difference_update_query(["sslmode", "sslrootcert"])
    if mode != VERIFIED:
        if not _on_this_machine(address):
            raise ValueError(
                f"this database is on another machine, and must be spoken to over TLS that verifies it; {WORDS}"
            )
        return create_async_engine(address, connect_args={**connect_args, **({"ssl": mode} if mode else {})}, **options)
    if not root:
        raise ValueError(f"who may have signed the database's certificate? {WORDS}")
    try:
        authorities = Authorities(PEER, Path(root), certificates.denied if certificates else policy.nobody)
    except Unusable as wrong:
        raise ValueError(f"sslrootcert: {wrong}; {WORDS}") from None
    engine = create_async_engine(address, connect_args=dict(connect_args), **options)
    _renew(engine, authorities, certificates)
    return engine


def _renew(engine: AsyncEngine, authorities: Authorities, certificates: Certificates | None) -> None:
    def believed() -> object:
        authorities.look()
        return authorities.generation, certificates.denials if certificates else None

    def connecting(_dialect: object, _record: object, _arguments: object, named: dict[str, Any]) -> None:
        named["ssl"] = authorities.client_context()

    def connected(_connection: object, record: Any) -> None:
        record.info["believed"] = believed()

    def checkout(_connection: object, record: Any, _pooled: object) -> None:
        if record.info["believed"] != believed():
            raise sa.exc.DisconnectionError

    sa.event.listen(engine.sync_engine, "do_connect", connecting)
    sa.event.listen(engine.sync_engine, "connect", connected)
    sa.event.listen(engine.sync_engine, "checkout", checkout)


def _word(address: sa.URL, name: str) -> str:
    found = address.query.get(name, "")
    return found if isinstance(found, str) else found[-1]


def _on_this_machine(address: sa.URL) -> bool:
    """Whether each host that the address names is a unix socket or loopback; none named is whatever PGHOST says."""
    named = address.query.get("host", ())
    hosts = [host for text in ((named,) if isinstance(named, str) else named) for host in text.split(",")]
    hosts += [address.host] if address.host else []
    return bool(hosts) and all(host.startswith("/") or policy.on_this_machine(_without_port(host)) for host in hosts)


def _without_port(host: str) -> str:
    name, colon, port = host.partition(":")
    return name if colon and port.isdecimal() else host
