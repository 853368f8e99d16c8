"""How a poll changes what is known of a slot. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from resapermis_scheduling_rules.domain.slots import Status, status_of

BY_OTHERS = "RÉSERVÉ_PAR_AUTRE_AUTO_ÉCOLE"
WHOLE_DAY = 3
"""So many slots gone in one empty answer are doubted."""
FLAPPING = timedelta(hours=1)
"""A slot that is gone again so soon after its loss was published is not published again."""


@dataclass(frozen=True, slots=True)
class PolledSlot:
    """A slot as RdvPermis answered in one poll; `word` is its statutDeReservation, verbatim."""

    id: str
    starts_at: datetime
    ends_at: datetime
    published_at: datetime | None
    word: str
    """RdvPermis' statutDeReservation, verbatim."""
    kind: str

    @property
    def status(self) -> Status:
        """What `word` means for the school that polled; others may see the slot differently."""
        return status_of(self.word)


@dataclass(frozen=True, slots=True)
class MirroredSlot:
    """A slot as the mirror stores it, for every school; `holder` is the school of ours that has it."""

    status: Status
    starts_at: datetime
    published_at: datetime
    seen_at: datetime
    holder: str | None = None
    held_until: datetime | None = None
    withdrawn_at: datetime | None = None
    reappeared_at: datetime | None = None
    """When it last came back after it was gone."""
    loss_published_at: datetime | None = None
    """When its loss was last published."""


def merged(before: MirroredSlot | None, found: PolledSlot, asker: str, at: datetime) -> MirroredSlot:
    """Put one slot of a poll, asked at `at` by school `asker`, over what was known.

    What was learnt after `at` stays. A live hold of ours outlives a poll that finds it free, for RdvPermis may show a slot
    in a basket so. "Reserved" takes a slot from the school that we know has it only when that school itself sees that
    it is others'.
    """
    if before is not None and before.seen_at > at:
        return before
    published = found.published_at or (before.published_at if before is not None else at)
    back = before is not None and before.withdrawn_at is not None and found.status is not Status.WITHDRAWN
    reappeared = at if back else before.reappeared_at if before is not None else None
    shared = {Status.OURS: Status.TAKEN, Status.THRESHOLD_REACHED: Status.FREE}.get(found.status, found.status)
    published_loss = before.loss_published_at if before is not None else None
    after = MirroredSlot(
        shared, found.starts_at, published, at, reappeared_at=reappeared, loss_published_at=published_loss
    )
    if shared is Status.WITHDRAWN:
        return replace(after, withdrawn_at=at)
    if found.status is Status.OURS:
        return replace(after, holder=asker, held_until=before.held_until if before is not None else None)
    if before is None or before.holder is None:
        return after
    held = before.held_until is not None and before.held_until > at
    keeps = (shared is Status.FREE and held) or (
        shared is Status.TAKEN and not (before.holder == asker and found.word == BY_OTHERS)
    )
    return replace(after, status=Status.TAKEN, holder=before.holder, held_until=before.held_until) if keeps else after


def newly_free(before: Mapping[str, MirroredSlot], found: Sequence[PolledSlot], at: datetime) -> list[str]:
    """Ids of slots that a poll shows free and that were not known free: new, given back, or back after they were gone."""
    ids = []
    for slot in found:
        known = before.get(slot.id)
        if slot.starts_at <= at or slot.status not in {Status.FREE, Status.THRESHOLD_REACHED}:
            continue
        if known is None or (
            known.seen_at <= at and (known.status is not Status.FREE or known.withdrawn_at is not None)
        ):
            ids.append(slot.id)
    return sorted(ids)


def is_doubtful(before: Mapping[str, MirroredSlot], found: Sequence[PolledSlot], at: datetime) -> bool:
    """Whether an empty answer is more likely a fault of theirs than the State's will: a whole day gone at once.

    It is believed when the next poll answers the same.
    """
    there = [known for known in before.values() if known.withdrawn_at is None and known.starts_at > at]
    return not found and len(there) >= WHOLE_DAY


def to_publish(before: Mapping[str, MirroredSlot], gone: Sequence[str], at: datetime) -> list[str]:
    """Of lost slots, those whose loss is published: of one that comes and goes once, unless a school has it."""
    published = []
    for slot_id in gone:
        known = before[slot_id]
        lately = known.loss_published_at is not None and known.loss_published_at > at - FLAPPING
        if known.holder is not None or not lately:
            published.append(slot_id)
    return published


def lost(
    before: Mapping[str, MirroredSlot], found: Sequence[PolledSlot], asker: str, at: datetime, *, whole: bool = True
) -> list[str]:
    """Ids of slots that a poll shows withdrawn, or reserved by others although they were the asker's; in id order.

    A slot that has begun, or of which something was learnt after the poll, is not lost; nor one that half an answer lacks.
    """
    words = {slot.id: slot for slot in found}
    ids = []
    for slot_id, known in sorted(before.items()):
        if known.withdrawn_at is not None or known.seen_at > at or known.starts_at <= at:
            continue
        seen = words.get(slot_id)
        gone = whole if seen is None else seen.status is Status.WITHDRAWN
        if gone or (known.holder == asker and seen is not None and seen.word == BY_OTHERS):
            ids.append(slot_id)
    return ids
