"""What mandate answers. The school always comes from the signed principal, never from a request."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from functools import partial
from typing import Any
from uuid import UUID

from sqlalchemy.ext.asyncio import AsyncEngine

from resapermis.audit.v1.events_pb2 import Actor, Record
from resapermis.mandate.v1 import mandate_pb2 as pb
from resapermis.mandate.v1 import mandate_pb2_grpc
from resapermis_kit.clock import Clock, NewId
from resapermis_kit.database.idempotency import Command, abandon, begin, finish
from resapermis_kit.database.transaction import Tx, transaction
from resapermis_kit.errors import Code, Failure, malformed
from resapermis_kit.events.outbox import Outbox
from resapermis_kit.rpc.auth import Principal, caller
from resapermis_kit.rpc.batcher import Batcher
from resapermis_kit.rpc.fields import cut, page_limit, parse_id, parse_optional_id
from resapermis_mandate import events, queries
from resapermis_mandate.domain import PURPOSES, Mandate, SealedCandidate, State, fixed_by, new_draft, next_poll
from resapermis_mandate.identities import FIELDS, Identities
from resapermis_mandate.mandates import Mandates
from resapermis_mandate.wire import (
    candidate_message,
    mandate_answer,
    mandate_message,
    parse_category,
    parse_correction,
    parse_gearbox,
    parse_identity,
    parse_state,
)
from resapermis_vault.errors import Unreadable
from resapermis_vault.normalisation import normalise_neph

MOST_FOUND = 20
MOST_ASKED = 200
ALL_FIELDS = " ".join(FIELDS)
NAME_FIELDS = "last_name first_name"
DRAFT_POLLS = 1
"""A draft is first polled after 10 s: longer than the call that decides it."""


class MandateServicer(mandate_pb2_grpc.MandateServiceServicer):
    """mandate.v1: candidates in PostgreSQL, mandates asked of RdvPermis through egress."""

    def __init__(
        self, engine: AsyncEngine, identities: Identities, mandates: Mandates, box: Outbox, now: Clock, new_id: NewId
    ) -> None:
        """Wired in process."""
        self._engine, self._identities, self._mandates = engine, identities, mandates
        self._box, self._now, self._new_id = box, now, new_id
        # Schools that ask in one moment share a statement; each is answered of its own candidates alone.
        self._school_mandates: Batcher[queries.SchoolQuestion, Sequence[Mandate]] = Batcher(
            partial(queries.mandates_of_schools, engine)
        )

    async def CreateCandidate(self, request: pb.CreateCandidateRequest, context: Any) -> pb.CreateCandidateResponse:
        """Register a candidate; a NEPH that the school has already is refused, and the refusal says whose it is."""
        who = caller().school()
        identity = parse_identity(request)
        command = Command(who.account_id, request, pb.CreateCandidateResponse)
        async with transaction(self._engine) as tx:
            answered = await begin(tx, command, self._now())
            if answered is not None:
                kept = (await queries.find_candidates(tx, who.school_id, [UUID(answered.candidate.id)]))[0]
                return pb.CreateCandidateResponse(candidate=candidate_message(kept, self._identities.open(kept), ()))
            sealed = self._identities.seal(self._new_id(), who.school_id, identity, self._now())
            if not await queries.add_candidate(tx, sealed, self._identities.word_indexes(identity)):
                raise await self._neph_known(tx, who.school_id, identity.neph)
            await self._box.add(tx, self._now(), *events.candidate_created(who, str(sealed.id)))
            # The stored answer holds the id alone: no name is kept in clear, not even for a twin.
            stored = pb.CreateCandidateResponse(candidate=pb.Candidate(id=str(sealed.id)))
            await finish(tx, command, stored)
        return pb.CreateCandidateResponse(candidate=candidate_message(sealed, identity, ()))

    async def UpdateCandidate(self, request: pb.UpdateCandidateRequest, context: Any) -> pb.UpdateCandidateResponse:
        """Correct the fields that are given; refused while a mandate fixes one of them. Nothing is asked of RdvPermis."""
        who = caller().school()
        candidate_id, values = parse_id(request.candidate_id, "candidate_id"), parse_correction(request)
        command = Command(who.account_id, request, pb.UpdateCandidateResponse)
        async with transaction(self._engine) as tx:
            answered = await begin(tx, command, self._now())
            sealed = await queries.lock_candidate(tx, who.school_id, candidate_id, to_correct=True)
            if sealed is None:
                raise Failure(Code.CODE_NOT_FOUND, "no such candidate")
            try:
                identity = self._identities.open(sealed)
            except Unreadable:
                raise Failure(Code.CODE_NOT_FOUND, "erased") from None
            mandates = await queries.mandates_of(tx, who.school_id, [candidate_id])
            if answered is None:
                if request.version not in {0, sealed.version}:
                    raise Failure(Code.CODE_STALE, "corrected meanwhile; read it again")
                changed = {field: value for field, value in values.items() if value != getattr(identity, field)}
                _refuse_fixed(changed, mandates)
                if changed:
                    sealed, identity = self._identities.corrected(sealed, changed), replace(identity, **changed)
                    renamed = not changed.keys().isdisjoint({"last_name", "first_name"})
                    words = self._identities.word_indexes(identity) if renamed else None
                    if not await queries.correct_candidate(tx, sealed, words):
                        raise await self._neph_known(tx, who.school_id, identity.neph)
                    await self._box.add(
                        tx, self._now(), *events.candidate_updated(who, str(candidate_id), " ".join(changed))
                    )
                stored = pb.UpdateCandidateResponse(candidate=pb.Candidate(id=str(candidate_id)))
                await finish(tx, command, stored)
        return pb.UpdateCandidateResponse(candidate=candidate_message(sealed, identity, mandates))

    async def _neph_known(self, tx: Tx, school_id: str, neph: str) -> Failure:
        known = await queries.candidate_of_neph(tx, school_id, self._identities.neph_candidates(neph))
        return Failure(
            Code.CODE_NEPH_KNOWN,
            f"candidate {known} of the school has this NEPH",
            violations=[("neph", "another candidate of your school has it")],
            object_id=str(known or ""),
        )

    async def GetCandidate(self, request: pb.GetCandidateRequest, context: Any) -> pb.GetCandidateResponse:
        """One candidate with mandates; recorded as a read before it is answered."""
        wanted = parse_id(request.candidate_id, "candidate_id")
        _, opened = await self._read(lambda tx, school: queries.find_candidates(tx, school, [wanted]), request.purpose)
        if not opened:
            raise Failure(Code.CODE_NOT_FOUND, "no such candidate")
        return pb.GetCandidateResponse(candidate=opened[0])

    async def ListCandidates(self, request: pb.ListCandidatesRequest, context: Any) -> pb.ListCandidatesResponse:
        """Newest first; the cursor is the last id of the page before."""
        limit = page_limit(request.limit)
        before = parse_optional_id(request.cursor, "cursor")
        opened, cursor = await self._read_page(
            lambda tx, school, many: queries.page_candidates(tx, school, before, many), limit, request.purpose
        )
        return pb.ListCandidatesResponse(candidates=opened, next_cursor=cursor)

    async def SearchCandidates(self, request: pb.SearchCandidatesRequest, context: Any) -> pb.SearchCandidatesResponse:
        """By NEPH or by whole words of the name, newest first, 20 a page; the cursor is the last id of the page before."""
        before = parse_optional_id(request.cursor, "cursor")
        try:
            nephs = self._identities.neph_candidates(normalise_neph(request.query))
        except ValueError:
            raise malformed("query", "type a NEPH or whole words of the name") from None
        words = self._identities.word_candidates(request.query)[:10]
        opened, cursor = await self._read_page(
            lambda tx, school, many: queries.search_candidates(tx, school, nephs, words, before, many),
            MOST_FOUND,
            request.purpose,
        )
        return pb.SearchCandidatesResponse(candidates=opened, next_cursor=cursor)

    async def _read_page(
        self, question: Callable[[Tx, str, int], Awaitable[Sequence[SealedCandidate]]], limit: int, purpose: str
    ) -> tuple[list[pb.Candidate], str]:
        """As `_read`, a page and the cursor of the next. One more is asked for: it is neither shown nor recorded as read."""
        cursor = ""

        async def page(tx: Tx, school: str) -> Sequence[SealedCandidate]:
            nonlocal cursor
            shown, cursor = cut(await question(tx, school, limit + 1), limit)
            return shown

        _, opened = await self._read(page, purpose)
        return opened, cursor

    async def _read(
        self, question: Callable[[Tx, str], Awaitable[Sequence[SealedCandidate]]], purpose: str
    ) -> tuple[Sequence[SealedCandidate], list[pb.Candidate]]:
        """Ask the database for candidates of the caller's school, record the read, open them.

        Returns what was found, by which a page is counted, and what of it can be opened: an erased candidate cannot.
        """
        who = caller().school()
        _check_purpose(purpose)
        async with transaction(self._engine) as tx:
            found = await question(tx, who.school_id)
            if not found:
                return [], []
            mandates = await queries.mandates_of(tx, who.school_id, [one.id for one in found])
            await self._record_reads(
                tx, events.person(who), who.school_id, [one.id for one in found], ALL_FIELDS, purpose
            )
        opened = []
        for one in found:
            try:
                identity = self._identities.open(one)
            except Unreadable:
                continue  # erased: it has no name any more
            opened.append(candidate_message(one, identity, [m for m in mandates if m.candidate_id == one.id]))
        return found, opened

    async def _record_reads(
        self, tx: Tx, actor: Actor, school_id: str, ids: Sequence[UUID], fields: str, purpose: str
    ) -> None:
        await self._box.add(tx, self._now(), *_reads(actor, school_id, ids, fields, purpose))

    async def DescribeCandidates(
        self, request: pb.DescribeCandidatesRequest, context: Any
    ) -> pb.DescribeCandidatesResponse:
        """Names for showing; unknown ids and other schools' are left out."""
        who = caller().school()
        _check_purpose(request.purpose)
        if len(request.candidate_ids) > MOST_ASKED:
            raise malformed("candidate_ids", f"at most {MOST_ASKED}")
        ids = {parse_id(text, "candidate_ids") for text in request.candidate_ids}
        found = await queries.names_of(self._engine, who.school_id, ids)
        reads = _reads(events.person(who), who.school_id, [one.id for one in found], NAME_FIELDS, request.purpose)
        await self._box.emit(self._engine, self._now(), *reads)  # recorded before it is answered
        response = pb.DescribeCandidatesResponse()
        for one in found:
            try:
                last_name, first_name = self._identities.open_name(one)
            except Unreadable:
                continue
            response.names.add(candidate_id=str(one.id), last_name=last_name, first_name=first_name)
        return response

    async def GetContact(self, request: pb.GetContactRequest, context: Any) -> pb.GetContactResponse:
        """For notification alone (Cedar); recorded as the system's read."""
        _check_purpose(request.purpose)
        async with transaction(self._engine) as tx:
            found = await queries.any_candidate(tx, parse_id(request.candidate_id, "candidate_id"))
            if found is None:
                raise Failure(Code.CODE_NOT_FOUND, "no such candidate")
            actor = Actor(kind=Actor.KIND_SYSTEM, id=caller().service)
            await self._record_reads(tx, actor, found.school_id, [found.id], f"{NAME_FIELDS} email", request.purpose)
        try:
            identity = self._identities.open(found)
        except Unreadable:
            raise Failure(Code.CODE_NOT_FOUND, "erased") from None
        return pb.GetContactResponse(
            last_name=identity.last_name, first_name=identity.first_name, email=identity.email, locale="fr"
        )

    async def RequestMandate(self, request: pb.RequestMandateRequest, context: Any) -> pb.RequestMandateResponse:
        """Ask RdvPermis; its refusal comes as a Failure with its code, and the mandate is kept as refused."""
        who = caller().school()
        category, gearbox = parse_category(request.category), parse_gearbox(request.gearbox)
        candidate_id = parse_id(request.candidate_id, "candidate_id")
        draft = new_draft(self._new_id(), candidate_id, who.school_id, category, gearbox, self._now())

        async def as_found(tx: Tx, mandate_id: UUID) -> pb.RequestMandateResponse | None:
            known = await queries.find_mandate(tx, who.school_id, mandate_id)
            if known is None or known.state is State.DRAFT:
                return None  # RdvPermis is being asked, or read
            return pb.RequestMandateResponse(mandate=mandate_message(known))

        command = Command(who.account_id, request, pb.RequestMandateResponse, as_found)
        async with transaction(self._engine) as tx:
            answered = await begin(tx, command, self._now(), made=draft.id)
            if answered is not None:
                return answered
            sealed = await queries.lock_candidate(tx, who.school_id, candidate_id)
            if sealed is None:
                raise Failure(Code.CODE_NOT_FOUND, "no such candidate")
            open_now = await queries.open_mandate(tx, who.school_id, candidate_id, category)
            if open_now is not None:
                response = pb.RequestMandateResponse(mandate=mandate_message(open_now))
                await finish(tx, command, response)
                return response
            if not await queries.add_mandate(tx, draft, next_poll(State.DRAFT, DRAFT_POLLS, self._now())):
                raise Failure(Code.CODE_IN_PROGRESS, "a mandate for this category is being asked", retry_at=self._now())
            await self._box.add(tx, self._now(), *events.mandate_changed(events.person(who), draft, None))
        mandate, refusal = await self._mandates.request(events.person(who), draft, self._identities.open(sealed))
        response = pb.RequestMandateResponse(mandate=mandate_message(mandate))
        async with transaction(self._engine) as tx:
            if refusal is not None:
                await abandon(tx, command)
            else:
                await finish(tx, command, response)
        if refusal is not None:
            raise refusal
        return response

    async def ListMandates(self, request: pb.ListMandatesRequest, context: Any) -> pb.ListMandatesResponse:
        """Mandates of the school, newest first, at most 200 a page; ids and states, no personal data."""
        who = caller().school()
        limit = page_limit(request.limit)
        before = parse_optional_id(request.cursor, "cursor")
        async with transaction(self._engine) as tx:
            found = await queries.page_mandates(tx, who.school_id, before, limit + 1, parse_state(request.state))
        shown, cursor = cut(found, limit)
        return pb.ListMandatesResponse(mandates=map(mandate_message, shown), next_cursor=cursor)

    async def RefreshMandate(self, request: pb.RefreshMandateRequest, context: Any) -> pb.RefreshMandateResponse:
        """Read the mandate at RdvPermis now, with the caller's token; the answer is its new state."""
        mandate = await self._mandate(caller().school(), request.mandate_id)
        return pb.RefreshMandateResponse(mandate=mandate_message(await self._mandates.poll(mandate, person=True)))

    async def RevokeMandate(self, request: pb.RevokeMandateRequest, context: Any) -> pb.RevokeMandateResponse:
        """The school gives the mandate back: here at once (R-05); holds are released by basket on the event."""
        who = caller().school()
        mandate = await self._mandate(who, request.mandate_id)
        command = Command(who.account_id, request, pb.RevokeMandateResponse)
        async with transaction(self._engine) as tx:
            answered = await begin(tx, command, self._now())
            if answered is not None:
                return answered
            if mandate.state not in {State.PENDING, State.ACTIVE}:
                raise Failure(Code.CODE_ILLEGAL_TRANSITION, f"a mandate that is {mandate.state} cannot be given back")
            to = State.REVOKED if mandate.state == State.ACTIVE else State.CANCELLED
            changed = await self._mandates.change(tx, events.person(who), mandate, to, {})
            response = pb.RevokeMandateResponse(mandate=mandate_message(changed))
            await finish(tx, command, response)
        return response

    async def _mandate(self, who: Principal, mandate_id: str) -> Mandate:
        async with transaction(self._engine) as tx:
            found = await queries.find_mandate(tx, who.school_id, parse_id(mandate_id, "mandate_id"))
        if found is None:
            raise Failure(Code.CODE_NOT_FOUND, "no such mandate")
        return found

    async def CheckMandates(self, request: pb.CheckMandatesRequest, context: Any) -> pb.CheckMandatesResponse:
        """At most one query by our ids and one by RdvPermis', however many questions; the hot path of a hold.

        The first is shared with those who ask in the same moment.
        """
        school_id = _asking_school(request.school_id)
        if len(request.questions) > MOST_ASKED:
            raise malformed("questions", f"at most {MOST_ASKED}")
        ours = {parse_id(q.candidate_id, "candidate_id") for q in request.questions if not q.rdvpermis_candidate_id}
        theirs = {q.rdvpermis_candidate_id for q in request.questions if q.rdvpermis_candidate_id}
        found = await self._school_mandates.submit((school_id, ours)) if ours else ()
        found_there: list[Mandate] = []
        if theirs:
            async with transaction(self._engine) as tx:
                found_there = await queries.mandates_at_rdvpermis(tx, school_id, theirs)
        response = pb.CheckMandatesResponse()
        for question in request.questions:
            if question.rdvpermis_candidate_id:
                of_them = [m for m in found_there if m.rdvpermis_candidate_id == question.rdvpermis_candidate_id]
            else:
                candidate_id = UUID(question.candidate_id)
                of_them = [m for m in found if m.candidate_id == candidate_id]
            of_this = [m for m in of_them if not question.category or m.category == question.category]
            best = next((m for m in of_this if m.state == State.ACTIVE), of_this[0] if of_this else None)
            response.answers.append(mandate_answer(question, best))
        return response


def _asking_school(named: str) -> str:
    """The person's school; a service that asks for itself names one."""
    if caller().person is not None:
        return caller().school().school_id
    if not named:
        raise malformed("school_id", "needed where no person asks")
    return named


def _refuse_fixed(fields: Iterable[str], mandates: Sequence[Mandate]) -> None:
    found = fixed_by(fields, mandates)
    if found is None:
        return
    field, mandate = found
    if mandate.state == State.DRAFT:
        raise Failure(Code.CODE_IN_PROGRESS, "RdvPermis is being asked under this NEPH", object_id=str(mandate.id))
    raise Failure(
        Code.CODE_CANDIDATE_MANDATED,
        f"mandate {mandate.id} is {mandate.state}: give it back first",
        violations=[(field, f"is that of a mandate that is {mandate.state}")],
        object_id=str(mandate.id),
    )


def _reads(actor: Actor, school_id: str, ids: Sequence[UUID], fields: str, purpose: str) -> list[Record]:
    return [events.candidate_read(actor, school_id, str(one), fields, purpose) for one in ids]


def _check_purpose(purpose: str) -> None:
    if purpose not in PURPOSES:
        raise malformed("purpose", f"one of {', '.join(sorted(PURPOSES))}")
