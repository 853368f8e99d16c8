"""Lists come in pages that lose nobody."""

from uuid import UUID

import pytest
import sqlalchemy as sa
from mandate_service import Service

from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis_kit.database.transaction import transaction


async def walked(service: Service, limit: int) -> list[str]:
    """Ids of all pages, in order."""
    found: list[str] = []
    request = pb.ListCandidatesRequest(limit=limit, purpose="follow_candidate")
    while True:
        page = await service.call("ListCandidates", request)
        found += [one.id for one in page.candidates]
        if not page.next_cursor:
            return found
        request.cursor = page.next_cursor


@pytest.mark.parametrize(
    "erased",
    [
        pytest.param(set(), id="none"),
        pytest.param({0}, id="newest"),
        pytest.param({1}, id="last of a page"),
        pytest.param({0, 1}, id="first page"),
        pytest.param({2, 3}, id="middle page"),
        pytest.param({4}, id="oldest"),
    ],
)
async def test_a_list_goes_on_past_candidates_that_were_erased(service: Service, erased: set[int]) -> None:
    newest_first = [await service.candidate(neph=f"01234567890{n}") for n in range(5)][::-1]
    gone = [UUID(newest_first[n]) for n in erased]
    async with transaction(service.engine) as tx:
        await tx.execute(sa.text("UPDATE candidate SET wrapped_key = NULL WHERE id = ANY(:gone)"), {"gone": gone})
    assert await walked(service, 2) == [one for one in newest_first if UUID(one) not in gone]


async def test_a_page_of_which_nothing_can_be_opened_is_followed_by_the_next(service: Service) -> None:
    newest_first = [await service.candidate(neph=f"01234567890{n}") for n in range(5)][::-1]
    damaged = [UUID(newest_first[n]) for n in (0, 1)]
    async with transaction(service.engine) as tx:
        statement = "UPDATE candidate SET wrapped_key = '\\x00' WHERE id = ANY(:damaged)"
        await tx.execute(sa.text(statement), {"damaged": damaged})
    assert await walked(service, 2) == newest_first[2:]


@pytest.mark.req("D-03")
async def test_a_name_typed_with_another_apostrophe_or_other_accents_is_found(service: Service) -> None:
    candidate = await service.candidate(last_name="D'Alès")
    for query in ("d\u2019ale\u0300s", "D\u02bcAL\u00c8S", "d\u00a0ales"):
        found = await service.call(
            "SearchCandidates", pb.SearchCandidatesRequest(query=query, purpose="find_candidate")
        )
        assert [one.id for one in found.candidates] == [candidate]


async def test_a_search_that_stops_at_twenty_says_so_and_pages(service: Service) -> None:
    homonyms = {await service.candidate(neph=f"0123456789{n:02}") for n in range(21)}
    request = pb.SearchCandidatesRequest(query="zoe", purpose="find_candidate")
    first = await service.call("SearchCandidates", request)
    assert len(first.candidates) == 20
    request.cursor = first.next_cursor
    second = await service.call("SearchCandidates", request)
    assert not second.next_cursor
    shown = [one.id for page in (first, second) for one in page.candidates]
    assert shown == sorted(homonyms, reverse=True)
    assert sorted(one.candidate_id for one in await service.records("candidate.read")) == sorted(homonyms)


@pytest.mark.parametrize("query", ["zoe", "01234567890 0"])
async def test_a_search_whose_page_is_just_full_has_no_next(service: Service, query: str) -> None:
    for n in range(20):
        await service.candidate(neph=f"01234567890{n}")
    found = await service.call("SearchCandidates", pb.SearchCandidatesRequest(query=query, purpose="find_candidate"))
    assert (len(found.candidates), found.next_cursor) == (20 if query == "zoe" else 1, "")


async def test_a_list_whose_page_is_just_full_has_no_next_and_reads_nobody_beyond_a_page(service: Service) -> None:
    newest_first = [await service.candidate(neph=f"01234567890{n}") for n in range(3)][::-1]
    for one in newest_first:
        await service.mandate(one)
    asked = {"limit": 3, "purpose": "follow_candidate"}
    assert (await service.call("ListCandidates", pb.ListCandidatesRequest(**asked))).next_cursor == ""
    mandates = await service.call("ListMandates", pb.ListMandatesRequest(limit=3))
    assert (len(mandates.mandates), mandates.next_cursor) == (3, "")
    two = await service.call("ListMandates", pb.ListMandatesRequest(limit=2))
    assert [one.id for one in two.mandates] == [one.id for one in mandates.mandates[:2]]
    assert two.next_cursor == two.mandates[-1].id
    before = len(await service.records("candidate.read"))
    page = await service.call("ListCandidates", pb.ListCandidatesRequest(**asked | {"limit": 2}))
    assert ([one.id for one in page.candidates], page.next_cursor) == (newest_first[:2], newest_first[1])
    assert len(await service.records("candidate.read")) == before + 2
