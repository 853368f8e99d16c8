"""Where a request comes from, as precisely as the journal may know it."""

from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from starlette.types import Scope


def address_of(scope: Scope) -> str:
    """The client's address; a proxy's word is believed only where uvicorn was told so (RESAPERMIS_TRUSTED_PROXIES)."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def place_of(scope: Scope) -> str:
    """The client's network: /24 for IPv4, /48 for IPv6; empty when unknown."""
    address = _parsed(scope)
    return "" if address is None else str(ip_network((address, 24 if address.version == 4 else 48), strict=False))


def counted_as(scope: Scope) -> str:
    """What rate limits count: an IPv4 address, or the /64 that one IPv6 subscriber has whole."""
    address = _parsed(scope)
    if address is None:
        return address_of(scope)
    return str(address if address.version == 4 else ip_network((address, 64), strict=False))


def _parsed(scope: Scope) -> IPv4Address | IPv6Address | None:
    """IPv4 in IPv6's clothes is IPv4."""
    try:
        address = ip_address(address_of(scope))
    except ValueError:
        return None
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address
