"""Searches that people keep, and where each can match."""

from typing import Literal
from uuid import UUID

import structlog
from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.scheduling.v1 import scheduling_pb2 as pb
from resapermis_kit.clock import Clock, NewId, new_id
from resapermis_kit.database.idempotency import Command, begin, finish
from resapermis_kit.database.transaction import transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc.auth import caller
from resapermis_scheduling_rules import wire
from resapermis_scheduling_rules.domain.slots import Point
from resapermis_scheduling_rules.peers import asker
from resapermis_scheduling_rules.school.schools import Schools
from resapermis_scheduling_rules.search import wire as search_wire
from resapermis_scheduling_rules.search.criteria import SearchCriteria
from resapermis_scheduling_rules.search.departments import departments_within
from resapermis_scheduling_rules.watchlist import events as watch_events
from resapermis_scheduling_rules.watchlist import queries
from resapermis_scheduling_rules.watchlist.queries import MOST_SEARCHES, SavedSearch, Scope
from resapermis_vault.errors import Unreadable
from resapermis_vault.kek import KeyEncryption
from resapermis_vault.person_key import row_of
from resapermis_vault.secret import open_secret, seal_secret

LONGEST_LABEL = 80
SEALED_AT_ONCE = 200
log = structlog.get_logger()
NOT_KEPT: tuple[Literal["from", "to", "cursor", "limit", "poll_now"], ...] = (
    "from",
    "to",
    "cursor",
    "limit",
    "poll_now",
)
"""A saved search is about what comes: neither its window nor its page is kept."""


class SavedSearches:
    """A person's own. An alert books nothing."""

    def __init__(
        self,
        engine: AsyncEngine,
        outbox: Outbox,
        schools: Schools,
        kek: KeyEncryption,
        now: Clock,
        make_id: NewId = new_id,
    ) -> None:
        """`schools` knows where a school is; `kek` seals what a person calls a search, which may hold a name."""
        self._engine, self._outbox, self._schools, self._now, self._new_id = engine, outbox, schools, now, make_id
        self._kek = kek
        self._reader = engine.execution_options(isolation_level="AUTOCOMMIT")

    async def save(self, request: pb.SaveSearchRequest) -> pb.SaveSearchResponse:
        """Keep a search of the caller's; the same request id gives the same search."""
        person, now = caller().school(), self._now()
        label = request.label.strip()
        if not 1 <= len(label) <= LONGEST_LABEL or not label.isprintable():
            raise malformed("label", f"1 to {LONGEST_LABEL} printable characters")
        bare = pb.SearchSlotsRequest()
        bare.CopyFrom(request.search)
        for field in NOT_KEPT:
            bare.ClearField(field)
        wanted = search_wire.criteria_of(bare, now)
        school = (await self._schools.standing(asker())).school
        where = scopes_of(wanted, school.point)
        search_id = self._new_id()
        kept = SavedSearch(
            search_id,
            person.account_id,
            person.school_id,
            label="",
            sealed_label=seal_secret(self._kek, label, row=_row_of(search_id)),
            search=bare.SerializeToString(),
            alert=request.alert,
            created_at=now,
        )
        command = Command(person.account_id, request, pb.SaveSearchResponse)
        async with transaction(self._engine) as tx:
            answered = await begin(tx, command, now)
            if answered is not None:  # to the same request: the label is that of this one
                answered.search.label = label
                return answered
            if not await queries.save(tx, kept, where):
                raise malformed("search", f"at most {MOST_SEARCHES} saved searches: delete one first")
            response = pb.SaveSearchResponse(search=_saved(kept, ""))
            await self._outbox.add(tx, now, watch_events.search_kept(person, kept))
            await finish(tx, command, response)  # kept for a day, without the label
        response.search.label = label
        return response

    async def mine(self) -> pb.ListSavedSearchesResponse:
        """The caller's own searches at their school, newest first."""
        person = caller().school()
        async with transaction(self._reader) as tx:
            found = await queries.saved_by(tx, person.account_id, person.school_id)
        return pb.ListSavedSearchesResponse(searches=[_saved(one, self._label(one)) for one in found])

    async def delete(self, request: pb.DeleteSavedSearchRequest) -> pb.DeleteSavedSearchResponse:
        """Forget one. NOT_FOUND: none of the caller's has this id."""
        person = caller().school()
        async with transaction(self._engine) as tx:
            if not await queries.forget_search(tx, _search_id(request.id), person.account_id, person.school_id):
                raise Failure(Code.CODE_NOT_FOUND, "no saved search of yours has this id")
            await self._outbox.add(tx, self._now(), watch_events.search_forgotten(person, request.id))
        return pb.DeleteSavedSearchResponse()

    async def seal_labels(self) -> None:
        """Seal what an earlier release kept in clear, some at a time, until none is left."""
        while True:
            async with transaction(self._engine) as tx:
                found = await queries.labels_in_clear(tx, SEALED_AT_ONCE)
                for search_id, label in found:
                    await queries.seal_label(tx, search_id, seal_secret(self._kek, label, row=_row_of(search_id)))
            if len(found) < SEALED_AT_ONCE:
                return

    def _label(self, one: SavedSearch) -> str:
        """What its owner calls it; "" where that cannot be read: the others are shown all the same."""
        if one.sealed_label is None:
            return one.label
        try:
            return open_secret(self._kek, one.sealed_label, row=_row_of(one.id)).reveal()
        except Unreadable:
            log.error("search.label_unreadable", search_id=str(one.id))
            return ""


def _row_of(search_id: UUID) -> str:
    return row_of("saved_search", "sealed_label", search_id)


def scopes_of(wanted: SearchCriteria, school: Point | None) -> list[Scope]:
    """Where a search can match, so that a slot finds its searches by index."""
    if wanted.within_km is not None and school is None:
        raise malformed("within_km", "where the school is, is not known: name a department")
    if wanted.department:
        return [
            Scope(wanted.category, wanted.department, centre_id, wanted.within_km)
            for centre_id in wanted.centre_ids or ("",)
        ]
    assert school is not None and wanted.within_km is not None  # noqa: PT018, S101 - parsed so
    return [Scope(wanted.category, one, "", wanted.within_km) for one in departments_within(school, wanted.within_km)]


def _search_id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise malformed("id", "not an id") from None


def _saved(one: SavedSearch, label: str) -> pb.SavedSearch:
    message = pb.SavedSearch(
        id=str(one.id), label=label, search=pb.SearchSlotsRequest.FromString(one.search), alert=one.alert
    )
    message.created_at.CopyFrom(wire.timestamp(one.created_at))
    if one.matched_at is not None:
        message.matched_at.CopyFrom(wire.timestamp(one.matched_at))
    return message
