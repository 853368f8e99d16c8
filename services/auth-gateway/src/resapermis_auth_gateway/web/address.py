"""Where a request comes from, as precisely as the journal may know it."""

from ipaddress import ip_address, ip_network

from starlette.types import Scope


def address_of(scope: Scope) -> str:
    """The client's address; a proxy's word is believed only where uvicorn was told so (RESAPERMIS_TRUSTED_PROXIES)."""
    client = scope.get("client")
    return str(client[0]) if client else ""


def place_of(scope: Scope) -> str:
    """The client's network: /24 for IPv4, /48 for IPv6; empty when unknown."""
    try:
        address = ip_address(address_of(scope))
    except ValueError:
        return ""
    if address.version == 6 and (mapped := address.ipv4_mapped) is not None:
        address = mapped
    return str(ip_network((address, 24 if address.version == 4 else 48), strict=False))
