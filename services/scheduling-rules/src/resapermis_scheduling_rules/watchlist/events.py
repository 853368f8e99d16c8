"""Events of favourites and saved searches, and their records."""

from collections.abc import Sequence

from google.protobuf.message import Message

from resapermis.audit.v1.events_pb2 import Record
from resapermis.scheduling.v1.events_pb2 import SearchMatched
from resapermis_kit.rpc.auth import Principal
from resapermis_places.table import zone_of
from resapermis_scheduling_rules import events
from resapermis_scheduling_rules.domain.slots import Slot
from resapermis_scheduling_rules.watchlist.queries import SavedSearch

MOST_NAMED = 10


def favourites_set(who: Principal, category: str, centres: Sequence[str]) -> Record:
    """A person chose the school's favourite centres."""
    facts = {"category": category, "centres": " ".join(centres)}
    return events.person_record(who, "favourite.set", "school", who.school_id, facts)


def search_kept(who: Principal, saved: SavedSearch) -> Record:
    """A person kept a search. Its label is theirs alone."""
    return events.person_record(who, "search.save", "search", str(saved.id), {"alert": str(saved.alert).lower()})


def search_forgotten(who: Principal, search_id: str) -> Record:
    """The record of a saved search that its owner deleted."""
    return events.person_record(who, "search.delete", "search", search_id, {})


def matched(saved: SavedSearch, slots: Sequence[Slot]) -> list[Message]:
    """Slots came that a search wants; nothing is booked by it. `slots` in order of time, at least one."""
    first = slots[0]
    event = SearchMatched(
        search_id=str(saved.id),
        school_id=saved.school_id,
        account_id=saved.account_id,
        slot_ids=[slot.id for slot in slots[:MOST_NAMED]],
        slots=len(slots),
        department=first.department,
        category=first.category,
        time_zone=zone_of(first.department),
    )
    event.first_starts_at.FromDatetime(first.starts_at)
    facts = {"slots": str(len(slots)), "first": first.id}
    return [event, events.system_record(saved.school_id, "search.match", "search", str(saved.id), facts)]
