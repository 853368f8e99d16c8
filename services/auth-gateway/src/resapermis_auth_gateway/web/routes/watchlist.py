"""Favourite centres, saved searches, and the parameters of the rules."""

from typing import Annotated

from fastapi import APIRouter, Query, Response

from resapermis.scheduling.v1 import scheduling_pb2
from resapermis_auth_gateway.web.dependencies import Key, Who, now_of
from resapermis_auth_gateway.web.wire.base import PathId, QueryFlag, optional_instant
from resapermis_auth_gateway.web.wire.watchlist import (
    Favourites,
    FavouritesView,
    FavouriteView,
    NewSavedSearch,
    ParameterPage,
    ParameterView,
    SavedSearchPage,
    SavedSearchView,
)
from resapermis_kit.errors import malformed

router = APIRouter(tags=["slots"])


@router.get("/favourite-centres")
async def list_favourites(
    who: Who,
    poll_now: Annotated[QueryFlag, Query(alias="pollNow", description="Read RdvPermis again; spends a call.")] = False,  # noqa: FBT002 - a query parameter
) -> FavouritesView:
    """List the centres that the school prefers, as RdvPermis keeps them."""
    question = scheduling_pb2.ListFavouriteCentresRequest(poll_now=poll_now)
    answer = await who.ask(who.peers.scheduling.ListFavouriteCentres, question)
    return FavouritesView(
        items=[FavouriteView.of(one) for one in answer.favourites], seen_at=optional_instant(answer, "seen_at")
    )


@router.put("/favourite-centres")
async def set_favourites(who: Who, body: Favourites) -> FavouritesView:
    """Choose the favourites of a licence group; RdvPermis' own are changed with them. The answer is that group's."""
    if len({one.centre_id for one in body.favourites}) != len(body.favourites):
        raise malformed("favourites", "each centre once")
    chosen = [
        scheduling_pb2.FavouriteCentre(category=body.category, centre_id=one.centre_id, priority=one.priority)
        for one in body.favourites
    ]
    command = scheduling_pb2.SetFavouriteCentresRequest(category=body.category, favourites=chosen)
    answer = await who.ask(who.peers.scheduling.SetFavouriteCentres, command)
    return FavouritesView(items=[FavouriteView.of(one) for one in answer.favourites], seen_at=now_of(who))


@router.get("/saved-searches")
async def list_saved_searches(who: Who) -> SavedSearchPage:
    """List the asker's own saved searches."""
    question = scheduling_pb2.ListSavedSearchesRequest()
    answer = await who.ask(who.peers.scheduling.ListSavedSearches, question)
    return SavedSearchPage(items=[SavedSearchView.of(one) for one in answer.searches])


@router.post("/saved-searches", status_code=201)
async def save_search(who: Who, key: Key, body: NewSavedSearch) -> SavedSearchView:
    """Keep a search: it is polled more often, and what comes to match is notified. Nothing is ever booked by it."""
    command = scheduling_pb2.SaveSearchRequest(
        request_id=key, label=body.label, search=body.search.message(), alert=body.alert
    )
    return SavedSearchView.of((await who.ask(who.peers.scheduling.SaveSearch, command)).search)


@router.delete("/saved-searches/{search_id}", status_code=204, response_class=Response)
async def delete_saved_search(who: Who, search_id: PathId) -> None:
    """Delete a saved search of the asker; 404 when they have none by this id."""
    command = scheduling_pb2.DeleteSavedSearchRequest(id=search_id)
    await who.ask(who.peers.scheduling.DeleteSavedSearch, command)


@router.get("/rules/parameters", tags=["rules"])
async def list_parameters(who: Who) -> ParameterPage:
    """List the parameters of the rules: in force, to come, waiting for their second person."""
    answer = await who.ask(who.peers.scheduling.ListParameters, scheduling_pb2.ListParametersRequest())
    now = now_of(who)
    return ParameterPage(items=[ParameterView.of(one, now) for one in answer.parameters], server_time=now)
