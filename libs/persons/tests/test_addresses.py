"""What is an address at entry is one at sending, and nothing else is."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from resapermis_persons.addresses import LONGEST_ADDRESS, clean_address, is_address

CLEAN = "zoe@mail.example"


@pytest.mark.parametrize(
    "typed",
    [
        f" {CLEAN}\u00a0",
        f"{CLEAN},",
        f"{CLEAN} ;",
        f"{CLEAN}.",
        f"mailto:{CLEAN}",
        f"MailTo: {CLEAN}",
        f"<{CLEAN}>;",
        f"\ufeff{CLEAN}\u200b",
        "zoe\u200b@mail.example",
        "zoe@MAIL.example",
    ],
)
def test_what_programs_put_around_an_address_goes(typed: str) -> None:
    assert clean_address(typed) == CLEAN


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "zoe",
        "zoe@mail",
        "zoe@localhost",
        "a..b@mail.example",
        ".c@mail.example",
        "zoe@mail..example",
        "zoe@-mail.example",
        "zoe@[192.0.2.1]",
        f"{CLEAN}, lou@mail.example",
        f"Zoé <{CLEAN}>",
        f"mailto:{CLEAN}?subject=a",
        "zo e@mail.example",
        "zoe\n@mail.example",
        "x" * 65 + "@mail.example",
        "x@" + "m" * 60 + (".m" * 95) + ".example",
    ],
)
def test_what_no_mail_can_go_to_is_refused_without_being_repeated(typed: str) -> None:
    assert not is_address(typed)
    with pytest.raises(ValueError, match=r"^is not one e-mail address, such as name@example\.org$") as refused:
        clean_address(typed)
    assert refused.value.__cause__ is None


@pytest.mark.parametrize("address", [CLEAN, "zoe.d-arc+permis@sous.domaine.example", "d'arc@mail.example"])
def test_an_address_stays_as_it_is(address: str) -> None:
    assert is_address(address)
    assert clean_address(address) == address


def test_accents_are_of_an_address_too_in_one_form() -> None:
    assert clean_address("zoe\u0301@e\u0301cole.example") == "zoé@école.example"


@given(st.text() | st.emails())
def test_what_entry_lets_in_sending_lets_out(text: str) -> None:
    try:
        address = clean_address(text)
    except ValueError:
        return
    assert is_address(address)
    assert clean_address(address) == address
    assert len(address) <= LONGEST_ADDRESS
