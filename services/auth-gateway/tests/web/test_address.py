"""Where requests come from: counted finely, written down coarsely."""

import pytest

from resapermis_auth_gateway.web.security.address import counted_as, place_of


@pytest.mark.parametrize(
    ("address", "place", "counted"),
    [
        ("192.0.2.77", "192.0.2.0/24", "192.0.2.77"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.77", "192.0.2.0/24", "192.0.2.77"),
        ("no address", "", "no address"),
    ],
)
def test_addresses_are_cut(address: str, place: str, counted: str) -> None:
    scope = {"type": "http", "client": (address, 1)}
    assert (place_of(scope), counted_as(scope)) == (place, counted)


def test_nobody_is_nowhere() -> None:
    assert place_of({"type": "http", "client": None}) == ""
