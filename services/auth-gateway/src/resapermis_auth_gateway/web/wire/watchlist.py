"""What a school watches: favourite centres and saved searches; and the parameters of the rules."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from resapermis.scheduling.v1 import scheduling_pb2
from resapermis_auth_gateway.web.days import clock_of
from resapermis_auth_gateway.web.wire.base import (
    Body,
    Category,
    Flag,
    Id,
    Label,
    View,
    instant,
    optional_figure,
    optional_instant,
)
from resapermis_auth_gateway.web.wire.slots import Search


class Favourite(Body):
    """A centre that the school prefers; 0 is the first choice."""

    centre_id: Id
    priority: Annotated[int, Field(ge=0, le=2)]


class Favourites(Body):
    """All favourite centres of a licence group."""

    category: Category
    favourites: Annotated[list[Favourite], Field(max_length=20)]


class NewSavedSearch(Body):
    """A search to keep under a label; with `alert`, slots that come to match are notified."""

    label: Label
    search: Search
    alert: Flag = True


class FavouriteView(View):
    """A favourite centre of a licence group; 0 is the first choice."""

    category: str
    centre_id: str
    priority: int
    centre_name: str | None = None
    department: str | None = None

    @classmethod
    def of(cls, one: scheduling_pb2.FavouriteCentre) -> "FavouriteView":
        """From scheduling.v1.FavouriteCentre; the centre's name is null where it is not known."""
        return cls(
            category=one.category,
            centre_id=one.centre_id,
            priority=one.priority,
            centre_name=one.centre_name or None,
            department=one.department or None,
        )


class FavouritesView(View):
    """The school's favourite centres, and when RdvPermis was last read."""

    items: list[FavouriteView]
    seen_at: datetime | None = None


class SearchView(View):
    """A saved search's filters, as /slots takes them; null where it does not filter."""

    department: str | None = None
    category: str
    centres: list[str]
    within_km: int | None = None
    day_from: str | None = None
    day_to: str | None = None
    consecutive: int
    open_now: bool
    opens_before: datetime | None = None
    kind: str | None = None
    weekdays: list[int]

    @classmethod
    def of(cls, search: scheduling_pb2.SearchSlotsRequest) -> "SearchView":
        """From scheduling.v1.SearchSlotsRequest without its window and page."""
        first, last = optional_figure(search, "day_from_minutes"), optional_figure(search, "day_to_minutes")
        return cls(
            department=search.department or None,
            category=search.category,
            centres=list(search.centre_ids),
            within_km=optional_figure(search, "within_km"),
            day_from=None if first is None else clock_of(first),
            day_to=None if last is None else clock_of(last),
            consecutive=max(search.consecutive, 1),
            open_now=search.open_now,
            opens_before=optional_instant(search, "opens_before"),
            kind=search.kind or None,
            weekdays=list(search.weekdays),
        )


class SavedSearchView(View):
    """A search that its owner keeps; nothing is ever booked by it."""

    id: str
    label: str
    search: SearchView
    created_at: datetime | None = None
    matched_at: datetime | None = None
    alert: bool

    @classmethod
    def of(cls, saved: scheduling_pb2.SavedSearch) -> "SavedSearchView":
        """From scheduling.v1.SavedSearch."""
        return cls(
            id=saved.id,
            label=saved.label,
            search=SearchView.of(saved.search),
            created_at=optional_instant(saved, "created_at"),
            matched_at=optional_instant(saved, "matched_at"),
            alert=saved.alert,
        )


class SavedSearchPage(View):
    """The asker's own saved searches, newest first."""

    items: list[SavedSearchView]


class ParameterView(View):
    """A parameter of the rules; null department or category: all of them."""

    name: str
    value: str
    department: str | None = None
    category: str | None = None
    valid_from: datetime | None = None
    state: Literal["in_force", "to_come", "awaiting_approval"]

    @classmethod
    def of(cls, parameter: scheduling_pb2.Parameter, now: datetime) -> "ParameterView":
        """From scheduling.v1.Parameter; who proposed and approved it stays in the journal."""
        begins = parameter.HasField("valid_from") and instant(parameter.valid_from) > now
        return cls(
            name=parameter.name,
            value=parameter.value,
            department=parameter.department or None,
            category=parameter.category or None,
            valid_from=optional_instant(parameter, "valid_from"),
            state="awaiting_approval" if not parameter.approved_by else "to_come" if begins else "in_force",
        )


class ParameterPage(View):
    """Parameters of the rules: in force, approved for later, or waiting for their second person."""

    items: list[ParameterView]
    server_time: datetime
