"""Rules about the slot itself: is it offered, and is there time."""

from datetime import timedelta

from resapermis_rules import statements
from resapermis_rules.verdict import Verdict
from resapermis_scheduling_rules.domain.days import instant
from resapermis_scheduling_rules.domain.slots import Status
from resapermis_scheduling_rules.domain.snapshot import EvaluationSnapshot, Purpose

PUBLISHED_SOURCE = "RdvPermis API, planning: statutDeReservation"
NOTICE_SOURCE = "Parameter notice_seconds (default 0); RdvPermis' estModifiable wins"
_REMEDIES = {
    Status.TAKEN: "choose_another_slot",
    Status.OURS: "see_basket",
    Status.WITHDRAWN: "choose_another_slot",
    Status.OTHER: "see_rdvpermis",
}


def unknown(slot_id: str) -> Verdict:
    """R-PUBLISHED for a slot that no poll has ever brought: it cannot be taken before it is found by a search."""
    return Verdict(
        "R-PUBLISHED", False, {"slot": slot_id, "status": "UNKNOWN"}, PUBLISHED_SOURCE, remedy="search_again"
    )


def published(snapshot: EvaluationSnapshot) -> Verdict:
    """R-PUBLISHED: a slot is held only while RdvPermis offers it, and validated or passed on unless the State withdrew it.

    Source: RdvPermis API, statutDeReservation as last seen. Whether the threshold is reached is R-THRESHOLD's to decide. Of
    what a school has already, basket knows that it is ours, and the mirror may not have it yet. What the State
    withdrew may still be cancelled.
    """
    slot, status = snapshot.slot, snapshot.status
    facts = {"status": status.value, "seenAt": instant(slot.seen_at), "publishedAt": instant(slot.published_at)}
    if snapshot.purpose is Purpose.CANCEL:
        offered = True
    elif snapshot.purpose.takes:
        offered = status in {Status.FREE, Status.THRESHOLD_REACHED}
    else:
        offered = status is not Status.WITHDRAWN
    if not offered:
        return Verdict("R-PUBLISHED", False, facts, PUBLISHED_SOURCE, remedy=_REMEDIES[status])
    if snapshot.purpose.takes and snapshot.now < slot.published_at:
        return Verdict("R-PUBLISHED", False, facts, PUBLISHED_SOURCE, opens_at=slot.published_at, remedy="wait")
    return Verdict("R-PUBLISHED", True, facts, PUBLISHED_SOURCE)


def past(snapshot: EvaluationSnapshot) -> Verdict:
    """R-PAST: a slot that has begun may be neither held, replanned, replaced nor cancelled.

    Source: RdvPermis charter 3.2, restrictions on past slots. Not even RdvPermis' estModifiable reopens one.
    """
    starts_at = snapshot.slot.starts_at
    facts = {"startsAt": instant(starts_at)}
    return statements.past(starts_at, snapshot.now, booked=snapshot.purpose.changes, facts=facts)


def notice(snapshot: EvaluationSnapshot) -> Verdict:
    """R-NOTICE: a slot is held or replaced no later than the notice before its start; RdvPermis' estModifiable wins.

    Source: parameter `notice_seconds`, effective-dated. What is held may still be validated, and a cancellation needs no
    notice (a late one has its price: R-PENALTY). Where RdvPermis states whether a booking may still be changed, that holds.
    """
    seconds = snapshot.parameters.notice_seconds
    latest = snapshot.slot.starts_at - timedelta(seconds=seconds)
    facts = {"latest": instant(latest), "noticeSeconds": str(seconds)}
    if snapshot.purpose.changes and snapshot.changeable is not None:
        facts["changeable"] = str(snapshot.changeable).lower()
        remedy = "" if snapshot.changeable else "see_rdvpermis"
        return Verdict("R-NOTICE", snapshot.changeable, facts, NOTICE_SOURCE, remedy=remedy)
    in_time = snapshot.purpose in {Purpose.VALIDATE, Purpose.CANCEL} or snapshot.now <= latest
    remedy = "" if in_time else "see_bookings" if snapshot.purpose.changes else "choose_another_slot"
    return Verdict("R-NOTICE", in_time, facts, NOTICE_SOURCE, remedy=remedy)
