"""Lines for tests that need no database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID, uuid4

from resapermis_basket.domain.line import LIVE, Line, Slot, State

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


def slot(slot_id: str = "s1", month: str = "2026-12") -> Slot:
    return Slot(slot_id, "94", "B", month, NOW, NOW + timedelta(minutes=32), "Europe/Paris", "Rungis", b"")


def line(state: State = State.ASKING, slot_id: str = "s1", **more: object) -> Line:
    made = Line(
        id=uuid4(),
        group_id=UUID(int=1),
        position=0,
        school_id="school-1",
        account_id="account-1",
        slot=slot(slot_id),
        state=state,
        since=NOW,
        candidate_id=UUID(int=7),
        rdvpermis_candidate_id="rdv-7",
        expires_at=NOW + timedelta(minutes=15),
        ended_at=None if state in LIVE else NOW,
        basket_id="" if state is State.ASKING else "basket-1",
    )
    return replace(made, **more)  # type: ignore[arg-type] # what tests vary
