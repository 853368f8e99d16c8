"""Where a request comes from, as precisely as the journal may know it."""

from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.types import Scope


def address_of(scope: Scope) -> str:
    """The client's address; a proxy's word is believed only where the deployment trusts it (RESAPERMIS_TRUSTED_PROXIES)."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def place_of(scope: Scope) -> str:
    """The client's network: /24 for IPv4, /48 for IPv6; empty when unknown."""
    return network(address_of(scope))


@lru_cache(maxsize=4096)
def network(text: str) -> str:
    """The same of an address that a connection comes from."""
    address = _parsed(text)
    return "" if address is None else str(ip_network((address, 24 if address.version == 4 else 48), strict=False))


def counted_as(scope: Scope) -> str:
    """What rate limits count: an IPv4 address, or the /64 that one IPv6 subscriber has whole."""
    return counted(address_of(scope))


@lru_cache(maxsize=4096)
def counted(text: str) -> str:
    """The same of an address that a connection comes from."""
    address = _parsed(text)
    if address is None:
        return text
    return str(address if address.version == 4 else ip_network((address, 64), strict=False))


def _parsed(text: str) -> IPv4Address | IPv6Address | None:
    """IPv4 in IPv6's clothes is IPv4."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
