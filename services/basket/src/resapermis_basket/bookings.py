"""Coming bookings: listed, cancelled, given to another candidate."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from resapermis.booking.v1 import booking_pb2 as pb
from resapermis.rdvpermis.v1 import rdvpermis_pb2 as rdv
from resapermis.verdict.v1.verdict_pb2 import Verdict
from resapermis_basket import refusals, store, view
from resapermis_basket.acts import parse_id, refuse
from resapermis_basket.changing import Ask, LineActs, Situation
from resapermis_basket.domain import Change, Changing, Line, State, in_doubt, move, replacement
from resapermis_kit.auth import Principal
from resapermis_kit.db import transaction
from resapermis_kit.errors import Code, Failure, malformed

REASONS = frozenset({"candidate_ill", "not_ready", "school", "other"})
"""Why a booking is cancelled: words, so that nobody writes about a person's health in our journal."""
LARGEST_PAGE, USUAL_PAGE = 200, 50
CHARTER = "RdvPermis charter 3.2"


def _cancelled(line: Line) -> pb.CancelBookingResponse:
    return pb.CancelBookingResponse(booking=view.line(line))


def _replaced(line: Line) -> pb.ReplaceCandidateResponse:
    return pb.ReplaceCandidateResponse(booking=view.line(line))


class Bookings(LineActs):
    """What was booked."""

    async def page(self, who: Principal, request: pb.ListBookingsRequest) -> pb.ListBookingsResponse:
        """One page of the school's bookings."""
        page = parse_page(request)
        async with transaction(self.parts.engine) as tx:
            found = await store.bookings(tx, who.school_id, page)
        response = pb.ListBookingsResponse(bookings=[view.line(line) for line in found[: page.limit - 1]])
        if len(found) == page.limit:
            response.next_cursor = cursor_of(found[-2])
        return response

    async def cancel(self, who: Principal, request: pb.CancelBookingRequest) -> pb.CancelBookingResponse:
        """Cancel a coming booking."""
        if request.reason not in REASONS:
            raise malformed("reason", f"one of {', '.join(sorted(REASONS))}")
        situation = await self.situation(who, request, parse_id(request.booking_id, "booking_id"))
        if situation.asked_before:
            return await self.earlier(who, request, situation, _cancelled)
        await self._require_coming(who, situation, "booking.cancel", [past(situation)])
        ask = Ask(
            Changing.CANCEL,
            "CancelExam",
            rdv.CancelExamRequest(exam_id=situation.line.exam_id),
            lambda line, now: [Change(line, move(line, State.CANCELLED, now))],
            done_words=frozenset({"EXAMEN_DEJA_ANNULE"}),
            facts={"cause": request.reason},
        )
        return await self.act(who, request, situation, ask, _cancelled)

    async def replace(self, who: Principal, request: pb.ReplaceCandidateRequest) -> pb.ReplaceCandidateResponse:
        """Give a coming booking to another candidate: the old line ends, a new one is booked on the same slot."""
        candidate_id = parse_id(request.candidate_id, "candidate_id")
        line_id = parse_id(request.booking_id, "booking_id")
        situation = await self.situation(who, request, line_id, candidate_id)
        if situation.asked_before:
            return await self.earlier(who, request, situation, _replaced)
        line = situation.line
        notice = timedelta(seconds=self.parts.peers.limits.notice_seconds)
        await self._require_coming(who, situation, "booking.replace", [past(situation), in_time(situation, notice)])
        theirs = await self._may_replace(who, situation, candidate_id)
        ask = Ask(
            Changing.REPLACE,
            "ReplaceCandidate",
            rdv.ReplaceCandidateRequest(exam_id=line.exam_id, rdvpermis_candidate_id=theirs),
            lambda line, now: self._both(who, line, now),
            wanted_candidate_id=candidate_id,
            wanted_rdvpermis_id=theirs,
        )
        return await self.act(who, request, situation, ask, _replaced)

    def _both(self, who: Principal, old: Line, now: datetime) -> list[Change]:
        new = replacement(old, self.parts.new_id(), self.parts.new_id(), who.account_id, now)
        return [Change(old, move(old, State.REPLACED, now)), Change(None, new)]

    async def _require_coming(
        self, who: Principal, situation: Situation, word: str, verdicts: Sequence[Verdict]
    ) -> None:
        """Refuse what is not a booking, is in doubt, or is frozen by these verdicts."""
        line = situation.line
        if in_doubt(line) or (line.state is State.BOOKED and not line.exam_id):
            raise Failure(
                Code.CODE_UNKNOWN_OUTCOME, "RdvPermis was asked about this booking; its answer is not known yet"
            )
        if line.state not in {State.BOOKED, State.DONE}:
            raise Failure(Code.CODE_ILLEGAL_TRANSITION, f"the line is {line.state}, not booked")
        if not all(verdict.allowed for verdict in verdicts):
            failure = refusals.of_rules(verdicts)
            raise await refuse(self.parts, who, word, "line", str(line.id), failure, situation.time.now)

    async def _may_replace(self, who: Principal, situation: Situation, candidate_id: UUID) -> str:
        """R-MANDATE and R-REPLACE for the new candidate, who is on no other line; return RdvPermis' id of them."""
        line = situation.line
        if line.candidate_id == candidate_id:
            raise malformed("candidate_id", "the booking names this candidate already")
        (mandate,) = await self.parts.peers.mandates([(str(candidate_id), line.slot.category)])
        busy = mandate.active and (candidate_id, line.slot.category) in situation.conflicts.candidates
        today = situation.time.now.astimezone(ZoneInfo(line.slot.time_zone)).date()
        allowance = await self.parts.peers.rdvpermis(
            "GetReplacements", rdv.GetReplacementsRequest(category=line.slot.category, date=today.isoformat())
        )
        verdicts = [
            mandate_rule(active=mandate.active),
            Verdict(rule="R-ONE-ACTIVE", allowed=not busy, source=CHARTER, remedy="choose_another_candidate"),
            replacements_rule(allowance),
        ]
        if not all(verdict.allowed for verdict in verdicts):
            failure, now = refusals.of_rules(verdicts), situation.time.now
            raise await refuse(self.parts, who, "booking.replace", "line", str(line.id), failure, now)
        rdvpermis_candidate_id: str = mandate.rdvpermis_candidate_id
        return rdvpermis_candidate_id


def past(situation: Situation) -> Verdict:
    """R-PAST: a slot that has begun is frozen; nobody cancels or replaces it.

    Source: RdvPermis charter 3.2, restrictions on past slots.
    """
    starts_at = situation.line.slot.starts_at
    facts = {"startsAt": starts_at.isoformat()}
    return Verdict(rule="R-PAST", allowed=situation.time.now < starts_at, facts=facts, source=CHARTER)


def in_time(situation: Situation, notice: timedelta) -> Verdict:
    """R-NOTICE: a booking is replaced no later than the notice before its start.

    Source: parameter `notice_seconds`; RdvPermis' estModifiable wins.
    """
    latest = situation.line.slot.starts_at - notice
    facts = {"latest": latest.isoformat(), "noticeSeconds": str(int(notice.total_seconds()))}
    return Verdict(rule="R-NOTICE", allowed=situation.time.now <= latest, facts=facts, source=CHARTER)


def mandate_rule(*, active: bool) -> Verdict:
    """R-MANDATE: the school has an active mandate of the candidate for the slot's category.

    Source: RdvPermis charter 3.1.
    """
    facts = {"active": str(active).lower()}
    remedy = "" if active else "ask_mandate"
    return Verdict(rule="R-MANDATE", allowed=active, facts=facts, source="RdvPermis charter 3.1", remedy=remedy)


def replacements_rule(allowance: rdv.GetReplacementsResponse) -> Verdict:
    """R-REPLACE: replacements this month stay within RdvPermis' allowance.

    Source: RdvPermis API, nombre-de-remplacement.
    """
    facts = {"left": str(allowance.left), "perMonth": str(allowance.per_month)}
    return Verdict(rule="R-REPLACE", allowed=allowance.left > 0, facts=facts, source=CHARTER)


_STATES = {
    pb.BOOKING_FILTER_UPCOMING: ([State.BOOKED], False),
    pb.BOOKING_FILTER_TO_CONFIRM: ([State.CONFIRMING], None),
    pb.BOOKING_FILTER_PAST: ([State.BOOKED, State.DONE, State.CANCELLED, State.REPLACED, State.SWAPPED], True),
}


def parse_page(request: pb.ListBookingsRequest) -> store.Page:
    """Read what to list; one line more than asked for is read, to know whether there is a next page."""
    kind = request.filter or pb.BOOKING_FILTER_UPCOMING
    if kind not in _STATES:
        raise malformed("filter", "unknown")
    if not 0 <= request.limit <= LARGEST_PAGE:
        raise malformed("limit", f"0 to {LARGEST_PAGE}")
    states, begun = _STATES[kind]
    after = parse_cursor(request.cursor) if request.cursor else None
    return store.Page(states, begun is True, (request.limit or USUAL_PAGE) + 1, after, begun)


def cursor_of(line: Line) -> str:
    """Where the next page begins."""
    return base64.urlsafe_b64encode(f"{line.slot.starts_at.isoformat()} {line.id}".encode()).decode()


def parse_cursor(text: str) -> tuple[datetime, UUID]:
    """Inverse of `cursor_of`; MALFORMED for anything else."""
    try:
        moment, _, line_id = base64.urlsafe_b64decode(text.encode()).decode().rpartition(" ")
        return datetime.fromisoformat(moment).astimezone(UTC), UUID(line_id)
    except (ValueError, binascii.Error):
        raise malformed("cursor", "not a cursor of ours") from None
