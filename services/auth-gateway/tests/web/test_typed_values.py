"""What a person typed or pasted is one value, however their keyboard, calendar or mail program writes it."""

import unicodedata
from typing import Any

import pytest

from resapermis.mandate.v1 import mandate_pb2

KEY = {"Idempotency-Key": "act-1"}
CANDIDATE = {"lastName": "D'Arc", "firstName": "Zoé", "neph": "012345678901", "email": "zoe@mail.example"}
FOUND = mandate_pb2.Candidate(id="c-1", last_name="D'Arc", first_name="Zoé", neph="012345678901")
UNDELIVERABLE = {
    "a comma behind": "zoe@mail.example,",
    "a semicolon behind": "zoe@mail.example;",
    "copied with its scheme": "mailto:zoe@mail.example",
    "a zero-width space": "zoe\u200b@mail.example",
    "a zero-width space behind": "zoe@mail.example\u200b",
    "a byte-order mark": "\ufeffzoe@mail.example",
    "spaces around": " zoe@mail.example ",
    "a no-break space behind": "zoe@mail.example\u00a0",
    "two dots": "zoe..@mail.example",
    "two dots inside": "zo..e@mail.example",
    "a dot before": ".zoe@mail.example",
    "a name without a dot": "zoe@mail",
    "two addresses": "zoe@mail.example, lou@mail.example",
}


@pytest.mark.parametrize("typed", UNDELIVERABLE)
async def test_an_address_that_reaches_nobody_is_cleaned_or_refused_by_its_field(over: Any, typed: str) -> None:
    answer = mandate_pb2.CreateCandidateResponse(candidate=FOUND)
    _, browser, services = await over(mandate={"CreateCandidate": answer})
    async with browser:
        body = CANDIDATE | {"email": UNDELIVERABLE[typed]}
        made = await browser.post("/api/v1/candidates", json=body, headers=KEY)
    asked = [one.email for one in services["mandate"].asked]
    refused = [one["field"] for one in made.json().get("violations", ())]
    assert (made.status_code, asked, refused) in [(201, ["zoe@mail.example"], []), (422, [], ["email"])]


@pytest.mark.parametrize(
    "typed", ["zoe@mail.example", "zoe.d-arc+permis@sous.domaine.example", "d'arc@mail.example", "zoé@école.example"]
)
async def test_an_address_that_reaches_somebody_goes_through(over: Any, typed: str) -> None:
    answer = mandate_pb2.CreateCandidateResponse(candidate=FOUND)
    _, browser, services = await over(mandate={"CreateCandidate": answer})
    async with browser:
        made = await browser.post("/api/v1/candidates", json=CANDIDATE | {"email": typed}, headers=KEY)
    assert made.status_code == 201
    assert [one.email for one in services["mandate"].asked] == [typed]


NO_NAME_NO_NEPH: list[dict[str, Any]] = [
    {"lastName": "\u00a0"},
    {"lastName": "\u202e"},
    {"lastName": "a\u0000"},
    {"lastName": "a\r\nBcc: all@mail.example"},
    {"lastName": "x" * 10_000},
    {"lastName": None},
    {"lastName": {"$gt": ""}},
    {"neph": 12345678901},
    {"neph": 1.5e11},
    {"neph": ""},
    {"neph": " \u00a0"},
    {"neph": "0" * 41},
    {"neph": "0123\t4567"},
    {"neph": None},
]


@pytest.mark.req("B1", "B2")
@pytest.mark.parametrize("wrong", NO_NAME_NO_NEPH, ids=str)
async def test_what_is_no_name_and_no_neph_is_refused_by_its_field_and_not_repeated(
    over: Any, wrong: dict[str, Any]
) -> None:
    _, browser, services = await over(mandate={})
    async with browser:
        refused = await browser.post("/api/v1/candidates", json=CANDIDATE | wrong, headers=KEY)
    assert (refused.status_code, refused.json()["code"]) == (422, "MALFORMED")
    assert {one["field"].partition(".")[0] for one in refused.json()["violations"]} == set(wrong)
    assert "Bcc" not in refused.text
    assert services["mandate"].asked == []


@pytest.mark.req("B1")
@pytest.mark.parametrize(
    "name", ["O'Brien-Œuvre", "q\u0301", "👩", "<img onerror>", "{{7*7}}", "=HYPERLINK()", "null", "a' OR 1=1 --"]
)
async def test_an_odd_but_good_name_goes_through_as_written(over: Any, name: str) -> None:
    answer = mandate_pb2.CreateCandidateResponse(candidate=FOUND)
    _, browser, services = await over(mandate={"CreateCandidate": answer})
    async with browser:
        made = await browser.post("/api/v1/candidates", json=CANDIDATE | {"firstName": name}, headers=KEY)
    assert made.status_code == 201
    assert [one.first_name for one in services["mandate"].asked] == [unicodedata.normalize("NFC", name)]


TYPED_NAMES = {
    "letters and accents apart": (unicodedata.normalize("NFD", "Zoé"), "Zoé"),
    "spaces around": ("  Zoé ", "Zoé"),
    "no-break and double spaces": ("Zoé\u00a0 \u202fLou", "Zoé Lou"),
    "a typographic apostrophe": ("N\u2019Diaye", "N'Diaye"),
    "a modifier letter": ("N\u02bcDiaye", "N'Diaye"),
}


@pytest.mark.parametrize("field", ["lastName", "firstName"])
@pytest.mark.parametrize("typed", TYPED_NAMES)
async def test_a_name_is_written_down_in_one_form(over: Any, typed: str, field: str) -> None:
    written, meant = TYPED_NAMES[typed]
    answer = mandate_pb2.CreateCandidateResponse(candidate=FOUND)
    _, browser, services = await over(mandate={"CreateCandidate": answer})
    async with browser:
        made = await browser.post("/api/v1/candidates", json=CANDIDATE | {field: written}, headers=KEY)
    assert made.status_code == 201
    asked = services["mandate"].asked[0]
    assert {"lastName": asked.last_name, "firstName": asked.first_name}[field] == meant


@pytest.mark.parametrize("typed", TYPED_NAMES)
async def test_a_name_is_looked_for_in_the_form_it_was_written_down_in(over: Any, typed: str) -> None:
    written, meant = TYPED_NAMES[typed]
    _, browser, services = await over(mandate={"SearchCandidates": mandate_pb2.SearchCandidatesResponse()})
    async with browser:
        found = await browser.post("/api/v1/candidates/search", json={"query": written})
    assert found.status_code == 200
    assert services["mandate"].asked[0].query == meant


async def test_a_search_that_stops_at_twenty_is_asked_for_its_next_page(over: Any) -> None:
    answer = mandate_pb2.SearchCandidatesResponse(candidates=[FOUND], next_cursor="o")
    _, browser, services = await over(mandate={"SearchCandidates": answer})
    async with browser:
        found = await browser.post("/api/v1/candidates/search", json={"query": "martin", "cursor": "n"})
    assert (found.status_code, found.json()["nextCursor"]) == (200, "o")
    assert [one.cursor for one in services["mandate"].asked] == ["n"]
