"""Favourites and saved searches: RdvPermis first, twenty an account, each slot published once, and nothing ever booked."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import grpc
import pytest
import sqlalchemy as sa
from scheduling_peers import DAY, NOW, Service

from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis.scheduling.v1.events_pb2 import SearchMatched, SlotWithdrawn
from resapermis_kit.database.idempotency import requests
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure, from_rpc_error
from resapermis_kit.events.outbox import outbox
from resapermis_scheduling_rules.mirror.tables import polls, slots
from resapermis_scheduling_rules.watchlist import queries, saved_searches
from resapermis_scheduling_rules.watchlist.tables import news, searches


def saving(request_id: str = "r1", label: str = "Mardi matin", *, alert: bool = True, **filters: Any) -> Any:
    where = {"department": "91", "category": "B"} | filters
    return pb.SaveSearchRequest(request_id=request_id, label=label, alert=alert, search=pb.SearchSlotsRequest(**where))


async def save(service: Service, *arguments: Any, school: str = "school-1", **filters: Any) -> pb.SavedSearch:
    request = saving(*arguments, **filters)
    answer: pb.SaveSearchResponse = await service.stub().SaveSearch(request, metadata=service.who(school))
    return answer.search


async def match(service: Service) -> list[SearchMatched]:
    """One round; what was published in all."""
    await service.rooms.matcher.round()
    return [SearchMatched.FromString(payload) for payload in await published(service, "SearchMatched")]


async def published(service: Service, name: str) -> list[bytes]:
    async with transaction(service.engine) as tx:
        rows = (await tx.execute(sa.select(outbox.c.type, outbox.c.payload).order_by(outbox.c.id))).all()
    return [row.payload for row in rows if row.type.endswith(f".{name}")]


def refused(caught: pytest.ExceptionInfo[grpc.aio.AioRpcError]) -> Failure:
    return from_rpc_error(caught.value)


@pytest.mark.req("R-20")
async def test_a_saved_search_is_kept_without_its_window_and_listed_newest_first(service: Service) -> None:
    request = saving(weekdays=[2], cursor="abc", limit=3, poll_now=True)
    getattr(request.search, "from").FromDatetime(NOW)
    answer = await service.stub().SaveSearch(request, metadata=service.who())
    service.clock.move(minutes=1)
    await save(service, "r2", "Autre")
    listed = await service.stub().ListSavedSearches(pb.ListSavedSearchesRequest(), metadata=service.who())
    assert [one.label for one in listed.searches] == ["Autre", "Mardi matin"]
    assert listed.searches[1] == answer.search
    assert listed.searches[1].search == pb.SearchSlotsRequest(department="91", category="B", weekdays=[2])


async def test_a_retry_saves_nothing_more_and_another_body_is_refused(service: Service) -> None:
    first, second = await save(service), await save(service)
    assert first == second
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await save(service, "r1", "Autre chose")
    assert refused(caught).code == Code.CODE_KEY_REUSED
    listed = await service.stub().ListSavedSearches(pb.ListSavedSearchesRequest(), metadata=service.who())
    assert len(listed.searches) == 1


@pytest.mark.req("D-03")
async def test_what_a_person_calls_a_search_lies_sealed_everywhere(service: Service) -> None:
    kept, name = await save(service, "r1", "Pour Quiquampoix"), b"Quiquampoix"
    assert (kept.label, await save(service, "r1", "Pour Quiquampoix")) == ("Pour Quiquampoix", kept)
    service.state.slot("s1")
    await service.poll()
    assert len(await match(service)) == 1
    async with transaction(service.engine) as tx:
        for table in (searches, requests, outbox):
            rows = (await tx.execute(sa.select(table))).all()
            assert rows
            assert not [row for row in rows if any(name in _bytes(value) for value in row)], table.name
    (row,) = await _labels(service)
    assert (row.label, name in row.sealed_label) == ("", False)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


async def _labels(service: Service) -> Any:
    async with transaction(service.engine) as tx:
        return (await tx.execute(sa.select(searches).order_by(searches.c.created_at))).all()


@pytest.mark.req("D-03")
async def test_labels_of_earlier_releases_are_sealed_and_read_as_before(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(saved_searches, "SEALED_AT_ONCE", 2)
    for number in range(5):
        await save(service, f"r{number}", f"n{number}")
        service.clock.move(minutes=1)
    async with transaction(service.engine) as tx:  # as 0.2.0 wrote them
        await tx.execute(sa.update(searches).values(label="Pour Quiquampoix", sealed_label=None))

    async def listed() -> list[str]:
        answer = await service.stub().ListSavedSearches(pb.ListSavedSearchesRequest(), metadata=service.who())
        return [one.label for one in answer.searches]

    assert await listed() == ["Pour Quiquampoix"] * 5
    await service.rooms.saved_searches.seal_labels()
    assert {row.label for row in await _labels(service)} == {""}
    assert await listed() == ["Pour Quiquampoix"] * 5


async def test_a_label_that_cannot_be_read_hides_no_other(service: Service) -> None:
    await save(service, "r1", "Un")
    service.clock.move(minutes=1)
    kept = await save(service, "r2", "Deux")
    service.clock.move(minutes=1)
    await save(service, "r3", "Trois")
    first, _, _ = await _labels(service)
    async with transaction(service.engine) as tx:  # another's: bound to its row
        moved = sa.update(searches).where(searches.c.id == UUID(kept.id)).values(sealed_label=first.sealed_label)
        await tx.execute(moved)
    answer = await service.stub().ListSavedSearches(pb.ListSavedSearchesRequest(), metadata=service.who())
    assert [one.label for one in answer.searches] == ["Trois", "", "Un"]


async def test_an_account_keeps_twenty_searches_however_many_come_at_once(service: Service) -> None:
    await save(service)
    answers = await asyncio.gather(*(save(service, f"x{n}") for n in range(23)), return_exceptions=True)
    refusals = [from_rpc_error(one) for one in answers if isinstance(one, grpc.aio.AioRpcError)]
    assert len(answers) - len(refusals) == 19
    assert {one.code for one in refusals} == {Code.CODE_MALFORMED}
    listed = await service.stub().ListSavedSearches(pb.ListSavedSearchesRequest(), metadata=service.who())
    assert len(listed.searches) == 20


async def test_what_is_deleted_is_gone_and_only_ones_own_can_be(service: Service) -> None:
    service.state.school("school-2")
    kept = await save(service)
    request = pb.DeleteSavedSearchRequest(id=kept.id)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub().DeleteSavedSearch(request, metadata=service.who("school-2"))
    assert refused(caught).code == Code.CODE_NOT_FOUND
    await service.stub().DeleteSavedSearch(request, metadata=service.who())
    listed = await service.stub().ListSavedSearches(pb.ListSavedSearchesRequest(), metadata=service.who())
    assert not listed.searches


@pytest.mark.req("R-20")
async def test_a_slot_that_comes_is_published_once_and_nothing_is_booked(service: Service) -> None:
    kept = await save(service)
    await save(service, "r2", "Sans alerte", alert=False)
    await save(service, "r3", "Ailleurs", department="33")
    service.state.slot("s1", hour=9)
    service.state.slot("s2", hour=10)
    await service.poll()
    published = await match(service)
    assert len(published) == 1
    news = published[0]
    assert (news.search_id, news.label, list(news.slot_ids), news.slots) == (kept.id, "", ["s1", "s2"], 2)
    assert (news.school_id, news.department, news.time_zone) == ("school-1", "91", "Europe/Paris")
    for word in ("RÉSERVÉ", "DISPONIBLE", None, "DISPONIBLE"):  # taken and free again, gone and back
        service.clock.move(minutes=2)
        service.state.slots["c1", DAY.isoformat()] = []
        if word is not None:
            service.state.slot("s1", hour=9, word=word)
        await service.poll()
        assert len(await match(service)) == 1
    listed = await service.stub().ListSavedSearches(pb.ListSavedSearchesRequest(), metadata=service.who())
    matched = {one.label: one.HasField("matched_at") for one in listed.searches}
    assert matched == {"Mardi matin": True, "Sans alerte": False, "Ailleurs": False}


@pytest.mark.req("R-20")
@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({}, ["s1", "s2", "s3"]),
        ({"centre_ids": ["c2"]}, []),
        ({"day_from_minutes": 600}, ["s3"]),
        ({"weekdays": [1]}, []),
        ({"kind": "PLATEAU"}, []),
        ({"consecutive": 2}, ["s1", "s2"]),
        ({"consecutive": 3}, []),
        ({"open_now": True}, ["s1", "s2", "s3"]),
    ],
)
async def test_a_search_gets_what_it_asks_for(service: Service, filters: dict[str, Any], wanted: list[str]) -> None:
    await save(service, **filters)
    service.state.slot("s1", hour=9)
    service.state.slot("s2", hour=9, minute=32)
    service.state.slot("s3", hour=11)
    await service.poll()
    assert [list(one.slot_ids) for one in await match(service)] == ([wanted] if wanted else [])


@pytest.mark.req("R-20")
async def test_who_wants_what_is_open_is_notified_when_it_opens_and_others_at_once(service: Service) -> None:
    service.state.school("far", department="33")
    opened = await save(service, "r1", "Ouvert", school="far", open_now=True)
    every = await save(service, "r2", "Tout", school="far")
    service.state.slot("s1", published=NOW - timedelta(hours=1))
    await service.poll()
    assert [one.search_id for one in await match(service)] == [every.id]
    service.clock.move(hours=46, minutes=59)
    assert len(await match(service)) == 1
    service.clock.move(minutes=1)
    assert [one.search_id for one in await match(service)] == [every.id, opened.id]


async def test_news_that_nobody_wants_are_not_kept(service: Service) -> None:
    await save(service, department="33")
    service.state.slot("s1")
    await service.poll()
    async with transaction(service.engine) as tx:
        assert (await tx.execute(sa.select(news))).all() == []


async def test_a_round_that_dies_before_its_commit_is_done_again(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    await save(service)
    service.state.slot("s1")
    await service.poll()

    async def dies(*_: Any) -> None:
        raise ConnectionResetError

    with monkeypatch.context() as patch:
        patch.setattr(queries, "note_matches", dies)
        with pytest.raises(Failure):
            await match(service)
    assert len(await match(service)) == 1


async def test_a_school_that_nobody_can_describe_holds_up_nobody_else(service: Service) -> None:
    service.state.school("school-2")
    await save(service)
    await save(service, school="school-2")
    async with transaction(service.engine) as tx:
        await tx.execute(sa.text("DELETE FROM school WHERE id = 'school-2'"))
    service.clock.move(minutes=1)
    service.state.slot("s1")
    await service.poll()
    service.state.away = Failure(Code.CODE_RDVPERMIS_DOWN, "no")
    assert [one.school_id for one in await match(service)] == ["school-1"]


@pytest.mark.req("R-34")
async def test_favourites_are_rdvpermis_own_and_read_once(service: Service) -> None:
    await service.stub().ListCentres(pb.ListCentresRequest(department="91", category="B"), metadata=service.who())
    service.state.favourites["B"] = [rdv.RdvFavourite(category="B", centre_id="c1", priority=1)]
    first = await service.stub().ListFavouriteCentres(pb.ListFavouriteCentresRequest(), metadata=service.who())
    assert [(one.centre_id, one.priority, one.centre_name, one.department) for one in first.favourites] == [
        ("c1", 1, "Centre c1", "91")
    ]
    assert first.seen_at.ToDatetime(UTC) == NOW
    service.state.favourites["B"] = []
    again = await service.stub().ListFavouriteCentres(pb.ListFavouriteCentresRequest(), metadata=service.who())
    assert len(again.favourites) == 1
    asked = pb.ListFavouriteCentresRequest(poll_now=True)
    assert not (await service.stub().ListFavouriteCentres(asked, metadata=service.who())).favourites


def choosing(*centres: str, priority: int = 0) -> pb.SetFavouriteCentresRequest:
    return pb.SetFavouriteCentresRequest(
        category="B", favourites=[pb.FavouriteCentre(centre_id=one, priority=priority) for one in centres]
    )


async def test_favourites_are_changed_at_rdvpermis_first(service: Service) -> None:
    answer = await service.stub().SetFavouriteCentres(choosing("c1", "c2"), metadata=service.who())
    assert [one.centre_id for one in answer.favourites] == ["c1", "c2"]
    assert [one.centre_id for one in service.state.favourites["B"]] == ["c1", "c2"]
    service.state.away = Failure(Code.CODE_RDVPERMIS_DOWN, "no")
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub().SetFavouriteCentres(choosing("c3"), metadata=service.who())
    assert refused(caught).code == Code.CODE_RDVPERMIS_DOWN
    async with transaction(service.engine) as tx:
        kept, _ = await queries.favourites_of(tx, "school-1")
    assert [one.centre_id for one in kept] == ["c1", "c2"]  # nothing of it was kept


async def test_after_an_unknown_outcome_favourites_are_read_again(service: Service) -> None:
    service.state.favourites["B"] = [rdv.RdvFavourite(category="B", centre_id="c1")]
    await service.stub().ListFavouriteCentres(pb.ListFavouriteCentresRequest(), metadata=service.who())
    service.state.away = Failure(Code.CODE_UNKNOWN_OUTCOME, "lost")
    with pytest.raises(grpc.aio.AioRpcError):
        await service.stub().SetFavouriteCentres(choosing("c2"), metadata=service.who())
    service.state.away = None
    service.state.favourites["B"] = [rdv.RdvFavourite(category="B", centre_id="c2")]  # it had been done
    again = await service.stub().ListFavouriteCentres(pb.ListFavouriteCentresRequest(), metadata=service.who())
    assert [one.centre_id for one in again.favourites] == ["c2"]


@pytest.mark.parametrize(
    ("request_", "field"),
    [
        (choosing("c1", "c1"), "favourites[1].centre_id"),
        (choosing("c1", priority=3), "favourites[0].priority"),
        (choosing(*(f"c{n}" for n in range(21))), "favourites"),
    ],
)
async def test_favourites_that_cannot_be_read_name_the_field(
    service: Service, request_: pb.SetFavouriteCentresRequest, field: str
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await service.stub().SetFavouriteCentres(request_, metadata=service.who())
    assert [violation[0] for violation in refused(caught).violations] == [field]
    assert service.state.favourites == {}


async def status_of(service: Service, slot_id: str) -> str:
    async with transaction(service.engine) as tx:
        return str((await tx.execute(sa.select(slots.c.status).where(slots.c.id == slot_id))).scalar())


@pytest.mark.req("R-09")
async def test_an_empty_answer_where_a_whole_day_was_is_believed_the_second_time(service: Service) -> None:
    for n in range(3):
        service.state.slot(f"s{n}", hour=9 + n)
    await service.poll()
    service.state.slots.clear()
    service.clock.move(minutes=2)
    await service.poll()
    assert await status_of(service, "s0") == "FREE"
    assert await published(service, "SlotWithdrawn") == []
    async with transaction(service.engine) as tx:
        assert (await tx.execute(sa.select(polls.c.trouble))).scalar() == "rdvpermis_down"
    service.clock.move(seconds=10)
    await service.poll()
    gone = [SlotWithdrawn.FromString(one).slot_id for one in await published(service, "SlotWithdrawn")]
    assert gone == ["s0", "s1", "s2"]


async def test_half_an_answer_brings_what_it_has_and_takes_nothing(service: Service) -> None:
    service.state.slot("s1", hour=9)
    await service.poll()
    service.clock.move(minutes=2)
    service.state.slots.clear()
    service.state.slot("s2", hour=10)
    broken = service.state.slot("s3", hour=11)
    broken.ends_at.CopyFrom(broken.starts_at)
    await service.poll()
    assert [await status_of(service, one) for one in ("s1", "s2", "s3")] == ["FREE", "FREE", "None"]


async def test_an_answer_that_a_newer_one_overtook_changes_nothing(service: Service) -> None:
    service.state.slot("s1", hour=9)
    await service.poll()
    service.state.slot("s2", hour=10)
    service.clock.move(seconds=-30)
    await service.poll()
    assert await status_of(service, "s2") == "None"
    async with transaction(service.engine) as tx:
        assert (await tx.execute(sa.select(polls.c.seen_at))).scalar() == NOW


async def test_the_loss_of_a_slot_that_comes_and_goes_is_published_once_within_the_hour(service: Service) -> None:
    for minutes in (0, 2, 2, 2, 58):
        service.clock.move(minutes=minutes)
        if not service.state.slots.pop(("c1", DAY.isoformat()), []):
            service.state.slot("s1")
        await service.poll()
    assert await status_of(service, "s1") == "FREE"
    assert len(await published(service, "SlotWithdrawn")) == 1
    service.clock.move(minutes=2)
    service.state.slots.clear()
    await service.poll()
    assert len(await published(service, "SlotWithdrawn")) == 2


async def test_an_empty_day_is_remembered_as_seen(service: Service) -> None:
    await service.poll()
    async with transaction(service.engine) as tx:
        row = (await tx.execute(sa.select(polls.c.seen_at, polls.c.slots, polls.c.trouble))).one()
    assert tuple(row) == (NOW, 0, "")


@pytest.mark.req("R-34")
async def test_centres_come_nearest_first_with_the_way(service: Service) -> None:
    service.state.schools["school-1"].latitude_degrees = 48.6
    service.state.schools["school-1"].longitude_degrees = 2.4
    service.state.centres["91"] = [
        rdv.RdvCentre(id="c9", name="Aucun lieu"),
        rdv.RdvCentre(id="c1", name="Massy", latitude_degrees=48.73, longitude_degrees=2.28),
        rdv.RdvCentre(id="c2", name="Évry", latitude_degrees=48.63, longitude_degrees=2.44),
    ]
    answer = await service.stub().ListCentres(
        pb.ListCentresRequest(department="91", category="B"), metadata=service.who()
    )
    assert [(one.id, one.distance_km, one.travel_minutes) for one in answer.centres] == [
        ("c2", 4.4, 7),
        ("c1", 16.9, 27),
        ("c9", 0, 0),
    ]
    assert not answer.centres[2].HasField("distance_km")


@pytest.mark.req("R-34")
async def test_a_search_around_the_school_crosses_departments_and_says_the_way(service: Service) -> None:
    service.state.schools["school-1"].latitude_degrees = 48.6
    service.state.schools["school-1"].longitude_degrees = 2.4
    creteil = rdv.RdvCentre(id="c3", name="Créteil", latitude_degrees=48.79, longitude_degrees=2.46)
    service.state.centres["94"] = [creteil]
    service.state.slot("s1", centre_id="c3")
    request = pb.SearchSlotsRequest(category="B", within_km=30)
    getattr(request, "from").FromDatetime(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC))
    request.to.FromDatetime(datetime(DAY.year, DAY.month, DAY.day, 20, tzinfo=UTC))
    (entry,) = (await service.stub().SearchSlots(request, metadata=service.who())).slots
    assert (entry.slot.id, entry.slot.centre.department, round(entry.slot.distance_km)) == ("s1", "94", 22)
    assert entry.slot.travel_minutes == entry.slot.centre.travel_minutes > 22


async def test_a_distance_from_an_unknown_place_is_refused(service: Service) -> None:
    for ask in (
        service.stub().SearchSlots(pb.SearchSlotsRequest(category="B", within_km=30), metadata=service.who()),
        service.stub().SaveSearch(saving(department="", within_km=30), metadata=service.who()),
    ):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ask
        assert [violation[0] for violation in refused(caught).violations] == ["within_km"]
