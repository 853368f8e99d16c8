"""What a person typed or pasted is one value, however their keyboard or mail program writes it."""

import unicodedata

import pytest
from mandate_service import Service

from resapermis_mandate import domain

CLEAN = "zoe@mail.example"
ADDRESSES = {
    "a comma behind": f"{CLEAN},",
    "a semicolon behind": f"{CLEAN};",
    "a full stop behind": f"{CLEAN}.",
    "copied with its scheme": f"mailto:{CLEAN}",
    "a zero-width space": "zoe\u200b@mail.example",
    "a zero-width space behind": f"{CLEAN}\u200b",
    "a byte-order mark": f"\ufeff{CLEAN}",
    "two dots": "a..b@mail.example",
    "a dot at the end of the name": "b.@mail.example",
    "a dot before": ".c@mail.example",
    "two dots in the domain": "zoe@mail..example",
    "a hyphen before the domain": "zoe@-mail.example",
    "a name of 65": "x" * 65 + "@mail.example",
    "spaces around": f" {CLEAN} ",
    "a no-break space behind": f"{CLEAN}\u00a0",
    "a domain without a dot": "zoe@mail",
    "two addresses": f"{CLEAN}, lou@mail.example",
    "in brackets": f"<{CLEAN}>",
}


@pytest.mark.req("R-01", "N-06")
@pytest.mark.parametrize("typed", ADDRESSES)
def test_an_address_that_reaches_nobody_is_cleaned_or_refused(typed: str) -> None:
    try:
        found = domain.clean_email(ADDRESSES[typed])
    except ValueError:
        return
    assert found == CLEAN


@pytest.mark.req("R-01", "N-06")
@pytest.mark.parametrize(
    "typed", [CLEAN, "zoe.d-arc+permis@sous.domaine.example", "d'arc@mail.example", "zoé@école.example", ""]
)
def test_an_address_that_reaches_somebody_is_kept(typed: str) -> None:
    assert domain.clean_email(typed) == typed


NAMES = {
    "letters and accents apart": (unicodedata.normalize("NFD", "Zoé"), "Zoé"),
    "a typographic apostrophe": ("N\u2019Diaye", "N'Diaye"),
    "a modifier letter": ("N\u02bcDiaye", "N'Diaye"),
    "spaces around": ("  Zoé ", "Zoé"),
    "no-break and double spaces": ("Zoé\u00a0 \u202fLou", "Zoé Lou"),
}


@pytest.mark.req("R-01")
@pytest.mark.parametrize("typed", NAMES)
def test_a_name_is_written_down_in_one_form(typed: str) -> None:
    written, meant = NAMES[typed]
    assert domain.clean_name(written) == meant


@pytest.mark.req("R-01")
async def test_rdvpermis_is_asked_for_the_name_in_its_one_form(service: Service) -> None:
    await service.mandate(await service.candidate(last_name="N\u2019Guye\u0301"))
    assert service.egress.requests[0].last_name == "N'Guyé"
